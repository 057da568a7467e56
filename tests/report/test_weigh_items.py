"""The items on the page of `weigh`: inert, complete for readers without scripts, browsable."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import steelyard as sy
from pages import HOSTILE, Reader
from steelyard.report.weigh_html import embedded, item_rows
from steelyard.report.weigh_verdict import verdict

TAGS = "</script><script>alert(1)</script><img src=x onerror=alert(1)><!--"
BREAKING = f"{TAGS}{HOSTILE}\u2028"


def rows(items: int = 120) -> list[dict[str, Any]]:
    """Three voters; `cyd` differs on every fourth item."""
    return [
        {
            "id": f"q{i}",
            "voter": name,
            "answer": "ham" if (i % 2 == 0) != (name == "cyd" and i % 4 == 0) else "spam",
            "text": f"message number {i}",
            "lang": "de" if i % 3 == 0 else "en",
        }
        for i in range(items)
        for name in ("ann", "bob", "cyd")
    ]


def page_of(tmp_path: Path, given: list[dict[str, Any]], **options: Any) -> str:
    result = sy.weigh(given, ["majority"], out=tmp_path / "out", **options)
    assert result.report is not None
    return result.report.read_text(encoding="utf-8")


def data_of(page: str) -> dict[str, Any]:
    block = re.search(r'id="item-data">(.*?)</script>', page, flags=re.S)
    assert block is not None
    return dict(json.loads(block.group(1)))


def test_the_page_has_every_item_with_its_votes_and_text(tmp_path: Path) -> None:
    data = data_of(page_of(tmp_path, rows(), slices="lang", truth={"q0": "spam", "q1": "spam"}))
    assert (data["total"], len(data["id"])) == (120, 120)
    assert data["voters"] == ["ann", "bob", "cyd"]
    assert data["classes"] == ["ham", "spam"]
    # Least sure first: the 30 items on which cyd differs, in the order of the rows.
    assert data["id"][:2] == ["q0", "q4"]
    assert data["votes"][0] == [0, 0, 1, 0, 2, 1]
    assert data["text"][1] == "message number 4"
    assert [data["slices"][number] for number in data["slice"][:2]] == ["de", "en"]
    assert data["truth"][0] == 1
    assert set(data["truth"][1:]) == {-1, 1}


def test_of_many_items_the_least_sure_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steelyard.weighing.items.MOST_ITEMS", 30)
    page = page_of(tmp_path, rows())
    data = data_of(page)
    assert data["id"] == [f"q{i}" for i in range(0, 120, 4)]
    assert "The 30 least sure of 120, least sure first" in page
    monkeypatch.setattr("steelyard.weighing.items.MOST_VOTES", 7)
    assert data_of(page_of(tmp_path, rows()))["id"] == ["q0", "q4"]


def test_labels_csv_has_a_row_for_each_item(tmp_path: Path) -> None:
    given = rows(4)
    given[0]["text"] = "=HYPERLINK(1)"
    page_of(tmp_path, given, slices="lang")
    lines = (tmp_path / "out" / "labels.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id,label,score,votes,disagreement,slice,text"
    assert lines[1] == "q0,ham,0.666667,3,0.3333,de,'=HYPERLINK(1)"
    assert lines[2] == "q1,spam,1,3,0,en,message number 1"


def test_open_answers_have_their_own_names(tmp_path: Path) -> None:
    given = [
        {"id": f"q{i}", "voter": v, "answer": str(i if v != "c" else 7)}
        for i in range(3)
        for v in "abc"
    ]
    data = data_of(page_of(tmp_path, given, answers="number"))
    assert data["classes"] == []
    assert data["answers"][0] == ["0", "7"]
    assert data["votes"][0] == [0, 0, 1, 0, 2, 1]


def test_no_text_breaks_out_of_its_block(tmp_path: Path) -> None:
    given = [
        {"id": f"{TAGS} {i}", "voter": f"{v} {TAGS}", "answer": a, "text": BREAKING}
        for i in range(3)
        for v, a in (("a", TAGS), ("b", "fine"))
    ]
    page = page_of(tmp_path, given)
    clean = page_of(tmp_path, [{**row, "text": "x", "voter": row["voter"][0]} for row in given])
    assert Reader(page).tags.count("script") == Reader(clean).tags.count("script") == 2
    assert Reader(page).open == []
    block = page.split('id="item-data">')[1].split("</script>")[0]
    assert not set("<>\u2028\u202e\x1b") & set(block)
    assert data_of(page)["id"][0].startswith("</script><script>alert(1)</script>")


def test_only_the_script_of_the_page_may_run(tmp_path: Path) -> None:
    """Its hash is the one that the policy names: a browser runs no other."""
    import base64
    import hashlib

    page = page_of(tmp_path, rows(4))
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.S)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_without_items_there_is_no_section() -> None:
    assert embedded(None) == ""
    assert item_rows(None) == []


def test_the_verdict_in_plain_words(tmp_path: Path) -> None:
    summary = sy.weigh(rows(), ["majority"]).summary
    answers = dict(verdict(summary))
    assert answers["Which labels to use"] == "Those of labels.csv, weighed by `majority`."
    # 90 items of score 1 and 30 of 2/3: mean .9167, and .75 of them at .9 or more.
    assert answers["How sure"] == (
        "By the votes alone about 92 % of the labels are right; true labels of a hundred items "
        "would measure it. 75 % of the labels have a score of 0.9 or more."
    )
    alone = sy.weigh([row for row in rows() if row["voter"] == "ann"], ["majority"]).summary
    assert "with care" in dict(verdict(alone))["Which labels to use"]


DRIVE = """
<script>
const q = (selector) => document.querySelector(selector);
const set = (id, value) => {
  q("#item-" + id).value = value;
  q("#item-" + id).dispatchEvent(new Event("input"));
};
const out = [q("#item-count").textContent];
const note = (text) => out.push(text);
set("voter", "2"); set("how", "against"); note(q("#item-count").textContent);
set("label", "1"); note(q("#item-count").textContent);
q("#item-reset").click(); note(q("#item-count").textContent);
set("least", "0.9"); note(q("#item-count").textContent);
set("slice", "0"); note(q("#item-count").textContent);
q("#item-reset").click(); set("search", "NUMBER 11"); note(q("#item-count").textContent);
q("#item-reset").click(); q("#item-next").click(); note(q("#item-page").textContent);
q("#item-rows input").click(); note(q("#item-count").textContent);
const sort = q("table.voters .sort"); sort.click(); sort.click();
note(q("table.voters tbody th").textContent + " " + sort.parentElement.getAttribute("aria-sort"));
document.title = out.join(" | ");
</script>
"""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the browser chromium")
def test_a_browser_filters_sorts_turns_pages_and_chooses(tmp_path: Path) -> None:
    page = page_of(tmp_path, rows(), slices="lang")
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    path = tmp_path / "driven.html"
    path.write_text(page.replace("</body>", f"{DRIVE}</body>"), encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    title = re.search(r"<title>(.*?)</title>", shown)
    assert title is not None
    assert title.group(1).split(" | ") == [
        "120 items",
        "30 of 120 items",  # cyd against the label
        "0 of 120 items",  # all of them are ham
        "120 items",
        "90 of 120 items",  # all three agree
        "30 of 120 items",  # every third of these
        "11 of 120 items",  # 11 and 110 to 119
        "page 2 of 3",
        "120 items; 1 chosen",
        "cyd descending",
    ]

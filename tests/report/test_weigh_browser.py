"""The page of `weigh` in a browser: filters, pages, copying and sorting work; text is inert."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

import steelyard as sy
from browser import CHROMIUM, Browser, browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
EVERY = range(120)
PAGE = 25
SPLIT = [i for i in EVERY if i % 3 == 0 or i % 5 == 0]
"""Items whose votes differ: bob and cyd outvote ann on every 15th."""
VOTERS = ("ann", "bob", "cyd")
ATTACKS = (
    "</script><script>alert(1)</script>",
    '<img src=x onerror="alert(2)">',
    "line\u2028separator \u2029 and \u202e order",
    "<a href='javascript:alert(3)'>x</a>",
    "<!--<script>",
    "${alert(4)} {{7*7}} \\u003c/script>",
)


def crowd() -> list[dict[str, Any]]:
    """Item i is spam if i is even. Cyd is wrong on every third item, bob on every fifth."""
    rows = []
    for i in EVERY:
        right = ("spam", "ham")[i % 2]
        wrong = ("ham", "spam")[i % 2]
        rows.append(
            {
                "id": f"mail-{i:03}",
                "text": f"Mail number {i}. {ATTACKS[i % len(ATTACKS)]}",
                "language": ("en", "de")[i % 4 // 2],
                "ann": right,
                "bob": wrong if i % 5 == 0 else right,
                "cyd": wrong if i % 3 == 0 else right,
            }
        )
    return rows


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("page")
    truth = {f"mail-{i:03}": ("spam", "ham")[i % 2] for i in EVERY}
    sy.weigh(
        crowd(),
        ["majority"],
        truth=truth,
        slices="language",
        voters=list(VOTERS),
        out=folder / "out",
    )
    with browser(folder / "profile") as opened:
        opened.open(folder / "out" / "report.html")
        yield opened


def choose(page: Browser, **values: str) -> list[str]:
    """Reset the form, set its fields, and return the ids of the first page."""
    page.run("document.getElementById('item-filter').reset()")
    for name, value in values.items():
        page.run(
            f"(() => {{const field = document.getElementById('item-filter').elements.{name};"
            f"const option = [...field.options ?? []].find(o => o.text === {json.dumps(value)});"
            f"field.value = option ? option.value : {json.dumps(value)};"
            "field.dispatchEvent(new Event('input', {bubbles: true}))})()"
        )
    page.run("new Promise(done => setTimeout(done, 20))")
    return shown(page)


def shown(page: Browser) -> list[str]:
    found = page.run("[...document.querySelectorAll('#item-rows input')].map(e => e.ariaLabel)")
    return [name.removeprefix("select ") for name in found]


def text(page: Browser, name: str) -> str:
    return str(page.run(f"document.getElementById('{name}').textContent"))


def press(page: Browser, name: str) -> None:
    page.run(f"document.getElementById('{name}').click()")


def mails(*numbers: int) -> list[str]:
    return [f"mail-{i:03}" for i in numbers]


def test_the_least_sure_items_come_first_and_pages_turn(page: Browser) -> None:
    assert choose(page) == mails(*SPLIT[:PAGE])
    assert text(page, "item-count") == "120 items of 120"
    assert text(page, "item-page") == "Page 1 of 5"
    for _ in range(2):
        press(page, "item-after")
    rest = [i for i in EVERY if i not in SPLIT]
    assert shown(page) == mails(*SPLIT[50:], *rest[: 75 - len(SPLIT)])
    for _ in range(2):
        press(page, "item-after")
    assert len(shown(page)) == 20
    assert page.run("document.getElementById('item-after').disabled")


def test_filters(page: Browser) -> None:
    assert choose(page, search="NUMBER 7.") == mails(7)
    assert sorted(choose(page, search="mail-11")) == mails(*range(110, 120))
    assert choose(page, truth="label is wrong") == mails(*EVERY[::15])
    dissents = [i for i in EVERY if i % 5 == 0 and i % 15]  # where cyd is wrong too, bob wins
    assert choose(page, voter="bob", dissent="the voter dissents") == mails(*dissents)
    agree = [i for i in EVERY if i not in SPLIT]
    assert choose(page, dissent="all agree") == mails(*agree[:PAGE])
    assert text(page, "item-count") == f"{len(agree)} items of 120"
    # of German mails, 3 of each 4 are ham; the label is wrong on every 15th
    ham = [i for i in SPLIT if (i % 4 == 3 and i % 15) or (i % 4 == 2 and i % 15 == 0)]
    assert choose(page, slice="de", label="ham", high="0.9") == mails(*ham)
    assert choose(page, low="0.5", high="0.6") == []
    assert text(page, "item-none") == "No item matches."
    assert page.run("document.getElementById('item-copy').disabled")


def test_orders(page: Browser) -> None:
    assert choose(page, order="as in the file") == mails(*EVERY[:PAGE])
    assert choose(page, order="most sure first")[0] == "mail-001"
    assert choose(page, order="most dissent first") == mails(*SPLIT[:PAGE])


def test_ids_are_copied(page: Browser) -> None:
    page.run("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    choose(page, truth="label is wrong")
    assert text(page, "item-copy") == "Copy 8 ids"
    press(page, "item-copy")
    assert page.run("window.copied").split("\n") == mails(*EVERY[::15])
    assert text(page, "item-status") == "Copied 8 ids."
    page.run("document.querySelectorAll('#item-rows input')[2].click()")
    assert text(page, "item-copy") == "Copy 1 selected id"
    choose(page, search="mail-001")  # what is selected stays so
    press(page, "item-copy")
    assert page.run("window.copied") == "mail-030"
    press(page, "item-select")
    assert text(page, "item-count") == "1 item of 120, 2 selected"
    press(page, "item-clear")
    page.run("navigator.clipboard.writeText = async () => { throw new Error('refused'); }")
    press(page, "item-copy")
    page.run("new Promise(done => setTimeout(done, 20))")
    assert page.run("document.getElementById('item-ids').value") == "mail-001"
    assert "Ctrl+C" in text(page, "item-status")


def column(page: Browser, table: str, number: int) -> list[str]:
    rows = f"[...document.querySelector({json.dumps(table)}).tBodies[0].rows]"
    cells = f"{rows}.filter(r => !r.hidden).map(r => r.cells[{number}].textContent.trim())"
    return list(page.run(cells))


def sort(page: Browser, table: str, heading: int) -> str:
    """Click on a heading; returns its direction."""
    cell = f"document.querySelector({json.dumps(table)}).tHead.rows[0].cells[{heading}]"
    page.run(f"{cell}.querySelector('button').click()")
    return str(page.run(f"{cell}.ariaSort"))


def test_tables_are_sorted_by_a_click(page: Browser) -> None:
    voters = "table.voters"
    assert sort(page, voters, 0) == "ascending"
    assert column(page, voters, 0) == list(VOTERS)
    assert sort(page, voters, 0) == "descending"
    assert column(page, voters, 0) == list(VOTERS[::-1])
    agreement = 4  # after voter, votes, accuracy over two columns, true accuracy
    assert sort(page, voters, agreement) == "descending"
    assert page.run(f"document.querySelectorAll('{voters} th[aria-sort]').length") == 1
    first = column(page, voters, agreement + 1)
    assert first == sorted(first, reverse=True)
    relabel = "#relabel ~ .wide table"
    assert len(column(page, relabel, 0)) == 20
    assert sort(page, relabel, 0) == "ascending"
    assert column(page, relabel, 0) == sorted(column(page, relabel, 0))
    page.run("document.querySelector('#relabel ~ .more button').click()")
    assert len(column(page, relabel, 0)) > 20


def test_headings_and_buttons_are_reached_by_keyboard(page: Browser) -> None:
    page.run("document.querySelector('table.voters .sort').focus()")
    for kind in ("keyDown", "keyUp"):
        page.call(
            "Input.dispatchKeyEvent",
            type=kind,
            key="Enter",
            code="Enter",
            text="\r",
            windowsVirtualKeyCode=13,
        )
    assert page.run("document.querySelector('table.voters th').ariaSort") is not None
    unnamed = page.run(
        "[...document.querySelectorAll('input, select, textarea, button')].filter(e => "
        "!e.ariaLabel && !e.labels?.length && !e.textContent.trim()).length"
    )
    assert unnamed == 0


def test_text_is_inert(page: Browser) -> None:
    for i, attack in enumerate(ATTACKS):
        assert choose(page, search=f"number {i}.") == mails(i)
        found = page.run("document.querySelector('#item-rows .text').textContent")
        assert found == f"Mail number {i}. {attack}".replace("\u202e", "\ufffd")
    assert page.run("document.querySelectorAll('img, main a:not([href^=\"#\"])').length") == 0
    assert page.problems == []


def test_without_scripts_a_table_has_the_least_sure_items(page: Browser) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.call("Page.reload")
    page.wait()
    first = column(page, "#item-fallback table", 0)
    assert [name[:8] for name in first] == mails(*SPLIT[:50])
    assert page.run("document.getElementById('item-browser').hidden")

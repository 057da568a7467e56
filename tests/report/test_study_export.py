"""The table of a study in other forms says the same numbers."""

import csv
import io
from pathlib import Path
from typing import Any

from steelyard.report.study_export import study_csv, study_latex, study_records
from steelyard.studies.study import Result


def test_records_hold_unrounded_numbers(results: dict[str, Any]) -> None:
    row = next(record for record in study_records(results) if record["arm"] == "filter")
    assert (row["score"], row["pgr"], row["vs_naive_p_holm"]) == (0.7625, 0.57, 0.024)
    ceiling = study_records(results)[-1]
    assert (ceiling["arm"], ceiling["pgr"], ceiling["vs_naive"]) == ("ceiling", None, None)


def test_csv_reads_back(results: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(study_csv(results))))
    assert [row["arm"] for row in rows][:3] == ["weak supervisors", "weak ensemble", "naive"]
    assert float(rows[2]["score"]) == results["arms"]["naive"]["score"]["value"]
    assert rows[0]["pgr"] == ""


def test_latex_is_a_table_and_escapes(results: dict[str, Any]) -> None:
    results["arms"]["a_b & 50%"] = results["arms"].pop("filter")
    text = study_latex(results)
    assert r"a\_b \& 50\% & 0.762 [0.742, 0.783] & 57 \% [31, 85] &" in text
    assert text.count(r" \\") == 1 + 10
    assert text.endswith("\\bottomrule\n\\end{tabular}\n")


def test_pandas(results: dict[str, Any]) -> None:
    frame = Result(Path("runs/x"), results).to_pandas()
    assert frame.set_index("arm").loc["filter", "score"] == 0.7625

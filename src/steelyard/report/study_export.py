"""The table of a study for other programs: records, CSV and LaTeX."""

import csv
import io
from typing import Any

from steelyard.report.formats import Results, defined
from steelyard.report.tables import HEADER, cells, summary_rows

ESCAPED = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def study_records(results: Results) -> list[dict[str, Any]]:
    """One mapping per row of the table of a study, numbers unrounded; None where undefined."""
    records = []
    for row in summary_rows(results):
        record: dict[str, Any] = {"study": results.get("study"), "metric": results.get("metric")}
        record |= {"arm": row.name, "role": row.role}
        for name, span in (("score", row.score), ("pgr", row.pgr)):
            for key in ("value", "low", "high"):
                column = name if key == "value" else f"{name}_{key}"
                record[column] = defined((span or {}).get(key))
        for key in ("difference", "low", "high", "p", "p_holm", "detectable", "within"):
            column = "vs_naive" if key == "difference" else f"vs_naive_{key}"
            record[column] = defined((row.vs_naive or {}).get(key))
        records.append({**record, "kept": row.kept, "label_accuracy": row.label_accuracy})
    return records


def study_csv(results: Results) -> str:
    """The records as CSV with a header."""
    records, text = study_records(results), io.StringIO()
    writer = csv.DictWriter(text, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def study_latex(results: Results) -> str:
    """The table as LaTeX with the lines of `booktabs`, numbers rounded as in the report."""
    lines = [" & ".join(map(_escape, HEADER)), r"\midrule"]
    lines += [" & ".join(map(_escape, cells(row))) for row in summary_rows(results)]
    ended = [line if line.startswith("\\mid") else rf"{line} \\" for line in lines]
    columns = "l" + "r" * (len(HEADER) - 1)
    begin = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    return "\n".join([*begin, *ended, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _escape(text: str) -> str:
    return "".join(ESCAPED.get(character, character) for character in text)

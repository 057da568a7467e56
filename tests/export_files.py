"""Small files in the shape of real exports: three items, and what each of the voters says."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SAID = {
    ("t1", "ann"): "spam",
    ("t1", "bob"): "ham",
    ("t2", "ann"): "ham",
    ("t2", "bob"): "ham",
    ("t3", "ann"): "spam",
}
"""What is said, by item and voter; bob says nothing about t3."""
TEXTS = {"t1": "Buy now; cheap, good", "t2": "Lunch?", "t3": "Free"}
Content = Any
Case = tuple[str, Callable[[], Content], dict[str, str]]


def table(names: tuple[str, str, str], separator: str = ",", **more: Any) -> str:
    """Long rows under some names of the columns, with further constant columns."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerow([*names, *more])
    writer.writerows([i, v, answer, *more.values()] for (i, v), answer in SAID.items())
    return out.getvalue()


def wide(header: str = "id", separator: str = ",", **more: str) -> str:
    lines = [separator.join([header, "ann", "bob", *more])]
    for i in TEXTS:
        cells = [i, *(SAID.get((i, v), "") for v in ("ann", "bob")), *more.values()]
        lines.append(separator.join(cells))
    return "\n".join(lines) + "\n"


def jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def by_item() -> list[tuple[str, list[tuple[str, str]]]]:
    return [(i, [(v, a) for (item, v), a in SAID.items() if item == i]) for i in TEXTS]


def label_studio() -> str:
    def annotation(voter: Any, answer: str, **more: Any) -> dict[str, Any]:
        value = {"choices": [answer]}
        result = {"from_name": "kind", "to_name": "text", "type": "choices", "value": value}
        return {"id": 9, "completed_by": voter, "result": [result], "lead_time": 4.2, **more}

    rows = [
        {
            "id": i,
            "data": {"text": TEXTS[i]},
            "annotations": [
                *(annotation({"id": 3, "email": v}, a, was_cancelled=False) for v, a in votes),
                annotation("gold", "spam", ground_truth=True),
            ],
            "predictions": [{"model_version": "m", "result": []}],
            "total_annotations": len(votes),
        }
        for i, votes in by_item()
    ]
    return json.dumps(rows)


def label_studio_min() -> str:
    rows = [
        {
            "id": i, "annotation_id": n, "annotator": v, "kind": answer, "text": TEXTS[i],
            "created_at": "2024-01-01", "updated_at": "2024-01-02", "lead_time": 3.1,
        }
        for n, ((i, v), answer) in enumerate(SAID.items())
    ]  # fmt: skip
    return json.dumps(rows)


def label_studio_csv(separator: str) -> str:
    rows = json.loads(label_studio_min())
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def doccano() -> dict[str, str]:
    return {
        f"{name}.jsonl": jsonl(
            [
                {"id": i, "text": TEXTS[i], "label": [a], "Comments": []}
                for (i, v), a in SAID.items()
                if v == name
            ]
        )
        for name in ("ann", "bob")
    }


def doccano_old() -> str:
    rows = [
        {"id": i, "text": TEXTS[i], "annotations": [{"label": a, "user": v} for v, a in votes]}
        for i, votes in by_item()
    ]
    return jsonl(rows)


def prodigy(choice: bool) -> str:
    rows = []
    for (i, v), answer in [*SAID.items(), (("t3", "bob"), None)]:
        row: dict[str, Any] = {"text": TEXTS[i], "_input_hash": i, "_task_hash": i}
        if choice:
            row["options"] = [{"id": "spam", "text": "Spam"}, {"id": "ham", "text": "Ham"}]
            row |= {"accept": [answer] if answer else [], "config": {"choice_style": "single"}}
            row["answer"] = "accept" if answer else "ignore"
        else:
            row["label"] = "SPAM"
            row["answer"] = {"spam": "accept", "ham": "reject", None: "ignore"}[answer]
        rows.append({**row, "_annotator_id": v, "_session_id": v, "_timestamp": 1})
    return jsonl(rows)


def argilla(style: str) -> str:
    rows = []
    for i, votes in by_item():
        row: dict[str, Any] = {"id": i, "fields": {"text": TEXTS[i]}, "metadata": {}}
        entries = [{"user_id": v, "value": a, "status": "submitted"} for v, a in votes]
        draft = {"user_id": "bob", "value": "spam", "status": "discarded"}
        if style == "records":
            row |= {"responses": {"kind": entries}, "suggestions": {"kind": {"value": "spam"}}}
        elif style == "first records":
            row["responses"] = [
                {"user_id": v, "values": {"kind": {"value": a}}, "status": "submitted"}
                for v, a in votes
            ]
        elif style == "first table":
            row = {"id": i, "text": TEXTS[i], "kind": [*entries, *([draft] if i == "t3" else [])]}
            row |= {"kind-suggestion": "spam"}
        else:
            row = {"id": i, "text": TEXTS[i], "kind.suggestion": "spam", "kind.responses": []}
            row["kind.responses"] = [a for _, a in votes]
            row["kind.responses.users"] = [v for v, _ in votes]
            row["kind.responses.status"] = ["submitted" for _ in votes]
        rows.append(row)
    return json.dumps(rows)


def mturk(radio: bool) -> str:
    fixed = {
        "HITTypeId": "h",
        "Title": "Spam, or not?",
        "AssignmentId": "a",
        "WorkTimeInSeconds": 9,
    }
    rows = []
    for (i, v), answer in SAID.items():
        row = {"HITId": i, **fixed, "WorkerId": v, "AssignmentStatus": "Approved"}
        row["Input.text"] = TEXTS[i]
        if radio:
            row |= {f"Answer.kind.{name}": str(answer == name).lower() for name in ("spam", "ham")}
        else:
            row["Answer.kind.label"] = answer
        rows.append({**row, "Approve": "", "Reject": ""})
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def inspect_panel() -> str:
    samples = [
        {
            "id": i,
            "epoch": 1,
            "input": TEXTS[i],
            "target": "spam",
            "scores": {v: {"value": a, "explanation": "because"} for v, a in votes},
            "output": {"model": "openai/gpt-4o"},
        }
        for i, votes in by_item()
    ]
    # a panel has two scorers on each sample; one of them cannot read t3
    samples[2]["scores"]["bob"] = {"value": "", "explanation": ""}  # type: ignore[index]
    return json.dumps({"version": 2, "eval": {"task": "t"}, "samples": samples})


def of_models(make: Callable[[str, str, str], dict[str, Any]]) -> dict[str, str]:
    """A file for each model."""
    return {
        f"{name}.jsonl": jsonl([make(i, v, a) for (i, v), a in SAID.items() if v == name])
        for name in ("ann", "bob")
    }


def inspect_model(i: str, v: str, answer: str) -> dict[str, Any]:
    score = {"match": {"value": "C", "answer": answer}}
    return {"id": i, "epoch": 1, "target": "spam", "scores": score, "output": {"model": v}}


def lm_eval(i: str, v: str, answer: str) -> dict[str, Any]:
    return {
        "doc_id": i, "doc": {"text": TEXTS[i]}, "target": "spam", "arguments": [["p", {}]],
        "resps": [[f"Answer: {answer}"]], "filtered_resps": [answer], "exact_match": 1.0,
    }  # fmt: skip


def openai(i: str, v: str, answer: str) -> dict[str, Any]:
    body = {"id": "c", "model": v, "choices": [{"message": {"content": f" {answer}.\n"}}]}
    response = {"status_code": 200, "request_id": "r", "body": body}
    return {"id": "batch_req_1", "custom_id": i, "response": response, "error": None}


def openai_json(i: str, v: str, answer: str) -> dict[str, Any]:
    row = openai(i, v, answer)
    content = json.dumps({"label": answer, "reason": "..."})
    row["response"]["body"]["choices"][0]["message"]["content"] = content
    return row


def openai_responses(i: str, v: str, answer: str) -> dict[str, Any]:
    output = [{"type": "message", "content": [{"type": "output_text", "text": answer}]}]
    body = {"object": "response", "model": v, "output": output}
    return {"id": "b", "custom_id": i, "response": {"status_code": 200, "body": body}}


def anthropic(i: str, v: str, answer: str) -> dict[str, Any]:
    message = {"model": v, "content": [{"type": "text", "text": answer}]}
    return {"custom_id": i, "result": {"type": "succeeded", "message": message}}


def toloka() -> str:
    names = ("ASSIGNMENT:task_id", "ASSIGNMENT:worker_id", "OUTPUT:result")
    more = {"INPUT:text": "x", "GOLDEN:result": "", "ASSIGNMENT:status": "APPROVED"}
    return table(names, "\t", **more)


def appen() -> str:
    names = ("_unit_id", "_worker_id", "kind")
    more = {"_created_at": "1/1/2020", "_golden": "false", "_trust": 0.9, "kind_gold": "", "t": "x"}
    return table(names, **more)


def nested(holder: str, voter: str, answer: str) -> str:
    rows = [{"id": i, holder: [{voter: v, answer: a} for v, a in votes]} for i, votes in by_item()]
    return jsonl(rows)


def lists() -> str:
    return jsonl(
        [
            {"text_id": i, "annotators": [v for v, _ in votes], "labels": [a for _, a in votes]}
            for i, votes in by_item()
        ]
    )


def excel(text: str) -> bytes:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in csv.reader(io.StringIO(text)):
        book.active.append([cell or None for cell in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parquet(text: str) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(pd.read_csv(io.StringIO(text))), out)
    return out.getvalue()


LONG = ("id", "voter", "answer")
CROWDKIT = ("task", "worker", "label")
FILES: dict[str, Case] = {
    "crowd-kit": ("v.csv", lambda: table(CROWDKIT), {}),
    "crowd-kit, old names": ("v.tsv", lambda: table(("task", "performer", "output"), "\t"), {}),
    "crowd-kit, Parquet": ("v.parquet", lambda: parquet(table(CROWDKIT)), {}),
    "names in another case": ("v.csv", lambda: table(("Item ID", "Annotator-Name", "Label")), {}),
    "a model and its rating": ("v.csv", lambda: table(("question_id", "model", "rating")), {}),
    "judges": ("v.jsonl", lambda: jsonl(pd.read_csv(io.StringIO(table(("qid", "judge_model",
               "verdict")))).to_dict("records")), {}),
    "semicolons": ("v.csv", lambda: table(LONG, ";"), {}),
    "tabs in a .csv": ("v.csv", lambda: table(LONG, "\t"), {}),
    "bars": ("v.csv", lambda: table(LONG, "|"), {}),
    "Excel's directive": ("v.csv", lambda: "sep=;\n" + table(LONG, ";"), {}),
    "Excel's empty rows and columns": ("v.csv", lambda: "".join(
        f"{line},,\n" for line in [*wide().splitlines(), ",,"]), {}),
    "gzip": ("v.csv.gz", lambda: gzip.compress(table(LONG).encode()), {}),
    "gzip of JSON": ("v.json.gz", lambda: gzip.compress(label_studio().encode()), {}),
    "ndjson": ("v.ndjson", lambda: nested("votes", "annotator", "label"), {}),
    "JSON lines called .json": ("v.json", lambda: nested("votes", "annotator", "label"), {}),
    "Excel, long": ("v.xlsx", lambda: excel(table(LONG)), {}),
    "Excel, wide": ("v.xlsx", lambda: excel(wide(text="x")), {}),
    "cleanlab matrix with its index": ("v.csv", lambda: wide(""), {}),
    "wide with metadata": ("v.csv", lambda: wide(text="x", length="3", batch="spam"), {}),
    "wide by another id": ("v.csv", lambda: wide("doc_id"), {}),
    "MTurk": ("v.csv", lambda: mturk(False), {}),
    "MTurk, radio buttons": ("v.csv", lambda: mturk(True), {}),
    "Toloka": ("v.tsv", toloka, {}),
    "Appen": ("v.csv", appen, {}),
    "Label Studio": ("v.json", label_studio, {}),
    "Label Studio, JSON_MIN": ("v.json", label_studio_min, {}),
    "Label Studio, CSV": ("v.csv", lambda: label_studio_csv(","), {}),
    "Label Studio, CSV of tabs": ("v.csv", lambda: label_studio_csv("\t"), {}),
    "doccano": ("", doccano, {}),
    "doccano 1": ("v.jsonl", doccano_old, {}),
    "Prodigy, choice": ("v.jsonl", lambda: prodigy(True), {}),
    "Argilla, records": ("v.json", lambda: argilla("records"), {}),
    "Argilla, Hub": ("v.json", lambda: argilla("table"), {}),
    "Argilla 1, records": ("v.json", lambda: argilla("first records"), {}),
    "Argilla 1, Hub": ("v.json", lambda: argilla("first table"), {}),
    "inspect_ai, models": ("", lambda: of_models(inspect_model), {}),
    "inspect_ai, a panel": ("v.json", inspect_panel, {}),
    "lm-eval samples": ("", lambda: of_models(lm_eval), {}),
    "OpenAI batch": ("", lambda: of_models(openai), {}),
    "OpenAI batch, JSON replies": ("", lambda: of_models(openai_json), {}),
    "OpenAI batch of responses": ("", lambda: of_models(openai_responses), {}),
    "Anthropic batch": ("", lambda: of_models(anthropic), {}),
    "nested by other names": ("v.jsonl", lambda: nested("annotations", "worker_id", "value"), {}),
    "nested ratings": ("v.jsonl", lambda: nested("ratings", "rater", "rating"), {}),
    "lists of voters and labels": ("v.jsonl", lists, {}),
    "named columns": ("v.csv", lambda: table(("a", "b", "c")),
                      {"id": "a", "voter": "b", "answer": "c"}),
    "paths": ("", lambda: of_models(lambda i, v, a: {"x": {"i": i}, "y": [{"v": v, "a": a}]}),
              {"id": "x.i", "voter": "y.0.v", "answer": "y.0.a"}),
}  # fmt: skip


def write(folder: Path, name: str, content: Content) -> list[Path]:
    files = content if isinstance(content, dict) else {name: content}
    for file, text in files.items():
        (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    return [folder / file for file in files]

"""Exports of Label Studio, doccano, Prodigy, Argilla and MTurk."""

from collections.abc import Iterator
from typing import Any

from steelyard.io.rows import Row
from steelyard.votes_io.column_names import candidates, column_key
from steelyard.votes_io.exports.export import Export, Vote, dicts, has, is_list_of, single

SCALARS = (str, int, float)
VALUES = ("choices", "rating", "number", "taxonomy", "text", "pairwise", "selected")
"""Keys of a Label Studio value that hold an answer about the whole item."""


def _is_label_studio(row: Row) -> bool:
    return any(has(entry, "result", "completed_by") for entry in dicts(row.get("annotations")))


def _label_studio(row: Row) -> Iterator[Vote]:
    for annotation in dicts(row.get("annotations")):
        if annotation.get("ground_truth"):
            continue
        person = annotation.get("completed_by")
        if isinstance(person, dict):
            person = person.get("email") or person.get("id")
        vote = {"id": row.get("id"), "voter": person}
        if annotation.get("was_cancelled"):
            yield {**vote, "answer": None}
            continue
        for result in dicts(annotation.get("result")):
            value = result.get("value")
            key = next((key for key in VALUES if isinstance(value, dict) and key in value), None)
            if isinstance(value, dict) and key is not None:
                answer = _label_studio_value(value[key])
                yield {**vote, "answer": answer, "question": str(result.get("from_name", ""))}


def _label_studio_value(value: Any) -> Any:
    value = single(value)
    return single(value) if isinstance(value, list) else value


def _is_doccano(row: Row) -> bool:
    free = [key for key in row if key != "label"]
    no_voter = not candidates("voter", free)[0]
    return no_voter and has(row, "id", "label") and is_list_of(row["label"], SCALARS)


def _doccano(row: Row) -> Iterator[Vote]:
    yield {"id": row.get("id"), "answer": single(row.get("label"))}


def _is_prodigy(row: Row) -> bool:
    return has(row, "_task_hash", "answer") or has(row, "_input_hash", "answer")


def _prodigy(row: Row) -> Iterator[Vote]:
    is_choice = "options" in row or "accept" in row
    name = row.get("_input_hash" if is_choice else "_task_hash")
    answer = row.get("answer")
    if is_choice:
        answer = single(row.get("accept")) if answer == "accept" else None
    vote = {"id": name, "answer": None if answer == "ignore" else answer}
    person = row.get("_annotator_id") or row.get("_session_id")
    yield vote if person is None else {**vote, "voter": person}


def _is_argilla(row: Row) -> bool:
    responses = row.get("responses")
    if isinstance(responses, dict):
        return any(has(r, "user_id", "value") for part in responses.values() for r in dicts(part))
    return any(has(entry, "user_id", "values") for entry in dicts(responses))


def _argilla(row: Row) -> Iterator[Vote]:
    responses = row.get("responses")
    if isinstance(responses, dict):
        for question, entries in responses.items():
            yield from (_argilla_vote(row, question, entry) for entry in dicts(entries))
        return
    for entry in dicts(responses):
        for question, value in (entry.get("values") or {}).items():
            given = value.get("value") if isinstance(value, dict) else value
            yield _argilla_vote(row, question, {**entry, "value": given})


def _argilla_vote(row: Row, question: str, entry: Row) -> Vote:
    counts = entry.get("status") in (None, "submitted")
    return {
        "id": row.get("id") or row.get("external_id") or row.get("_server_id"),
        "voter": entry.get("user_id"),
        "answer": single(entry.get("value")) if counts else None,
        "question": question,
    }


def _argilla_columns(row: Row) -> list[str]:
    """Questions of a data set on the Hub that Argilla 2 made: columns `NAME.responses.users`."""
    ends = (key.removesuffix(".responses.users") for key in row if key.endswith(".users"))
    return [name for name in ends if f"{name}.responses" in row]


def _argilla_table(row: Row) -> Iterator[Vote]:
    for question in _argilla_columns(row):
        answers = row.get(f"{question}.responses") or []
        users = row.get(f"{question}.responses.users") or []
        states = row.get(f"{question}.responses.status") or ["submitted"] * len(users)
        for user, answer, state in zip(users, answers, states, strict=False):
            yield _argilla_vote(row, question, {"user_id": user, "value": answer, "status": state})


def _argilla_lists(row: Row) -> list[str]:
    """Questions of a data set on the Hub that Argilla 1 made: lists of `user_id, value`."""
    return [
        key
        for key, value in row.items()
        if key != "responses" and any(has(entry, "user_id", "value") for entry in dicts(value))
    ]


def _argilla_first(row: Row) -> Iterator[Vote]:
    for question in _argilla_lists(row):
        for entry in dicts(row[question]):
            yield _argilla_vote(row, question, entry)


def _mturk_options(row: Row) -> dict[str, str]:
    """Columns `Answer.QUESTION.OPTION` of radio buttons that hold true or false, and the option."""
    columns = {key: key.rpartition(".")[2] for key in row if key.startswith("Answer.")}
    are_flags = all(str(row[key]).strip().casefold() in ("true", "false") for key in columns)
    questions = {key.rpartition(".")[0] for key in columns}
    return columns if are_flags and len(columns) > 1 and len(questions) == 1 else {}


def _is_mturk(row: Row) -> bool:
    return has(row, "HITId", "WorkerId") and bool(_mturk_options(row))


def _mturk(row: Row) -> Iterator[Vote]:
    options = {key: key.rpartition(".")[2] for key in row if key.startswith("Answer.")}
    chosen = [name for key, name in options.items() if str(row[key]).casefold() == "true"]
    yield {"id": row["HITId"], "voter": row["WorkerId"], "answer": single(chosen)}


def _lists(row: Row) -> tuple[str, str] | None:
    """Columns with the voters and with their answers, as two lists of equal length."""
    lists = {key: value for key, value in row.items() if is_list_of(value, SCALARS)}
    names = {key: column_key(key).removesuffix("s").replace("ids", "id") for key in lists}
    who, what = (
        [key for key, name in names.items() if candidates(role, [name])[0]]
        for role in ("voter", "answer")
    )
    if len(who) == len(what) == 1 and len(row[who[0]]) == len(row[what[0]]):
        return who[0], what[0]
    return None


def _from_lists(row: Row) -> Iterator[Vote]:
    names = _lists(row)
    ids = candidates("id", [key for key in row if not isinstance(row[key], list)])[0]
    if names is not None:
        for voter, answer in zip(row[names[0]], row[names[1]], strict=True):
            yield {"id": row[ids[0]] if ids else None, "voter": voter, "answer": answer}


ANNOTATION_TOOLS = (
    Export(
        "Label Studio (JSON)",
        "https://labelstud.io/guide/task_format.html",
        _is_label_studio,
        _label_studio,
        "Predictions and annotations that are marked as ground truth do not vote.",
    ),
    Export(
        "Argilla (records)",
        "https://docs.argilla.io/latest/how_to_guides/import_export/",
        _is_argilla,
        _argilla,
        "Suggestions, drafts and discarded responses do not vote.",
    ),
    Export(
        "Argilla (data set on the Hub)",
        "https://docs.argilla.io/latest/how_to_guides/import_export/",
        lambda row: bool(_argilla_columns(row)),
        _argilla_table,
        "Suggestions, drafts and discarded responses do not vote.",
    ),
    Export(
        "Argilla 1 (data set on the Hub)",
        "https://docs.v1.argilla.io/en/latest/practical_guides/export_dataset.html",
        lambda row: bool(_argilla_lists(row)),
        _argilla_first,
        "Suggestions, drafts and discarded responses do not vote.",
    ),
    Export(
        "Prodigy",
        "https://prodi.gy/docs/api-interfaces",
        _is_prodigy,
        _prodigy,
        "Ignored tasks, and rejected ones with options, abstain.",
    ),
    Export(
        "MTurk (radio buttons)",
        "https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMechanicalTurkRequester/"
        "GetResultsofHITs.html",
        _is_mturk,
        _mturk,
    ),
    Export(
        "doccano",
        "https://doccano.github.io/doccano/",
        _is_doccano,
        _doccano,
        "The name of the file is the voter.",
    ),
    Export(
        "lists of voters and answers",
        "https://huggingface.co/docs/datasets/about_dataset_features",
        lambda row: _lists(row) is not None and "voter" not in row,
        _from_lists,
    ),
)

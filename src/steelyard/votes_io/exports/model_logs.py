"""Logs of models: inspect_ai, lm-evaluation-harness, batches of OpenAI and Anthropic, pairs."""

import json
from collections.abc import Iterator
from typing import Any

from steelyard.io.rows import Row
from steelyard.votes_io.column_names import candidates
from steelyard.votes_io.exports.export import Export, Vote, dicts, has, is_list_of, part

SHORT = 60
"""Characters of a reply that may be the answer itself."""


def _is_inspect(row: Row) -> bool:
    scores = row.get("scores")
    if not isinstance(scores, dict) or not scores:
        return False
    return all(isinstance(score, dict) and "value" in score for score in scores.values())


def _inspect(row: Row) -> Iterator[Vote]:
    scores = row.get("scores") or {}
    vote: Vote = {"id": row.get("id"), "query": f"epoch {row.get('epoch', 1)}"}
    for scorer, score in scores.items():
        answer, reason = score.get("value"), score.get("explanation") or ""
        if len(scores) > 1:
            yield {**vote, "voter": scorer, "answer": answer, "reason": reason}
            continue
        model = part(row, "output.model")
        given = score.get("answer")
        named = {} if not model else {"voter": model}
        yield {**vote, **named, "answer": answer if given in (None, "") else given}


def _lm_eval(row: Row) -> Iterator[Vote]:
    replies = row.get("filtered_resps")
    replies = replies if isinstance(replies, list) else [replies]
    vote = {"id": row.get("doc_id"), "query": str(row.get("filter") or "unchanged")}
    if replies and all(is_list_of(reply, (int, float, str)) and reply for reply in replies):
        scores = [_number(reply[0]) for reply in replies]
        if None not in scores:  # log-probabilities of the options
            yield {**vote, "answer": max(range(len(scores)), key=lambda i: scores[i] or 0.0)}
            return
    for number, reply in enumerate(replies):
        text = reply[0] if isinstance(reply, list) and reply else reply
        query = vote["query"] if number == 0 else f"{vote['query']}, sample {number + 1}"
        yield {**vote, "query": query, "answer": text.strip() if isinstance(text, str) else text}


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _openai(row: Row) -> Iterator[Vote]:
    body = part(row, "response.body")
    vote = _named(row, part(body, "model"))
    error = part(row, "error.message") or part(body, "error.message")
    texts = [part(choice, "message.content") for choice in dicts(part(body, "choices"))]
    for entry in dicts(part(body, "output")):
        texts += [p.get("text") for p in dicts(entry.get("content"))]
    for number, text in enumerate(texts or [None]):
        vote["query"] = "unchanged" if number == 0 else f"sample {number + 1}"
        yield {**vote, "answer": reply_answer(text), "reason": error or ""}


def _anthropic(row: Row) -> Iterator[Vote]:
    message = part(row, "result.message")
    texts = [p.get("text") for p in dicts(part(message, "content")) if p.get("type") == "text"]
    reason = "" if message else str(part(row, "result.type") or "")
    vote = _named(row, part(message, "model"))
    yield {**vote, "answer": reply_answer("".join(map(str, texts))), "reason": reason}


def _named(row: Row, model: Any) -> Vote:
    vote: Vote = {"id": row.get("custom_id")}
    return {**vote, "voter": model} if model else vote


def reply_answer(text: Any) -> Any:
    """The answer in a reply that is an answer, or an object with one; else the whole text.

    >>> reply_answer("**Yes.**"), reply_answer('{"label": "spam", "why": "..."}'), reply_answer(" ")
    ('Yes', 'spam', None)
    """
    if not isinstance(text, str) or not text.strip():
        return None
    text = text.strip().removeprefix("```json").strip("`").strip()
    if text.startswith("{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        names = candidates("answer", list(value))[0]
        return value[names[0]] if len(names) == 1 else text
    return text.strip("*\"'").removesuffix(".").strip("*\"'") if len(text) <= SHORT else text


def _pair(row: Row) -> Iterator[Vote]:
    """One pair of answers of two models; the item does not depend on which came first."""
    first, second = ("model_a", "model_b") if "model_a" in row else ("model_1", "model_2")
    order = sorted((first, second), key=lambda key: str(row.get(key)))
    name = " | ".join(str(row.get(key)) for key in order)
    turn = f", turn {row['turn']}" if row.get("turn") is not None else ""
    judge = row.get("judge")
    vote = {
        "id": f"{row.get('question_id', row.get('id'))}: {name}{turn}",
        "voter": ", ".join(map(str, judge)) if isinstance(judge, list) else judge,
    }
    swapped = order[0] != first
    for key, query in (("winner", swapped), ("g1_winner", swapped), ("g2_winner", not swapped)):
        if key in row:
            shown = "swapped" if query else "unchanged"
            yield {**vote, "query": shown, "answer": _winner(row, row[key], order)}


def _winner(row: Row, winner: Any, order: list[str]) -> str | None:
    text = str(winner).strip().casefold()
    if text.startswith("tie") or text in ("draw", "both", "bothbad"):
        return "tie"
    for position, key in zip(("first", "second"), order, strict=True):
        letter = {"model_a": "a", "model_b": "b", "model_1": "1", "model_2": "2"}[key]
        if text in (key, letter, f"model {letter}", f"assistant_{letter}", f"[[{letter}]]"):
            return position
        if text == str(row.get(key)).casefold():
            return position
    return None if winner is None or text in ("", "error", "none") else str(winner)


def _is_pair(row: Row) -> bool:
    models = has(row, "model_a", "model_b") or has(row, "model_1", "model_2")
    has_id = "question_id" in row or "id" in row
    return models and has_id and "judge" in row and ("winner" in row or "g1_winner" in row)


MODEL_LOGS = (
    Export(
        "inspect_ai log",
        "https://inspect.aisi.org.uk/eval-logs.html",
        _is_inspect,
        _inspect,
        "Several scorers are the voters; with one scorer the models are, with their answers.",
    ),
    Export(
        "lm-evaluation-harness samples",
        "https://github.com/EleutherAI/lm-evaluation-harness/blob/main/docs/interface.md",
        lambda row: has(row, "doc_id", "filtered_resps"),
        _lm_eval,
        "The name of the file is the voter; its answer is `filtered_resps`, or the most probable "
        "option.",
    ),
    Export(
        "OpenAI batch output",
        "https://platform.openai.com/docs/guides/batch",
        lambda row: has(row, "custom_id", "response"),
        _openai,
        "Replies are taken as answers; for replies in sentences use `label`, which parses them.",
    ),
    Export(
        "Anthropic batch output",
        "https://docs.anthropic.com/en/docs/build-with-claude/batch-processing",
        lambda row: has(row, "custom_id", "result"),
        _anthropic,
        "Replies are taken as answers; for replies in sentences use `label`, which parses them.",
    ),
    Export(
        "pairs of models (FastChat, Chatbot Arena)",
        "https://github.com/lm-sys/FastChat/tree/main/fastchat/llm_judge",
        _is_pair,
        _pair,
        "`first` and `second` are the models in the order of the id; swapped pairs are another "
        "`query` of the same item.",
    ),
)

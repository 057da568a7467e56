"""Paraphrases of questions: read from a file, or written by a model."""

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from steelyard.errors import InputError
from steelyard.io.atomic import write_text
from steelyard.io.rows import read_rows
from steelyard.prompts.escaping import escape
from steelyard.types import Question

NUMBERED = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.):])\s+")
REQUEST = (
    "<question>\n{item}\n</question>\nWrite the question above in {count} other ways. Keep its "
    "meaning and every name and number in it. Write one on each line, nothing else.\n"
)


def read_paraphrases(path: str) -> Mapping[str, tuple[str, ...]]:
    """Texts of each question id, from rows `id, texts`.

    Raises:
        InputError: a row has no `id` or no list of texts, or an id occurs twice.
    """
    stat = Path(path).stat() if Path(path).is_file() else None
    return _read(path, stat and stat.st_mtime_ns, stat and stat.st_size)


@functools.lru_cache(maxsize=8)
def _read(path: str, changed: int | None, size: int | None) -> Mapping[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for location, row in read_rows(Path(path)):
        texts = row.get("texts")
        good = isinstance(texts, list) and all(isinstance(t, str) and t.strip() for t in texts)
        if "id" not in row or not good or not texts:
            raise InputError(f"{location}: a paraphrase has `id` and `texts`, a list of texts.")
        if str(row["id"]) in table:
            raise InputError(
                f"{location}: id {row['id']!r} occurs twice; put its texts in one row."
            )
        table[str(row["id"])] = tuple(texts)
    return table


def paraphrase_prompt(question: Question, count: int) -> str:
    """The prompt that asks a model for `count` paraphrases, one on each line.

    Source: Guo and Yang 2024, arXiv:2406.19032 (five per question of GSM8K; the prompt is ours).
    """
    item = escape(question.text, tags=["question"])
    return REQUEST.replace("{count}", str(count)).replace("{item}", item)


def lines_of(reply: str, count: int) -> tuple[str, ...]:
    """The first `count` distinct lines of a reply, without their numbers."""
    lines = (" ".join(NUMBERED.sub("", line).split()) for line in reply.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))[:count]


def write_paraphrases(
    questions: Sequence[Question],
    complete: Callable[[Sequence[str]], Sequence[str]],
    count: int,
    path: Path,
) -> tuple[str, ...]:
    """Have a model write paraphrases to a file that `PromptSettings.paraphrases` reads.

    Args:
        questions: N of them.
        complete: N prompts to N replies.
        count: how many texts to write for each.
        path: a .jsonl file, replaced.

    Returns:
        Ids of the questions that got fewer than `count`; their rows have those, or else the
        unchanged question.
    """
    replies = complete([paraphrase_prompt(question, count) for question in questions])
    rows, short = [], []
    for question, reply in zip(questions, replies, strict=True):
        texts = lines_of(reply, count)
        if len(texts) < count:
            short.append(question.id)
        rows.append(json.dumps({"id": question.id, "texts": texts or [question.text]}))
    write_text(path, "".join(f"{row}\n" for row in rows))
    return tuple(short)

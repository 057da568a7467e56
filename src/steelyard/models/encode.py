"""Questions to token ids, in one flat table without padding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from steelyard.types import Ints, PairQuestion, Question

CHARACTERS_PER_TOKEN = 64  # texts are truncated here before tokenising; far above real ratios


@dataclass(frozen=True, eq=False)
class Encoded:
    """Token sequences of N examples: one each, or one for each option of a choice.

    Sequence s is `tokens[starts[s]:starts[s + 1]]`; example i has the sequences
    `rows[i]:rows[i + 1]`.
    """

    tokens: npt.NDArray[np.int32]  # (T,)
    types: npt.NDArray[np.int32] | None  # (T,) segment of each token, where the model has segments
    starts: Ints  # (S + 1,)
    rows: Ints  # (N + 1,)
    pad: int  # id of the padding token
    truncated: int  # examples of which a text was truncated to `max_tokens`

    def __len__(self) -> int:
        return len(self.rows) - 1

    @property
    def lengths(self) -> Ints:
        """Tokens of each sequence, (S,)."""
        return np.diff(self.starts)

    @property
    def costs(self) -> Ints:
        """Tokens of each example once its sequences are padded to the longest, (N,)."""
        longest = np.maximum.reduceat(self.lengths, self.rows[:-1])
        cost: Ints = longest * np.diff(self.rows)
        return cost


def encode(tokenizer: Any, questions: Sequence[Question], max_tokens: int) -> Encoded:
    """Tokenise texts, or each pair of texts; longer texts are truncated and counted.

    Control tokens in the data are read as plain text. The second text of a `PairQuestion`, or an
    option, is paired with the first text or the question where the model has pairs, else written
    on the next line.
    """
    texts, options, rows = _texts(questions)
    limit = min(max_tokens, tokenizer.model_max_length)
    reach = CHARACTERS_PER_TOKEN * limit
    clipped = [text[:reach] for text in texts]
    pairs = None if options is None else [option[:reach] for option in options]
    if pairs is not None and not _has_pairs(tokenizer):
        clipped = [f"{text}\n{option}" for text, option in zip(clipped, pairs, strict=True)]
        pairs = None
    columns = _tokenise(tokenizer, clipped, pairs)
    long = [s for s, ids in enumerate(columns["input_ids"]) if len(ids) > limit]
    if long:
        texts = [clipped[s] for s in long]
        options = None if pairs is None else [pairs[s] for s in long]
        part = _tokenise(tokenizer, texts, options, truncation=True, max_length=limit)
        for name, values in part.items():
            for s, value in zip(long, values, strict=True):
                columns[name][s] = value
    lengths = np.array([len(ids) for ids in columns["input_ids"]], dtype=np.int64)
    over = np.zeros(len(lengths), dtype=np.int64)
    over[long] = 1
    segments = columns.get("token_type_ids")
    return Encoded(
        tokens=flat(columns["input_ids"]),
        types=None if segments is None else flat(segments),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        rows=rows,
        pad=int(tokenizer.pad_token_id),
        truncated=int((np.add.reduceat(over, rows[:-1]) > 0).sum()) if len(questions) else 0,
    )


def _texts(questions: Sequence[Question]) -> tuple[list[str], list[str] | None, Ints]:
    one_each = np.arange(len(questions) + 1)
    if questions and all(isinstance(question, PairQuestion) for question in questions):
        pairs = [q.texts for q in questions if isinstance(q, PairQuestion)]
        firsts = [
            f"{q.context}\n{first}" if q.context else first
            for q, (first, _) in zip(questions, pairs, strict=True)
        ]
        return firsts, [second for _, second in pairs], one_each
    whole = [f"{q.context}\n{q.text}" if q.context else q.text for q in questions]
    if not questions or not questions[0].choices:
        return whole, None, one_each
    counts = [len(question.choices) for question in questions]
    texts = [text for text, count in zip(whole, counts, strict=True) for _ in range(count)]
    options = [option for question in questions for option in question.choices]
    return texts, options, np.concatenate([[0], np.cumsum(counts)])


def _has_pairs(tokenizer: Any) -> bool:
    pair, single = (tokenizer.num_special_tokens_to_add(pair=pair) for pair in (True, False))
    return bool(pair > single)


def _tokenise(
    tokenizer: Any, texts: list[str], pairs: list[str] | None, **options: Any
) -> dict[str, list[Any]]:
    plain = {"split_special_tokens": True, "return_attention_mask": False, "verbose": False}
    encoded = tokenizer(texts, pairs, **plain, **options)
    return {name: list(values) for name, values in encoded.items()}


def flat(sequences: list[Any]) -> npt.NDArray[np.int32]:
    """All tokens of the sequences, one after the other."""
    if not sequences:
        return np.zeros(0, dtype=np.int32)
    return np.concatenate([np.asarray(ids, dtype=np.int32) for ids in sequences])

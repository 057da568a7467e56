"""Several tables of votes as one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from steelyard.errors import InputError
from steelyard.types.arrays import Floats, Ints, rows_of
from steelyard.types.option_log_probs import OptionLogProbs
from steelyard.types.votes import ABSTAIN, Votes, distinct
from steelyard.types.words import Spans, WordProbabilities, members

UNKNOWN = WordProbabilities(
    Spans(np.array([0, 1]), np.array([0]), np.array([0])), np.array([np.nan])
)
"""The words of a text that a supervisor did not score."""


def join_votes(parts: Sequence[Votes]) -> Votes:
    """The votes of several supervisors about the same examples, as one table.

    Distributions are kept if any part has them; in a part without, a vote is one-hot. Open answers
    have the candidates of all parts, equal texts once; the word probabilities of a candidate that
    a supervisor did not score are nan. Word probabilities are kept only if every part has them.

    Raises:
        InputError: the parts are about different examples or answers.
    """
    first = parts[0]
    same = all(part.ids == first.ids for part in parts)
    is_open = same and all(part.candidate_texts for part in parts)
    if is_open and any(part.candidate_texts != first.candidate_texts for part in parts):
        parts = _share_candidates(parts)
        first = parts[0]
    if not same or any(not np.array_equal(p.candidates, first.candidates) for p in parts):
        raise InputError("Votes can be joined only if they are about the same examples.")
    queries = tuple(dict.fromkeys(name for part in parts for name in part.queries))
    number = {name: i for i, name in enumerate(queries)}
    query = [np.array([number[q] for q in p.queries], dtype=np.int64)[p.query] for p in parts]
    offsets = np.cumsum([0, *(len(part.voters) for part in parts)])
    voter = [part.voter + offset for part, offset in zip(parts, offsets, strict=False)]
    example = np.concatenate([part.example for part in parts])
    order = np.argsort(example, kind="stable")
    entropy = [part.entropy for part in parts if part.entropy is not None]
    has_probs = any(part.probs is not None for part in parts)
    return Votes(
        ids=first.ids,
        voters=distinct([name for part in parts for name in part.voters]),
        queries=queries,
        example=example[order],
        voter=np.concatenate(voter)[order],
        query=np.concatenate(query)[order],
        answer=np.concatenate([part.answer for part in parts])[order],
        candidates=first.candidates,
        classes=first.classes,
        probs=np.concatenate([_probs(part) for part in parts])[order] if has_probs else None,
        candidate_texts=first.candidate_texts,
        word_probs=_join_words(parts, order),
        entropy=np.concatenate(entropy)[order] if len(entropy) == len(parts) else None,
        raw=_join_raw(parts, order),
        notes=tuple(note for part in parts for note in part.notes),
        warnings=tuple(warning for part in parts for warning in part.warnings),
    )


def stack_votes(parts: Sequence[Votes], ids: Sequence[str] | None = None) -> Votes:
    """The votes of the same voters on different examples, as one table.

    Only answers and their probabilities are kept, and these only if every part has them. A prompt
    variant has one number in all parts.

    Args:
        parts: of which no two have an example in common.
        ids: names of all examples in the order that they get; None: one part after the other.

    Raises:
        InputError: an id is unknown; or the parts have other voters or classes, or open answers.
    """
    first = parts[0]
    for part in parts:
        if part.voters != first.voters:
            raise InputError(
                "Votes on different examples are joined only if the same voters gave them; got "
                f"{', '.join(first.voters[:5])} and {', '.join(part.voters[:5])}."
            )
        if part.classes != first.classes or part.candidate_texts:
            raise InputError("Votes on different examples are joined only for the same classes.")
    queries = tuple(dict.fromkeys(name for part in parts for name in part.queries))
    number = {name: i for i, name in enumerate(queries)}
    query = [np.array([number[q] for q in p.queries], dtype=np.int64)[p.query] for p in parts]
    offsets = np.cumsum([0, *(len(part.ids) for part in parts)])
    example = np.concatenate([part.example + n for part, n in zip(parts, offsets, strict=False)])
    names = tuple(name for part in parts for name in part.ids)
    row = np.arange(len(names)) if ids is None else rows_of(ids, names)
    order = np.argsort(row[example], kind="stable")
    probs = [part.probs for part in parts if part.probs is not None]
    return Votes(
        ids=names if ids is None else tuple(ids),
        voters=first.voters,
        queries=queries,
        example=row[example][order],
        voter=np.concatenate([part.voter for part in parts])[order],
        query=np.concatenate(query)[order],
        answer=np.concatenate([part.answer for part in parts])[order],
        candidates=np.concatenate([part.candidates for part in parts])[np.argsort(row)],
        classes=first.classes,
        probs=np.concatenate(probs)[order] if len(probs) == len(parts) else None,
    )


def _join_raw(parts: Sequence[Votes], order: Ints) -> OptionLogProbs | None:
    """Raw log-probabilities of all votes in the given order; None if no part has any."""
    if all(part.raw is None for part in parts):
        return None
    unknown = [OptionLogProbs.unknown(len(part.answer), part.num_classes) for part in parts]
    pairs = zip(parts, unknown, strict=True)
    return OptionLogProbs.stack([part.raw or none for part, none in pairs]).take(order)


def _join_words(parts: Sequence[Votes], order: Ints) -> WordProbabilities | None:
    """Word probabilities of all votes in the given order; None if a part has none."""
    words = [part.word_probs for part in parts if part.word_probs is not None]
    if len(words) < len(parts):
        return None
    counts = np.concatenate([part.candidates[part.example] for part in parts])
    return WordProbabilities.stack(words).take(members(counts, order))


def _share_candidates(parts: Sequence[Votes]) -> list[Votes]:
    """The same votes, all with the candidates of all parts, in the order of their first occurrence.

    An empty text is the placeholder of an example without candidates.
    """
    numbers: list[dict[str, int]] = [{} for _ in parts[0].ids]
    answers = []
    for part in parts:
        new = [
            number.setdefault(text, len(number)) if text else ABSTAIN
            for number, texts in zip(numbers, part.candidate_texts, strict=True)
            for text in texts
        ]
        starts = np.cumsum([0, *part.candidates])
        read = part.answer != ABSTAIN
        answer = part.answer.copy()
        answer[read] = np.array(new, dtype=np.int64)[(starts[part.example] + answer)[read]]
        answers.append(answer)
    texts = tuple(tuple(number) or ("",) for number in numbers)
    counts = np.array([len(candidates) for candidates in texts], dtype=np.int64)
    return [
        replace(
            part,
            answer=answer,
            candidates=counts,
            candidate_texts=texts,
            probs=None,
            word_probs=None if part.word_probs is None else _words_of(part, part.word_probs, texts),
        )
        for part, answer in zip(parts, answers, strict=True)
    ]


def _words_of(
    part: Votes, words: WordProbabilities, texts: Sequence[Sequence[str]]
) -> WordProbabilities:
    """Word probabilities of `texts[i]` for each vote on example i, one vote after the other."""
    numbers = [
        {text: k for k, text in enumerate(candidates)} for candidates in part.candidate_texts
    ]
    counts = part.candidates[part.example]
    starts = np.cumsum(counts) - counts
    unknown = len(words.spans.rows) - 1
    rows = [
        starts[m] + numbers[i][text] if text in numbers[i] else unknown
        for m, i in enumerate(part.example)
        for text in texts[i]
    ]
    return WordProbabilities.stack([words, UNKNOWN]).take(np.array(rows, dtype=np.int64))


def _probs(part: Votes) -> Floats:
    """Distributions of the votes, (M, K): as given, else one-hot, uniform where they abstain."""
    if part.probs is not None:
        return part.probs
    rows = part.distributions.copy()
    abstaining = part.answer == ABSTAIN
    rows[abstaining] = part.uniform()[part.example[abstaining]]
    return rows

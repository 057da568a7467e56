"""Several tables of votes as one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from steelyard.errors import InputError
from steelyard.types.arrays import Floats, Ints
from steelyard.types.votes import ABSTAIN, Votes, distinct
from steelyard.types.words import Spans, WordProbabilities


def join_votes(parts: Sequence[Votes]) -> Votes:
    """The votes of several supervisors about the same examples, as one table.

    Distributions are kept only if every part has them; a part without is taken as one-hot. Open
    answers have the candidates of all parts, equal texts once; a supervisor's words of a candidate
    that it did not weigh are nan. Words are kept only if every part has them.

    Raises:
        InputError: the parts are about different examples or answers.
    """
    first = parts[0]
    same = all(part.ids == first.ids for part in parts)
    open_ones = same and all(part.candidate_texts for part in parts)
    if open_ones and any(part.candidate_texts != first.candidate_texts for part in parts):
        parts = _share_candidates(parts)
        first = parts[0]
    if not same or any(not np.array_equal(p.candidates, first.candidates) for p in parts):
        raise InputError("Votes can be joined only if they are about the same examples.")
    voters = distinct([name for part in parts for name in part.voters])
    queries = tuple(dict.fromkeys(name for part in parts for name in part.queries))
    row = {name: i for i, name in enumerate(queries)}
    offsets = np.cumsum([0, *(len(part.voters) for part in parts)])
    example = np.concatenate([part.example for part in parts])
    order = np.argsort(example, kind="stable")
    word_probs, sure = [part.word_probs for part in parts], [part.entropy for part in parts]
    query = [np.array([row[q] for q in p.queries], dtype=np.int64)[p.query] for p in parts]
    soft = any(part.probs is not None for part in parts)
    return Votes(
        ids=first.ids,
        voters=voters,
        queries=queries,
        example=example[order],
        voter=np.concatenate([p.voter + o for p, o in zip(parts, offsets, strict=False)])[order],
        query=np.concatenate(query)[order],
        answer=np.concatenate([part.answer for part in parts])[order],
        candidates=first.candidates,
        classes=first.classes,
        probs=_stack_probs(parts)[order] if soft else None,
        candidate_texts=first.candidate_texts,
        word_probs=None if None in word_probs else _stack_words(parts, order),
        entropy=np.concatenate([e for e in sure if e is not None])[order]
        if all(e is not None for e in sure)
        else None,
    )


def _stack_words(parts: Sequence[Votes], order: Ints) -> WordProbabilities:
    """Words of all parts' votes, votes in the given order."""
    whole = WordProbabilities.stack(
        [part.word_probs for part in parts if part.word_probs is not None]
    )
    counts = np.concatenate([part.candidates[part.example] for part in parts])
    many = counts[order]
    first = (np.cumsum(counts) - counts)[order] - (np.cumsum(many) - many)
    return whole.take(np.arange(int(many.sum())) + np.repeat(first, many))


def _share_candidates(parts: Sequence[Votes]) -> list[Votes]:
    """The same votes, all with the candidates of all parts, numbered as they first occur.

    An empty text stands for no candidate, and for an example without one.
    """
    numbers: list[dict[str, int]] = [{} for _ in parts[0].ids]
    renamed = []
    for part in parts:
        new = [
            numbers_of.setdefault(text, len(numbers_of)) if text else ABSTAIN
            for numbers_of, texts in zip(numbers, part.candidate_texts, strict=True)
            for text in texts
        ]
        starts = np.cumsum([0, *part.candidates])
        read = part.answer != ABSTAIN
        answer = part.answer.copy()
        answer[read] = np.array(new, dtype=np.int64)[(starts[part.example] + answer)[read]]
        renamed.append(answer)
    texts = tuple(tuple(numbers_of) or ("",) for numbers_of in numbers)
    counts = np.array([len(numbers_of) for numbers_of in texts], dtype=np.int64)
    return [
        replace(
            part,
            answer=answer,
            candidates=counts,
            candidate_texts=texts,
            probs=None,
            word_probs=None if part.word_probs is None else _about(part, part.word_probs, texts),
        )
        for part, answer in zip(parts, renamed, strict=True)
    ]


def _about(
    part: Votes, words: WordProbabilities, texts: Sequence[Sequence[str]]
) -> WordProbabilities:
    """Words of each vote's candidates in turn where these are `texts` of each example."""
    numbers_of = [{text: k for k, text in enumerate(texts)} for texts in part.candidate_texts]
    counts = part.candidates[part.example]
    starts = np.cumsum(counts) - counts
    unknown = len(words.spans.rows) - 1
    rows = [
        starts[m] + numbers_of[i][text] if text in numbers_of[i] else unknown
        for m, i in enumerate(part.example)
        for text in texts[i]
    ]
    nothing = WordProbabilities(
        Spans(np.array([0, 1]), np.array([0]), np.array([0])), np.array([np.nan])
    )
    return WordProbabilities.stack([words, nothing]).take(np.array(rows, dtype=np.int64))


def _stack_probs(parts: Sequence[Votes]) -> Floats:
    rows = []
    for part in parts:
        numbers_of = part.distributions.copy() if part.probs is None else part.probs
        abstaining = numbers_of.sum(axis=1) == 0
        numbers_of[abstaining] = part.uniform()[part.example[abstaining]]
        rows.append(numbers_of)
    return np.concatenate(rows)

"""Language models that answer open questions with lists, and weigh each other's answers.

First every voter writes the most probable answers it finds, then every voter weighs the answers of
all. One model is in memory at a time; taught ones wait on disk.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeAlias

import numpy as np

from steelyard.models.lm.beam_search import n_best
from steelyard.models.lm.finetune_lm import Completer
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.sequence_scores import score_texts
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.models.train import device
from steelyard.prompts import PromptedQuestion
from steelyard.supervision.protocol import NO_LABELS, ListWriter
from steelyard.types import (
    ABSTAIN,
    Floats,
    Ints,
    Question,
    Spans,
    Split,
    Votes,
    WordProbabilities,
    join_votes,
)

log = logging.getLogger(__name__)
VERSION = 1
"""Raised when lists or scores change without a change of settings; 1: voters are read from disk."""
TrainedFolder: TypeAlias = Callable[[int, int], Path]
"""Folder of a trained voter, by the numbers of its supervisor and of the voter."""
NOTHING = "no answer"
UNSCORED = "its tokenizer cannot spell its answers"


class Lists(NamedTuple):
    """What one voter wrote behind P prompts."""

    answers: list[tuple[str, ...]]  # as they are read, the most probable first
    entropy: Floats  # (P,), of its list, in nats a token; nan where it wrote nothing
    reasons: list[str]  # why a prompt has no answer that can be read, else ""


class ScoredLists(NamedTuple):
    """What one voter thinks of the candidates of P prompts."""

    scores: Floats  # (P, K), -inf beyond the candidates and where it cannot spell one
    words: WordProbabilities  # of each prompt's candidates in turn


def vote_by_beam(
    supervisors: Sequence[ListWriter],
    labelled: Split,
    asked: Sequence[Sequence[Question]],
    *,
    seeds: Sequence[int],
    models: TrainedFolder | None = None,
) -> list[Votes]:
    """Votes of all voters of all supervisors on lists of open questions.

    A question's candidates are the readable answers in the lists of all voters. A vote names the
    candidate of the voter's own list that it finds most probable; its distribution is the softmax
    over all candidates of the voter's log-probabilities (`normalise`), and its words are theirs.

    Args:
        supervisors: those that have `beams`.
        labelled: what they are taught, as in `Supervisor.vote`.
        asked: lists of questions.
        seeds: one for each supervisor.
        models: where trained voters are; None trains them for this call.

    Source: Cui et al. 2024, arXiv:2406.03199, joint decoding (n-best lists of all, each scored by
        all; from the authors' code).
    """
    prompts = [
        [weak.prompts_of(questions, "generation", (), seed) for questions in asked]
        for weak, seed in zip(supervisors, seeds, strict=True)
    ]
    voters = [(s, v) for s, weak in enumerate(supervisors) for v in range(weak.voters)]
    with _trained(supervisors, labelled, seeds, models) as load:
        lists: list[list[Lists]] = []
        for s, v in voters:
            voter = load(s, v)
            lists.append([_write(supervisors[s], voter, part) for part in prompts[s]])
        ways = [len(weak.query_names("generation")) for weak in supervisors]
        candidates = [
            _candidates(
                [(own[part].answers, ways[s]) for (s, _), own in zip(voters, lists, strict=True)],
                len(questions),
            )
            for part, questions in enumerate(asked)
        ]
        weighed = []
        for s, v in voters:
            voter = load(s, v)
            weighed.append(
                [
                    _weigh(supervisors[s], voter, own, texts, ways[s])
                    for own, texts in zip(prompts[s], candidates, strict=True)
                ]
            )
    found = []
    for part, questions in enumerate(asked):
        tables = []
        for s, weak in enumerate(supervisors):
            mine = [n for n, (own, _) in enumerate(voters) if own == s]
            table = _votes(
                weak,
                tuple(question.id for question in questions),
                candidates[part],
                [lists[n][part] for n in mine],
                [weighed[n][part] for n in mine],
            )
            tables.append(table)
        found.append(join_votes(tables) if len(tables) > 1 else tables[0])
    return found


def weigh_answers(
    supervisors: Sequence[ListWriter],
    labelled: Split,
    questions: Sequence[Question],
    texts: Sequence[Sequence[str]],
    *,
    seeds: Sequence[int],
    models: TrainedFolder | None = None,
) -> list[Floats]:
    """How probable every voter finds given answers, ln P or its mean over tokens (`normalise`).

    The voters are those of `vote_by_beam` with the same settings, labelled rows and seeds. Where
    one is asked with several prompts, it is the mean over them.

    Args:
        supervisors: those that have `beams`.
        labelled: what they are taught.
        questions: N of them.
        texts: of each question, H_i answers.
        seeds: one for each supervisor.
        models: where trained voters are; None trains them for this call.

    Returns:
        Of each question (H_i, V); nan where a voter cannot spell an answer or has no room for it.
    """
    found: list[Floats] = []
    with _trained(supervisors, labelled, seeds, models) as load:
        for s, weak in enumerate(supervisors):
            prompts = weak.prompts_of(questions, "generation", (), seeds[s])
            ways = len(weak.query_names("generation"))
            for v in range(weak.voters):
                candidates = [tuple(answers) for answers in texts]
                scores = _weigh(weak, load(s, v), prompts, candidates, ways).scores
                found.append(scores.reshape(len(questions), ways, scores.shape[1]).mean(axis=1))
    table = np.stack(found, axis=2)
    table[~np.isfinite(table)] = np.nan
    return [table[i, : len(own)] for i, own in enumerate(texts)]


def _write(weak: ListWriter, voter: Completer, prompts: Sequence[PromptedQuestion]) -> Lists:
    assert weak.beams is not None
    found = n_best(
        voter.model,
        voter.tokenizer,
        prompts,
        beams=weak.beams,
        max_new_tokens=weak.max_new_tokens,
        normalise=weak.normalise,
        empty=" {}" if weak.answer_format in ("json", "slots") else None,
        precision=weak.precision,
    )
    if (cut := int(found.scored.truncated.sum())) > 0:
        log.warning("%d of %d prompts were too long: cut.", cut, len(prompts))
    answers, reasons = [], []
    for readings, lack in zip(found.read(prompts, weak.answer_format), found.reasons, strict=True):
        texts = tuple(dict.fromkeys(r.text for r in readings if r.answer != ABSTAIN))
        why = lack or (readings[0].reason if readings else NOTHING)
        answers.append(texts)
        reasons.append("" if texts else why)
    return Lists(answers, found.entropy, reasons)


def _candidates(
    lists: Sequence[tuple[Sequence[tuple[str, ...]], int]], size: int
) -> list[tuple[str, ...]]:
    """The answers that any voter gave to each question, sorted; ("",) where nobody gave one.

    Args:
        lists: of each voter: answers to each prompt, and how many prompts a question has.
        size: number of questions.
    """
    own: list[set[str]] = [set() for _ in range(size)]
    for answers, ways in lists:
        for p, texts in enumerate(answers):
            own[p // ways].update(texts)
    return [tuple(sorted(texts)) or ("",) for texts in own]


@contextmanager
def _trained(
    supervisors: Sequence[ListWriter],
    labelled: Split,
    seeds: Sequence[int],
    models: TrainedFolder | None,
) -> Iterator[Callable[[int, int], Completer]]:
    """What loads a voter, (supervisor, voter): from disk, so that all uses see equal weights.

    Those that `models` does not keep are trained when they are first loaded, and then removed.
    """
    with TemporaryDirectory() as temporary:

        def train(s: int, v: int) -> Path:
            folder = Path(temporary) / f"{s}-{v}"
            if not folder.exists():
                supervisors[s].voter(labelled, "generation", (), seeds[s], v).save(folder)
            return folder

        def load(s: int, v: int) -> Completer:
            if supervisors[s].finetune is None:
                return supervisors[s].voter(NO_LABELS, "generation", (), 0, 0)
            saved = Pretrained(model=str((models or train)(s, v)))
            return Completer(load_causal(saved).to(device()), load_tokenizer(saved), 0, 0)

        yield load


def _weigh(
    weak: ListWriter,
    voter: Completer,
    prompts: Sequence[PromptedQuestion],
    candidates: Sequence[tuple[str, ...]],
    ways: int,
) -> ScoredLists:
    asked = [
        replace(one, answers=tuple(f" {text}" for text in candidates[p // ways]))
        for p, one in enumerate(prompts)
    ]
    scored = score_texts(voter.model, voter.tokenizer, asked, precision=weak.precision)
    scores = scored.table(weak.normalise)
    words = scored.words()
    spans = words.spans
    shifted = Spans(spans.rows, np.maximum(spans.begin - 1, 0), np.maximum(spans.end - 1, 0))
    return ScoredLists(
        np.where(np.isnan(scores), -np.inf, scores), WordProbabilities(shifted, words.log_probs)
    )


def _votes(
    weak: ListWriter,
    ids: tuple[str, ...],
    candidates: Sequence[tuple[str, ...]],
    lists: Sequence[Lists],
    weighed: Sequence[ScoredLists],
) -> Votes:
    """Votes of one supervisor's V voters with Q prompts for each of N questions, (N * V * Q)."""
    names, voters = weak.query_names("generation"), len(lists)
    ways, size = len(names), len(ids)
    example, voter, query = (
        index.ravel() for index in np.indices((size, voters, ways), dtype=np.int64)
    )
    prompt = example * ways + query
    scores = np.stack([one.scores for one in weighed])[voter, prompt]
    own = _own(candidates, lists, ways, scores.shape[1])[voter, prompt]
    answer = np.where(own, scores, -np.inf).argmax(axis=1)
    reasons = np.array([one.reasons for one in lists], dtype=object)[voter, prompt]
    deaf = ~np.isfinite(np.where(own, scores, -np.inf)).any(axis=1)
    reasons[deaf & (reasons == "")] = UNSCORED
    counts = np.array([len(texts) for texts in candidates], dtype=np.int64)
    even = (np.arange(scores.shape[1]) < counts[:, None]) / counts[:, None]
    return Votes(
        ids=ids,
        voters=tuple(weak.voter_names()),
        queries=names,
        example=example,
        voter=voter,
        query=query,
        answer=np.where(deaf, ABSTAIN, answer),
        candidates=counts,
        candidate_texts=tuple(candidates),
        probs=_softmax(scores, even[example]),
        reasons=tuple(reasons),
        word_probs=WordProbabilities.stack([one.words for one in weighed]).take(
            _texts(counts, ways, voter, prompt, example)
        ),
        entropy=np.array([one.entropy for one in lists])[voter, prompt],
    )


def _own(
    candidates: Sequence[tuple[str, ...]], lists: Sequence[Lists], ways: int, width: int
) -> np.ndarray:
    """Which candidates stand in the voter's own list, (V, P, K)."""
    mask = np.zeros((len(lists), len(candidates) * ways, width), dtype=bool)
    number = [{text: k for k, text in enumerate(texts)} for texts in candidates]
    for v, one in enumerate(lists):
        for p, texts in enumerate(one.answers):
            mask[v, p, [number[p // ways][text] for text in texts]] = True
    return mask


def _softmax(scores: Floats, otherwise: Floats) -> Floats:
    """Rows of probabilities; `otherwise` where no candidate has a score."""
    peak = scores.max(axis=1, keepdims=True, initial=-np.inf)
    known = np.isfinite(peak[:, 0])
    power = np.exp(scores[known] - peak[known])
    rows = otherwise.copy()
    rows[known] = power / power.sum(axis=1, keepdims=True)
    return rows


def _texts(counts: Ints, ways: int, voter: Ints, prompt: Ints, example: Ints) -> Ints:
    """Numbers of the texts of each vote's candidates among all voters', prompt by prompt."""
    each = np.repeat(counts, ways)  # texts of a prompt
    starts = np.cumsum(each) - each
    first = starts[prompt] + voter * each.sum()
    many = counts[example]
    return np.asarray(
        np.arange(int(many.sum())) + np.repeat(first - (np.cumsum(many) - many), many),
        dtype=np.int64,
    )

"""Language models that answer open questions with lists, and score each other's answers.

First every voter generates the most probable answers it finds, then every voter scores the answers
of all. One model is in memory at a time; trained ones are kept on disk.
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
from steelyard.prompts import PromptedQuestion
from steelyard.supervision.protocol import ListWriter, VoteRequest
from steelyard.types import (
    ABSTAIN,
    Floats,
    Question,
    Spans,
    Split,
    Votes,
    WordProbabilities,
    join_votes,
)
from steelyard.types.task_kinds import Kind
from steelyard.types.words import members

log = logging.getLogger(__name__)
VERSION = 1
"""Raised when lists or scores change without a change of settings; 1: voters are read from disk."""
TrainedFolder: TypeAlias = Callable[[int, int], Path]
"""Folder of a trained voter, by the numbers of its supervisor and of the voter."""
VoterLoader: TypeAlias = Callable[[int], Iterator[Completer]]
"""The voters of a supervisor, by its number, one after the other."""
NOTHING = "no answer"
UNSCORED = "its tokenizer cannot spell its answers"
OPEN: Kind = "generation"


class Lists(NamedTuple):
    """What one voter generated for P prompts."""

    answers: list[tuple[str, ...]]  # parsed answers, the most probable first
    entropy: Floats  # (P,), entropy of the list in nats per token; nan without answers
    reasons: list[str]  # why a prompt has no readable answer, else ""


class ScoredLists(NamedTuple):
    """One voter's scores of the candidates of P prompts."""

    scores: Floats  # (P, K), -inf beyond the candidates and where it cannot spell one
    words: WordProbabilities  # words of each prompt's candidates, prompt by prompt


def vote_by_beam(
    supervisors: Sequence[ListWriter],
    labelled: Split,
    asked: Sequence[Sequence[Question]],
    *,
    seeds: Sequence[int],
    models: TrainedFolder | None = None,
    work: Path | None = None,
) -> list[Votes]:
    """Votes of all voters of all supervisors on lists of open questions.

    A question's candidates are the readable answers in the lists of all voters. A vote names the
    candidate of the voter's own list that it finds most probable; its distribution is the softmax
    over all candidates of the voter's log-probabilities (`normalise`), and it has the candidates'
    words.

    Args:
        supervisors: those that have `beams`.
        labelled: rows that they are trained on, as in `BaseSupervisor.vote`.
        asked: lists of questions.
        seeds: one for each supervisor.
        models: where trained voters are stored; None trains them for this call.
        work: folder for checkpoints of voters that this call trains.

    Source: Cui et al. 2024, arXiv:2406.03199, joint decoding (n-best lists of all, each scored by
        all; from the authors' code).
    """
    prompts = [
        [weak.ask_all(questions, OPEN, (), seed) for questions in asked]
        for weak, seed in zip(supervisors, seeds, strict=True)
    ]
    with _loader(supervisors, labelled, seeds, models, work) as load:
        lists = [
            [[_write(weak, voter, part) for part in prompts[s]] for voter in load(s)]
            for s, weak in enumerate(supervisors)
        ]
        all_lists = [of_voter for of_supervisor in lists for of_voter in of_supervisor]
        candidates = [
            _candidates([of_voter[part].answers for of_voter in all_lists], len(questions))
            for part, questions in enumerate(asked)
        ]
        pairs = [list(zip(parts, candidates, strict=True)) for parts in prompts]
        scored = [
            [[_score(weak, voter, *pair) for pair in pairs[s]] for voter in load(s)]
            for s, weak in enumerate(supervisors)
        ]
    tables = []
    for part, questions in enumerate(asked):
        ids = tuple(question.id for question in questions)
        parts = [
            _votes(
                weak, ids, candidates[part], [v[part] for v in written], [v[part] for v in scores]
            )
            for weak, written, scores in zip(supervisors, lists, scored, strict=True)
        ]
        tables.append(join_votes(parts) if len(parts) > 1 else parts[0])
    return tables


def score_answers(
    supervisors: Sequence[ListWriter],
    labelled: Split,
    questions: Sequence[Question],
    texts: Sequence[Sequence[str]],
    *,
    seeds: Sequence[int],
    models: TrainedFolder | None = None,
) -> list[Floats]:
    """How probable every voter finds given answers, ln P or its mean over tokens (`normalise`).

    The voters are those of `vote_by_beam` with the same arguments; `texts` has H_i answers to each
    question. For a voter that is asked with several prompts, it is the mean over them.

    Returns:
        (H_i, V) for each question; nan where a voter cannot spell an answer or fit it into its
        context.
    """
    columns: list[Floats] = []
    candidates = [tuple(answers) for answers in texts]
    with _loader(supervisors, labelled, seeds, models) as load:
        for s, weak in enumerate(supervisors):
            prompts = weak.ask_all(questions, OPEN, (), seeds[s])
            queries = len(weak.query_names(OPEN))
            for voter in load(s):
                scores = _score(weak, voter, prompts, candidates).scores
                by_query = scores.reshape(len(questions), queries, scores.shape[1])
                columns.append(by_query.mean(axis=1))
    table = np.stack(columns, axis=2)
    table[~np.isfinite(table)] = np.nan
    return [table[i, : len(answers)] for i, answers in enumerate(texts)]


@contextmanager
def _loader(
    supervisors: Sequence[ListWriter],
    labelled: Split,
    seeds: Sequence[int],
    models: TrainedFolder | None,
    work: Path | None = None,
) -> Iterator[VoterLoader]:
    """A function that loads a supervisor's voters from disk, so that all uses see equal weights.

    Those that `models` does not keep are trained when they are first loaded, and then removed.
    """
    with TemporaryDirectory() as temporary:

        def train(s: int, v: int) -> Path:
            folder = Path(temporary) / f"{s}-{v}"
            if not folder.exists():
                kept = None if work is None else work / f"supervisor-{s}"
                request = VoteRequest(OPEN, (), (), labelled, seeds[s], work=kept)
                supervisors[s].load_voter(request, v).save(folder)
            return folder

        def load(s: int) -> Iterator[Completer]:
            for v in range(supervisors[s].voters):
                if supervisors[s].finetune is None:
                    yield supervisors[s].load_voter(VoteRequest(OPEN, (), ()), 0)
                else:
                    saved = Pretrained(model=str((models or train)(s, v)))
                    model = load_causal(saved, precision=supervisors[s].precision)
                    yield Completer(model, load_tokenizer(saved), 0, 0)

        yield load


def _write(weak: ListWriter, voter: Completer, plain: Sequence[PromptedQuestion]) -> Lists:
    assert weak.beams is not None
    prompts = weak.put(voter.tokenizer, plain, written=True)
    best = n_best(
        voter.model,
        voter.tokenizer,
        prompts,
        beams=weak.beams,
        max_new_tokens=weak.max_new_tokens,
        normalise=weak.normalise or "sum",
        empty=" {}" if weak.answer_format in ("json", "slots") else None,
        precision=weak.precision,
    )
    if (truncated := int(best.scored.truncated.sum())) > 0:
        log.warning("%d of %d prompts were too long and were truncated.", truncated, len(prompts))
    answers, reasons = [], []
    for parsed, reason in zip(best.read(prompts, weak.answer_format), best.reasons, strict=True):
        texts = tuple(dict.fromkeys(a.text for a in parsed if a.answer != ABSTAIN))
        answers.append(texts)
        reasons.append("" if texts else reason or (parsed[0].reason if parsed else NOTHING))
    return Lists(answers, best.entropy, reasons)


def _candidates(lists: Sequence[Sequence[tuple[str, ...]]], size: int) -> list[tuple[str, ...]]:
    """Distinct answers of all voters to each of `size` questions, sorted; ("",) without any.

    `lists` has each voter's answers to its prompts, an equal number for each question.
    """
    distinct: list[set[str]] = [set() for _ in range(size)]
    for answers in lists:
        for p, texts in enumerate(answers):
            distinct[p * size // len(answers)].update(texts)
    return [tuple(sorted(texts)) or ("",) for texts in distinct]


def _score(
    weak: ListWriter,
    voter: Completer,
    plain: Sequence[PromptedQuestion],
    candidates: Sequence[tuple[str, ...]],
) -> ScoredLists:
    prompts = weak.put(voter.tokenizer, plain, written=True)
    queries = len(prompts) // max(len(candidates), 1)
    lead = prompts[0].lead if prompts else ""
    asked = [
        replace(prompt, answers=tuple(f"{lead}{text}" for text in candidates[p // queries]))
        for p, prompt in enumerate(prompts)
    ]
    scored = score_texts(voter.model, voter.tokenizer, asked, precision=weak.precision)
    scores = scored.table(weak.normalise or "sum")
    words = scored.words()
    spans = words.spans
    begin, end = (np.maximum(edge - len(lead), 0) for edge in (spans.begin, spans.end))
    shifted = Spans(spans.rows, begin, end)
    return ScoredLists(
        np.where(np.isnan(scores), -np.inf, scores), WordProbabilities(shifted, words.log_probs)
    )


def _votes(
    weak: ListWriter,
    ids: tuple[str, ...],
    candidates: Sequence[tuple[str, ...]],
    lists: Sequence[Lists],
    scored: Sequence[ScoredLists],
) -> Votes:
    """Votes of one supervisor's V voters with Q prompts for each of N questions, (N * V * Q)."""
    names, queries = weak.query_names(OPEN), len(weak.query_names(OPEN))
    example, voter, query = (
        index.ravel() for index in np.indices((len(ids), len(lists), queries), dtype=np.int64)
    )
    prompt = example * queries + query
    scores = np.stack([part.scores for part in scored])[voter, prompt]
    listed = _listed(candidates, lists, queries, scores.shape[1])[voter, prompt]
    listed_scores = np.where(listed, scores, -np.inf)
    unscored = ~np.isfinite(listed_scores).any(axis=1)
    reasons = np.array([part.reasons for part in lists], dtype=object)[voter, prompt]
    reasons[unscored & (reasons == "")] = UNSCORED
    counts = np.array([len(texts) for texts in candidates], dtype=np.int64)
    even = (np.arange(scores.shape[1]) < counts[:, None]) / counts[:, None]
    words = WordProbabilities.stack([part.words for part in scored])
    texts = np.tile(np.repeat(counts, queries), len(lists))  # of each prompt of each voter
    return Votes(
        ids=ids,
        voters=tuple(weak.voter_names()),
        queries=names,
        example=example,
        voter=voter,
        query=query,
        answer=np.where(unscored, ABSTAIN, listed_scores.argmax(axis=1)),
        candidates=counts,
        candidate_texts=tuple(candidates),
        probs=_softmax(scores, even[example]),
        reasons=tuple(reasons),
        word_probs=words.take(members(texts, voter * len(ids) * queries + prompt)),
        entropy=np.array([part.entropy for part in lists])[voter, prompt],
    )


def _listed(
    candidates: Sequence[tuple[str, ...]], lists: Sequence[Lists], queries: int, width: int
) -> np.ndarray:
    """Which candidates are in each voter's own list, (V, P, K)."""
    mask = np.zeros((len(lists), len(candidates) * queries, width), dtype=bool)
    number = [{text: k for k, text in enumerate(texts)} for texts in candidates]
    for v, part in enumerate(lists):
        for p, texts in enumerate(part.answers):
            mask[v, p, [number[p // queries][text] for text in texts]] = True
    return mask


def _softmax(scores: Floats, otherwise: Floats) -> Floats:
    """Rows of probabilities; `otherwise` where no candidate has a score."""
    peak = scores.max(axis=1, keepdims=True, initial=-np.inf)
    finite = np.isfinite(peak[:, 0])
    power = np.exp(scores[finite] - peak[finite])
    rows = otherwise.copy()
    rows[finite] = power / power.sum(axis=1, keepdims=True)
    return rows

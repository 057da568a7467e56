"""Who orders a question's candidate answers best: `python studies/orders.py STUDY.yaml RUN`.

Every two candidates of a strong_train question are a pair; each voter prefers the one that it finds
more probable. Markdown: of the pairs whose slots differ in SLU-F1, the share in which the better
one is preferred, by single voters, the mean of their preferences, the same after graph denoising
(GED), and joint decoding; and SLU-F1 of the candidates that come out first. Means over the seeds.
"""

import sys
from itertools import combinations
from pathlib import Path

import numpy as np

from steelyard.evaluation import canonical_truth, find_metric, grade_texts
from steelyard.reliability import Confidence, GraphDenoising, JointDecoding, Pairs
from steelyard.store.store import Store
from steelyard.studies.config import read_study
from steelyard.studies.run import Run
from steelyard.studies.study import STORE
from steelyard.studies.votes import collect_votes
from steelyard.types import PAIR, Floats, Ints, Votes


def main(study: Path, folder: Path) -> None:
    run = Run(read_study(study, []), Store(folder / STORE, read_only=True), study.parent)
    seeds = [orders(run, seed) for seed in run.study.seed_list]
    print("| orders by | better of two | SLU-F1 of the first |")
    print("| --- | --- | --- |")
    for name in seeds[0]:
        right, first = (np.mean([seed[name][i] for seed in seeds]) for i in (0, 1))
        print(f"| {name} | {right:.3f} | {first:.3f} |")
    print(f"\npairs: {[seed['joint decoding'][2] for seed in seeds]}")


def orders(run: Run, seed: int) -> dict[str, tuple[float, float, int]]:
    """Of each way to order: share of pairs that it has right, SLU-F1 of what it puts first."""
    votes, split = collect_votes(run, seed).strong_train, run.task(seed).strong_train
    truth = canonical_truth(split.ids, split.reference_texts, run.answer_format)
    sizes = votes.candidates
    texts = [text for own in votes.candidate_texts for text in own]
    right = [answer for answer, size in zip(truth, sizes, strict=True) for _ in range(size)]
    counts = grade_texts(texts, right, run.answer_format, "slu_f1")
    worth = f1(counts)
    example = np.repeat(np.arange(len(sizes)), sizes)
    logs = log_probs(votes)
    first, second = pairs_of(sizes)
    table = preferences(logs, first, second)
    pairs = Pairs(table.ids, first, second, len(texts))
    of_candidates = {
        **{name: logs[v] for v, name in enumerate(votes.voters)},
        "joint decoding": JointDecoding().estimate(votes).posterior[votes.possible],
    }
    found = {name: (one, one[first] - one[second]) for name, one in of_candidates.items()}
    for name, judged in (
        ("mean preference", Confidence().estimate(table)),
        ("graph denoising", GraphDenoising().estimate(table, pairs=pairs)),
    ):
        found[name] = wins(judged.posterior, pairs), judged.posterior[:, 0] - 0.5
    lead = worth[first] - worth[second]
    return {
        name: (better(ahead, lead), of_first(score, counts, example), len(first))
        for name, (score, ahead) in found.items()
    }


def f1(counts: Floats) -> Floats:
    hit, false, missed = counts.T
    return np.divide(2 * hit, 2 * hit + false + missed, out=np.ones(len(hit)), where=counts.any(1))


def log_probs(votes: Votes) -> Floats:
    """ln P of every candidate by every voter, (V, C): one vote of each on each question."""
    assert votes.probs is not None
    return np.stack(
        [
            np.concatenate(
                [
                    np.log(np.maximum(votes.probs[m, : votes.candidates[i]], 1e-300))
                    for m, i in zip(rows, votes.example[rows], strict=True)
                ]
            )
            for v in range(len(votes.voters))
            for rows in [np.flatnonzero(votes.voter == v)]
        ]
    )


def pairs_of(sizes: Ints) -> tuple[Ints, Ints]:
    """Numbers of the two candidates of every pair."""
    starts = np.cumsum(sizes) - sizes
    found = [
        (a + start, b + start)
        for start, size in zip(starts, sizes, strict=True)
        for a, b in combinations(range(size), 2)
    ]
    first, second = np.array(found, dtype=np.int64).T
    return first, second


def preferences(logs: Floats, first: Ints, second: Ints) -> Votes:
    """One vote of each voter on each pair."""
    voters, size = len(logs), len(first)
    return Votes(
        ids=tuple(map(str, range(size))),
        voters=tuple(map(str, range(voters))),
        queries=("unchanged",),
        example=np.repeat(np.arange(size), voters),
        voter=np.tile(np.arange(voters), size),
        query=np.zeros(voters * size, dtype=np.int64),
        answer=(logs[:, second] > logs[:, first]).T.ravel().astype(np.int64),
        candidates=np.full(size, 2),
        classes=PAIR,
    )


def wins(posterior: Floats, pairs: Pairs) -> Floats:
    """Sum of the probabilities with which a candidate is better than each other, (C,)."""
    total = np.zeros(pairs.candidates)
    np.add.at(total, pairs.first, posterior[:, 0])
    np.add.at(total, pairs.second, posterior[:, 1])
    return total


def better(ahead: Floats, truth: Floats) -> float:
    """Share of the pairs of different worth in which the better one is ahead; ties are halves."""
    differ = truth != 0
    return float(((1 + np.sign(ahead[differ]) * np.sign(truth[differ])) / 2).mean())


def of_first(score: Floats, counts: Floats, example: Ints) -> float:
    """SLU-F1 of the candidates with the highest score of each question."""
    order = np.lexsort((-score, example))
    first = order[np.concatenate([[True], np.diff(example[order]) > 0])]
    return float(find_metric("slu_f1")(np.zeros(len(first), np.int64), counts[first], None)[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

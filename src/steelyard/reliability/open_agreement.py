"""Agreement among open answers: near-same texts are one answer."""

import re
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.protocol import VoteEstimator
from steelyard.types import Floats, Ints, Question, Reliability, Votes

TELLING = re.compile(r"\d+(?:[.,/]\d+)*|\b(?:not?|never|none|nor|cannot)\b|n't\b")
"""Numbers and negations: no nearness of texts makes up for a difference in these."""
PAIRS = 2**16  # compared at a time, to bound memory
MAX_TOKENS = 64  # of a text that is embedded


class OpenAgreement(VoteEstimator):
    """Reliability of open answers as the share of the votes that say the same in other words.

    Two candidates of one example are near if the cosine of their texts' features is at least
    `threshold` and they have the same numbers and negations in the same order ("12 apples" is never
    near to "13 apples", nor "safe" to "not safe"). Chains of near candidates form a cluster. With
    n(c) the readable votes for candidate c,

        P(head of cluster C) = sum_{c in C} n(c) / sum_c n(c)        score = max_C P(C)

    The head has the most votes of its cluster, of equals the one whose text comes first in
    alphabetical order; the other members have probability 0, for they are the same answer.
    Candidates with the same text after trimming and folding case are near at any threshold. Answers
    without texts (closed tasks) agree only if they are the same: the vote share. An example without
    a readable vote has a uniform posterior and score 0.

    Source: Kuhn et al. 2023, "Semantic Uncertainty", arXiv:2302.09664 (clusters of
        answers of one meaning; nearness of texts in place of entailment, and numbers, are ours).
    """

    version: ClassVar[int] = 1

    kind: Literal["open_agreement"] = "open_agreement"
    threshold: float = Field(0.8, gt=0, le=1)
    """Least cosine of two texts that say the same; 1 merges the same text alone."""
    model: str = "characters"
    """`characters`: counts of runs of 2 to 4 letters, no model; or an embedding model: `minilm`, a
    folder or a Hub name, the mean of its last hidden states."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        answered = votes.counts.sum(axis=1) > 0
        shares = votes.shares()
        if votes.candidate_texts:
            shares = np.where(answered[:, None], self._merged(votes, shares), shares)
        return Reliability(votes.ids, shares, np.where(answered, shares.max(axis=1), 0.0))

    def _merged(self, votes: Votes, shares: Floats) -> Floats:
        """Each cluster's share at its head, (N, K)."""
        row, column = np.nonzero(votes.counts > 0)
        texts = [votes.candidate_texts[i][a] for i, a in zip(row, column, strict=True)]
        plain = [" ".join(text.split()).casefold() for text in texts]
        distinct, text = np.unique(np.array(plain, dtype=object), return_inverse=True)
        first, second = _pairs(row)
        near = self._near(list(distinct), text[first], text[second])
        cluster = _components(len(row), first[near], second[near])
        # heads: by cluster, then most votes, then alphabet of the text as it stands
        alphabet = np.argsort(np.argsort(np.array(texts, dtype=object), kind="stable"))
        order = np.lexsort((alphabet, -votes.counts[row, column], cluster))
        head = order[np.flatnonzero(np.diff(cluster[order], prepend=-1) > 0)]
        mass = np.bincount(cluster, shares[row, column])
        merged = np.zeros_like(shares)
        merged[row[head], column[head]] = mass[cluster[head]]
        return merged

    def _near(self, texts: list[str], first: Ints, second: Ints) -> Any:
        """Which pairs of texts say the same."""
        same = first == second
        if self.threshold >= 1 or not len(first):
            return same
        telling = np.array([" ".join(TELLING.findall(text)) for text in texts], dtype=object)
        maybe = np.flatnonzero(~same & (telling[first] == telling[second]))
        if len(maybe):
            features = _characters(texts) if self.model == "characters" else self._embed(texts)
            for start in range(0, len(maybe), PAIRS):
                rows = maybe[start : start + PAIRS]
                product = features[first[rows]] * features[second[rows]]
                same[rows] = np.asarray(product.sum(axis=1)).ravel() >= self.threshold - 1e-9
        return same

    def _embed(self, texts: list[str]) -> Floats:
        """Unit vectors of the texts, (T, d)."""
        from steelyard.models.batches import Batcher
        from steelyard.models.encode import encode
        from steelyard.models.load import Pretrained, load_classifier, load_tokenizer
        from steelyard.models.score import features
        from steelyard.models.train import device

        pretrained = Pretrained(model=self.model)
        model = load_classifier(pretrained, 2, 0.0, 0).to(device())
        questions = [Question(id=str(i), text=text) for i, text in enumerate(texts)]
        encoded = encode(load_tokenizer(pretrained), questions, MAX_TOKENS)
        rows = features(model, Batcher(encoded, None, device()), "fp32")
        unit: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return unit


def _characters(texts: list[str]) -> Any:
    """Unit vectors of counts of letter runs, sparse (T, F)."""
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import HashingVectorizer

    # runs across words, so that the order of words counts a little; no signs: cosines are >= 0
    maker = HashingVectorizer(
        analyzer="char", ngram_range=(2, 4), n_features=2**20, alternate_sign=False
    )
    return csr_array(maker.transform([f" {text} " for text in texts]))


def _pairs(row: Ints) -> tuple[Ints, Ints]:
    """All pairs of places with the same value in an ascending column."""
    size = len(row)
    end = np.searchsorted(row, row, side="right")  # of the group of each place
    later = end - np.arange(size) - 1
    first = np.repeat(np.arange(size), later)
    start = np.cumsum(later) - later
    second = first + 1 + np.arange(len(first)) - start[first]
    return first, second


def _components(size: int, first: Ints, second: Ints) -> Ints:
    """Number of the connected component of each node, (size,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first)), (first, second)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)

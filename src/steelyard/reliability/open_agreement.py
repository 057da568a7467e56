"""Agreement among open answers: near-same texts are one answer."""

import re
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.preference_graph import components
from steelyard.reliability.protocol import VoteEstimator
from steelyard.types import Floats, Ints, Question, Reliability, Votes

TELLING = re.compile(r"\d+(?:[.,/]\d+)*|\b(?:not?|never|none|nor|cannot)\b|n't\b")
"""Numbers and negations: texts that differ in these are never near."""
PAIRS = 2**16  # pairs that are compared at a time, to bound memory
MAX_TOKENS = 64  # longest text that is embedded


class OpenAgreement(VoteEstimator):
    """Reliability of open answers as the share of votes with the same meaning.

    Two candidates of one example are near if the cosine of their texts' features is at least
    `threshold` and they have the same numbers and negations in the same order ("12 apples" is never
    near to "13 apples", nor "safe" to "not safe"). Chains of near candidates form a cluster. With
    n(c) the readable votes for candidate c,

        P(head of cluster C) = sum_{c in C} n(c) / sum_c n(c)        score = max_C P(C)

    The head is the candidate of the cluster with the most votes, among equals the first in
    alphabetical order; the other members are the same answer and have probability 0. Candidates
    with the same text after trimming and folding case are near at any threshold. Answers without
    texts (closed tasks) agree only if they are the same: the vote share. An example without a
    readable vote has a uniform posterior and score 0.

    Source: Kuhn et al. 2023, "Semantic Uncertainty", arXiv:2302.09664 (clusters of
        answers of one meaning; nearness of texts in place of entailment, and numbers, are ours).
    """

    version: ClassVar[int] = 1

    kind: Literal["open_agreement"] = "open_agreement"
    threshold: float = Field(0.8, gt=0, le=1)
    """Smallest cosine of two texts that count as the same answer; 1 merges equal texts only."""
    model: str = "characters"
    """Features of the texts. `characters`: counts of runs of 2 to 4 letters, without a model; or
    the mean last hidden states of a model: `minilm`, a folder or a Hub name."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        answered = votes.answered
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
        cluster = components(len(row), first[near], second[near])
        # heads: by cluster, then most votes, then alphabetical order of the unchanged text
        alphabet = np.argsort(np.argsort(np.array(texts, dtype=object), kind="stable"))
        order = np.lexsort((alphabet, -votes.counts[row, column], cluster))
        head = order[np.flatnonzero(np.diff(cluster[order], prepend=-1) > 0)]
        mass = np.bincount(cluster, shares[row, column])
        merged = np.zeros_like(shares)
        merged[row[head], column[head]] = mass[cluster[head]]
        return merged

    def _near(self, texts: list[str], first: Ints, second: Ints) -> Any:
        """Which pairs of texts are near, (pairs,)."""
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
    """All pairs of positions with the same value in an ascending column."""
    size = len(row)
    end = np.searchsorted(row, row, side="right")  # end of the group of each position
    later = end - np.arange(size) - 1
    first = np.repeat(np.arange(size), later)
    start = np.cumsum(later) - later
    second = first + 1 + np.arange(len(first)) - start[first]
    return first, second

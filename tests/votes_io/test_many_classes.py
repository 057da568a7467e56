"""With very many classes an item keeps the classes that its votes or its gold answer name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import steelyard as sy
from steelyard.errors import InputError
from steelyard.types import ABSTAIN, NO_CANDIDATE, Ints, Votes
from steelyard.votes_io import many_classes
from steelyard.votes_io.many_classes import has_many_classes, with_voted_classes

SPECIES = tuple(f"species {k}" for k in range(10_000))


def votes_of(answers: Ints, classes: tuple[str, ...]) -> Votes:
    """A table in which each of the voters answers every item, (N, V)."""
    n, v = answers.shape
    return Votes(
        ids=tuple(f"q{i}" for i in range(n)),
        voters=tuple(f"v{j}" for j in range(v)),
        queries=("plain",),
        example=np.repeat(np.arange(n), v),
        voter=np.tile(np.arange(v), n),
        query=np.zeros(n * v, dtype=np.int64),
        answer=answers.ravel(),
        candidates=np.full(n, len(classes), dtype=np.int64),
        classes=classes,
    )


def test_candidates_by_hand() -> None:
    votes = votes_of(np.array([[7, 3, 7], [ABSTAIN, 2, 9]]), SPECIES[:10])
    own, gold, truth = with_voted_classes(votes, np.array([ABSTAIN, 5]), np.array([3, 0]))
    assert own.candidate_texts == (
        ("species 3", "species 7"),
        ("species 2", "species 5", "species 9"),
    )
    assert own.answer.tolist() == [1, 0, 1, ABSTAIN, 0, 2]
    assert gold.tolist() == [ABSTAIN, 1]
    assert truth.tolist() == [0, NO_CANDIDATE]
    assert own.classes == ()


@given(st.integers(0, 2**32 - 1))
def test_names_of_answers_stay(seed: int) -> None:
    rng = np.random.default_rng(seed)
    answers = rng.integers(ABSTAIN, 12, (7, 3))
    gold, truth = rng.integers(ABSTAIN, 12, (2, 7))
    votes = votes_of(answers, SPECIES[:12])
    own, own_gold, own_truth = with_voted_classes(votes, gold, truth)

    def names(example: Ints, number: Ints) -> list[str | None]:
        pairs = zip(example.tolist(), number.tolist(), strict=True)
        return [own.candidate_texts[i][a] if a >= 0 else None for i, a in pairs]

    expected = [SPECIES[a] if a >= 0 else None for a in votes.answer.tolist()]
    assert names(votes.example, own.answer) == expected
    assert names(np.arange(7), own_gold) == votes.answer_names(gold)
    for i, name in enumerate(votes.answer_names(truth)):
        given_name = name in own.candidate_texts[i]
        assert own_truth[i] == (
            ABSTAIN
            if name is None
            else own.candidate_texts[i].index(name)
            if given_name
            else NO_CANDIDATE
        )


def test_ten_thousand_classes_are_weighed_without_a_table_of_items_and_classes() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10_000, 2_000)
    wrong = rng.random((2_000, 3)) > [0.9, 0.8, 0.6]
    votes = votes_of((truth[:, None] + wrong * rng.integers(1, 99, (2_000, 3))) % 10_000, SPECIES)
    assert has_many_classes(votes)
    result = sy.weigh(votes, truth=truth)
    posterior = next(iter(result.reliabilities.values())).posterior
    assert posterior.shape == (2_000, 3)  # three voters name at most three classes
    assert any("10,000 classes on 2,000 items" in text for text in result.summary["warnings"])
    # a label is wrong if all three differ and the best is wrong, or both others err alike:
    # P(wrong) is near .1 * .2 * .4 + .1 * .2 * .6 + ... = at most .1, the best voter's errors
    assert result.summary["methods"]["robust"]["accuracy"] > 0.9
    with pytest.raises(InputError, match=r"`dawid_skene` .* very many classes"):
        sy.weigh(votes, ["dawid_skene"])


def test_labels_are_those_of_the_whole_table(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 150, 300)
    wrong = rng.random((300, 5)) > [0.9, 0.8, 0.7, 0.6, 0.5]
    votes = votes_of((truth[:, None] + wrong * rng.integers(1, 150, (300, 5))) % 150, SPECIES[:150])
    whole = sy.weigh(votes, ["majority", "one_coin"], truth=truth)
    monkeypatch.setattr(many_classes, "MANY_CELLS", 0)
    own = sy.weigh(votes, ["majority", "one_coin"], truth=truth)
    assert own.votes.candidate_texts
    for name, scores in whole.summary["methods"].items():
        assert own.summary["methods"][name]["accuracy"] == pytest.approx(
            scores["accuracy"], abs=0.01
        )
    names = {key: result.label_by_id for key, result in (("whole", whole), ("own", own))}
    clear = whole.votes.counts.max(axis=1) >= 3  # ties are drawn anew
    for i in np.flatnonzero(clear):
        assert names["own"][f"q{i}"] == names["whole"][f"q{i}"]


def test_few_classes_and_small_tables_keep_all_classes() -> None:
    votes = votes_of(np.zeros((3, 2), dtype=np.int64), SPECIES)
    assert not has_many_classes(votes)  # 30,000 cells

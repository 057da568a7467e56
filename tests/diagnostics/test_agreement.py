"""Agreement beyond chance: published examples, two voters by hand, missing votes, intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.diagnostics.agreement import agreement_coefficients
from steelyard.errors import ConfigError
from steelyard.types import ABSTAIN, Votes
from vote_tables import votes

_ = 0  # no answer
KRIPPENDORFF_2011 = (
    # Krippendorff 2011, four observers and twelve units, answers 1 to 5
    (1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3),
    (_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _),
)
FLEISS_1971 = (
    # Fleiss 1971, table 1: six psychiatrists, thirty patients, counts of five diagnoses
    *("00060", "03003", "01401", "00006", "03030", "20400", "00402", "20310", "20040", "00006"),
    *("10050", "11040", "03300", "10050", "02031", "00501", "30012", "51000", "02040", "10203"),
    *("00006", "01050", "02013", "20040", "10041", "05010", "40002", "02040", "10500", "00006"),
)


def krippendorff_table() -> Votes:
    return votes(np.array(KRIPPENDORFF_2011).T - 1, answers=5)  # 0, no answer, becomes -1, abstains


def of_counts(counts: np.ndarray) -> Votes:
    """Votes with these numbers of answers; who gave them does not matter."""
    rows = [np.repeat(np.arange(len(row)), row) for row in counts]
    width = max(map(len, rows))
    filled = [np.append(row, np.full(width - len(row), ABSTAIN)) for row in rows]
    return votes(np.array(filled), answers=counts.shape[1])


@pytest.mark.parametrize(
    ("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_krippendorffs_example(scale: str, alpha: float) -> None:
    found = agreement_coefficients(krippendorff_table(), scale)  # type: ignore[arg-type]
    assert found.krippendorff is not None
    assert found.krippendorff_nominal is not None
    assert found.krippendorff.value == pytest.approx(alpha, abs=5e-4)
    assert found.krippendorff_nominal.value == pytest.approx(0.743, abs=5e-4)
    assert found.items == 11  # unit 12 has one answer


def test_the_same_example_by_the_formulas_of_gwet() -> None:
    # Published for this table (irrCAC): Fleiss 0.76117, AC1 0.77544, observed 0.81818 = 9 / 11
    found = agreement_coefficients(krippendorff_table())
    assert found.observed is not None
    assert found.fleiss is not None
    assert found.ac1 is not None
    assert found.observed.value == pytest.approx(9 / 11)
    assert found.fleiss.value == pytest.approx(0.76117, abs=5e-6)
    assert found.ac1.value == pytest.approx(0.77544, abs=5e-6)


def test_fleiss_own_example() -> None:
    counts = np.array([list(map(int, row)) for row in FLEISS_1971])
    found = agreement_coefficients(of_counts(counts))
    assert found.fleiss is not None
    assert found.fleiss.value == pytest.approx(0.430, abs=5e-4)
    assert found.fleiss.low < 0.430 < found.fleiss.high


def test_ac1_by_hand_where_one_class_is_nearly_always_right() -> None:
    # Two voters, 100 items: both yes 90, both no 0, yes/no 5, no/yes 5. Observed .9; P(yes) =
    # (95 + 95) / 200 = .95. Fleiss: chance .95^2 + .05^2 = .905, (.9 - .905) / .095 = -.0526.
    # AC1: chance 2 x .95 x .05 = .095, (.9 - .095) / .905 = .8895.
    rows = [[1, 1]] * 90 + [[1, 0]] * 5 + [[0, 1]] * 5
    found = agreement_coefficients(votes(rows, answers=2))
    assert found.fleiss is not None
    assert found.ac1 is not None
    assert found.fleiss.value == pytest.approx(-0.005 / 0.095)
    assert found.ac1.value == pytest.approx(0.805 / 0.905)


@given(st.integers(0, 9999), st.sampled_from(["nominal", "ordinal", "interval"]))
def test_alpha_equals_its_definition(seed: int, scale: str) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(ABSTAIN, 4, (12, 4))
    rows[0] = (0, 1, 2, 3)  # so that it is defined
    counts = np.array([np.bincount(row[row >= 0], minlength=4) for row in rows])
    counts = counts[counts.sum(axis=1) >= 2]
    total, n = counts.sum(axis=0), counts.sum()
    place = np.cumsum(total) - total / 2 if scale == "ordinal" else np.arange(4.0)
    distance = (place[:, None] - place) ** 2
    if scale == "nominal":
        distance = 1 - np.eye(4)
    seen = sum(row @ distance @ row / (row.sum() - 1) for row in counts)
    alpha = 1 - seen / (total @ distance @ total / (n - 1))
    found = agreement_coefficients(votes(rows), scale, resamples=20)  # type: ignore[arg-type]
    assert found.krippendorff is not None
    assert found.krippendorff.value == pytest.approx(alpha, abs=1e-9)


def test_distances_of_an_interval_scale_are_the_class_names() -> None:
    table = votes([[0, 1], [1, 2], [2, 0], [0, 0]], answers=3, classes=("1", "2", "10"))
    near = votes([[0, 1], [1, 2], [2, 0], [0, 0]], answers=3, classes=("1", "2", "3"))
    first, second = (agreement_coefficients(t, "interval").krippendorff for t in (table, near))
    assert first is not None
    assert second is not None
    assert first.value != second.value


def test_open_answers_are_one_answer_where_their_texts_are_equal() -> None:
    texts = (("x", "y"), ("y", "x"))
    open_votes = votes([[0, 0], [1, 0]], answers=2, candidate_texts=texts)  # x x; x y
    closed = votes([[0, 0], [0, 1]], answers=2)
    assert agreement_coefficients(open_votes) == agreement_coefficients(closed)
    with pytest.raises(ConfigError, match="answers are open"):
        agreement_coefficients(open_votes, "ordinal")


def test_without_a_second_answer_nothing_is_known() -> None:
    found = agreement_coefficients(votes([[0], [1]], answers=2))
    assert found.observed is found.krippendorff is found.fleiss is found.ac1 is None
    found = agreement_coefficients(votes([[ABSTAIN, ABSTAIN]], answers=2))
    assert found.items == 0


def test_many_items_are_sampled_and_counted() -> None:
    rng = np.random.default_rng(0)
    found = agreement_coefficients(votes(rng.integers(0, 2, (12_000, 3)), answers=2), resamples=50)
    assert (found.items, found.items_used) == (12_000, 10_000)
    assert found.krippendorff is not None
    assert found.krippendorff.low < 0.02
    assert found.krippendorff.high > -0.02


@pytest.mark.slow
def test_intervals_cover_the_agreement_of_the_population() -> None:
    """Voters who are right 8 times in 10, four of five on each item: 93 to 97 % of intervals."""
    rng = np.random.default_rng(0)
    hits = 0
    observed = 0.8**2 + 0.2**2  # P(two voters agree), two balanced classes: alpha = 2 x .68 - 1
    for _run in range(600):
        truth = rng.integers(0, 2, 150)
        rows = np.where(rng.random((150, 5)) < 0.8, truth[:, None], 1 - truth[:, None])
        rows[np.arange(150), rng.integers(0, 5, 150)] = ABSTAIN
        span = agreement_coefficients(votes(rows, answers=2), resamples=400).observed
        assert span is not None
        hits += span.low <= observed <= span.high
    assert 0.93 <= hits / 600 <= 0.97

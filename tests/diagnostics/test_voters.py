"""The table of voters: accuracy with an interval, agreement, confusion."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from crowds import crowd, table
from real_votes import read_nested
from steelyard.diagnostics.voters import VoterTable, judge_voters, wilson
from steelyard.reliability import Majority, Robust, VoteShare
from steelyard.types import ABSTAIN, Reliability, Votes, one_hot
from steelyard.votes_io.read_votes import read_votes
from vote_tables import votes


def judged(poll: Votes, posterior: list[list[float]], truth: list[int] | None = None) -> VoterTable:
    rows = np.array(posterior)
    known = None if truth is None else np.array(truth)
    return judge_voters(poll, Reliability(poll.ids, rows, rows.max(axis=1)), known)


@pytest.mark.parametrize(("right", "number"), [(0, 5), (3, 7), (40, 40), (77, 100)])
def test_wilson_equals_scipy(right: int, number: int) -> None:
    low, high = binomtest(right, number).proportion_ci(method="wilson")
    row = wilson(np.array([right / number]), np.array([float(number)]))[0]
    np.testing.assert_allclose(row, [right / number, low, high], atol=1e-6)


def test_accuracy_is_the_expected_agreement_with_the_posterior() -> None:
    poll = votes([[0, 1], [1, ABSTAIN]], answers=2)
    result = judged(poll, [[0.9, 0.1], [0.3, 0.7]])
    np.testing.assert_allclose(result.accuracy[:, 0], [(0.9 + 0.7) / 2, 0.1])
    np.testing.assert_array_equal(result.votes, [2, 1])
    np.testing.assert_array_equal(result.abstained, [0, 1])


def test_a_certain_posterior_gives_wilsons_interval() -> None:
    poll = votes([[0]] * 20, answers=2)
    result = judged(poll, [[1.0, 0.0]] * 15 + [[0.0, 1.0]] * 5)
    low, high = binomtest(15, 20).proportion_ci(method="wilson")
    np.testing.assert_allclose(result.accuracy[0], [0.75, low, high], atol=1e-6)


def test_an_unsure_posterior_widens_the_interval() -> None:
    # P = .75 on each of 20: a = (15 + .5) / 21 = .7381, h = .75 * .25 / (.7381 * .2619) = .9699,
    # so that the lower end is Wilson's of .75 with 20 / 1.9699 = 10.15 examples. If all labels
    # are right, 20 of 20 votes are: the upper end is 1.
    result = judged(votes([[0]] * 20, answers=2), [[0.75, 0.25]] * 20)
    low = wilson(np.array([0.75]), np.array([20 / 1.96992]))[0, 1]
    np.testing.assert_allclose(result.accuracy, [[0.75, low, 1.0]], atol=1e-5)


def test_the_range_begins_where_voters_are_one_source_and_ends_where_labels_are_right() -> None:
    # Ten items, answers (a, a, b). P(a) = .9: voters are right with (9 + 2 m) / 12 each of the
    # first two, (1 + 2 m) / 12 the third, m = (.9 + .9 + .1) / 3 = .6333: a_v = .8556, .8556,
    # .1889. Above chance .3556, .3556 and the least weight .01: one source gives a the share
    # .7111 / .7211 = .98613, which is above P, so that P gives the lower end.
    poll = votes([[0, 0, 1]] * 10, answers=2)
    result = judged(poll, [[0.9, 0.1]] * 10)
    of_p = wilson(np.array([0.9]), np.array([10 / (1 + 0.09 / (9.5 / 11 * 1.5 / 11))]))[0]
    np.testing.assert_allclose(result.accuracy[0, :2], of_p[:2], atol=1e-6)
    assert result.accuracy[0, 2] == pytest.approx(1)
    # P(a) = .999: a_v = (9.99 + 2 m) / 12 with m = .6663, .94355; the third .11188. Weights
    # .44355, .44355, .01 give .98885 < .999: h of .98885 and a = (9.8885 + .5) / 11 = .94441.
    result = judged(poll, [[0.999, 0.001]] * 10)
    share = 2 * 0.44355 / (2 * 0.44355 + 0.01)
    smooth = (10 * share + 0.5) / 11
    number = 10 / (1 + share * (1 - share) / (smooth * (1 - smooth)))
    low = wilson(np.array([share]), np.array([number]))[0, 1]
    assert result.accuracy[0, 1] == pytest.approx(low, abs=1e-5)


def test_ranges_cover_the_accuracy_of_voters_of_real_crowds(shared_data: Path) -> None:
    """Voters with 100 votes or more of seven crowds with complete truth, by the default method."""
    covered = []
    for name in ("bluebird", "dog", "hatecheck", "music_genre", "rte", "temporal", "weather"):
        table = read_votes(
            shared_data / f"crowd_{name}" / "train.jsonl.gz", truth=("gold",), duplicates="last"
        )
        result = judge_voters(table.votes, Robust().estimate(table.votes), table.truth["gold"])
        assert result.true_accuracy is not None
        true = result.true_accuracy[:, 0]
        inside = (result.accuracy[:, 1] <= true) & (true <= result.accuracy[:, 2])
        covered.extend(inside[result.votes >= 100])
    assert np.mean(covered) >= 0.9


def test_the_interval_covers_when_the_posterior_means_what_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        skill = rng.uniform(0.55, 0.95)
        truth = rng.integers(0, 2, 60)
        answer = np.where(rng.random(60) < skill, truth, 1 - truth)
        leave_one_out = np.where(rng.random((60, 2)) < 0.75, truth[:, None], 1 - truth[:, None])
        logits = np.log(3) * (2 * leave_one_out - 1).sum(axis=1)
        logits += np.log(skill / (1 - skill)) * (2 * answer - 1)
        right = 1 / (1 + np.exp(-logits))
        low, high = judged(
            votes(answer[:, None], answers=2), np.column_stack([1 - right, right]).tolist()
        ).accuracy[0, 1:]
        hits += low <= skill <= high
    assert hits / 400 > 0.93


def test_asking_ten_times_is_no_more_evidence_than_asking_once() -> None:
    once = judged(votes([[0], [1]], answers=2), [[0.9, 0.1], [0.2, 0.8]])
    again = table([0] * 10 + [1] * 10, [0] * 20, [0] * 10 + [1] * 10, 2, 1, 2)
    tenfold = judged(again, [[0.9, 0.1], [0.2, 0.8]])
    np.testing.assert_allclose(tenfold.accuracy, once.accuracy)
    assert tenfold.votes[0] == 10 * once.votes[0]


def test_true_accuracy_looks_at_known_examples_only() -> None:
    poll = votes([[0, 1], [1, 1], [0, 0]], answers=2)
    result = judged(poll, [[1.0, 0.0]] * 3, truth=[0, 1, ABSTAIN])
    assert result.true_accuracy is not None
    np.testing.assert_allclose(result.true_accuracy[:, 0], [1, 0.5])
    low, high = binomtest(1, 2).proportion_ci(method="wilson")
    np.testing.assert_allclose(result.true_accuracy[1, 1:], [low, high], atol=1e-6)


def test_confusion_by_hand() -> None:
    # Truth is a with .8 where v0 says a and .4 where it says b: row a is .8, .4, row b .2, .6
    result = judged(votes([[0], [1]], answers=2), [[0.8, 0.2], [0.4, 0.6]])
    assert result.confusion is not None
    assert result.confusion_votes is not None
    np.testing.assert_allclose(result.confusion[0], [[0.8 / 1.2, 0.4 / 1.2], [0.25, 0.75]])
    np.testing.assert_allclose(result.confusion_votes[0], [1.2, 0.8])


def test_a_class_that_never_occurs_has_no_row() -> None:
    row = judged(votes([[0], [1]], answers=3), [[1.0, 0, 0], [0, 1.0, 0]]).rows()[0]
    assert row["confusion"] == [[1, 0, 0], [0, 1, 0], [None] * 3]


def test_open_answers_and_many_classes_have_no_confusion() -> None:
    texts = tuple(("72", "48") for _ in range(3))
    poll = votes([[0, 1]] * 3, answers=2, candidate_texts=texts)
    assert judge_voters(poll, VoteShare().estimate(poll)).confusion is None
    many, _, _ = crowd(0, answers=21)
    assert judge_voters(many, VoteShare().estimate(many)).confusion is None


def test_rows_are_json_with_the_surest_first() -> None:
    poll, _, truth = crowd(0, examples=400, random=2)
    poll = replace(poll, voters=(*poll.voters, "silent"))
    rows = judge_voters(poll, Majority().estimate(poll), truth).rows()
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    lows = [row["accuracy"]["low"] for row in rows[:-1]]
    assert lows == sorted(lows, reverse=True)
    assert rows[-1] == {
        "voter": "silent",
        "votes": 0,
        "abstained": 0,
        "accuracy": None,
        "agreement": None,
        "true_accuracy": None,
        "flags": [],
        "confusion": [[None, None]] * 2,
        "confusion_votes": [0.0, 0.0],
    }


def test_one_voter_and_no_votes_have_a_table() -> None:
    alone = votes([[0], [1]], answers=2)
    assert judge_voters(alone, VoteShare().estimate(alone)).rows()[0]["agreement"] is None
    silent = votes([[ABSTAIN, ABSTAIN]], answers=2)
    result = judge_voters(silent, VoteShare().estimate(silent))
    assert np.isnan(result.accuracy).all()
    assert result.flags == ((), ())


def test_names_of_classes_stand_in_the_flag() -> None:
    poll, _, _ = crowd(0, examples=1000, constant=2)
    flags = judge_voters(poll, Majority().estimate(poll)).flags
    assert flags[0][0].startswith("answers 'a' in 100% of its votes; an average voter would in ")
    assert flags[1][0].startswith("answers 'b' in 100% of its votes")


def test_spammers_of_real_crowds_are_found(shared_data: Path) -> None:
    """On five crowds with truth, whoever is flagged is worse than the median of the crowd."""
    flagged = 0
    for name in ("rte", "temporal", "music_genre", "sentiment_polarity", "zencrowd"):
        poll, truth = read_nested(shared_data / f"crowd_{name}" / "train.jsonl.gz")
        result = judge_voters(poll, Majority().estimate(poll), truth)
        assert result.true_accuracy is not None
        true = result.true_accuracy[:, 0]
        middle = np.nanmedian(true[result.votes >= 20])
        bad = np.array([bool(flags) for flags in result.flags]) & (result.votes >= 20)
        assert (true[bad] < middle).all()
        flagged += int(bad.sum())
    assert flagged >= 20  # 28 seen


def test_a_perfect_crowd_is_believed() -> None:
    poll = votes([[0, 0, 0], [1, 1, 1]] * 20, answers=2)
    sure = Reliability(poll.ids, one_hot(np.array([0, 1] * 20), 2), np.ones(40))
    result = judge_voters(poll, sure)
    np.testing.assert_allclose(result.accuracy[:, 0], 1)
    assert not any(result.flags)

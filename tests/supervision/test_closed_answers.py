"""Calibration by hand, the choice of a convention, and what votes give away."""

from collections.abc import Sequence

import numpy as np
import pytest

from steelyard.models.lm.option_scores import OptionScores, answer_probabilities
from steelyard.prompts import PromptSettings
from steelyard.supervision.closed_answers import ClosedScores, mean_over_orders
from steelyard.supervision.conventions import Convention, choose_convention, one_sided
from steelyard.supervision.few_shot import balanced_rows
from steelyard.supervision.vote_patterns import VotePatterns
from steelyard.types import ABSTAIN, Question, Split


def scores(
    logs: Sequence[Sequence[float]],
    *,
    query: Sequence[int] | None = None,
    slots: Sequence[Sequence[int]] | None = None,
    null: dict[str, Sequence[Sequence[float]]] | None = None,
    tokens: Sequence[Sequence[int]] | None = None,
    sizes: Sequence[Sequence[int]] | None = None,
) -> ClosedScores:
    table = np.array(logs, dtype=np.float64)
    count = np.array(tokens) if tokens else np.ones(table.shape, dtype=np.int64)
    raw = OptionScores(
        table, count, count * 4, answer_probabilities(table), np.ones(len(table), bool), 0
    )
    raw = OptionScores(**{**vars(raw), "bytes": count * 4 if sizes is None else np.array(sizes)})
    return ClosedScores(
        raw,
        np.array(slots) if slots else np.tile(np.arange(table.shape[1]), (len(table), 1)),
        np.array(query) if query else np.zeros(len(table), dtype=np.int64),
        {item: np.array(rows, dtype=np.float64) for item, rows in (null or {}).items()},
    )


def test_unconditional_takes_out_what_an_answer_has_without_the_item() -> None:
    """ln P: -4 and -6 behind the item, -1 and -5 without it. -4 + 1 = -3, -6 + 5 = -1; the second
    has two tokens: -0.5 per token."""
    found = scores([[-4, -6]], null={"": [[-1, -5]]}, tokens=[[1, 2]])
    assert found.scores("sum", "unconditional").tolist() == [[-3, -1]]
    assert found.scores("token", "unconditional").tolist() == [[-3, -0.5]]


def test_content_free_divides_by_the_mean_probability_behind_nothing() -> None:
    """Zhao et al.: p = (.6, .4); behind the three items (.9, .1), (.7, .3), (.8, .2), mean (.8,
    .2). .6 / .8 = .75 and .4 / .2 = 2: P = (.75, 2) / 2.75."""
    null = {"N/A": [[0.9, 0.1]], "[MASK]": [[0.7, 0.3]], "": [[0.8, 0.2]]}
    logs = {item: np.log(rows).tolist() for item, rows in null.items()}
    found = scores(np.log([[0.6, 0.4]]).tolist(), null=logs)
    probs = answer_probabilities(found.scores("sum", "content_free"))
    assert probs == pytest.approx(np.array([[0.75, 2]]) / 2.75)


def test_batch_centres_each_class_of_each_query() -> None:
    """Query 0 has rows (-1, -3) and (-2, -3): centred (1, -1), (.5, -.5), means (.75, -.75). Query
    1 has one row, which becomes even."""
    found = scores([[-1, -3], [-2, -3], [-5, -1]], query=[0, 0, 1])
    assert found.priors("sum") == ((0.75, -0.75), (-2, 2))
    final = found.scores("sum", "batch")
    assert final.tolist() == [[-1.75, -2.25], [-2.75, -2.25], [-3, -3]]
    assert found.take(np.array([1])).scores("sum", "batch", found.priors("sum")).tolist() == [
        [-2.75, -2.25]
    ]


def test_batch_centres_positions_where_options_are_shown_in_orders() -> None:
    """The option at position 0 has +2 whichever it is: without it, option 0, 1, 0 win by .5."""
    slots = [[0, 1], [1, 0], [1, 0], [0, 1]]
    logs = [[-1 + 0.5, -3], [-3, -1 + 0.5], [-3 + 0.5, -1], [-1, -3 + 0.5]]
    final = scores(logs, slots=slots).scores("sum", "batch")
    assert final.argmax(axis=1).tolist() == [0, 1, 0, 1]
    assert scores(logs).scores("sum", "none").argmax(axis=1).tolist() == [0, 1, 1, 0]


def test_a_missing_option_is_in_no_mean() -> None:
    found = scores([[-1, -3, -np.inf], [-1, -3, -8]])
    assert found.priors("sum") == ((2.0, 0.0, -4.0),)
    assert np.isneginf(found.scores("sum", "batch")[0, 2])


def test_mean_over_orders() -> None:
    """Two orders of one prompt: (.8, .2) and (.2, .8) are even in the mean of their logarithms."""
    found = scores(np.log([[0.8, 0.2], [0.2, 0.8]]).tolist())
    raw, final = mean_over_orders(found, found.scores("sum", "none"), 2)
    assert answer_probabilities(final) == pytest.approx(np.array([[0.5, 0.5]]))
    assert raw.log_probs == pytest.approx(np.log([[0.4, 0.4]]))


def everything(one: Convention) -> bool:
    return True


def test_with_truth_the_most_accurate_convention_is_taken() -> None:
    """The letters say option 0 always; per token the cloze is right, by its sum it is not."""
    truth = np.array([0, 1] * 20)
    letters = scores([[-1, -2]] * 40, tokens=[[1, 1]] * 40)
    right = [[-2.0, -7.5] if t == 0 else [-2.0, -3.0] for t in truth]
    cloze = scores(right, tokens=[[1, 3]] * 40, sizes=[[5, 5]] * 40, null={"": [[-1, -1]] * 40})
    asked = {("letter", False): letters, ("cloze", False): cloze}
    choice = choose_convention("multiple_choice", asked, everything, truth)  # type: ignore[arg-type]
    assert choice.convention == Convention("cloze", False, "token", "none")
    assert "40 labelled rows, 1.000" in choice.reason
    assert "letter, plain text, sum of log-probabilities, batch calibration: 0.500" in choice.reason
    fixed = choose_convention(
        *("multiple_choice", asked, lambda one: one.normalise == "sum", truth)  # type: ignore[arg-type]
    )
    assert fixed.convention.normalise == "sum"


@pytest.mark.parametrize(("gained", "lost", "answer"), [(6, 4, "cloze"), (9, 1, "letter")])
def test_a_lead_within_its_standard_error_does_not_count(
    gained: int, lost: int, answer: str
) -> None:
    """40 rows, on `gained` of which the letters alone are right, on `lost` the cloze alone. Leads
    of 2 and 8 rows; their standard errors are sqrt(10 / 40 - (2 / 40) ** 2) / sqrt(40) = 0.079 and
    sqrt(10 / 40 - (8 / 40) ** 2) / sqrt(40) = 0.072, that is 3.1 and 2.9 rows."""
    right = [-1.0, -2.0]
    wrong = right[::-1]
    both = [right] * (40 - gained - lost)
    cloze = scores([wrong] * gained + [right] * lost + both)
    letters = scores([right] * gained + [wrong] * lost + both)
    choice = choose_convention(
        "multiple_choice",
        {("cloze", False): cloze, ("letter", False): letters},
        lambda one: (one.normalise, one.calibrate) == ("sum", "none"),
        np.zeros(40, dtype=np.int64),
    )
    assert choice.convention.answer == answer


def test_without_truth_one_sided_conventions_are_passed_over() -> None:
    """Texts say class 0 for all but their means; after centring they do not."""
    rng = np.random.default_rng(0)
    logs = rng.normal(size=(60, 2)) + np.array([5, 0])
    asked = {("text", True): scores(logs.tolist()), ("cloze", True): scores(logs.tolist())}
    choice = choose_convention(
        *("classification", asked, lambda one: one.calibrate != "content_free", None)  # type: ignore[arg-type]
    )
    assert choice.convention == Convention("text", True, "sum", "batch")
    plain = choose_convention(
        *("classification", asked, lambda one: one.calibrate == "none", None)  # type: ignore[arg-type]
    )
    assert "every convention is one-sided" in plain.reason
    assert one_sided(logs, asked["text", True].slots, by_class=True).startswith("60 of 60")


def voted(share: float, options: int, count: int = 200, seed: int = 0) -> VotePatterns:
    """Votes that name position 1 (of all positions) with a probability of `share`, else any."""
    rng = np.random.default_rng(seed)
    patterns = VotePatterns()
    for _ in range(count):
        order = [int(k) for k in rng.permutation(options)]
        position = 1 if rng.random() < share else int(rng.integers(options))
        patterns.add("model", "0-plain", order[position], order)
    return patterns


@pytest.mark.parametrize("options", [2, 4])
def test_votes_that_follow_the_position_are_said(options: int) -> None:
    (sentence,) = voted(0.95, options).sentences()
    assert "votes name the option shown at position 2, whichever it is" in sentence
    assert f"(chance: {200 // options})" in sentence
    assert "`calibrate: batch`" in sentence


@pytest.mark.parametrize("options", [2, 4])
def test_chance_and_a_slight_lean_are_not(options: int) -> None:
    for seed in range(20):
        assert voted(0.0, options, seed=seed).sentences() == []
        assert voted(0.25, options, seed=seed).sentences() == []
        assert voted(1.0, options, count=10, seed=seed).sentences() == []


def test_votes_of_one_class_are_said_by_query() -> None:
    patterns = VotePatterns(("negative", "positive"))
    for i in range(100):
        patterns.add("model", "0-plain", 0, (0, 1))
        patterns.add("model", "1-list", i % 2, (0, 1))
        patterns.add("model", "2-short", ABSTAIN, (0, 1), "empty")
    one_class, empty = patterns.sentences()  # in one order, no word about the position
    assert "votes of one class (negative 100 of 100 in `0-plain`)" in one_class
    assert "all 100 votes of `2-short` abstain (empty 100)" in empty


def test_a_uniform_voter_with_fixed_options_is_followed_by_position() -> None:
    patterns = VotePatterns()
    for _ in range(60):
        patterns.add("model", "0-plain", 0, (0, 1, 2, 3))
    assert "60 of 60 votes" in patterns.sentences()[0]


def test_examples_are_balanced_and_fixed() -> None:
    questions = tuple(Question(str(i), "x") for i in range(30))
    labelled = Split(questions, np.array([0] * 25 + [1] * 4 + [2]))
    rows = balanced_rows(labelled, 8, 0)
    assert np.bincount(labelled.truth[rows]).tolist() == [4, 3, 1]
    assert rows == balanced_rows(labelled, 8, 0)
    assert rows != balanced_rows(labelled, 8, 1)
    assert len(set(rows)) == 8


def test_turned_orders_show_each_option_at_each_position() -> None:
    question = Question("q", "Which?", ("a", "b", "c"))
    orders = [
        PromptSettings(queries=1).ask(question, "multiple_choice", (), 0, 0, turn).order
        for turn in range(3)
    ]
    assert all(len({order[place] for order in orders}) == 3 for place in range(3))

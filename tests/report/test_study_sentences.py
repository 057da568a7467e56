"""The headline says what the numbers say, and no more."""

from typing import Any

from steelyard.report.study_sentences import best_arm, study_headline, study_notes

Study = dict[str, Any]


def cautions(results: Study) -> str:
    return " ".join(note.text for note in study_notes(results) if note.is_caution)


def test_the_headline_gives_the_gap_recovered(results: Study) -> None:
    # (0.7625 - 0.62) / (0.87 - 0.62) = 0.57
    assert study_headline(results) == (
        "The best arm, filter, recovers 57 % [31, 85] of the gap between the weak supervisors "
        "(0.62) and the ceiling (0.87)."
    )
    assert cautions(results) == ""


def test_without_pgr_the_headline_gives_the_reason(results: Study) -> None:
    results["arms"]["filter"].update(pgr=None, pgr_reason="The ceiling is not above the floor")
    assert study_headline(results).startswith(
        "The gap recovered cannot be computed: The ceiling is not above the floor. The best "
        "arm, filter, scores 0.76 [0.74, 0.78]"
    )


def test_a_negative_gap_is_none_recovered(results: Study) -> None:
    results["arms"]["filter"]["pgr"] = {"value": -0.2, "low": -0.45, "high": 0.03}
    assert "recovers none of the gap" in study_headline(results)
    assert "PGR -20 % [-45, 3]" in study_headline(results)


def test_a_gap_whose_interval_reaches_zero_may_be_nothing(results: Study) -> None:
    results["arms"]["filter"]["pgr"]["low"] = -0.02
    assert "it may recover nothing" in cautions(results)


def test_no_arm_beats_naive_where_none_does(results: Study) -> None:
    for arm in results["arms"].values():
        arm["vs_naive"] = {"difference": 0.01, "low": -0.01, "high": 0.03, "p": 0.31}
    assert "No arm is significantly better than naive" in cautions(results)
    assert "+0.010 [-0.010, 0.030], p = 0.310" in cautions(results)


def test_another_arm_that_is_clearly_better_is_named(results: Study) -> None:
    results["arms"]["filter"]["vs_naive"].update(low=-0.001, p=0.06)
    assert "but these arms are: reweigh." in cautions(results)


def test_a_note_says_that_naive_scores_higher_than_the_best_arm(results: Study) -> None:
    results["arms"]["naive"]["score"]["value"] = 0.8
    assert "Naive does at least as well as filter" in cautions(results)


def test_a_note_names_an_arm_that_beats_its_control(results: Study) -> None:
    texts = [note.text for note in study_notes(results)]
    assert "filter beats its control random_keep: +0.031 [0.010, 0.050], p = 0.010." in texts


def test_a_caution_names_an_arm_that_does_not_beat_its_control(results: Study) -> None:
    results["arms"]["filter"]["vs_control"].update(difference=-0.004, low=-0.03, high=0.02, p=0.7)
    assert (
        "filter is not clearly better than its control random_keep (-0.004 [-0.030, 0.020], "
        "p = 0.700): there is no evidence that the selection itself helps."
    ) in cautions(results)


def test_a_caution_names_an_ensemble_that_does_as_well(results: Study) -> None:
    results["weak_ensemble"]["value"] = 0.78
    assert "combined votes do at least as well as filter" in cautions(results)


def test_a_caution_counts_few_seeds(results: Study) -> None:
    results["seeds"] = [0]
    assert "Only 1 seed" in cautions(results)


def test_controls_and_oracles_are_never_the_best_arm(results: Study) -> None:
    best = best_arm(results)
    assert best is not None
    assert best.name == "filter"  # the oracle scores higher


def test_a_study_of_naive_alone_has_a_headline(results: Study) -> None:
    results["arms"] = {"naive": results["arms"]["naive"]}
    assert study_headline(results) == "The study has no arm with a score other than naive."
    assert study_notes(results) == []


def mirrored(value: Any) -> Any:
    """Results by an error rate: every score s is 1 - s, every difference changes its sign."""
    if isinstance(value, dict) and "difference" in value:
        turned = {"difference": -value["difference"], "low": -value["high"], "high": -value["low"]}
        return {**value, **turned}
    if isinstance(value, dict) and {"value", "low", "high"} <= value.keys():
        ends = {"value": 1 - value["value"], "low": 1 - value["high"], "high": 1 - value["low"]}
        return {**value, **ends}
    if isinstance(value, dict):
        keep = ("pgr", "metrics", "reliability")
        return {k: part if k in keep else mirrored(part) for k, part in value.items()}
    return value


def test_where_lower_is_better_every_sentence_says_the_same(results: Study) -> None:
    higher = [note.is_caution for note in study_notes(results)]
    lower = {**mirrored(results), "lower_is_better": True}
    assert best_arm(lower).name == best_arm(results).name == "filter"  # type: ignore[union-attr]
    assert [note.is_caution for note in study_notes(lower)] == higher
    assert "filter beats naive: -" in study_notes(lower)[0].text


def with_gold(results: Study, **versus: float) -> Study:
    """A student trained on 200 true labels, and the difference of `filter` from it."""
    score = {"value": 0.9, "low": 0.88, "high": 0.92}
    seeds = [{"seed": 0, "score": 0.9, "rows": 200, "steps": 90, "reason": None}]
    results["references"] = {"gold_only": {"score": score, "seeds": seeds, "reason": None}}
    for name, arm in results["arms"].items():
        worse = {"difference": -0.2, "low": -0.25, "high": -0.15, "p": 0.001}
        arm["vs_gold_only"] = versus if name == "filter" and versus else worse
    return results


def test_the_first_note_says_that_no_arm_beats_the_true_labels_of_weak_train(
    results: Study,
) -> None:
    first = study_notes(with_gold(results))[0]
    assert first.is_caution
    assert first.text == (
        "No arm is significantly better than gold_only, the student trained on the 200 true labels "
        "of weak_train alone (0.900 [0.880, 0.920]); filter differs from it by -0.200 [-0.250, "
        "-0.150], p = 0.001."
    )


def test_the_first_note_names_the_arms_that_beat_the_true_labels_and_those_that_do_not(
    results: Study,
) -> None:
    better = {"difference": 0.1, "low": 0.05, "high": 0.15, "p": 0.001}
    first = study_notes(with_gold(results, **better))[0]
    assert first.is_caution
    assert "(0.900 [0.880, 0.920]): filter. No better than it: naive" in first.text


def test_a_note_says_what_true_labels_are_worth_as_much(results: Study) -> None:
    worth = {
        "majority": {"rows": 41.6, "at_least": 30, "at_most": 100},
        "filter": {"rows": None, "at_least": 1000, "at_most": None},
    }
    results["gold_curve"] = {"points": [], "worth": worth}
    assert study_notes(results)[0].text == (
        "What true labels are worth as much: majority about 42 true labels, filter more than 1,000 "
        "true labels."
    )

"""The headline says what the numbers say, and no more."""

from typing import Any

from steelyard.report.study_sentences import best_arm, power, study_headline, study_notes

Study = dict[str, Any]


def cautions(results: Study) -> str:
    return " ".join(note.text for note in study_notes(results) if note.is_caution)


def test_the_headline_gives_the_gap_recovered(results: Study) -> None:
    # (0.7575 - 0.62) / (0.87 - 0.62) = 0.55; the winner's own rows would say 0.57
    assert study_headline(results) == (
        "The best arm, filter, recovers 55 % [29, 83] of the gap between the weak supervisors "
        "(0.62) and the ceiling (0.87), measured on test rows and seeds that did not choose it."
    )
    assert cautions(results) == ""


def test_without_pgr_the_headline_gives_the_reason(results: Study) -> None:
    results["best"].update(pgr=None, pgr_reason="The ceiling is not above the floor")
    assert study_headline(results).startswith(
        "The gap recovered cannot be computed: The ceiling is not above the floor. The best "
        "arm, filter, scores 0.76 [0.74, 0.78] measured on test rows and seeds that did not"
    )


def test_a_divided_choice_is_shown(results: Study) -> None:
    results["best"]["chosen"] = {"filter": 7, "reweigh": 3}
    assert "The best arm, filter in 7 of 10 choices, reweigh in 3, rec" in study_headline(results)


def test_results_of_an_older_version_promise_no_gap_of_a_chosen_arm(results: Study) -> None:
    del results["best"]
    assert study_headline(results) == (
        "The best arm on these test rows, filter, scores 0.76 [0.74, 0.78]; the weak supervisors "
        "0.62, the ceiling 0.87."
    )


def test_a_negative_gap_is_none_recovered(results: Study) -> None:
    results["best"]["pgr"] = {"value": -0.2, "low": -0.45, "high": 0.03}
    assert "recovers none of the gap" in study_headline(results)
    assert "PGR -20 % [-45, 3]" in study_headline(results)


def test_a_gap_whose_interval_reaches_zero_may_be_nothing(results: Study) -> None:
    results["best"]["pgr"]["low"] = -0.02
    assert "it may recover nothing" in cautions(results)


def test_no_arm_beats_naive_where_none_does(results: Study) -> None:
    for arm in results["arms"].values():
        arm["vs_naive"] = {"difference": 0.01, "low": -0.01, "high": 0.03, "p": 0.31}
    results["best"]["vs_naive"].update(difference=0.01, low=-0.01, high=0.03, p=0.31)
    assert "No arm is clearly better than naive" in cautions(results)
    power = "A true difference of 0.032 is found in 80 % of such studies; one of the size seen "
    expected = f"+0.010 [-0.010, 0.030], p = 0.310. {power}needs 9 seeds."
    assert expected in cautions(results)


def test_an_arm_is_better_only_if_it_is_so_among_all_arms(results: Study) -> None:
    texts = " ".join(note.text for note in study_notes(results))
    assert (
        "of all arms tested together: filter +0.029 [0.007, 0.051], p = 0.024 (Holm); rew" in texts
    )
    results["arms"]["filter"]["vs_naive"].update(p_holm=0.06)
    results["arms"]["reweigh"]["vs_naive"]["simultaneous"]["low"] = -0.001
    assert "No arm is clearly better than naive" in cautions(results)


def test_no_number_of_seeds_is_said_where_none_is_enough(results: Study) -> None:
    versus = {**results["best"]["vs_naive"], "seeds_needed": None}
    assert power(versus).endswith(
        "with these test rows no number of seeds finds one of the size seen."
    )


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
        span = value.get("simultaneous")
        both = {"low": -span["high"], "high": -span["low"]} if span else None
        return {**value, **turned, "simultaneous": both}
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
    assert "tested together: filter -" in study_notes(lower)[0].text


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

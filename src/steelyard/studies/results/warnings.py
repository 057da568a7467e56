"""What a reader should know before believing the table."""

from typing import Any

import numpy as np

from steelyard.studies.results.scores import StudyScores
from steelyard.studies.run import Run
from steelyard.studies.training import TrainedStudent


def of_the_study(run: Run, results: dict[str, Any]) -> list[str]:
    """What a reader should know before believing the table."""
    said = []
    leaks = results["data"]["leaks"]
    if leaks["exact"] + leaks["near"]:
        done = "were dropped from training" if leaks["policy"] == "drop" else "were left in"
        said.append(
            f"{leaks['exact']} exact and {leaks['near']} near duplicates across splits (first "
            f"seed) {done}; `data.leaks: drop` removes them, `error` refuses."
        )
    useless = [f"{count} ({why})" for why, count in results["data"]["left_out"].items() if count]
    if useless:
        said.append(
            f"Pairs of the data files that say nothing were left out: {', '.join(useless)}."
        )
    if len(run.study.seed_list) < 5:
        said.append(
            f"Seeds run: {len(run.study.seed_list)}. Intervals over so few are wide and their "
            "coverage is rough; five or more are advised."
        )
    if results["votes"]["abstained"] > 0:
        said.append(f"{results['votes']['abstained']:.1%} of the votes abstained.")
    cut = results["data"]["truncated"]["strong_train"]
    if cut:
        said.append(f"{cut} training texts were longer than `max_tokens` and were cut.")
    arms = results["arms"]
    said += [f"`{name}`: {arm['reason']}" for name, arm in arms.items() if arm["reason"]]
    reasons = [arm["pgr_reason"] for arm in arms.values() if arm["pgr"] is None and arm["score"]]
    said += reasons[:1]  # all are about the same gap
    silent = [kind for kind, judged in results["reliability"].items() if judged["auroc"] is None]
    if silent:
        said.append(f"No AUROC for {', '.join(silent)}: the labels are all right or all wrong.")
    return said


def of_language_models(judged: StudyScores) -> list[str]:
    """What a language model could not learn, and what could not be read of what it wrote."""
    said = []
    records = [taught.record for several in judged.taught.values() for taught in several.values()]
    left_out = max(record.get("left_out", 0) for record in records)
    if left_out:
        said.append(
            f"Up to {left_out} training answers were left out: they did not fit into `max_tokens`, "
            "or the student's tokenizer cannot spell them."
        )
    for name, several in judged.taught.items():
        classes = judged.run.task(judged.seeds[0]).num_classes
        shares = [_unreadable(taught, classes) for taught in several.values()]
        if not shares:
            continue
        if max(shares) > 0 and judged.run.study.student.has_rewards:
            said.append(  # the same pairs for every arm
                f"{np.mean(shares):.1%} of the test pairs do not fit into `max_tokens`; they count "
                "as wrong for every student."
            )
            break
        if max(shares) > 0:
            said.append(f"{np.mean(shares):.1%} of the answers of `{name}` could not be read.")
    return said


def _unreadable(taught: TrainedStudent, answers: int) -> float:
    """Share of the test questions to which a student gave no readable answer."""
    if "answers" in taught.record:
        return float(np.mean([answer is None for answer in taught.record["answers"]]))
    return float(taught.predictions.probs[:, answers:].sum() / len(taught.predictions.ids))

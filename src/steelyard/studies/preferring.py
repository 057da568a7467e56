"""The preference stage of an arm: the student's lists of answers, ordered by the supervisors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from steelyard.selection import best_and_worst
from steelyard.store.store import fingerprint
from steelyard.student.preference_stage import PreferenceStage
from steelyard.student.protocol import AnswerWriter, TrainedModel
from steelyard.studies.run import Run
from steelyard.studies.votes import list_writers, trained_writers, writer_fingerprints
from steelyard.supervision.nbest import score_answers
from steelyard.types import Question


def prefer(
    run: Run,
    seed: int,
    student: AnswerWriter,
    stage: PreferenceStage,
    questions: Sequence[Question],
) -> tuple[TrainedModel, dict[str, Any]]:
    """Train a student on preferences; returns it and the counts of its pairs.

    Args:
        run: the study.
        seed: the seed of the study.
        student: trained to answer.
        stage: how pairs are made and trained on.
        questions: those it was trained on; the first `stage.questions` of them get lists.
    """
    asked = questions[: stage.questions]
    texts = student.lists(asked, stage.beams)
    writers, seeds = list_writers(run, seed)
    labelled, models = run.task(seed).weak_train, trained_writers(run, seed)
    scores = score_answers(writers, labelled, asked, texts, seeds=seeds, models=models)
    ordered = best_and_worst(texts, scores)
    pairs, selection = ordered.training_set(asked)
    sure = ordered.flip_probability <= stage.max_flip_probability
    targets = selection.targets if stage.conservative else np.tile([1.0, 0.0], (len(sure), 1))
    dropped = {**ordered.dropped, "uncertain": int((~sure).sum())}
    if not sure.any():
        return student, {"pairs": 0, "dropped": dropped}
    after, rewards = student.prefer(pairs, targets, selection.weights * sure, stage, seed=seed)
    used = sure & np.isfinite(rewards).all(axis=1)
    lead = (rewards[:, 0] - rewards[:, 1])[used]
    return after, {
        "pairs": int(used.sum()),
        "dropped": {**dropped, "too long": int((sure & ~used).sum())},
        "flip_probability": float(ordered.flip_probability[used].mean()),
        "reward_margin": float(lead.mean()),
        "accuracy": float((lead > 0).mean()),
    }


def stage_fingerprint(run: Run, seed: int, stage: PreferenceStage) -> str:
    """Fingerprint of a preference stage and of the supervisors that judge in it."""
    settings = {**stage.model_dump(mode="json"), "version": stage.version}
    return fingerprint((settings, writer_fingerprints(run, seed)))

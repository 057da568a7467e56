"""What a training run did, in a few lines, and warnings where it seems to have taught nothing."""

import numpy as np

from steelyard.student.protocol import TrainedModel, TrainingData

ASKED = 200  # training rows that are asked again
COUNTED = {
    "truncated": "examples were too long and were truncated in their item",
    "dropped": "examples were dropped, because their answer was too long",
}


def training_summary(trained: TrainedModel, training: TrainingData) -> list[str]:
    """Steps, losses and counts of examples that were changed, and a warning at chance."""
    loss, lines = trained.log.loss, []
    if loss:
        tenth = max(1, len(loss) // 10)
        first, last = np.mean(loss[:tenth]), np.mean(loss[-tenth:])
        lines.append(f"{len(loss)} steps, loss {first:.3f} at first and {last:.3f} at last")
    record, kept = trained.training_record(), int((training.weights > 0).sum())
    for name, what in COUNTED.items():
        if count := record.get(name):
            lines.append(f"note: {count} of {kept} {what}")
    if warning := _at_chance(trained, training):
        lines.append(f"warning: {warning}")
    elif loss and last > first:
        lines.append("warning: the loss rose; lower `learning_rate`, or train longer")
    return lines


def _at_chance(trained: TrainedModel, training: TrainingData) -> str:
    """Whether the student names its own labels no more often than one answer always would."""
    rows = np.flatnonzero(training.weights > 0)
    rows = np.random.default_rng(0).permutation(rows)[:ASKED]
    if not training.classes or len(rows) < 2:
        return ""
    answers = trained.predict([training.questions[int(i)] for i in rows]).probs
    if answers is None:
        return ""
    labels = training.targets[rows].argmax(axis=1)
    right = float((answers.argmax(axis=1) == labels).mean())
    common = float(np.bincount(labels).max() / len(labels))
    if common == 1 or right > common:
        return ""
    return (
        f"the student names {right:.0%} of its own labels, and the most frequent one alone is "
        f"{common:.0%}: it has learned next to nothing. Try another `learning_rate`, "
        "more `epochs`, or longer `max_tokens`."
    )

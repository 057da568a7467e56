"""The seven stages by hand: what `sy.study` does for one arm and one seed."""

from pathlib import Path

import numpy as np

import steelyard as sy
from steelyard.evaluation import draw_resamples, mean_interval, measure

SEED = 0


def main() -> None:
    # 1. Data: a task in three disjoint splits, questions and truth kept apart.
    data = sy.Data(generated="errands", weak_train=200, strong_train=300, max_test=300)
    task = sy.split(sy.load("classification", data, Path()), data, SEED)
    asked, test = task.strong_train.questions, task.test.questions

    # 2. Supervision: voters learn from weak_train and vote on the two other splits.
    request = sy.VoteRequest(
        "classification", task.classes, (asked, test), labelled=task.weak_train, seed=SEED
    )
    votes, test_votes = sy.Tfidf(voters=5).vote(request)

    # 3. Reliability: how reliable is each weak label?
    reliability = sy.VoteEntropy().estimate(votes)

    # 4. Selection: the labels to train on. The ceiling is trained on the truth instead.
    selection = sy.KeepMostReliable(fraction=0.5).select(votes, reliability)
    truth = sy.select_truth(task.strong_train.ids, task.strong_train.truth, task.num_classes)
    print(f"kept {selection.kept} of {len(asked)} examples")

    # 5. Student: the same settings for the arm and the ceiling.
    student = sy.Probe(model="minilm", layers=3)
    options = sy.TrainingOptions(seed=SEED)
    models = [
        student.fit(
            sy.TrainingData("classification", task.classes, asked, part.targets, part.weights),
            options,
        )
        for part in (selection, truth)
    ]

    # 6. Evaluation: all on the same test items and the same resamples of them.
    resamples = draw_resamples(len(test))
    voters = [test_votes.of_voter(v).means() for v in range(len(test_votes.voters))]
    answers: dict[str, list[np.ndarray]] = {
        "weak": voters,  # the floor is the mean score of single voters
        "student": [models[0].predict(test).probs],
        "ceiling": [models[1].predict(test).probs],
    }
    scores = {
        name: measure("accuracy", task.test.truth, [members], resamples)
        for name, members in answers.items()
    }
    gap = sy.performance_gap_recovered(scores["weak"], scores["student"], scores["ceiling"])

    # 7. Report: here, a line for each.
    for name, score in scores.items():
        print(f"{name:<8} {_shown(mean_interval(score))}")
    print(f"PGR      {_shown(gap.interval) if gap.interval else gap.reason}")


def _shown(span: sy.Interval) -> str:
    return f"{span.value:.3f}  [{span.low:.3f}, {span.high:.3f}]"


if __name__ == "__main__":
    main()

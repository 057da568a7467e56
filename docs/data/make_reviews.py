"""Writes reviews.csv, the invented crowd of the tutorial: `python docs/data/make_reviews.py`.

400 reviews, 3 classes, 9 annotators who each see about two thirds of them. `dan` guesses, `eve`
always answers "positive", `gus` copies `bea`; the others are right in 65 to 90 % of the cases.
`truth` is filled in for a random quarter of the reviews.
"""

import csv
from pathlib import Path

import numpy as np

CLASSES = ("negative", "neutral", "positive")
ACCURACY = {"ann": 0.9, "bea": 0.75, "cyd": 0.8, "dan": 1 / 3, "fay": 0.7, "hal": 0.85, "ivy": 0.65}
VOTERS = ("ann", "bea", "cyd", "dan", "eve", "fay", "gus", "hal", "ivy")


def main() -> None:
    rng = np.random.default_rng(7)
    truth = rng.choice(3, size=400, p=(0.3, 0.2, 0.5))
    answers = {"eve": np.full(400, 2)}
    for voter, accuracy in ACCURACY.items():
        wrong = (truth + rng.integers(1, 3, size=400)) % 3
        answers[voter] = np.where(rng.random(400) < accuracy, truth, wrong)
    answers["gus"] = np.where(rng.random(400) < 0.95, answers["bea"], answers["hal"])
    seen = {voter: rng.random(400) < 2 / 3 for voter in VOTERS}
    seen["gus"] = seen["bea"]
    checked = rng.random(400) < 0.25
    with Path(__file__).with_name("reviews.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", *VOTERS, "truth"))
        for i in range(400):
            votes = [CLASSES[answers[v][i]] if seen[v][i] else "" for v in VOTERS]
            writer.writerow((f"r{i:03}", *votes, CLASSES[truth[i]] if checked[i] else ""))


if __name__ == "__main__":
    main()

"""How to read the report of a study: one definition for each term in it."""

GLOSSARY = {
    "Floor": (
        "The score of one weak supervisor alone, trained on all labelled rows where it is trained; "
        "of several, their mean. Below it the best one on held-out rows of weak_train, and the "
        "majority of all votes. The PGR of naive starts from the supervisor that teaches it."
    ),
    "Ceiling": "The same student, trained on the true labels of the same questions.",
    "Naive": (
        "The student trained on the labels of one weak supervisor, with nothing dropped; of "
        "several supervisors another one in each seed."
    ),
    "References": (
        "The same student without weak labels: gold_only learns the true labels of weak_train, "
        "which train the weak supervisors; gold_and_weak learns them together with the majority's "
        "answers; zero_shot is a language model before training. An arm that is not better than "
        "gold_only gives no reason to use weak labels."
    ),
    "PGR": (
        "Performance gap recovered: (student - floor) / (ceiling - floor). 0 % is no better than "
        "the weak supervisors, 100 % as good as the truth. It can be below 0 % or above 100 %, and "
        "is n/a where the ceiling is not clearly above the floor."
    ),
    "Intervals": (
        "In brackets: 95 % intervals over test questions and seeds. The interval of PGR includes "
        "the error of floor and ceiling."
    ),
    "Difference from naive": (
        "Paired: the same test questions and seeds. p is for each arm alone; it is not corrected "
        "for the number of arms, and the best of many arms looks better than it is."
    ),
    "Controls": (
        "Arms that cannot benefit from the reliability score. random_keep keeps the same share of "
        "rows at random; shuffled_weights assigns the same weights to random rows. An arm that "
        "does no better than its control gives no evidence that its reliability score matters."
    ),
    "Oracle": "An arm that uses the hidden truth: a bound, not a method.",
    "Kept, label accuracy": (
        "The share of training questions that the arm trains on, and the share of their labels "
        "that are correct. The truth is used for this report only; no arm but an oracle sees it."
    ),
    "Agreement": (
        "The share of test questions on which the student gives the same answer as its weak "
        "supervisors."
    ),
    "AUROC": (
        "The probability that a correct label has a higher reliability score than a wrong one; "
        "0.5 is chance."
    ),
    "AURC": "Area under the risk-coverage curve: the mean share of wrong labels; lower is better.",
    "ECE": (
        "Expected calibration error: the mean distance between the score and the share of correct "
        "labels; lower is better."
    ),
}

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
        "is n/a where the ceiling is not clearly above the floor, and for fewer than 3 seeds."
    ),
    "PGR by metric": (
        "The same ratio by each metric that the study names, with floor and ceiling by that "
        "metric. Two metrics disagree where their intervals have no point in common."
    ),
    "Slices": (
        "Parts of the test rows. The same models and resamples as in the whole; p is adjusted for "
        "all arms and slices of a metric (Holm). Of fewer than 10 independent rows there is no "
        "interval."
    ),
    "Where the ceiling knows better": (
        "Test rows that the ceiling answers correctly with a probability of at least 0.75. A "
        "student that is wrong on them mostly where its supervisors are wrong follows them against "
        "what the stronger model could know."
    ),
    "Intervals": (
        "In brackets: 95 % intervals over test questions and seeds. The interval of PGR includes "
        "the error of floor and ceiling."
    ),
    "Difference from naive": (
        "Paired: the same test questions and seeds. p is adjusted for the number of arms (Holm): "
        "the chance that any arm without an effect gets one below 0.05 is at most 5 %. Controls, "
        "oracles and conflicts make no claim; their p is for each alone."
    ),
    "Best arm": (
        "For each seed and each half of the test questions, the arm that is best in the other "
        "seeds on the other half. What chose the arm is not what measures it, so that the best of "
        "many arms does not look better than it is."
    ),
    "Detectable difference": (
        "The true difference that a study of this size finds in about 80 % of cases. A smaller "
        "difference that is not found is no evidence that there is none."
    ),
    "Equivalent within": (
        "The smallest margin within which two arms are shown to be equal, by two one-sided tests "
        "at 5 % (TOST)."
    ),
    "Controls": (
        "Arms that cannot benefit from the reliability score. random_keep keeps the same share of "
        "rows of each class at random, with the arm's own targets; random_choice makes at random "
        "what the arm's estimator chooses; shuffled_weights assigns the same weights to random "
        "rows; hard_to_easy reverses an order; direct is an arm without its middle students. An "
        "arm that does no better than its control gives no evidence that its score matters."
    ),
    "Oracle": "An arm that uses the hidden truth: a bound, not a method.",
    "Drawn away from the truth": (
        "An arm with a second aim that conflicts with the truth: it shows how far a student "
        "follows its supervisors where it could know better. Its control has the same labels alone."
    ),
    "Kept, label accuracy": (
        "The share of training questions that the arm trains on, and the share of their labels "
        "that are correct. The truth is used for this report only; no arm but an oracle "
        "and an explicit conflict sees it."
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

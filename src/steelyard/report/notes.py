"""How to read the report: one definition for each word in it."""

NOTES = {
    "Floor": "The weak supervisors' own score on the test questions. Their votes are the labels.",
    "Ceiling": "The same student, taught the truth on the same questions.",
    "Naive": "The student taught one weak label per question, with nothing kept out.",
    "PGR": (
        "Performance gap recovered: (student - floor) / (ceiling - floor). 0 % is no better than "
        "the weak supervisors, 100 % as good as the truth. It can be below 0 % or above 100 %, and "
        "is n/a where the ceiling is not clearly above the floor."
    ),
    "Intervals": (
        "In brackets, 95 %, over test questions and seeds. That of PGR counts the error of floor "
        "and ceiling as well."
    ),
    "Difference from naive": (
        "Paired: the same test questions and seeds. p is for each arm alone; it is not corrected "
        "for the number of arms, and the best of many arms looks better than it is."
    ),
    "Controls": (
        "Arms that must not work. random_keep keeps the same share of rows at random; "
        "shuffled_weights gives the same weights to the wrong rows. An arm that does no better "
        "than its control has not shown that its reliability score matters."
    ),
    "Oracle": "An arm that looks at hidden truth: a bound, not a method.",
    "Kept, labels right": (
        "The share of training questions that the arm learns from, and how many of their labels "
        "are right. The truth serves this report only; no arm but an oracle sees it."
    ),
    "Agreement": (
        "The share of test questions on which the student answers as its weak supervisors."
    ),
    "AUROC": (
        "The chance that a right label has a higher reliability score than a wrong one; 0.5 is no "
        "better than a coin."
    ),
    "AURC": "Area under the risk-coverage curve: the mean share of wrong labels; lower is better.",
    "ECE": (
        "Expected calibration error: how far the score is from the share of right labels, on "
        "average; lower is better."
    ),
}

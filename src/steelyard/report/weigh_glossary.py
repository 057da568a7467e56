"""What the terms of a `weigh` report mean, and which headings of tables use them."""

from collections.abc import Iterable

GLOSSARY = {
    "Label": "The answer that the method takes for the true one of an item.",
    "Score": "How reliable a label is, from 0 to 1.",
    "Dissent": "A vote that differs from the label of its item; an abstention is no dissent.",
    "Slice": "A part of the items, such as a language or a batch.",
    "Interval": (
        "In brackets: a 95 % interval. If the votes were collected many times, about 19 of 20 such "
        "intervals would hold the true value."
    ),
    "Accuracy": (
        "The estimated share of a voter's answers that are correct, given the labels and their "
        "probabilities. The dot is its value, the bar its likely range: from the lower end of a "
        "95 % interval if the voters are one source, to the upper end if all labels are right. "
        "It depends on the labels: voters who make the same mistakes look better than they are."
    ),
    "True accuracy": (
        "Measured on items with known truth, with its 95 % interval: the mark in the bar."
    ),
    "Label accuracy": "The share of labels that are correct, on the items with known truth.",
    "Agreement": "How often another random voter on the same item gives the same answer.",
    "Agreement coefficients": (
        "Agreement beyond what voters who guess would reach: 1 is perfect, 0 is chance. They "
        "differ in what they take for chance. Krippendorff's alpha also uses items that some "
        "voters skipped. Where one class is nearly always right, alpha and kappa are low although "
        "the voters agree: read Gwet's AC1 then. Observed agreement does not correct for chance."
    ),
    "Flags": (
        "A voter is flagged by a test against the other voters, never against itself, and the "
        "tests are corrected for the number of voters: if all voters are honest, the probability "
        "that any is flagged is at most 5 %. 'At random' means that more than half of its answers "
        "are independent of the items; 'the same answer' that more than half are given regardless "
        "of the item; 'less than half as informative' that it depends on the item, but less than "
        "half as much as an average voter. A voter without a flag may still be poor: few votes are "
        "not enough to show it."
    ),
    "Copies": (
        "Pairs that make the same mistakes more often than independent voters of the same "
        "accuracy. The test does not tell who copied, and cannot detect a copy of a voter who is "
        "always right. Two models that learned the same mistakes are detected too: together they "
        "are worth one voter."
    ),
    "Expected": "How often two independent voters of the same accuracy would agree.",
    "Shared mistakes": "Equal answers of two voters against all others.",
    "p": "The probability of a result at least as strong if only chance were at work.",
    "Gain": (
        "The expected increase in the probability of the most probable answer after one more vote "
        "by a typical voter. 0 where no single vote can change the label."
    ),
    "Entropy": (
        "How mixed the votes on an item are, in nats: 0 if all agree; 0.69 if two answers have "
        "half of the votes each."
    ),
    "Risk control": (
        "The largest set of labels whose share of wrong ones is below the limit you gave, with the "
        "confidence you gave, if the items with known truth are a random part of all."
    ),
    "AUROC": (
        "The probability that a correct label has a higher score than a wrong one; 0.5 is chance."
    ),
    "AURC": (
        "The mean share of wrong labels when the highest scores are kept first; lower is better."
    ),
    "ECE": (
        "The mean distance between the score and the share of correct labels; lower is better."
    ),
    "ECE after calibration": (
        "The same after the scores were mapped to probabilities of being right, by labels whose "
        "truth is known; each label is judged by a map that did not see it."
    ),
    "Mean distance": "The mean distance of the answers from the true ones, in steps of the scale.",
    "Sensitivity": "Of the items that are of this class, the share that the voter gives it.",
    "Specificity": "Of the items that are not of this class, the share that the voter spares it.",
    "Precision": "Of the items that the voter gives this class, the share that are of it.",
    "Labels that change": "The share of labels that differ when the voter is dropped.",
    "Corrected (PPI++)": (
        "Prediction-powered inference: the share of the class among all labels, corrected by what "
        "the known true labels show of their errors. Valid whatever the labels are like."
    ),
    "Rogan-Gladen": (
        "The share corrected by the sensitivity and specificity of the labels; uncertain where "
        "these are low."
    ),
    "Epsilon": (
        "The head start of a model over a person, because it costs less: 0.1 for crowd workers, "
        "0.15 for skilled annotators, 0.2 for experts."
    ),
    "Winning rate": "The share of people whom the model may replace; from 0.5 on it passes.",
    "Advantage": "How often the model agrees with the other people as well as a person does.",
}
HEADINGS = {
    "current label": "Label",
    "label [95 % interval]": "Interval",
    "value [95 % interval]": "Interval",
    "mean score": "Score",
    "mean score of correct labels": "Score",
    "of wrong labels": "Score",
    "agree": "Agreement",
    "krippendorff's alpha": "Agreement coefficients",
    "fleiss' kappa": "Agreement coefficients",
    "gwet's ac1": "Agreement coefficients",
    "observed agreement": "Agreement coefficients",
    "cohen's kappa, mean of the pairs": "Agreement coefficients",
    "cohen's kappa": "Agreement coefficients",
    "kappa": "Agreement coefficients",
    "largest p": "p",
    "gain in accuracy": "Label accuracy",
}
"""Headings of tables, in lower case -> the term that explains them, where it has another name."""
TERMS = {name.lower(): name for name in GLOSSARY} | HEADINGS
ALWAYS = ("Label", "Score", "Dissent", "Accuracy", "Interval", "Agreement", "Flags")


def term_of(heading: str) -> str | None:
    """The term that explains a heading; None for a plain word.

    >>> term_of("Cohen's kappa"), term_of("votes")
    ('Agreement coefficients', None)
    """
    return TERMS.get(heading.lower())


def glossary(headings: Iterable[str], others: Iterable[str] = ()) -> dict[str, str]:
    """A definition for each term in the headings of tables, in the order of GLOSSARY."""
    named = {term_of(heading) for heading in headings} | {*ALWAYS, *others}
    return {term: text for term, text in GLOSSARY.items() if term in named}

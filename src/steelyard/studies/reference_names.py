"""Names of the references, the students taught known truth or nothing."""

from typing import Literal, TypeAlias

Reference: TypeAlias = Literal["gold_only", "gold_and_weak", "zero_shot"]
"""Name of a reference."""
GOLD_ONLY: Reference = "gold_only"
GOLD_AND_WEAK: Reference = "gold_and_weak"
ZERO_SHOT: Reference = "zero_shot"
DESCRIPTIONS: dict[str, str] = {
    GOLD_ONLY: "The same student, trained on the true labels of weak_train alone.",
    GOLD_AND_WEAK: "The same student, trained on the true labels of weak_train and on the "
    "majority's answers of strong_train together.",
    ZERO_SHOT: "The same student before any training.",
}
CURVE = "gold-"
"""Beginning of the names of the points of the gold curve: `gold-30` has 30 rows."""


def is_reference(name: str) -> bool:
    """Whether a student of this name is a reference, and no arm."""
    return name in DESCRIPTIONS or is_curve_point(name)


def is_curve_point(name: str) -> bool:
    """Whether it is a point of the gold curve."""
    return name.startswith(CURVE) and name.removeprefix(CURVE).isdecimal()


def is_untrained(name: str) -> bool:
    """Whether it is not trained at all."""
    return name in (ZERO_SHOT, f"{CURVE}0")


CURVE_ROWS = (0, 10, 30, 100, 300, 1000)
"""Rows of known truth at the points of the gold curve that `steelyard study --gold-curve` draws."""

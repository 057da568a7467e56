"""What a reply says about the options of a closed question."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from steelyard.prompts.reply_fields import Score


@dataclass
class Findings:
    """What a reply says about the options."""

    stated: set[int] = field(default_factory=set)  # by "the answer is", a field, a whole line
    implied: set[int] = field(default_factory=set)  # by another sentence
    denied: set[int] = field(default_factory=set)
    scores: list[Score] = field(default_factory=list)
    unclear: str = ""  # reason why nothing can be read
    tail: str = ""  # what follows the last option that was chosen
    begun: bool = False  # whether a line has been read
    choices: int = 0  # number of sentences that choose

    def state(self, candidates: Iterable[int]) -> None:
        """Add a statement; what was denied before it no longer counts."""
        self.stated.update(candidates)
        self.denied.difference_update(candidates)
        self.tail = ""

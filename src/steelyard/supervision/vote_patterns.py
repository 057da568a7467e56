"""What votes give away without any truth: position, a single class, nothing but abstentions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from scipy.stats import binomtest

from steelyard.prompts import PromptedQuestion
from steelyard.types import ABSTAIN, Votes

FEWEST = 20  # votes that are judged
LEVEL = 0.001  # probability of such votes by chance
ONE_CLASS = 0.95  # share of the votes for one class from which on it is a warning
POSITION = 0.5  # how far the share of a position is above chance, of what it could be at most
SHOWN = 5  # queries that a sentence names
POSITION_ADVICE = (
    "ask another model, or one of kind `language_model` with `answer: auto` or `calibrate: batch`"
)
CLASS_ADVICE = (
    "unless nearly all items are of that class, change `templates` or `model`, or ask a model of "
    "kind `language_model` with `answer: auto` or `calibrate: batch`"
)
EMPTY_ADVICE = (
    "look at the replies, and change `templates`, `system`, `answer_format` or `model` (kind "
    "`language_model`: also `chat`)"
)


@dataclass
class VotePatterns:
    """Counts of votes, by voter and query, and what they give away.

    - Position: of at least 20 votes of a voter so many name the option shown at one position that
      chance has it with P < 0.001 (binomial test, times the number of positions), and the share is
      more than half of the way from chance to 1. Classes must be shown in orders that vary.
    - One class: at least 95 % of 20 or more votes of a query.
    - Abstentions: all of 20 or more votes of a query.

    Args:
        classes: K names, where all questions have the same; empty for options and open answers.
    """

    classes: Sequence[str] = ()
    _positions: dict[str, Counter[int]] = field(default_factory=dict)
    _chance: Counter[str] = field(default_factory=Counter)  # expected votes for one position
    _orders: set[tuple[int, ...]] = field(default_factory=set)
    _answers: dict[tuple[str, str], Counter[int]] = field(default_factory=dict)
    _reasons: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def add(
        self, voter: str, query: str, answer: int, order: Sequence[int] = (), reason: str = ""
    ) -> None:
        """Count a vote: the number of its answer, and order[i], the candidate at position i."""
        self._answers.setdefault((voter, query), Counter())[answer] += 1
        if answer == ABSTAIN:
            reasons = self._reasons.setdefault((voter, query), Counter())
            reasons[reason or "no answer"] += 1
        elif len(order) > 1:
            if len(self._orders) < 2:
                self._orders.add(tuple(order))
            self._positions.setdefault(voter, Counter())[list(order).index(answer)] += 1
            self._chance[voter] += 1 / len(order)  # type: ignore[assignment]

    def sentences(self) -> list[str]:
        """What the votes give away, a sentence for each voter and kind."""
        sentences: list[str] = []
        for voter in dict.fromkeys(voter for voter, _ in self._answers):
            sentences += [self._position(voter), self._one_class(voter), self._empty(voter)]
        return [sentence for sentence in sentences if sentence]

    def _position(self, voter: str) -> str:
        counts = self._positions.get(voter, Counter())
        total = counts.total()
        if total < FEWEST or (self.classes and len(self._orders) < 2):
            return ""  # in one order for all, the position is the class
        position, count = counts.most_common(1)[0]
        chance = min(self._chance[voter] / total, 1.0)
        likely = binomtest(count, total, chance, alternative="greater").pvalue
        above = count / total - chance > POSITION * (1 - chance)
        if not above or likely * (max(counts) + 1) >= LEVEL:
            return ""
        return (
            f"{voter}: {count:,} of {total:,} votes name the option shown at position "
            f"{position + 1}, whichever it is (chance: {chance * total:,.0f}): they follow the "
            f"position and say next to nothing about the options; {POSITION_ADVICE}."
        )

    def _one_class(self, voter: str) -> str:
        parts = []
        for (name, query), counts in self._answers.items():
            read = Counter({k: n for k, n in counts.items() if k != ABSTAIN})
            if name != voter or not self.classes or read.total() < FEWEST:
                continue
            best, count = read.most_common(1)[0]
            if count >= ONE_CLASS * read.total():
                parts.append(f"{self.classes[best]} {count:,} of {read.total():,} in `{query}`")
        if not parts:
            return ""
        return f"{voter}: votes of one class ({_first_names(parts)}); {CLASS_ADVICE}."

    def _empty(self, voter: str) -> str:
        queries, reasons = [], Counter[str]()
        for (name, query), counts in self._answers.items():
            if name == voter and set(counts) == {ABSTAIN} and counts.total() >= FEWEST:
                queries.append(f"`{query}`")
                reasons += self._reasons[name, query]
        if not queries:
            return ""
        why = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common(3))
        total = reasons.total()
        names = _first_names(queries)
        return f"{voter}: all {total:,} votes of {names} abstain ({why}); {EMPTY_ADVICE}."


def vote_patterns(
    votes: Votes, asked: Sequence[PromptedQuestion], classes: Sequence[str]
) -> list[str]:
    """What a table of votes gives away; `asked` has the prompt of each vote."""
    patterns = VotePatterns(classes)
    for m, prompt in enumerate(asked):
        voter, query = votes.voters[votes.voter[m]], votes.queries[votes.query[m]]
        reason = votes.reasons[m] if votes.reasons else ""
        patterns.add(voter, query, int(votes.answer[m]), prompt.order, reason)
    return patterns.sentences()


def _first_names(names: Sequence[str]) -> str:
    rest = "" if len(names) <= SHOWN else f" and {len(names) - SHOWN} more queries"
    return ", ".join(names[:SHOWN]) + rest

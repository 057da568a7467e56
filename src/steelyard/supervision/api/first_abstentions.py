"""Stops a run whose replies are paid for and never give an answer."""

from collections import Counter

from steelyard.errors import ConfigError, printable
from steelyard.io.counted import counted
from steelyard.supervision.parsed_replies import counted_reasons

SHOWN = 80  # characters of a reply that are shown
SEVERAL = 3  # times as many replies are allowed to abstain for different reasons
CHANGES = {
    "cut off": "raise `max_new_tokens`, or let the model think less (`extra: {reasoning_effort: "
    "low}` or `{chat_template_kwargs: {enable_thinking: false}}`)",
    "empty": "let the model think less (`extra: {chat_template_kwargs: {enable_thinking: false}}`),"
    " raise `max_new_tokens`, or check the server's chat template",
    "refused": "say in `system` what the labels are for, or choose another `model`",
    "tool call": "set `extra: {tool_choice: none}`",
    "not an answer": "say in `system` or `templates` what to reply, or set `answer` or "
    "`answer_format`",
    "two answers": "ask in `system` or `templates` for one answer and nothing else",
    "too long": "choose a `model` with a longer context, or shorten the items",
    "bad request": "correct the supervisor's settings",
}
OTHER = "look at the replies in the votes file, and change `templates`, `system` or `model`"


def change_for(reason: str) -> str:
    """What to change where replies abstain for a reason."""
    return CHANGES.get(reason, OTHER)


class UselessRepliesError(ConfigError):
    """The first replies of a model all abstain; asking on would cost money for nothing."""


class FirstAbstentions:
    """Counts the first replies of a model, until the first that answers.

    Args:
        model: its name, for the message.
        most: number of replies that may abstain for one reason; None is no limit.
        max_new_tokens: largest number of tokens in a reply, for the message.
    """

    def __init__(self, model: str, most: int | None, max_new_tokens: int) -> None:
        self.model, self.most, self.max_new_tokens = model, most, max_new_tokens
        self._answered = False
        self._reasons: Counter[str] = Counter()
        self._example: dict[str, str] = {}  # by reason

    def note(self, reason: str, text: str) -> None:
        """Count a reply, and why it abstains; an empty reason is an answer."""
        if not reason:
            self._answered = True
        if self._answered:
            return
        self._reasons[reason] += 1
        if text.strip() or reason not in self._example:
            self._example[reason] = text

    def check(self) -> None:
        """Refuse to go on.

        Raises:
            UselessRepliesError: too many replies abstained, and none answered.
        """
        if self._answered or self.most is None or not self._reasons:
            return
        allowed = self.most * (1 if len(self._reasons) == 1 else SEVERAL)
        total = self._reasons.total()
        if total < allowed:
            return
        reason = self._reasons.most_common(1)[0][0]
        text = " ".join(printable(" ".join(self._example[reason].split())).split())
        shown = f"{text[:SHOWN]}{'...' if len(text) > SHOWN else ''}"
        counts = reason if len(self._reasons) == 1 else counted_reasons(self._reasons)
        limit = f" (`max_new_tokens` is {self.max_new_tokens})" if reason == "cut off" else ""
        every = "The first reply" if total == 1 else f"All of the first {counted(total, 'reply')}"
        raise UselessRepliesError(
            f"{every} of {self.model} abstain{'s' if total == 1 else ''}: {counts}{limit}, such as "
            f'"{shown}". To get answers, {change_for(reason)}. Replies so far are stored. To go on '
            "regardless, set `first_abstentions: null`"
        )

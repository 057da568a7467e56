"""One question as a prompt for a language model."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PromptedQuestion:
    """One query about one question: the exact prompt, and the text of each possible answer.

    `prompt` ends where the model continues. `answers` are the texts that may follow it, one for
    each candidate, ordered by class or option number whatever the order shown; open questions have
    none.
    """

    id: str  # of the question
    query: str  # name of the prompt variant, one of `PromptSettings.query_names()`
    prompt: str
    answers: tuple[str, ...] = ()  # such as (" A", " B"): with their leading white space
    order: tuple[int, ...] = ()  # order[i] is the candidate shown at position i; empty: unchanged
    options: tuple[str, ...] = ()  # each candidate's text or class name as shown
    item: tuple[int, int] = (0, 0)  # prompt[start:end] is from the data; only it is truncated
    keeps_end: bool = False  # truncation drops the item's beginning, because its end is answered
    seed: int = 0  # random seed of a sampled reply, from the study's seed, question and query
    before: str = ""  # what the model reads before the prompt: turns, a system message, examples
    after: str = ""  # and behind it, before the answer: turns
    in_chat: bool = False  # whether control tokens in `before` and `after` count, as turns do

    @property
    def whole(self) -> str:
        """All that the model reads before the answer."""
        return f"{self.before}{self.prompt}{self.after}"

    @property
    def lead(self) -> str:
        """What separates an answer from what stands before it."""
        return "" if self.after[-1:].isspace() else " "

    @property
    def lettered(self) -> bool:
        """Whether options are answered by letter (or number), not by their text."""
        answers = tuple(answer.lstrip() for answer in self.answers)
        return bool(self.answers) and answers != tuple(text.lstrip() for text in self.options)

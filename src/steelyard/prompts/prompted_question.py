"""One question as it is put to a language model."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PromptedQuestion:
    """One query about one question: the exact text, and what each answer would read like.

    `prompt` ends where the model goes on. `answers` are the texts that may follow it, one for each
    candidate in the order of the candidates (class numbers, option numbers), whatever order the
    options were shown in; open questions have none.
    """

    id: str  # of the question
    query: str  # name of the way of asking, one of `PromptSettings.query_names()`
    prompt: str
    answers: tuple[str, ...] = ()  # such as (" A", " B"): with the white space that belongs to them
    order: tuple[int, ...] = ()  # order[i] is the candidate shown in place i; empty: as they stand
    options: tuple[str, ...] = ()  # each candidate's text or label name as it is shown
    item: tuple[int, int] = (0, 0)  # prompt[start:end] is the text from the data: cut here only
    keeps_end: bool = False  # a cut takes the item's beginning: what is answered stands at its end
    seed: int = 0  # of a sampled reply: depends on the study's seed, the question and the query

    @property
    def lettered(self) -> bool:
        """Whether options are answered by letter (or number), not by their text."""
        return bool(self.answers) and self.answers != tuple(f" {text}" for text in self.options)

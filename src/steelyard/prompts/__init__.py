"""What is put to a language model, and how its reply is read.

Supervisors and students ask with the same words: a prompt is made here and nowhere else.
"""

from steelyard.prompts.escaping import escape
from steelyard.prompts.paraphrases import read_paraphrases
from steelyard.prompts.parse_answer import AnswerFormat, Reading, canonical, read, spelling
from steelyard.prompts.prompted_question import PromptedQuestion
from steelyard.prompts.settings import PromptSettings
from steelyard.prompts.templates import Wording, default_wordings

__all__ = [
    "PromptedQuestion",
    "PromptSettings",
    "AnswerFormat",
    "Reading",
    "Wording",
    "canonical",
    "default_wordings",
    "escape",
    "read",
    "read_paraphrases",
    "spelling",
]

"""Prompts for language models, and the parsing of their replies.

Supervisors and students share the same prompts: every prompt is made here.
"""

from steelyard.prompts.escaping import escape
from steelyard.prompts.paraphrases import read_paraphrases
from steelyard.prompts.parse_answer import AnswerFormat, Reading, canonical, read, spelling
from steelyard.prompts.prompted_question import PromptedQuestion
from steelyard.prompts.settings import PromptSettings
from steelyard.prompts.templates import PromptTemplate, default_templates

__all__ = [
    "PromptedQuestion",
    "PromptSettings",
    "AnswerFormat",
    "Reading",
    "PromptTemplate",
    "canonical",
    "default_templates",
    "escape",
    "read",
    "read_paraphrases",
    "spelling",
]

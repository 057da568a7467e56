"""Prompts for language models, and the parsing of their replies.

Supervisors and students share the same prompts: every prompt is made here.
"""

from steelyard.prompts.escaping import escape_tokens as escape_tokens
from steelyard.prompts.paraphrases import read_paraphrases as read_paraphrases
from steelyard.prompts.parse_answer import AnswerFormat as AnswerFormat
from steelyard.prompts.parse_answer import ParsedAnswer as ParsedAnswer
from steelyard.prompts.parse_answer import canonical as canonical
from steelyard.prompts.parse_answer import read as read
from steelyard.prompts.parse_answer import spelling as spelling
from steelyard.prompts.prompted_question import PromptedQuestion as PromptedQuestion
from steelyard.prompts.settings import PromptSettings as PromptSettings
from steelyard.prompts.templates import PromptTemplate as PromptTemplate
from steelyard.prompts.templates import default_templates as default_templates

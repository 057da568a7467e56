"""What is put to a language model, and how its reply is read.

Supervisors and students ask with the same words: a prompt is made here and nowhere else.
"""

from steelyard.prompts.asked import Asked

__all__ = ["Asked"]

"""Questions as they were asked: an open one, and closed ones whose answers are easily confused."""

from steelyard.prompts import PromptedQuestion

OPEN = PromptedQuestion("q", "0-plain", "?")
MOOD = PromptedQuestion("q", "0", "?", (" negative", " positive"), (0, 1), ("negative", "positive"))
MAIL = PromptedQuestion("q", "0", "?", (" spam", " not spam"), (0, 1), ("spam", "not spam"))
MORAL = PromptedQuestion(
    "q", "0", "?", (" acceptable", " unacceptable"), (), ("acceptable", "unacceptable")
)
# shown as A. blue, B. red, C. a dog, D. green sea
SKY = PromptedQuestion(
    "q", "0", "?", (" B", " A", " D", " C"), (1, 0, 3, 2), ("red", "blue", "green sea", "a dog")
)
SUM = PromptedQuestion("q", "0", "?", (" A", " B", " C"), (0, 1, 2), ("3", "30", "3.5"))

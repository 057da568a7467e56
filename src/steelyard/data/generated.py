"""The embedded task "errands": which topic is a sentence about? No file and no network needed.

A sentence has one or two words of its topic in a frame that every topic shares. Some have a
distractor: a word of another topic in a subordinate place. A bag of words must have seen a word
to know its topic; a pretrained model mostly knows it, and must tell main from subordinate.
"""

import functools

import numpy as np

from steelyard.data.errands import CLASSES, words
from steelyard.data.normalize_text import normalise
from steelyard.errors import InputError

ONE_WORD: tuple[str, ...] = (
    "I still have to ask about the {x}.",
    "Could you look into the {x} for me?",
    "Please remind me about the {x} tomorrow.",
    "We talked about the {x} for an hour.",
    "She was worried about the {x} again.",
    "He told me everything about the {x}.",
    "Nobody had thought of the {x}.",
    "The {x} was not what I expected.",
    "What do you know about the {x}?",
    "I forgot about the {x} last week.",
    "My sister had a question about the {x}.",
    "Let me know what happens with the {x}.",
)

TWO_WORDS: tuple[str, ...] = (
    "First the {x}, then the {y}, please.",
    "We need to discuss the {x} and the {y}.",
    "Is there any news about the {x} or the {y}?",
    "The {x} matters more to me than the {y}.",
    "They asked about the {x} because of the {y}.",
    "I wrote down the {x} and the {y} on my list.",
)

DISTRACTED: tuple[str, ...] = (
    "On the way back from the {z} I finally dealt with the {x}.",
    "After all that trouble with the {z}, can we talk about the {x}?",
    "Forget the {z}, I am calling about the {x}.",
    "While the others argued about the {z}, I took care of the {x}.",
    "My question is not about the {z} but about the {x}.",
    "It is the {x} that I need help with, the {z} can wait.",
    "I have to see to the {x} before I think of the {z}.",
    "Tell me about the {x}, we can leave the {z} for later.",
)

TWO_SHARE = 0.5  # sentences with two words of their topic
DISTRACTED_SHARE = 0.13  # sentences with a word of another topic
COMMON = 6  # word r of a topic is drawn in proportion to 1 / (r + COMMON)
MOST_ROWS = 20_000


@functools.lru_cache(maxsize=4)
def generate(rows: int, seed: int) -> tuple[tuple[str, ...], list[tuple[str, int]]]:
    """Distinct sentences with their class numbers; class sizes differ by at most one.

    Args:
        rows: number of sentences, up to 20,000.
        seed: random seed, >= 0. Fewer rows of one seed are the first of more rows.

    Returns:
        Class names, and (text, class number) pairs whose classes alternate.

    Raises:
        InputError: more sentences than the grammar is made for.
    """
    if not 0 < rows <= MOST_ROWS:
        raise InputError(f"`rows` must be from 1 to {MOST_ROWS:,}, got {rows:,}.")
    rng = np.random.default_rng([seed, len(CLASSES)])
    lexicon = words()
    seen: set[tuple[int, str]] = set()
    made: list[tuple[str, int]] = []
    while len(made) < rows:
        label = len(made) % len(CLASSES)
        text = _sentence(lexicon, label, rng)
        same = " ".join(sorted(normalise(text).split()))  # swapped words make no new sentence
        if (label, same) not in seen:
            seen.add((label, same))
            made.append((text, label))
    return CLASSES, made


def _sentence(lexicon: tuple[tuple[str, ...], ...], label: int, rng: np.random.Generator) -> str:
    draw = rng.random()
    x, y = _draw_words(lexicon[label], rng)
    z, _ = _draw_words(lexicon[(label + rng.integers(1, len(lexicon))) % len(lexicon)], rng)
    frames = ONE_WORD
    if draw < DISTRACTED_SHARE:
        frames = DISTRACTED
    elif draw < DISTRACTED_SHARE + TWO_SHARE:
        frames = TWO_WORDS
    frame = frames[rng.integers(len(frames))]
    return frame.format(x=x, y=y, z=z)


def _draw_words(topic: tuple[str, ...], rng: np.random.Generator) -> tuple[str, str]:
    """Two different words; words early in the list are more common."""
    shares = 1 / (np.arange(len(topic)) + COMMON)
    first, second = rng.choice(len(topic), size=2, replace=False, p=shares / shares.sum())
    return topic[first], topic[second]

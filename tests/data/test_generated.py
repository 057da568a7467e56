"""The embedded task: distinct, balanced, the same on every machine, hard for a bag of words."""

from collections import Counter

import numpy as np
import pytest

from steelyard.data import Data, find_leaks, generate, load, split
from steelyard.data.errands import CLASSES, words
from steelyard.errors import InputError

GOLDEN = [  # numpy 2.4, 2026-11
    ("He told me everything about the saucepan.", 0),
    ("The muscle cramp was not what I expected.", 1),
    ("I have to see to the standing order before I think of the cholesterol.", 2),
    ("What do you know about the backpack?", 3),
]


def test_topics_share_no_word_and_are_wide() -> None:
    topics = words()
    assert len(topics) == len(CLASSES) == 4
    assert all(len(topic) >= 120 for topic in topics)
    assert max(Counter(word for topic in topics for word in topic).values()) == 1


def test_sentences_are_distinct_and_classes_balanced() -> None:
    classes, rows = generate(5000, seed=0)
    assert classes == CLASSES
    assert len({text for text, _ in rows}) == 5000
    assert set(Counter(label for _, label in rows).values()) == {1250}


def test_a_seed_gives_the_same_sentences_and_fewer_are_the_first_of_more() -> None:
    assert generate(100, seed=3)[1] == generate(400, seed=3)[1][:100]
    assert generate(100, seed=3) != generate(100, seed=4)
    assert generate(4, seed=0)[1] == GOLDEN


def test_a_number_of_rows_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(InputError, match="`rows` must be from 1 to 20,000, got 0"):
        generate(0, seed=0)


def accuracy(rows: int, repeats: int) -> float:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    source = load("classification", Data(generated="errands"))
    values = []
    for seed in range(repeats):
        part = split(source, Data(generated="errands", weak_train=rows), seed).weak_train
        model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10))
        model.fit([question.text for question in part.questions], part.truth)
        guess = model.predict([question.text for question in source.test.questions])
        values.append(float((guess == source.test.truth).mean()))
    return float(np.mean(values))


def test_a_bag_of_words_is_weak_on_few_rows_and_better_on_many() -> None:
    assert 0.5 < accuracy(150, repeats=4) < 0.65
    assert accuracy(3000, repeats=1) > 0.85


def test_few_sentences_of_train_are_nearly_those_of_test() -> None:
    source = load("classification", Data(generated="errands"))
    leaks = find_leaks(split(source, Data(generated="errands"), 0))
    assert len(leaks) < 0.02 * 5000
    assert all(leak.similarity < 1 for leak in leaks)

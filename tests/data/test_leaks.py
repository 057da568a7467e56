"""Leaks: what is in two splits is found, named and dropped; nothing else is."""

import string
import time

import numpy as np
import pytest

from steelyard.data import Leak, apply_leak_policy, find_leaks
from steelyard.data.minhash import shingles, similar_pairs
from steelyard.data.normalize_text import full_text, normalise
from steelyard.errors import InputError
from steelyard.types import Question, Split, Task


def part(name: str, texts: list[str]) -> Split:
    questions = tuple(Question(f"{name}{i}", text) for i, text in enumerate(texts))
    return Split(questions, np.arange(len(texts)) % 2)


def task(weak: list[str], strong: list[str], test: list[str]) -> Task:
    parts = (part("w", weak), part("s", strong), part("t", test))
    return Task("made", "classification", ("a", "b"), *parts)


def jaccard(a: str, b: str) -> float:
    runs = [{x[i : i + 5] for i in range(max(len(x) - 4, 1))} for x in (a.ljust(5), b.ljust(5))]
    return len(runs[0] & runs[1]) / len(runs[0] | runs[1])


def random_texts(number: int, rng: np.random.Generator) -> list[str]:
    letters = list(string.ascii_lowercase + "    ")
    return ["".join(rng.choice(letters, rng.integers(20, 90))) for _ in range(number)]


def perturbed(text: str, edits: int, rng: np.random.Generator) -> str:
    letters = list(text)
    for spot in rng.integers(0, len(letters), edits):
        letters[spot] = "#"
    return "".join(letters)


LEAKY = task(
    weak=["Is it far?", "one two three", "nothing here", "more of it"],
    strong=["IS it   far", "quite another thing", "ONE. Two, three!", "last one of all"],
    test=["one - two - three", "the very last", "unseen", "quite another thing?"],
)


def test_case_white_space_and_punctuation_do_not_hide_a_copy() -> None:
    assert [(leak.left, leak.right, leak.where) for leak in find_leaks(LEAKY)] == [
        ("w0", "s0", "weak_train/strong_train"),
        ("w1", "s2", "weak_train/strong_train"),
        ("w1", "t0", "weak_train/test"),
        ("s1", "t3", "strong_train/test"),
        ("s2", "t0", "strong_train/test"),
    ]
    assert {leak.similarity for leak in find_leaks(LEAKY)} == {1.0}


def test_a_near_copy_is_found_with_its_similarity() -> None:
    texts = (
        "a sentence about the price of tea in china",
        "a sentence about the price of tea in chile",
    )
    leaks = find_leaks(task(["x one", "y two"], ["z six", texts[0]], ["t ten", texts[1]]))
    assert leaks == (Leak("s1", "t1", "strong_train/test", jaccard(*texts)),)


def test_marks_that_carry_meaning_are_kept() -> None:
    assert normalise("3 + 4 < 5") != normalise("3 = 4 > 5")
    assert normalise("हिन्दी") == "हिन्दी"
    assert not find_leaks(task(["3 + 4", "b"], ["3 = 4", "c"], ["?!", "..."]))


def test_options_and_context_are_part_of_the_text() -> None:
    question = Question("q", "Who?", ("me", "you"), "A fight.")
    assert full_text(question) == "A fight.\nWho?\nme\nyou"


def test_runs_of_five_characters_by_hand() -> None:
    hashes, starts = shingles(["abcdef", "ab", "bcdef"])
    assert starts.tolist() == [0, 2, 3, 4]  # abcde, bcdef | "ab   " | bcdef
    assert hashes[1] == hashes[3]
    assert len(set(hashes.tolist())) == 3


def test_near_copies_are_found_as_by_comparing_all_with_all() -> None:
    rng = np.random.default_rng(5)
    left = random_texts(300, rng)
    right = [perturbed(left[i % 300], i % 6, rng) for i in range(600)]
    brute = {
        (i, j): jaccard(a, b)
        for j, b in enumerate(right)
        for i, a in enumerate(left)
        if (a[:4] == b[:4] or a[-4:] == b[-4:] or i == j % 300) and jaccard(a, b) >= 0.8
    }
    rows, columns, values = similar_pairs(left, right, 0.8)
    found = dict(zip(zip(rows.tolist(), columns.tolist(), strict=True), values, strict=True))
    assert set(found) <= set(brute)
    assert all(abs(found[pair] - brute[pair]) < 1e-12 for pair in found)
    assert len(brute) > 150
    assert len(found) >= 0.99 * len(brute)


def test_only_the_best_match_of_a_row_is_reported() -> None:
    text = "the same long sentence about nothing at all"
    leaks = find_leaks(task(["aa", "bb"], [text, "cc"], [text + "s", "dd", text, text]))
    assert leaks == (Leak("s0", "t2", "strong_train/test", 1.0),)


def test_report_changes_nothing() -> None:
    assert apply_leak_policy(LEAKY, find_leaks(LEAKY), "report") is LEAKY


def test_error_names_the_first_pair() -> None:
    with pytest.raises(InputError) as error:
        apply_leak_policy(LEAKY, find_leaks(LEAKY), "error")
    assert str(error.value) == (
        "'made' has 5 leaks, texts that are in two splits, first 'w0' and 's0' "
        "(weak_train/strong_train, similarity 1.00). Remove them, or set `data.leaks` to "
        "drop or report."
    )
    clean = task(["one", "two"], ["three", "four"], ["five", "six"])
    assert apply_leak_policy(clean, find_leaks(clean), "error") is clean


def test_drop_removes_training_rows_and_never_test_rows() -> None:
    kept = apply_leak_policy(LEAKY, find_leaks(LEAKY), "drop")
    assert kept.weak_train.ids == ("w2", "w3")
    assert kept.weak_train.truth.tolist() == [0, 1]
    assert kept.strong_train.ids == ("s0", "s3")
    assert kept.test.ids == LEAKY.test.ids
    assert find_leaks(kept) == ()


def test_dropping_all_rows_is_refused() -> None:
    leaky = task(["one", "two"], ["three", "four"], ["one", "two"])
    with pytest.raises(InputError, match="Without its 2 leaking rows `weak_train` of 'made' has 0"):
        apply_leak_policy(leaky, find_leaks(leaky), "drop")


def test_a_task_of_usual_size_takes_two_seconds_at_most() -> None:
    rng = np.random.default_rng(0)
    texts = random_texts(4800, rng)
    start = time.process_time()
    assert find_leaks(task(texts[:300], texts[300:3300], texts[3300:])) == ()
    assert time.process_time() - start < 2


def test_texts_that_all_look_alike_take_no_longer() -> None:
    texts = [f"the very same sentence with only its number changed, {i}" for i in range(3000)]
    start = time.process_time()
    assert len(find_leaks(task(texts[:100], texts[100:2000], texts[2000:]))) > 1900
    assert time.process_time() - start < 4

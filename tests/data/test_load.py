"""Two files become a source, or a refusal that names file, line, id and value."""

import json
from pathlib import Path
from typing import Any

import pytest

from steelyard.data import Data, LoadedData, load, read_labelled
from steelyard.errors import ConfigError, InputError
from steelyard.types import PAIR

Rows = list[dict[str, Any]]
TRAIN: Rows = [
    {"id": "a", "text": "good film", "label": "pos"},
    {"id": "b", "text": "bad film", "label": "neg"},
]
TEST: Rows = [{"id": "t", "text": "fine film", "label": "pos"}]
ASKED: Rows = [
    {"id": "a", "question": "2 + 2?", "choices": ["4", "5"], "label": 0},
    {"id": "b", "question": "3 + 3?", "choices": ["5", "6", "7"], "label": 1},
]


def write(folder: Path, name: str, rows: Rows) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def loaded(
    folder: Path, train: Rows, test: Rows = TEST, kind: Any = None, **more: Any
) -> LoadedData:
    write(folder, "train.jsonl", train)
    write(folder, "test.jsonl", test)
    kind = kind or ("multiple_choice" if "question" in train[0] else "classification")
    return load(kind, Data(train="train.jsonl", test="test.jsonl", **more), folder)


def refusal(folder: Path, train: Rows, test: Rows = TEST, **more: Any) -> str:
    with pytest.raises(InputError) as error:
        loaded(folder, train, test, **more)
    return str(error.value)


def from_csv(folder: Path, train: str, test: str) -> LoadedData:
    (folder / "train.csv").write_text(train)
    (folder / "test.csv").write_text(test)
    kind: Any = "multiple_choice" if "question" in train else "classification"
    return load(kind, Data(train="train.csv", test="test.csv"), folder)


def changed(rows: Rows, **fields: Any) -> Rows:
    """The rows with other fields in the second one."""
    return [rows[0], rows[1] | fields, *rows[2:]]


def test_names_in_the_data_are_the_classes_in_alphabetical_order(tmp_path: Path) -> None:
    source = loaded(tmp_path, TRAIN)
    assert source.classes == ("neg", "pos")
    assert source.train.truth.tolist() == [1, 0]
    assert source.train.ids == ("a", "b")
    assert source.test.truth.tolist() == [1]
    assert source.name == tmp_path.name


def test_integers_in_the_data_are_classes_in_numeric_order(tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "label": n} for n in (10, 2, 2, 30)]
    source = loaded(tmp_path, rows, [{"text": "other", "label": 30}])
    assert source.classes == ("2", "10", "30")
    assert source.train.truth.tolist() == [1, 0, 0, 2]
    assert source.train.ids == ("train-1", "train-2", "train-3", "train-4")
    assert source.test.truth.tolist() == [2]


def test_labels_json_names_classes_and_integers_are_its_numbers(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text('["1", "2", "3"]')
    rows = [{"text": "x", "label": 0}, {"text": "y", "label": 2}, {"text": "z", "label": "2"}]
    source = loaded(tmp_path, rows, [{"text": "t", "label": 2}])
    assert source.classes == ("1", "2", "3")
    assert source.train.truth.tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"0": "neg"}',
            "labels.json must be a list of at least two class names; got {'0': 'neg'}",
        ),
        ('["neg", 1]', "labels.json: class 1 must be a name in quotes; got 1."),
        ('["neg", "neg"]', "labels.json: class name 'neg' is there twice."),
        ("[neg]", "labels.json is not JSON"),
    ],
)
def test_a_bad_labels_json_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "labels.json").write_text(content)
    assert message in refusal(tmp_path, TRAIN)


def test_digits_in_csv_are_integers_unless_they_are_names(tmp_path: Path) -> None:
    source = from_csv(tmp_path, "text,label\na,1\nb,0\n", "text,label\nc,1\n")
    assert source.classes == ("0", "1")
    assert source.train.truth.tolist() == [1, 0]
    (tmp_path / "labels.json").write_text('["1", "0"]')
    assert from_csv(
        tmp_path, "text,label\na,1\nb,0\n", "text,label\nc,1\n"
    ).train.truth.tolist() == [
        0,
        1,
    ]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (None, "must be a class name or a class number; got None. Every row needs its true label."),
        ("", "got ''. Every row needs"),
        (float("nan"), "got nan. Every row needs"),
        (float("inf"), "got inf. Every row needs"),
        (1.0, "got 1.0. Write 1."),
        (0.5, "got 0.5. Every row needs"),
        (True, "got True. Write 1."),
        (["pos"], "got ['pos']."),
    ],
)
def test_a_label_that_names_no_class_is_refused(
    tmp_path: Path, label: object, message: str
) -> None:
    found = refusal(tmp_path, changed(TRAIN, label=label))
    assert found.startswith("train.jsonl line 2, id 'b': `label` must be")
    assert message in found


def test_an_unknown_class_is_answered_with_the_nearest(tmp_path: Path) -> None:
    assert refusal(tmp_path, TRAIN, [TEST[0] | {"label": "poss"}]) == (
        "test.jsonl line 1, id 't': `label` must be one of the classes ['neg', 'pos']; "
        "got 'poss'. Did you mean 'pos'?"
    )
    (tmp_path / "labels.json").write_text('["neg", "pos"]')
    assert refusal(tmp_path, changed(TRAIN, label=2)) == (
        "train.jsonl line 2, id 'b': `label` must be a class number from 0 to 1, or a class name; "
        "got 2. Correct the label or `labels.json`."
    )


def test_labels_of_two_sorts_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, changed(TRAIN, label=0)) == (
        "`label` must be all names or all integers; train.jsonl line 1, id 'a' has 'pos', "
        "train.jsonl line 2, id 'b' has 0. Make them all names or all integers."
    )
    assert (
        "train.jsonl line 2, id 'b': `label` 'Pos ' differs only in case or white space from "
        "'pos' of train.jsonl line 1, id 'a'."
    ) in refusal(tmp_path, changed(TRAIN, label="Pos "))


def test_integers_in_test_mean_the_names_that_train_has(tmp_path: Path) -> None:
    rows = [{"text": f"text {name}", "label": name} for name in ("1", "2", "3")]
    assert loaded(tmp_path, rows, [{"text": "t", "label": 1}]).test.truth.tolist() == [0]
    assert "`label` must be one of the classes ['neg', 'pos']; got 1." in refusal(
        tmp_path, TRAIN, [TEST[0] | {"label": 1}]
    )


def test_two_different_labels_json_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text('["neg", "pos"]')
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "labels.json").write_text('["pos", "neg"]')
    write(tmp_path, "train.jsonl", TRAIN)
    write(tmp_path / "new", "test.jsonl", TEST)
    with pytest.raises(InputError, match="must be the same as the one next to"):
        load("classification", Data(train="train.jsonl", test="new/test.jsonl"), tmp_path)


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, changed(TRAIN, label="pos")) == (
        "All 2 train rows have the same label, first train.jsonl line 1, id 'a': 'pos'. "
        "At least two different labels are needed."
    )


def test_a_class_that_only_test_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text('["neg", "pos", "new"]')
    assert refusal(tmp_path, TRAIN, [TEST[0] | {"label": "new"}]).startswith(
        "test.jsonl line 1, id 't': class 'new' is in test and never in train."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "`text` must be a text that is not empty; got None."),
        (7, "`text` must be a text that is not empty; got 7."),
        (" \t\n", r"`text` must be a text that is not empty; got ' \t\n'."),
        ("a\ud800b", r"`text` has the character '\ud800' at position 1, which is no text."),
        ("a\0", r"`text` has the character '\x00' at position 1, which is no text."),
        ("x" * 50, "`text` has 50 characters, the limit is 50. Shorten it, or raise `data.max_c"),
    ],
)
def test_a_bad_text_is_refused(tmp_path: Path, text: object, message: str) -> None:
    found = refusal(tmp_path, changed(TRAIN, text=text), max_characters=50)
    assert found.startswith("train.jsonl line 2, id 'b': " + message)


def test_a_missing_column_is_answered_with_the_found_ones(tmp_path: Path) -> None:
    rows = [{"id": "a", "sentence": "x", "label": 0}]
    assert refusal(tmp_path, rows) == (
        "train.jsonl line 1, id 'a': column 'text' is missing; found ['id', 'sentence', 'label']. "
        "If another column is meant, set `data.columns: {text: its name}`."
    )


def test_columns_are_mapped(tmp_path: Path) -> None:
    rows = [{"n": 1, "sentence": "x", "y": 0}, {"n": 2, "sentence": "y", "y": 1}]
    columns = {"id": "n", "text": "sentence", "label": "y"}
    source = loaded(tmp_path, rows, [{"n": 3, "sentence": "z", "y": 1}], columns=columns)
    assert source.train.ids == ("1", "2")
    assert [question.text for question in source.train.questions] == ["x", "y"]


@pytest.mark.parametrize("value", [1.5, True, None, "", " ", ["a"]])
def test_an_id_that_is_no_name_is_refused(tmp_path: Path, value: object) -> None:
    found = refusal(tmp_path, changed(TRAIN, id=value))
    assert found.startswith("train.jsonl line 2: `id` must be a string or an integer; got")


def test_ids_are_unique_within_and_between_splits(tmp_path: Path) -> None:
    assert refusal(tmp_path, changed(TRAIN, id="a")) == (
        "train.jsonl line 2: id 'a' is also the id of train.jsonl line 1. "
        "Every row of train and test needs its own id."
    )
    assert "id ' A' differs only in case or white space from 'a' of train.jsonl line 1" in refusal(
        tmp_path, changed(TRAIN, id=" A")
    )
    assert refusal(tmp_path, TRAIN, [TEST[0] | {"id": "b"}]).startswith(
        "test.jsonl line 1: id 'b' is also the id of train.jsonl line 2."
    )


def test_files_of_one_name_in_two_folders_get_different_ids(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "d.jsonl", [{"text": f"{folder} {n}", "label": n} for n in (0, 1)])
    source = load("classification", Data(train="one/d.jsonl", test="two/d.jsonl"), tmp_path)
    assert source.train.ids + source.test.ids == ("train-1", "train-2", "test-1", "test-2")


def test_options_are_read_and_a_label_may_be_the_text_of_one(tmp_path: Path) -> None:
    source = loaded(tmp_path, ASKED, [ASKED[0] | {"id": "t", "label": "5", "context": "Sums."}])
    assert source.classes == ("0", "1", "2")
    assert source.train.truth.tolist() == [0, 1]
    assert source.train.questions[1].choices == ("5", "6", "7")
    assert source.test.truth.tolist() == [1]
    assert source.test.questions[0].context == "Sums."


def test_options_in_csv_are_a_json_list(tmp_path: Path) -> None:
    head = "id,question,choices,label\n"
    train = head + 'a,Who?,"[""me"", ""you""]",1\nb,Where?,"[""here"", ""there""]",here\n'
    source = from_csv(tmp_path, train, head + 't,When?,"[""now"", ""then""]",0\n')
    assert source.train.questions[0].choices == ("me", "you")
    assert source.train.truth.tolist() == [1, 0]
    with pytest.raises(
        InputError, match=r"train.csv line 2, id 'a': `choices` must be a JSON list"
    ):
        from_csv(tmp_path, head + "a,Who?,me|you,1\n", head)
    with pytest.raises(InputError, match=r"got '1', which is both of options \[0, 1\]"):
        from_csv(tmp_path, head + 'a,1?,"[""1"", ""2""]",1\n', head + 't,x,"[""a"", ""b""]",0\n')


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label": 3}, "`label` must be an option number from 0 to 2, or the text of one option"),
        ({"label": -1}, "got -1, which is none of them."),
        ({"label": "B"}, "got 'B', which is none of them. Write the number."),
        ({"choices": ["6", "6"], "label": "6"}, "got '6', which is both of options [0, 1]"),
        ({"choices": ["6"]}, "`choices` must be a list of at least two texts; got ['6']."),
        ({"choices": "5 or 6"}, "`choices` must be a list of at least two texts; got '5 or 6'."),
        ({"choices": ["5", ""]}, "`choices[1]` must be a text that is not empty; got ''."),
        ({"choices": ["5", 6]}, "`choices[1]` must be a text that is not empty; got 6."),
        ({"question": ""}, "`question` must be a text that is not empty; got ''."),
        ({"context": 5}, "`context` must be a text that is not empty; got 5."),
    ],
)
def test_a_bad_multiple_choice_row_is_refused(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    found = refusal(tmp_path, changed(ASKED, **fields), [ASKED[0] | {"id": "t"}])
    assert found.startswith("train.jsonl line 2, id 'b': ")
    assert message in found


def test_rows_of_one_text_or_context_are_one_group(tmp_path: Path) -> None:
    rows = [*TRAIN, {"id": "c", "text": " Good  film!", "label": "pos"}]
    first, second, third = loaded(tmp_path, rows).groups
    assert first == third != second
    asked = [ASKED[0] | {"id": n, "context": c} for n, c in (("x", "One."), ("y", "Two."))]
    asked.append(ASKED[1] | {"id": "z", "context": "one"})
    first, second, third = loaded(tmp_path, asked, [ASKED[0] | {"id": "t"}]).groups
    assert first == third != second


def test_a_question_all_rows_share_is_an_instruction(tmp_path: Path) -> None:
    rows = [ASKED[0], ASKED[1] | {"question": "2 + 2?"}]
    assert len(set(loaded(tmp_path, rows, [ASKED[0] | {"id": "t"}]).groups)) == 2


def test_another_file_is_read_with_the_classes_of_a_model(tmp_path: Path) -> None:
    path = write(tmp_path, "new.jsonl", [{"text": "x", "label": "pos"}, {"text": "y", "label": 0}])
    assert read_labelled("classification", path, ("neg", "pos")).truth.tolist() == [1, 0]
    (tmp_path / "labels.json").write_text('["pos", "neg"]')
    split = read_labelled("classification", path, ("neg", "pos"))
    assert split.truth.tolist() == [1, 1]
    assert split.ids == ("new-1", "new-2")
    with pytest.raises(InputError, match=r"must name the model's classes \['bad', 'good'\]"):
        read_labelled("classification", path, ("bad", "good"))


def test_integers_of_another_file_are_names_where_all_classes_are_integers(tmp_path: Path) -> None:
    path = write(tmp_path, "new.jsonl", [{"text": "x", "label": 1}, {"text": "y", "label": 3}])
    assert read_labelled("classification", path, ("1", "2", "3")).truth.tolist() == [0, 2]
    asked = write(tmp_path, "asked.jsonl", ASKED)
    assert read_labelled("multiple_choice", asked, ("0", "1", "2")).truth.tolist() == [0, 1]


def test_the_embedded_task_needs_no_file() -> None:
    source = load("classification", Data(generated="errands"))
    assert (len(source.train.truth), len(source.test.truth)) == (4000, 1000)
    assert not set(source.groups) & set(q.text for q in source.test.questions)
    with pytest.raises(ConfigError, match="`generated: errands` is a classification task"):
        load("multiple_choice", Data(generated="errands"))


def test_preferences_are_pairs_of_both_files(tmp_path: Path) -> None:
    train = [
        {"id": f"a{i}", "prompt": f"Why {i // 2}?", "chosen": f"yes {i}", "rejected": "no"}
        for i in range(6)
    ]
    test = [
        {"id": "t", "prompt": "Why?", "chosen": "yes", "rejected": " "},
        {**train[0], "id": "u"},
    ]
    source = loaded(tmp_path, train, test, "preference")
    assert source.classes == PAIR
    pairs = zip(source.train.questions, source.train.truth, strict=True)
    assert [question.choices[truth] for question, truth in pairs] == [f"yes {i}" for i in range(6)]
    assert len(set(source.groups)) == 3  # pairs of one prompt stay together
    assert source.test.ids == ("u",)
    assert source.dropped == {"empty answer": 1, "equal answers": 0}
    with pytest.raises(InputError, match=r"id 'a0' is also the id of .*train\.jsonl line 1"):
        loaded(tmp_path, train, [train[0]], "preference")
    with pytest.raises(ConfigError, match="is a classification task"):
        load("preference", Data(generated="errands"))


def test_pairs_in_a_csv_under_other_names(tmp_path: Path) -> None:
    rows = "key,ask,good,bad\na,Why?,yes,no\nb,Who?,me,you\n"
    (tmp_path / "train.csv").write_text(rows)
    (tmp_path / "test.csv").write_text(rows.replace("a,Why", "c,Why").replace("b,Who", "d,Who"))
    names = {"id": "key", "prompt": "ask", "chosen": "good", "rejected": "bad"}
    data = Data(train="train.csv", test="test.csv", columns=names)
    source = load("preference", data, tmp_path)
    assert [set(q.choices) for q in source.train.questions] == [{"yes", "no"}, {"me", "you"}]

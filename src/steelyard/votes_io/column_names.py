"""What columns are called: id, voter, answer, truth, and what is no voter. One table for all files.

Names are compared without case, spaces, `-` and `_`.
"""

import re
from collections.abc import Collection, Sequence

ROLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "id": (
        (
            *("id", "task", "task_id", "item", "item_id", "example", "example_id", "question_id"),
            *("qid", "uid", "uuid", "instance", "instance_id", "sample", "sample_id", "doc_id"),
            *("document_id", "record", "record_id", "row_id", "text_id", "unit", "unit_id"),
            *("hit_id", "object_id", "custom_id", "prompt_id", "message_id", "tweet_id"),
            *("comment_id", "post_id", "image_id", "pair_id", "query_id", "conversation_id"),
        ),
        (),
    ),
    "voter": (
        (
            *("voter", "voter_id", "annotator", "annotator_id", "annotator_name", "annotated_by"),
            *("worker", "worker_id", "rater", "rater_id", "performer", "labeler", "labeller"),
            *("labeler_id", "coder", "coder_id", "judge", "judge_id", "judge_model", "judge_name"),
            *("evaluator", "evaluator_id", "reviewer", "reviewer_id", "grader", "assessor"),
            *("labeling_function", "lf", "completed_by"),
        ),
        ("model", "model_name", "model_id", "user", "user_id", "username", "source", "respondent"),
    ),
    "answer": (
        (
            *("answer", "label", "vote", "rating", "judgment", "judgement", "verdict"),
            "annotation",
        ),
        (
            *("response", "output", "choice", "class", "category", "score", "value", "winner"),
            *("decision", "prediction", "pred", "grade", "preference", "sentiment", "result"),
        ),
    ),
}
"""Role -> names that mean it, and names that mean it where nothing else does."""
LISTS = (
    *("votes", "annotations", "labels", "responses", "judgments", "judgements", "ratings"),
    *("answers", "reviews", "verdicts"),
)
"""Columns that may hold a list of the votes on an item."""
TEXTS = (
    *("text", "item_text", "input_text", "source_text", "sentence", "question", "prompt"),
    *("instruction", "content", "document", "passage", "message", "tweet", "input", "premise"),
    "title",
)
"""Columns with the text of an item, which the report shows; the first of them that is there."""
INDEX = ("", "unnamed: 0", "index", "level_0")
"""Columns that number the rows, and are the id where there is no other."""
TRUTH = ("truth", "gold", "gold_label", "ground_truth", "true_label", "gt")
TRUTH_WORDS = {
    *("truth", "gold", "golden", "groundtruth", "gt", "ytrue", "target", "targets", "expected"),
    *("reference", "actual", "adjudicated", "adjudication", "consensus", "majority", "key"),
    *("correct", "goldlabel", "truelabel", "goldstandard", "aggregated", "aggregate", "mode"),
}
"""Words of names of columns that hold the truth or what was made of the votes."""
LONE_WORDS = {"final", "prediction", "predicted", "pred", "true", "merged", "resolved"}
"""The same, unless several columns have that word: `final_ann`, `final_bob` are voters."""
NO_VOTERS = {
    *("split", "fold", "url", "link", "date", "time", "timestamp", "seed", "batch", "batch_id"),
    *("text", "sentence", "sentence1", "sentence2", "question", "prompt", "context", "premise"),
    *("hypothesis", "choices", "options", "title", "content", "passage", "document", "comment"),
    *("comments", "note", "notes", "explanation", "rationale", "reason", "description"),
    *("created_at", "updated_at", "lead_time", "length", "words", "tokens", "num_tokens"),
    *("language", "lang", "country", "domain", "topic", "dataset", "subset", "metadata", "meta"),
    *("confidence", "agreement", "entropy", "difficulty", "duration", "age", "gender", "row"),
    *("instruction", "input", "inputs", "completion", "image", "audio", "file", "filename"),
    *("votes_count", "num_votes", "n_votes", "count", "status"),
}
"""Columns that are not voters in a file with one column per voter; a note reports them."""


def column_key(name: str) -> str:
    """A name as it is compared.

    >>> column_key("Gold-Label"), column_key("worker_ID")
    ('goldlabel', 'workerid')
    """
    return re.sub(r"[\s_-]+", "", name.casefold())


_NO_VOTERS = set(map(column_key, NO_VOTERS)) | set(map(column_key, INDEX))
_INDEX = [column_key(name) for name in INDEX]


def candidates(role: str, columns: Sequence[str]) -> tuple[list[str], bool]:
    """The columns that may have a role, and whether their names can mean nothing else.

    The role's own name comes before its synonyms, and these before names that often mean something
    else.
    """
    strong, weak = ([column_key(name) for name in names] for names in ROLES[role])
    for exact in (column for column in columns if column == role):
        return [exact], True
    for exact in (column for column in columns if column_key(column) == role):
        return [exact], True
    clear = [column for column in columns if column_key(column) in strong]
    return (clear, True) if clear else ([c for c in columns if column_key(c) in weak], False)


def is_synonym(column: str) -> bool:
    """Whether a name means the voter or the answer, or is a column of long files."""
    key = column_key(column)
    names = [name for role in ("voter", "answer") for part in ROLES[role] for name in part]
    return key in {column_key(name) for name in names} | {"query", "probabilities"}


def index_column(columns: Sequence[str]) -> str | None:
    """The column that numbers the rows, which is their id where no column is called so."""
    keys = {column_key(column): column for column in reversed(columns)}
    return next((keys[key] for key in _INDEX if key in keys), None)


def truth_like(columns: Collection[str]) -> list[str]:
    """Columns whose names say that they hold the truth, a consensus or a prediction."""
    words = {column: _words(column) for column in columns}
    shared = [word for word in LONE_WORDS if sum(word in part for part in words.values()) == 1]
    return [
        column
        for column, part in words.items()
        if part & TRUTH_WORDS or column_key(column) in TRUTH_WORDS or part & set(shared)
    ]


def text_column(columns: Collection[str]) -> str | None:
    """The column with the text of the items, by its name.

    >>> text_column(["id", "Prompt", "Sentence"]), text_column(["id"])
    ('Sentence', None)
    """
    keys = {column_key(column): column for column in reversed(list(columns))}
    names = map(column_key, TEXTS)
    return next((keys[name] for name in names if name in keys), None)


def is_metadata(column: str) -> bool:
    """Whether a name says that the column describes items."""
    return column_key(column) in _NO_VOTERS


def _words(column: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column)
    return {word.rstrip("0123456789") for word in re.split(r"[\W_]+", spaced.casefold()) if word}

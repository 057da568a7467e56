"""A local language model asked in parts, so that a stop loses one part and not all."""

import json
from collections.abc import Iterator

from steelyard.labelling.items import Items
from steelyard.labelling.rows import Row, rows_of
from steelyard.store.store import fingerprint, library_versions
from steelyard.supervision.api.request import ReplyCache, RequestProgress, request_key
from steelyard.supervision.protocol import BaseSupervisor, VoteRequest

CHUNK = 500  # questions; the model is loaded once for each part


def chunked_rows(
    supervisor: BaseSupervisor,
    items: Items,
    seed: int,
    answers: ReplyCache,
    watch: RequestProgress,
) -> Iterator[Row]:
    """Rows of all votes; those of a part are kept as one answer, under all that decides them."""
    common = {
        "engine": supervisor.kind,
        "version": supervisor.versions(),
        "settings": supervisor.model_dump(mode="json"),
        "inputs": dict(supervisor.inputs()),
        "libraries": library_versions(*supervisor.libraries),
        "classes": list(items.classes),
        "seed": seed,
    }
    model = "" if supervisor.pretrained is None else supervisor.pretrained.model
    starts = range(0, len(items.questions), CHUNK)
    watch.begin(len(starts))
    for start in starts:
        questions = items.questions[start : start + CHUNK]
        key = request_key({**common, "questions": fingerprint(questions)})
        kept = answers.get([key]).get(key)
        if kept is None:
            request = VoteRequest(items.kind, items.classes, (questions,), seed=seed)
            votes = supervisor.vote(request)[0]
            rows = list(rows_of(votes, supervisor, items, seed))
            record = {"engine": supervisor.kind, "model": model, "request": common}
            answers.put({key: {**record, "text": json.dumps(rows)}})
        else:
            rows = json.loads(kept["text"])
        watch.answered("", 0.0, stored=kept is not None)
        yield from rows

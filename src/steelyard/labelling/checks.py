"""Early checks of a call to `label`, and the plan of what it would ask."""

import tempfile
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from steelyard.errors import ConfigError, InputError
from steelyard.io.rows import stem
from steelyard.labelling.items import Items
from steelyard.store.reply_ledger import Ledger
from steelyard.supervision.api.read_reply import ServerReply
from steelyard.supervision.api.request import InMemory, Limits
from steelyard.supervision.api.stored_replies import find_stored
from steelyard.supervision.api.supervisor import Api
from steelyard.supervision.protocol import BaseSupervisor
from steelyard.types.task_kinds import KINDS

ENDINGS = (".jsonl", ".csv", ".parquet")


def check_output(out: Path) -> None:
    """Refuse early an output that cannot be written.

    Raises:
        InputError: the name has none of the known endings, it is a folder, or its folder does not
            exist or cannot be written to.
    """
    if not out.name.lower().endswith(ENDINGS):
        raise InputError(f"`out` must end in {', '.join(ENDINGS)}; got {out.name}.")
    if out.is_dir():
        raise InputError(f"{out} is a folder; give a file as `out`.")
    if not out.parent.is_dir():
        raise InputError(f"{out} cannot be written: there is no folder {out.parent}. Make it.")
    try:
        tempfile.TemporaryFile(dir=out.parent).close()
    except OSError as error:
        raise InputError(
            f"{out} cannot be written ({error.strerror}); give a file in another folder."
        ) from error


def check_supervisors(
    items: Items,
    supervisors: Sequence[BaseSupervisor],
    limits: Limits | None = None,
    budget: int | None = None,
    again: Collection[str] = (),
) -> None:
    """Refuse early supervisors that cannot vote on the items.

    Raises:
        ConfigError: as `label`.
        InputError: votes about other ids.
    """
    if again and all(supervisor.server is None for supervisor in supervisors):
        raise ConfigError(
            "`again` asks servers again, and no supervisor asks a server; remove `again`."
        )
    ids = {question.id for question in items.questions}
    classes = items.classes if KINDS[items.kind].has_classes else ()
    for supervisor in supervisors:
        server = supervisor.server
        supervisor.check_task(items.kind)
        supervisor.check_ids(ids)
        if supervisor.prompts is not None:
            supervisor.prompts.check_asking(items.kind, classes)
        if supervisor.needs_labels and items.labelled is None:
            raise ConfigError(
                f"A {supervisor.kind} supervisor is trained on labelled rows; give a file of them "
                "as `labelled`."
            )
        if budget is not None and server is None:
            raise ConfigError(
                f"With `budget` each query depends on earlier answers, and a {supervisor.kind} "
                "supervisor answers all at once; remove `budget`, or use `api` supervisors only."
            )
        if budget is not None and server is not None and server.batch:
            raise ConfigError(
                "With `budget` each query depends on earlier answers, and a batch takes up to a "
                "day; remove `budget` or `batch`."
            )
        if server is None or limits is None or limits.max_cost is None:
            continue
        if not server.price(1, 1):
            raise ConfigError(
                "`max_cost` needs prices; give `price_prompt_per_million` and "
                f"`price_completion_per_million` (of 1,000,000 tokens) of {server.voter}."
            )


@dataclass(frozen=True)
class Plan:
    """What a supervisor would be asked; numbers of tokens are estimates."""

    supervisor: str
    queries: int
    stored: int = 0  # distinct queries that are answered already
    to_ask: int = 0  # distinct queries that are not
    prompt_tokens: int = 0  # estimate for the queries to ask: a quarter of the characters
    completion_tokens: int = 0  # upper bound for the queries to ask
    price: float = 0.0  # upper bound
    served: bool = False  # whether it asks a server
    prices: tuple[float, float] = (0.0, 0.0)  # of 1,000,000 prompt and completion tokens
    batch: bool = False  # whether it is asked in batches, at half of these prices


def plan_queries(
    items: Items,
    supervisors: Sequence[BaseSupervisor],
    out: Path,
    seed: int = 0,
    ledger: Path | None = None,
    again: Collection[str] = (),
) -> list[Plan]:
    """What `label` would ask; nothing is sent, and no votes are written."""
    check_supervisors(items, supervisors, again=again)
    path = ledger_path(out, ledger)
    plans = []
    for supervisor in supervisors:
        prompts, server = supervisor.prompts, supervisor.server
        if server is None:
            queries_each = 1 if prompts is None else len(prompts.query_names(items.kind))
            count = queries_each * len(items.questions) * supervisor.num_voters
            plans.append(Plan(supervisor.kind, count))
            continue
        plans.append(_plan(items, server, path, seed, again))
    return plans


def _plan(items: Items, server: Api, path: Path, seed: int, again: Collection[str]) -> Plan:
    asked = server.ask_all(items.questions, items.kind, items.classes, seed)
    queries = {query.key: query for query in map(server.query_of, asked)}
    with Ledger(path) if path.exists() else nullcontext(InMemory()) as cache:
        stored = find_stored(cache, server.engine, queries.values())
    replies = {key: ServerReply.from_record(record) for key, (_, record) in stored.items()}
    kept = {
        key
        for key, reply in replies.items()
        if not again or server.reason(queries[key].asked, reply) not in again
    }
    todo = [query for key, query in queries.items() if key not in kept]
    read = sum(query.tokens for query in todo)
    written = len(todo) * server.max_new_tokens
    counts = (len(asked), len(kept), len(todo))
    return Plan(
        *(server.voter, *counts, read, written, server.price(read, written)),
        served=True,
        prices=(server.price_prompt_per_million, server.price_completion_per_million),
        batch=server.batch,
    )


def ledger_path(out: Path, ledger: Path | None) -> Path:
    """The file of paid answers, by default beside the votes."""
    return ledger or out.with_name(f"{stem(out)}.ledger.sqlite")

"""What requests one by one and batches share: stored replies, counts, costs, refusals."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from steelyard.errors import ConfigError, SteelyardError
from steelyard.prompts import PromptedQuestion
from steelyard.supervision.api.first_abstentions import FirstAbstentions
from steelyard.supervision.api.http_errors import RequestError
from steelyard.supervision.api.read_reply import ReplyReader, ServerReply
from steelyard.supervision.api.request import (
    CHARACTERS_PER_TOKEN,
    Limits,
    Query,
    ReplyCache,
    RequestProgress,
    family_key,
    output_limit,
)
from steelyard.supervision.api.server_settings import ServerSettings

NOT_ASKED = "not asked"
AbstainsBecause: TypeAlias = Callable[[PromptedQuestion, ServerReply], str]


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A query without a reply. It is not stored: the next run asks again."""

    reason: str  # such as "timeout"; NOT_ASKED where a limit was reached
    retryable: bool = True  # asking again may help; not for a text that is too long


Outcomes: TypeAlias = dict[str, ServerReply | Unanswered]
"""Replies by the key of their query."""


class Model(Protocol):
    """Settings that a message names."""

    @property
    def model(self) -> str: ...

    @property
    def max_new_tokens(self) -> int: ...


def find_stored(
    cache: ReplyCache, engine: str, queries: Iterable[Query]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Stored replies: the query's key -> the key under which it is stored, and the reply.

    A reply that ended by itself under a smaller limit is the reply under a larger one.
    """
    distinct = {query.key: query for query in queries}
    stored = {key: (key, record) for key, record in cache.get(list(distinct)).items()}
    families, limits = {}, {}
    for key, query in distinct.items():
        limit = output_limit(query.body)
        if key not in stored and limit is not None:
            families[key] = family_key(engine, query.body)
            limits[families[key]] = limit
    shorter = cache.get_shorter(limits)
    return stored | {key: shorter[family] for key, family in families.items() if family in shorter}


class StoredReplies:
    """Replies of one model, each stored before it is used and counted once.

    Args:
        server: address, prices, waits.
        max_tokens: largest number of tokens in a reply, for estimates.
        cache: where replies are stored.
        limits: what may be spent.
        watch: receives progress.
        abstains_because: why a reply abstains, or "".
        again: reasons of abstention; stored replies that abstain for one are asked for again.
        model: name of the model, for messages.
    """

    def __init__(
        self,
        server: ServerSettings,
        max_tokens: int,
        cache: ReplyCache,
        limits: Limits | None = None,
        watch: RequestProgress | None = None,
        abstains_because: AbstainsBecause = lambda asked, reply: "",
        again: Collection[str] = (),
        model: str = "the model",
    ) -> None:
        self.server, self.cache = server, cache
        self.reader = ReplyReader(server.secrets())
        self.max_tokens = max_tokens
        self.limits, self.watch = limits or Limits(), watch or RequestProgress()
        self.abstains_because, self.again = abstains_because, frozenset(again)
        self.first = FirstAbstentions(model, server.first_abstentions, max_tokens)
        self.stopped_by = ""  # the limit that was reached
        self.models: Counter[str] = Counter()  # names of the model in the server's replies
        self.asked_again: Counter[str] = Counter()  # reasons of the replies that were retired
        self.replies = 0  # stored ones included
        self._counted: set[str] = set()
        self._renewed: set[str] = set()

    def find(self, queries: Sequence[Query]) -> tuple[Outcomes, list[Query]]:
        """Stored replies by key, and the distinct queries that have none."""
        distinct = {query.key: query for query in queries}
        self.watch.begin(len(distinct))
        outcomes: Outcomes = {}
        retired = []
        stored = find_stored(self.cache, self.server.engine, distinct.values())
        for key, (place, record) in stored.items():
            reason = self.abstains_because(distinct[key].asked, ServerReply.from_record(record))
            if reason in self.again and key not in self._renewed:
                self._renewed.add(key)
                self.asked_again[reason] += 1
                retired.append(place)
            else:
                outcomes[key] = self.use(distinct[key], record, stored=True)
        if retired:
            self.cache.retire(retired)
        return outcomes, [query for key, query in distinct.items() if key not in outcomes]

    def estimate(self, query: Query) -> float:
        """The most that a query may cost."""
        return self.server.price(query.tokens, self.max_tokens)

    def record(self, query: Query, reply: ServerReply) -> dict[str, Any]:
        """A reply as it is stored."""
        prompt = reply.prompt_tokens if reply.prompt_tokens is not None else query.tokens
        completion = reply.completion_tokens
        if completion is None:
            completion = len(reply.text) // CHARACTERS_PER_TOKEN + 1
        return {
            **reply.record(),
            "engine": self.server.engine,
            "model": query.body["model"],
            "request": query.body,
            "price": self.server.price(prompt, completion),
        }

    def use(self, query: Query, record: Mapping[str, Any], stored: bool) -> ServerReply:
        """Count a stored reply.

        Raises:
            UselessRepliesError: it is new, and all replies so far abstain.
        """
        reply, key = ServerReply.from_record(record), query.key
        self.models[reply.served_model] += 1
        if key not in self._counted:  # equal queries of several rounds are paid for once
            self._counted.add(key)
            self.limits.cost += record["price"] or 0.0
        self.replies += 1
        reason = self.abstains_because(query.asked, reply)
        self.first.note(reason, reply.refusal or reply.text)
        self.watch.answered(reason, record["price"] or 0.0, stored)
        if not stored:
            self.first.check()
        return reply

    def lose(self, error: RequestError) -> Unanswered:
        """Count a query that has no reply."""
        self.watch.answered(error.reason, 0.0, stored=False)
        if error.action in ("skip", "ambiguous"):
            self.first.note(error.reason, error.detail)
            self.first.check()
        return Unanswered(error.reason, retryable=error.action in ("retry", "stop first"))

    def refusal(self, error: RequestError) -> SteelyardError:
        """The error that ends the run."""
        server, key = error.address or self.server.named, self.server.key()
        if error.reason == "key refused":
            return ConfigError(
                f"{server} refuses the key in {self.server.api_key_env} ({error.detail}); "
                "set the right key."
                if key
                else f"{server} needs a key ({error.detail}); set {self.server.api_key_env}."
            )
        if error.change:
            return ConfigError(
                f"{server} refuses the request ({error.detail}); {error.change} in the "
                "supervisor's settings."
            )
        if error.action == "ambiguous":
            return ConfigError(
                f"{server} refuses the request ({error.detail}); correct the supervisor's "
                "settings: `extra: {NAME: null}` removes a field of the request."
            )
        if error.action == "stop first":
            return ConfigError(
                f"{server} answers, but not as an OpenAI-compatible server does ({error.detail}); "
                "check `base_url`."
            )
        if error.reason == "no quota":
            return ConfigError(f"{server} does not answer ({error.detail}); check the account.")
        if error.action == "stop":
            return ConfigError(
                f"{server} does not answer ({error.detail or error.reason}); check `base_url`, "
                "`model` and the account."
            )
        if len(self.server.addresses) > 1:
            return SteelyardError(
                f"{self.server.named} do not answer ({error}); are they running, and is `base_url` "
                "right?"
            )
        return SteelyardError(
            f"{server} does not answer ({error}); is it running, and is `base_url` right?"
        )

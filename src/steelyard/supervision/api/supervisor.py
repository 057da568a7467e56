"""A language model behind an OpenAI-compatible server as a weak supervisor."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, JsonValue, field_validator

from steelyard.errors import ConfigError, SteelyardError
from steelyard.extras import require
from steelyard.prompts import PromptedQuestion, PromptSettings, read
from steelyard.supervision.api.batch_jobs import BatchJobs
from steelyard.supervision.api.option_probabilities import goes_on, option_probabilities
from steelyard.supervision.api.read_reply import TOOL_CALL, ServerReply
from steelyard.supervision.api.request import (
    InMemory,
    Limits,
    Query,
    ReplyCache,
    RequestProgress,
    request_key,
)
from steelyard.supervision.api.request_batch import RequestBatch
from steelyard.supervision.api.server_settings import ServerSettings
from steelyard.supervision.api.stored_replies import Unanswered
from steelyard.supervision.api.token_logprobs import with_word_probs
from steelyard.supervision.parsed_replies import ParsedReply, counted_reasons, votes_of
from steelyard.supervision.protocol import PromptedSupervisor, VoteRequest
from steelyard.types import ABSTAIN, Votes
from steelyard.types.task_kinds import KINDS

RESERVED = ("messages", "model", "stream", "n", "seed", "temperature", "top_p", "max_tokens")


class Api(ServerSettings, PromptedSupervisor):
    """Asks a server's chat/completions, K queries for each question, several at the same time.

    A closed question is answered by the text of the reply. Where the server gives
    log-probabilities and at least half of the first token's probability is on options, the vote
    has their distribution, and a reply that is truncated before it can be parsed answers the most
    probable option, unless it goes on after that option's name. Sampled replies (a temperature
    above 0) have no distribution. A reply that cannot be parsed abstains with a reason. Of a tool
    call the arguments are parsed. Every reply is stored in a ledger before it is used.
    """

    version: ClassVar[int] = 2
    uses_ledger: ClassVar[bool] = True
    old_names: ClassVar[Mapping[str, str]] = {**PromptSettings.old_names, "words": "word_probs"}

    kind: Literal["api"] = "api"
    model: str = Field(min_length=1)
    """The model's name on the server."""
    name: str | None = Field(None, min_length=1)
    """Name of the voter; null takes the model's name."""
    system: str | None = None
    """A system message, sent before the question."""
    top_logprobs: int = Field(20, ge=0, le=20)
    """Number of log-probabilities to request of the first token; with 0 only the text is parsed."""
    word_probs: bool = False
    """Request the log-probability of every token of an open answer. Votes then hold the probability
    of each word, for objectives such as `soft`. For sampled replies a server reports the model's
    log-probabilities before or after the temperature, depending on the server."""
    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The server's name for the limit that `max_new_tokens` sets."""
    extra: dict[str, JsonValue] = Field(default_factory=dict)
    """Additional fields of each request, such as
    `{chat_template_kwargs: {enable_thinking: false}}`; null removes a field of the request."""

    @field_validator("extra")
    @classmethod
    def _check_extra(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in value:
            if name in RESERVED and (value[name] is not None or name in RESERVED[:4]):
                raise ValueError(f"must not have {name!r}, which is set elsewhere")
        return value

    @property
    def server(self) -> "Api":
        return self

    def deciding_settings(self) -> dict[str, Any]:
        """With the first address alone: the others have the same model."""
        return {**super().deciding_settings(), "base_url": self.address}

    def check_task(self, kind: str) -> None:
        self.check_asking(kind)
        if KINDS[kind].is_pair and self.answer == "text":
            raise ConfigError(
                "A server chooses the better of two answers by letter; remove `answer: text`."
            )
        if not KINDS[kind].is_open and self.word_probs:
            raise ConfigError(f"`word_probs` is for open answers, and {kind} has none; remove it.")
        if self.word_probs:
            require("`word_probs: true`", "torch")

    @property
    def voter(self) -> str:
        return self.name or self.model.rstrip("/").split("/")[-1]

    def vote(self, request: VoteRequest) -> list[Votes]:
        """Ask about each list of questions; labelled rows are not needed.

        Raises:
            ConfigError: the server refuses the key, the model or the settings.
            SteelyardError: the server no longer answers, or has not answered queries that it may
                answer later.
        """
        kind, classes, asked = request.kind, request.classes, request.questions
        batch = self.asker(InMemory() if request.replies is None else request.replies)
        prompts = [self.ask_all(part, kind, classes, request.seed) for part in asked]
        flat = iter(self.replies([prompt for part in prompts for prompt in part], batch))
        replies = [[next(flat) for _ in part] for part in prompts]
        lost = Counter(reply.reason for part in replies for reply in part if reply.retryable)
        if lost:
            raise SteelyardError(
                f"{lost.total()} of {sum(map(len, prompts))} queries got no answer from "
                f"{self.named} ({counted_reasons(lost)}). Replies so far are stored; run the "
                "same command again to ask the rest."
            )
        names = self.query_names(kind)
        tables = [
            votes_of(kind, questions, classes, (self.voter,), names, part)
            for questions, part in zip(asked, replies, strict=True)
        ]
        if not self.word_probs:
            return tables
        pairs = zip(tables, replies, strict=True)
        return [with_word_probs(votes, part, self.answer_format) for votes, part in pairs]

    def asker(
        self,
        cache: ReplyCache,
        limits: Limits | None = None,
        watch: RequestProgress | None = None,
        again: Collection[str] = (),
    ) -> RequestBatch | BatchJobs:
        """What asks this server, one query at a time or in batches.

        Raises:
            ConfigError: see `ServerSettings.key`.
        """
        kind = BatchJobs if self.batch else RequestBatch
        given = self.max_new_tokens, cache, limits, watch, self.reason
        return kind(self, *given, again=again, model=self.voter)

    def reason(self, asked: PromptedQuestion, reply: ServerReply) -> str:
        """Why a reply abstains; empty where it answers."""
        return self._parse(asked, reply).reason

    def query_of(self, asked: PromptedQuestion) -> Query:
        """The request of a query; its key is a hash of everything that decides the reply."""
        messages = [{"role": "user", "content": asked.prompt}]
        if self.system is not None:
            messages.insert(0, {"role": "system", "content": self.system})
        body: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "temperature": self.temperature,
            "top_p": self.top_p,
            self.max_tokens_name: self.max_new_tokens,
        }
        if self.temperature > 0:
            body["seed"] = asked.seed % 2**31  # servers differ in the largest seed they accept
        elif self.top_logprobs and asked.answers:
            body |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        if self.word_probs:
            body["logprobs"] = True
        body = {name: part for name, part in {**body, **self.extra}.items() if part is not None}
        return Query(request_key({"engine": self.engine, "request": body}), body, asked)

    def replies(
        self, asked: Sequence[PromptedQuestion], batch: RequestBatch | BatchJobs
    ) -> list[ParsedReply]:
        """Ask, and parse the replies; one for each query, in their order."""
        queries = [self.query_of(prompt) for prompt in asked]
        replies = batch.ask(queries)
        pairs = zip(asked, queries, strict=True)
        return [self._parse(prompt, replies[query.key]) for prompt, query in pairs]

    def _parse(self, asked: PromptedQuestion, reply: ServerReply | Unanswered) -> ParsedReply:
        if isinstance(reply, Unanswered):
            return ParsedReply(asked, ABSTAIN, reply.reason, retryable=reply.retryable)
        finish = "content_filter" if reply.refusal else reply.finish_reason
        parsed = read(reply.text, asked, self.answer_format, finish)
        answer, reason, probs = parsed.answer, parsed.reason, None
        if reply.finish_reason == TOOL_CALL and reason in ("empty", "not an answer"):
            reason = "tool call"
        if asked.answers and reason in ("", "cut off"):
            probs = option_probabilities(reply.logprobs, asked.answers)
        if probs is not None and answer == ABSTAIN:  # the first token shows the answer
            first = int(probs.argmax())
            if goes_on(reply.text, asked.answers[first]):
                probs = None
            else:
                answer, reason = first, ""
        if probs is not None and probs[answer] < probs.max():
            probs = None  # the rest of the reply contradicts the first token
        return ParsedReply(
            *(asked, answer, reason, parsed.text, reply.text, probs, reply.served_model),
            tokens=reply.logprobs if self.word_probs else (),
        )

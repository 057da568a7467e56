"""A language model behind an OpenAI-compatible server as a weak supervisor."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, JsonValue, field_validator

from steelyard.errors import ConfigError, SteelyardError
from steelyard.io.atomic import file_sum
from steelyard.prompts import PromptedQuestion, PromptSettings, read
from steelyard.supervision.api.ask_server import RequestBatch, Unanswered
from steelyard.supervision.api.client import ServerReply
from steelyard.supervision.api.option_probabilities import option_probabilities
from steelyard.supervision.api.request import (
    InMemory,
    Limits,
    Query,
    ReplyCache,
    RequestProgress,
    ServerConfig,
    key_of,
)
from steelyard.supervision.api.token_logprobs import with_words
from steelyard.supervision.parsed_replies import ParsedReply, counted, votes_of
from steelyard.supervision.protocol import BaseSupervisor, VoteRequest
from steelyard.types import ABSTAIN, Question, Votes
from steelyard.types.task_kinds import KINDS

KEY_ENV = "STEELYARD_API_KEY"
OURS = ("messages", "model", "stream", "n", "seed", "temperature", "top_p", "max_tokens")


class Api(PromptSettings, BaseSupervisor):
    """Asks a server's chat/completions, K queries about each question, several at a time.

    A closed question is answered by what the reply's text says. Where the server gives
    log-probabilities and half of the first token's mass is on options, the vote has their
    distribution, and a reply that is cut off before it can be read answers the most probable of
    them. Sampled replies (a temperature above 0) have no distribution. What cannot be read
    abstains with a reason. Every reply is kept in a ledger before it counts.
    """

    version: ClassVar[int] = 1
    uses_ledger: ClassVar[bool] = True

    kind: Literal["api"] = "api"
    base_url: str
    """Of the server, such as `http://localhost:8000/v1`; `/chat/completions` comes behind it."""
    model: str = Field(min_length=1)
    """As the server names it."""
    name: str | None = Field(None, min_length=1)
    """Of the voter; None takes the model's."""
    system: str | None = None
    """A message before the question."""
    api_key_env: str = Field(KEY_ENV, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Environment variable that holds the key; a server without keys needs none."""
    concurrency: int = Field(8, ge=1, le=1024)
    """Requests at a time."""
    top_logprobs: int = Field(20, ge=0, le=20)
    """How many log-probabilities to ask for; 0 asks for none and reads the text."""
    words: bool = False
    """Ask for the log-probability of every token of an open answer. Votes then say how sure the
    server is of each word, which a student's objective such as `soft` learns from. Of sampled
    replies a server gives the model's own log-probabilities, or those after the temperature."""
    timeout: float = Field(120.0, gt=0)
    """Seconds that one request may take."""
    tries: int = Field(6, ge=1, le=100)
    """Requests for one answer before it is given up for this run."""
    first_wait: float = Field(1.0, ge=0)
    """Seconds before the second try; each further wait is twice as long."""
    longest_wait: float = Field(60.0, ge=0)
    """Seconds that any wait may take, the server's own wish included."""
    price_prompt: float = Field(0.0, ge=0)
    """Price of 1,000 tokens that are read."""
    price_completion: float = Field(0.0, ge=0)
    """Price of 1,000 tokens that are written."""
    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the server calls the limit of `max_new_tokens`."""
    extra: dict[str, JsonValue] = Field(default_factory=dict)
    """Further fields of each request, such as
    `{chat_template_kwargs: {enable_thinking: false}}`; null leaves one of ours out."""

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good or any(c.isspace() or not c.isprintable() for c in value):
            raise ValueError("must be an address such as `http://localhost:8000/v1`")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "must have no user, password or `?...`: keys come from the environment "
                "(`api_key_env`)"
            )
        if parts.path.rstrip("/").endswith("/chat/completions"):
            raise ValueError("must end before `/chat/completions`, which is put behind it")
        return value.rstrip("/")

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in value:
            if name in OURS and (value[name] is not None or name in OURS[:4]):
                raise ValueError(f"must not have {name!r}, which is set elsewhere")
        return value

    @property
    def prompts(self) -> PromptSettings:
        return self

    @property
    def server(self) -> "Api":
        return self

    def with_paths(self, change: Callable[[str], str]) -> "Api":
        return self.model_copy(update=self.changed_paths(change))

    def check_task(self, kind: str) -> None:
        self.check_asking(kind)
        if KINDS[kind].is_pair and self.answer == "text":
            raise ConfigError(
                "A server judges which of two answers is better, by letter; leave `answer` out."
            )
        if not KINDS[kind].is_open and self.words:
            raise ConfigError(f"`words` are of open answers, and {kind} has none; leave them out.")

    def inputs(self) -> dict[str, str]:
        """The paraphrases; which weights answer, only the server knows."""
        return {} if self.paraphrases is None else {"paraphrases": file_sum(Path(self.paraphrases))}

    @property
    def voter(self) -> str:
        return self.name or self.model.rstrip("/").split("/")[-1]

    def vote(self, request: VoteRequest) -> list[Votes]:
        """Ask about each list of questions; labelled rows are not needed.

        Raises:
            ConfigError: the server refuses the key, the model or the settings.
            SteelyardError: the server has gone, or left queries unanswered that it may answer
                another time.
        """
        kind, classes, asked = request.kind, request.classes, request.questions
        inquiry = self.inquiry(InMemory() if request.replies is None else request.replies)
        parts = [self.queries_about(kind, part, classes, request.seed) for part in asked]
        said = iter(self.replies([one for part in parts for one in part], inquiry))
        heard = [[next(said) for _ in part] for part in parts]
        lost = Counter(one.reason for part in heard for one in part if one.again)
        if lost:
            raise SteelyardError(
                f"{lost.total()} of {sum(map(len, parts))} queries got no answer from "
                f"{self.base_url} ({counted(lost)}). What was answered is kept; the same command "
                "asks for the rest."
            )
        found = []
        for questions, part in zip(asked, heard, strict=True):
            queries = self.query_names(kind)
            votes = votes_of(kind, questions, classes, (self.voter,), queries, part)
            found.append(with_words(votes, part, self.reader) if self.words else votes)
        return found

    def queries_about(
        self, kind: str, questions: Sequence[Question], classes: tuple[str, ...], seed: int
    ) -> list[PromptedQuestion]:
        """All queries about each question, in their order."""
        numbers = range(len(self.query_names(kind)))
        return [self.ask(one, kind, classes, q, seed) for one in questions for q in numbers]

    def inquiry(
        self,
        answers: ReplyCache,
        limits: Limits | None = None,
        watch: RequestProgress | None = None,
    ) -> RequestBatch:
        """What asks this server.

        Raises:
            ConfigError: the environment has no key under a name other than the default one, or
                one that cannot be sent.
        """
        key = os.environ.get(self.api_key_env, "").strip()
        if not key and self.api_key_env != KEY_ENV:
            raise ConfigError(
                f"The environment has no {self.api_key_env}; set it to the key of {self.base_url}."
            )
        if not all("!" <= c <= "~" for c in key):
            raise ConfigError(
                f"{self.api_key_env} has a character that no key has; set it to the key alone."
            )
        terms = ServerConfig(
            key=key,
            key_env=self.api_key_env,
            max_tokens=self.max_new_tokens,
            **self.model_dump(
                include={
                    *("base_url", "concurrency", "timeout", "tries"),
                    *("first_wait", "longest_wait", "price_prompt", "price_completion"),
                }
            ),
        )
        return RequestBatch(terms, answers, limits, watch, lambda *pair: self._read(*pair).reason)

    def query(self, asked: PromptedQuestion) -> Query:
        """The request of one query, under the hash of all that decides its answer."""
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
            body["seed"] = asked.seed % 2**31  # servers differ in how large a seed they take
        elif self.top_logprobs and asked.answers:
            body |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        if self.words:
            body["logprobs"] = True
        body = {name: part for name, part in {**body, **self.extra}.items() if part is not None}
        return Query(key_of({"engine": self.base_url, "request": body}), body, asked)

    def replies(
        self, asked: Sequence[PromptedQuestion], inquiry: RequestBatch
    ) -> list[ParsedReply]:
        """Ask, and read the replies; one for each query, in their order."""
        queries = [self.query(one) for one in asked]
        said = inquiry.ask(queries)
        return [self._read(one, said[query.key]) for one, query in zip(asked, queries, strict=True)]

    def _read(self, asked: PromptedQuestion, reply: ServerReply | Unanswered) -> ParsedReply:
        if isinstance(reply, Unanswered):
            return ParsedReply(asked, ABSTAIN, reply.reason, again=reply.again)
        finish = "content_filter" if reply.refusal else reply.finish_reason
        reading = read(reply.text, asked, self.reader, finish)
        answer, reason = reading.answer, reading.reason
        probs = None
        if asked.answers and reason in ("", "cut off"):
            probs = option_probabilities(reply.logprobs, asked.answers)
        if probs is not None and answer == ABSTAIN:  # the first token says what the rest would
            answer, reason = int(probs.argmax()), ""
        if probs is not None and probs[answer] < probs.max():
            probs = None  # the reply goes on to say otherwise
        return ParsedReply(
            *(asked, answer, reason, reading.text, reply.text, probs, reply.served_model),
            tokens=reply.logprobs if self.words else (),
        )

"""`steelyard label`: ask supervisors about a file of questions, durably."""

import shlex
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import ValidationError, create_model

from steelyard.errors import ConfigError, SteelyardError
from steelyard.io.yaml_file import MAX_BYTES, MAX_SEED, read_yaml
from steelyard.labelling import LabellingResult, check_out, label, plan, read_items
from steelyard.supervision.api.request import Limits
from steelyard.supervision.api.supervisor import Api
from steelyard.supervision.parsed_replies import counted

PERIOD = 2.0  # seconds between lines of progress


def label_data(
    data: Path,
    supervisors: list[str],
    out: Path,
    *,
    labelled: Path | None,
    task: str | None,
    columns: list[str],
    seed: int,
    ledger: Path | None,
    max_requests: int | None,
    max_cost: float | None,
    dry_run: bool,
    adaptive: bool,
    budget: int | None,
) -> None:
    """Read everything, ask, and print what came of it."""
    _check_options(seed, max_requests, max_cost, adaptive, budget)
    check_out(out)
    for name, path in (("DATA", data), ("--labelled", labelled), ("--ledger", ledger)):
        if path is not None and path.resolve() == out.resolve():
            raise ConfigError(f"`--out` and {name} are the same file, {out}; give another --out.")
    if labelled is not None and labelled.resolve() == data.resolve():
        raise ConfigError(
            f"--labelled and DATA are the same file, {data}; a supervisor that has seen the "
            "answers would only repeat them. Give other rows with --labelled."
        )
    specs = [_read_spec(text) for text in supervisors]
    classes = _same_classes([names for _, names in specs])
    asked = [one for one, _ in specs]
    renamed = dict(_column(text) for text in columns)
    items = read_items(data, task=task, classes=classes, labelled=labelled, columns=renamed)
    if dry_run:
        for line in _planned(plan(items, asked, out, seed, ledger), len(items.questions)):
            print(line)
        return
    limits = Limits(max_requests, max_cost)
    with Progress() as watch:
        result = label(
            items, asked, out, seed=seed, ledger=ledger, limits=limits, budget=budget, watch=watch
        )
    for line in _summary(result, asked):
        print(line)
    if result.stopped_by:
        higher = " with a higher one" if "cost" in result.stopped_by else ""
        raise SteelyardError(
            f"{result.stopped_by} is reached: {result.votes:,} votes are in {out}, the rest was "
            f"not asked. The same command{higher} goes on, and pays for none of them again."
        )


def _check_options(
    seed: int, max_requests: int | None, max_cost: float | None, adaptive: bool, budget: int | None
) -> None:
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"`--seed` must be from 0 to {MAX_SEED}, got {seed}.")
    if max_requests is not None and max_requests < 1:
        raise ConfigError(f"`--max-requests` must be at least 1, got {max_requests}.")
    if max_cost is not None and not 0 < max_cost < float("inf"):
        raise ConfigError(f"`--max-cost` must be a number above 0, got {max_cost}.")
    if adaptive != (budget is not None):
        raise ConfigError("`--adaptive` and `--budget N` (queries in all) go together; give both.")
    if budget is not None and budget < 1:
        raise ConfigError(f"`--budget` must be at least 1 query, got {budget}.")


def _read_spec(text: str) -> tuple[Any, tuple[str, ...] | None]:
    """A supervisor of a YAML file, or of YAML in braces, and the classes that it names.

    Raises:
        ConfigError: no such file, not YAML, or settings that cannot work.
    """
    path, source = Path(text), "--supervisor"
    if not text.lstrip().startswith("{"):
        source = path.name
        try:
            size = path.stat().st_size
            text = path.read_text(encoding="utf-8") if size <= MAX_BYTES else ""
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be read: {error.strerror}. Give a file with a supervisor's "
                "settings, or the settings as '{kind: ..., ...}'."
            ) from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is not UTF-8 text (byte {error.start}).") from error
        if size > MAX_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_BYTES} bytes; settings are a few lines.")
    words = read_yaml(text, source)
    if not isinstance(words, dict):
        raise ConfigError(f"{source} must be `key: value` settings, such as `kind: api`.")
    classes = _classes(words.pop("classes", None), source)
    one = _supervisor(words, source)
    if source != "--supervisor":  # paths start from the file's folder
        moved = {
            name: str(path.parent / getattr(one, name))
            for name in ("path", "paraphrases")
            if getattr(one, name, None) is not None
        }
        one = one.model_copy(update=moved)
    return one, classes


def _supervisor(words: dict[str, Any], source: str) -> Any:
    """A supervisor of its settings; one behind a server without loading what models need."""
    try:
        return Api.model_validate({"kind": None, **words})
    except ValidationError:
        return _any_supervisor(words, source)


def _any_supervisor(words: dict[str, Any], source: str) -> Any:
    """Validated as a study's, so that mistakes are said in the same words."""
    from steelyard.studies.config import sentence
    from steelyard.studies.parts import AnySupervisor

    specs = create_model("Specs", supervisors=tuple[AnySupervisor, ...])
    try:
        (one,) = specs.model_validate({"supervisors": [words]}).supervisors  # type: ignore[attr-defined]
    except ValidationError as error:
        said = sentence(error).replace("supervisors.0.", "").replace("`supervisors.0`", "It")
        raise ConfigError(f"{source}: {said}") from error
    return one


def _classes(names: Any, source: str) -> tuple[str, ...] | None:
    if names is None:
        return None
    good = isinstance(names, list) and len(names) >= 2
    if not good or not all(isinstance(name, str) and name.strip() for name in names):
        raise ConfigError(
            f"{source}: `classes` must be a list of at least two names, got {str(names)[:80]}; "
            "numbers and words such as yes are put in quotes."
        )
    if len(set(names)) < len(names):
        raise ConfigError(f"{source}: `classes` has a name twice, got {names}.")
    return tuple(names)


def _same_classes(found: list[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    named = {names for names in found if names is not None}
    if len(named) > 1:
        raise ConfigError("The supervisors' files name different `classes`; write them one way.")
    return named.pop() if named else None


def _column(text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not equals or not ours or not theirs:
        raise ConfigError(f"`--column` takes our name=the file's, as text=sentence; got {text!r}.")
    return ours, theirs


def _planned(plans: list[Any], questions: int) -> list[str]:
    lines = [f"{questions:,} questions; nothing was asked (tokens: a quarter of the characters)"]
    for one in plans:
        line = f"{one.supervisor}: {one.queries:,} queries"
        if one.served:
            line += (
                f", {one.stored:,} answered already; to ask {one.to_ask:,}, about "
                f"{one.prompt_tokens:,} tokens to read and at most {one.completion_tokens:,} to "
                f"write, price at most {one.price:.4f}"
            )
        lines.append(line)
    return lines


def _summary(result: LabellingResult, supervisors: list[Any]) -> list[str]:
    abstained = result.abstained.total()
    share = abstained / max(result.votes, 1)
    lines = [
        f"{result.votes:,} votes of {len(result.voters):,} voters on {result.items:,} questions; "
        f"{abstained:,} abstain ({share:.1%})"
        + (f": {counted(result.abstained)}" if abstained else "")
    ]
    if result.requests or result.cost:
        lines.append(f"{result.requests:,} requests, cost of all answers {result.cost:.4f}")
    if result.spare and not result.stopped_by:
        lines.append(
            f"note: {result.spare:,} queries of the budget are left: every question was asked in "
            "every way there is"
        )
    if len(result.models) > len(supervisors):
        names = ", ".join(f"{name} {count:,}" for name, count in result.models.most_common(5))
        lines.append(f"note: the served model changed its name: {names}")
    if result.lost:
        lines.append(
            f"note: {result.lost.total():,} queries got no answer ({counted(result.lost)}); "
            "the same command asks for them again"
        )
    lines.append(f"votes: {result.out}")
    words = ["steelyard", "weigh", str(result.out)]
    if result.classes is not None:
        words += ["--classes", str(result.classes)]
    else:
        words += ["--answers", getattr(supervisors[0], "reader", None) or "text"]
    lines.append(f"next: {shlex.join([*words, '--out', 'weighed'])}")
    return lines


class Progress:
    """Lines on stderr: done of all, rate, cost, time left, abstentions by reason."""

    def __init__(self) -> None:
        self.start = self._last = time.monotonic()
        self._said = 0
        self.queries, self.done, self.stored, self.cost = 0, 0, 0, 0.0
        self.reasons: Counter[str] = Counter()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self.done > self._said:
            self._say()

    def begin(self, queries: int) -> None:
        """So many more queries are to be answered."""
        self.queries += queries

    def answered(self, reason: str, price: float, stored: bool) -> None:
        """One has its answer, or abstains for a reason."""
        self.done += 1
        self.stored += stored
        self.cost += price
        if reason:
            self.reasons[reason] += 1
        self._now_and_then()

    def waits(self, seconds: float, reason: str) -> None:
        """A fault is waited out."""
        self._now_and_then(f"; {reason}, waiting {seconds:.1f} s")

    def _now_and_then(self, more: str = "") -> None:
        if time.monotonic() - self._last >= PERIOD:
            self._last = time.monotonic()
            self._say(more)

    def _say(self, more: str = "") -> None:
        self._said = self.done
        seconds = max(time.monotonic() - self.start, 1e-9)
        rate = (self.done - self.stored) / seconds
        left = (self.queries - self.done) / rate if rate else 0.0
        parts = [f"{seconds:7.1f} s  {self.done:,}/{self.queries:,}", f"{rate:.1f}/s"]
        if self.cost:
            parts.append(f"cost {self.cost:.4f}")
        if left:
            parts.append(f"{left:.0f} s left")
        if self.reasons:
            parts.append(f"abstained {self.reasons.total():,} ({counted(self.reasons)})")
        print("  ".join(parts) + more, file=sys.stderr, flush=True)

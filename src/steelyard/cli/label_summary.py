"""What `steelyard label` prints at the end, and in a dry run."""

import shlex
from typing import Any

from steelyard.io.counted import counted
from steelyard.labelling import LabellingResult, Plan
from steelyard.supervision.api.first_abstentions import change_for
from steelyard.supervision.parsed_replies import counted_reasons


def plan_lines(plans: list[Plan], questions: int) -> list[str]:
    """What a dry run prints."""
    lines = [
        f"{counted(questions, 'question')}; nothing was sent "
        "(tokens are estimated: a quarter of the characters)"
    ]
    for entry in plans:
        line = f"{entry.supervisor}: {entry.queries:,} queries"
        if entry.served:
            line += (
                f", {entry.stored:,} answered already, {entry.to_ask:,} to send: about "
                f"{entry.prompt_tokens:,} prompt tokens and at most {entry.completion_tokens:,} "
                f"completion tokens, price at most {entry.price:.4f}"
            )
            if any(entry.prices):
                prompt, completion = entry.prices
                half = ", half of it in a batch" if entry.batch else ""
                line += f" ({prompt:g} for a million prompt tokens, {completion:g} for a million "
                line += f"completion tokens{half})"
        lines.append(line)
    return lines


def summary_lines(result: LabellingResult, supervisors: list[Any]) -> list[str]:
    """What came of a run, and the next command."""
    abstained = result.abstained.total()
    share = abstained / max(result.votes, 1)
    lines = [
        f"{counted(result.votes, 'vote')} of {counted(len(result.voters), 'voter')} on "
        f"{counted(result.items, 'question')}; {abstained:,} abstain ({share:.1%})"
        + (f": {counted_reasons(result.abstained)}" if abstained else "")
    ]
    if abstained and abstained == result.votes and abstained > result.unanswered.total():
        lines.append(
            f"note: no vote has an answer; {change_for(result.abstained.most_common(1)[0][0])}"
        )
    lines += [f"asked: {note}" for note in result.notes]
    lines += [f"warning: {sentence}" for sentence in result.warnings]
    if result.requests or result.cost:
        lines.append(
            f"{counted(result.requests, 'request')}, cost of all answers {result.cost:.4f}"
        )
    if result.unused_budget and not result.stopped_by:
        lines.append(
            f"note: {result.unused_budget:,} queries of the budget are left: every question was "
            "asked with every prompt variant"
        )
    if len(result.models) > len(supervisors):
        names = ", ".join(f"{name} {count:,}" for name, count in result.models.most_common(5))
        lines.append(f"note: the name of the served model changed: {names}")
    if result.unanswered:
        lines.append(
            f"note: {result.unanswered.total():,} queries got no answer "
            f"({counted_reasons(result.unanswered)}); the same command sends them again"
        )
    lines.append(f"votes: {result.out}")
    arguments = ["steelyard", "weigh", str(result.out)]
    if result.classes is not None:
        arguments += ["--classes", str(result.classes)]
    else:
        arguments += ["--answers", getattr(supervisors[0], "answer_format", None) or "text"]
    if len(result.voters) == 1 and len(result.queries) > 1:
        arguments += ["--by-query"]
        lines.append(
            "note: the votes are answers of one model to several prompts; where they agree, the "
            "model is consistent, which need not mean accurate"
        )
    lines.append(f"next: {shlex.join([*arguments, '--out', 'weighed'])}")
    return lines

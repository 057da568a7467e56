"""The options that the lines of a reply choose, deny or score."""

import re

from steelyard.prompts import reply_fields as fields
from steelyard.prompts import reply_words as words
from steelyard.prompts.findings import Findings
from steelyard.prompts.option_names import OptionNames, plain_line
from steelyard.prompts.read_json import LONGEST_LINE, read_value
from steelyard.prompts.read_sentences import FIELD, read_line

BULLET = re.compile(r"^\s*(?:[-*\u2022+]|[-=]>|\u2192|\d{1,2}[.)](?=\s*\D))\s+")
MARKED = re.compile(
    r"\[\[([^\[\]]{1,80})\]\]|\\boxed\s*\{(?:\\text\s*\{)?([^{}]{1,80})\}"
    r"|<(?:answer|label|choice|verdict|final_answer|rating|score)>([^<>]{1,80})</"
)
PREFERS = re.compile(r"(\w+)\s*(>{1,3}|<{1,3})\s*(\w+)")
ENDED = re.compile(r"[.!?:)*\"'`]\s*$")
LOWEST = re.compile(
    r"\b(?:lower is better|rank|ranking|ranked|penalt|errors?\b|distance)", re.IGNORECASE
)


def read_reply_lines(text: str, names: OptionNames, findings: Findings, truncated: bool) -> None:
    """Add what the lines of a text say."""
    before = ""
    skipping = introduced = False
    lines = text.split("\n")
    for i, raw in enumerate(lines):
        line = BULLET.sub("", raw)
        if not line.strip():
            continue
        open_end = truncated and i == len(lines) - 1
        heading = FIELD.fullmatch(plain_line(line[:LONGEST_LINE])) if ":" in line else None
        skipping = bool(heading and fields.key_kind(heading[1], names) == "denied") or (
            skipping and not heading and bool(BULLET.match(raw))
        )
        if _prefers(line, names, findings) or _marked(line, names, findings):
            findings.tail, before = "", line
            continue
        box = re.match(r"\s*\[.?\]\s", line)
        whole = frozenset() if box else names.exact(line.strip(" *_`\"'()[].,;"))
        if whole and not open_end:
            introduced = introduced if names.exact(before) else _introduces(before, names)
            if introduced:
                findings.state(whole)
        elif not skipping:
            read_line(line[:LONGEST_LINE], names, findings, open_end, True)
        before = line.strip(" *_`\"'()[].,;") if whole else line
    if LOWEST.search(text) and any(not isinstance(s.value, bool) for s in findings.scores):
        findings.scores = [s for s in findings.scores if isinstance(s.value, bool)]


def _prefers(line: str, names: OptionNames, findings: Findings) -> bool:
    """Whether a line is a comparison of two letters, "A > B" or "[[B>>A]]"; adds the better one."""
    match = PREFERS.fullmatch(line.strip(" *_`\"'()[].")) if names.letters else None
    if match is None or not {match[1].casefold(), match[3].casefold()} <= set(names.letters):
        return False
    findings.state({names.letters[match[1 if ">" in match[2] else 3].casefold()]})
    return True


def _marked(line: str, names: OptionNames, findings: Findings) -> bool:
    """Whether a line marks its answer, `[[A]]`, `\\boxed{A}` or `<answer>A</answer>`; adds it."""
    marked = [next(filter(None, m.groups())) for m in MARKED.finditer(line)]
    for answer in marked:
        if not _prefers(answer, names, findings):
            read_value(answer, names, findings)
    return bool(marked)


def _introduces(before: str, names: OptionNames) -> bool:
    """Whether the answer may stand alone in the line after this one."""
    line = plain_line(before)
    if not line:
        return True
    if words.NOT_NAME.search(f"{line} "):
        return False
    if line.endswith(":") or not ENDED.search(before):
        return fields.key_kind(line.strip(" :#*").split(":")[-1], names) == "answer" or bool(
            re.search(rf"{words.BEFORE['answer']}$", f"{line.casefold().strip(' :')} ")
        )
    return not re.search(r"\b(?:following|these|below|reject|rule|exclud)", line, re.IGNORECASE)

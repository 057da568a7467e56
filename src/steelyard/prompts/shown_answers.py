"""How the answers of a question are shown in its prompt, and spelled behind it."""

from collections.abc import Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def listed_options(
    shown: Sequence[str], order: Sequence[int], *, lettered: bool
) -> tuple[str, tuple[str, ...]]:
    """The text of `{options}`, and the answer of each candidate.

    >>> listed_options(("no", "yes"), (1, 0), lettered=True)
    ('A. yes\\nB. no', (' B', ' A'))
    """
    if not lettered:
        return "\n".join(f"- {shown[c]}" for c in order), tuple(f" {text}" for text in shown)
    marks = LETTERS if len(shown) <= len(LETTERS) else tuple(map(str, range(1, len(shown) + 1)))
    mark = dict(zip(order, marks, strict=False))
    lines = [f"{mark[c]}. {shown[c]}" for c in order]
    return "\n".join(lines), tuple(f" {mark[c]}" for c in range(len(shown)))


def set_off(prompt: str, answer: str) -> str:
    """The answer as the continuation of the prompt: after a space, unless one of the two has it.

    >>> set_off("Why?", "Because."), set_off("Why?\\n", "Because.")
    (' Because.', 'Because.')
    """
    joined = not prompt or prompt[-1].isspace() or answer[:1].isspace()
    return answer if joined else f" {answer}"


def either(names: Sequence[str]) -> str:
    """ "A, B or C" """
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))

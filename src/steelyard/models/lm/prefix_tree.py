"""Prompts and answers of one question as a tree of tokens, read in one forward pass.

Texts with a common beginning share one path of the tree: its tokens are computed once, and each
token attends to its ancestors only, at the position that it has in its own text. The result is that
of reading every text alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steelyard.types import Ints


@dataclass(frozen=True, eq=False)
class Tree:
    """S tokens; those whose next token is predicted come last."""

    tokens: Ints  # (S,)
    depth: Ints  # (S,), position of each token in its text
    sees: npt.NDArray[np.bool_]  # (S, S), itself and its ancestors
    asked: int  # how many of the last tokens predict the next one
    node: Ints  # (A,) node of the token before an answer's token
    following: Ints  # (A,) that answer's token
    text: Ints  # (A,) number of its text

    def __len__(self) -> int:
        return len(self.tokens)


def tree_of(prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Tree:
    """The tree of texts `prompts[i] + answers[i]`; an answer's last token is predicted, not read.

    Args:
        prompts: token ids, at least one each.
        answers: token ids, at least one each.
    """
    tokens: list[int] = []
    parent: list[int] = []
    child: dict[tuple[int, int], int] = {}
    wanted: list[tuple[int, int, int]] = []
    ends: dict[tuple[int, ...], int] = {}  # node at the end of each distinct prompt
    for i, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        start = tuple(prompt)
        end = ends.get(start, -1)
        rest = answer[:-1] if end >= 0 else [*prompt, *answer[:-1]]
        path = [end]
        for token in rest:
            following = child.setdefault((path[-1], token), len(tokens))
            if following == len(tokens):
                tokens.append(token)
                parent.append(path[-1])
            path.append(following)
        ends[start] = path[-len(answer)]
        wanted += [(n, t, i) for n, t in zip(path[-len(answer) :], answer, strict=True)]
    return _arranged(np.array(tokens), np.array(parent), np.array(wanted, dtype=np.int64))


def _arranged(tokens: Ints, parent: Ints, wanted: Ints) -> Tree:
    """The tree with the nodes that predict behind the others."""
    size = len(tokens)
    depth = np.zeros(size, dtype=np.int64)
    sees = np.zeros((size, size), dtype=bool)
    for node, above in enumerate(parent):  # parents come before their children
        if above >= 0:
            depth[node] = depth[above] + 1
            sees[node] = sees[above]
        sees[node, node] = True
    is_asked = np.zeros(size, dtype=bool)
    is_asked[wanted[:, 0]] = True
    order = np.argsort(is_asked, kind="stable")
    position = np.empty(size, dtype=np.int64)
    position[order] = np.arange(size)
    return Tree(
        tokens=tokens[order],
        depth=depth[order],
        sees=sees[np.ix_(order, order)],
        asked=int(is_asked.sum()),
        node=position[wanted[:, 0]],
        following=wanted[:, 1],
        text=wanted[:, 2],
    )

"""A tree holds every text, and no beginning twice."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from steelyard.models.lm.prefix_tree import tree_of


def test_a_tree_by_hand() -> None:
    """[1 2] + [3 | 4 5] and [1 6] + [3]: the tree 1 -> (2 -> 4, 6); nodes 2, 4 and 6 are asked."""
    tree = tree_of([[1, 2], [1, 2], [1, 6]], [[3], [4, 5], [3]])
    assert tree.tokens.tolist() == [1, 2, 4, 6]
    assert tree.depth.tolist() == [0, 1, 2, 1]
    assert tree.sees.astype(int).tolist() == [
        [1, 0, 0, 0],
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [1, 0, 0, 1],
    ]
    assert tree.asked == 3
    assert list(zip(tree.node, tree.following, tree.text, strict=True)) == [
        (1, 3, 0),
        (1, 4, 1),
        (2, 5, 1),
        (3, 3, 2),
    ]


TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=5)


@given(st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=6))
def test_a_tree_has_every_text(texts: list[tuple[list[int], list[int]]]) -> None:
    """The path to each asked node is the text up to it, and no beginning stands twice."""
    prompts, answers = [list(part) for part in zip(*texts, strict=True)]
    tree = tree_of(prompts, answers)
    found = []
    for node, following, text in zip(tree.node, tree.following, tree.text, strict=True):
        path = np.flatnonzero(tree.sees[node])
        path = path[np.argsort(tree.depth[path])]
        found.append((int(text), [*tree.tokens[path].tolist(), int(following)]))
    wanted = [
        (i, prompt + answer[: j + 1])
        for i, (prompt, answer) in enumerate(texts)
        for j in range(len(answer))
    ]
    assert found == wanted
    beginnings = {tuple((p + a)[:end]) for p, a in texts for end in range(1, len(p + a))}
    assert len(tree) == len(beginnings)
    assert tree.node.min() >= len(tree) - tree.asked

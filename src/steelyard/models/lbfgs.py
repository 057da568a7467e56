"""Several convex functions minimised side by side, each with its own L-BFGS."""

from collections.abc import Callable

import numpy as np

from steelyard.types import Floats, Ints

MEMORY = 10  # earlier steps that estimate the curvature
SMALLEST = 1e-12  # smallest share of a step that is tried
DECREASE = 1e-4  # share of the expected decrease that is enough


def minimise(
    evaluate: Callable[[Floats, Ints], tuple[Floats, Floats]],
    inverse: Floats,
    tolerance: Floats,
    steps: int,
) -> Floats | None:
    """The minima of H functions of P numbers, (H, P), from 0; None if one does not converge.

    Functions that have converged are removed. A step is halved until it decreases enough.

    Args:
        evaluate: values (h,) and slopes (h, P) of the functions with the given numbers (h,), at
            points (h, P).
        inverse: (H, P), positive; about 1 / curvature of each function in each number.
        tolerance: (H,), largest slope at which a function has converged.
        steps: most steps of any function.

    Source: Liu and Nocedal 1989, doi:10.1007/BF01589116, algorithm 2.1 (with backtracking, which
        suffices for convex functions; steps of too little curvature are not used).
    """
    solution = np.zeros_like(inverse)
    active, points = np.arange(len(inverse)), np.zeros_like(inverse)
    values, slopes = evaluate(points, active)
    moves = np.zeros((MEMORY, *points.shape))
    changes = np.zeros((MEMORY, *points.shape))
    scales = np.zeros((MEMORY, len(points)))  # 1 / (move . change), 0 for one that is not used
    for step in range(steps):
        near = np.abs(slopes).max(axis=1) <= tolerance[active]
        if near.any():
            solution[active[near]] = points[near]
            rest = ~near
            active, points, values, slopes = active[rest], points[rest], values[rest], slopes[rest]
            moves, changes, scales = moves[:, rest], changes[:, rest], scales[:, rest]
            if not len(active):
                return solution
        newest = [k % MEMORY for k in range(step - 1, max(0, step - MEMORY) - 1, -1)]
        direction = _direction(slopes, inverse[active], moves, changes, scales, newest)
        ahead, values, new = _line_search(evaluate, active, points, values, slopes, direction)
        k = step % MEMORY
        moves[k], changes[k] = ahead - points, new - slopes
        curved = _dot(moves[k], changes[k])
        enough = curved > 1e-14 * _dot(changes[k], inverse[active] * changes[k])
        scales[k] = np.where(enough, 1 / np.where(enough, curved, 1), 0)
        points, slopes = ahead, new
    return None


def _direction(
    slopes: Floats,
    inverse: Floats,
    moves: Floats,
    changes: Floats,
    scales: Floats,
    newest: list[int],
) -> Floats:
    """The two loops of L-BFGS: minus an estimate of the inverse Hessian times the slopes."""
    direction = -slopes
    parts = {}
    for k in newest:
        parts[k] = scales[k] * _dot(moves[k], direction)
        direction -= parts[k][:, None] * changes[k]
    direction *= inverse
    for k in reversed(newest):
        direction += (parts[k] - scales[k] * _dot(changes[k], direction))[:, None] * moves[k]
    return direction


def _line_search(
    evaluate: Callable[[Floats, Ints], tuple[Floats, Floats]],
    active: Ints,
    points: Floats,
    values: Floats,
    slopes: Floats,
    direction: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Points, values and slopes of each function after a step that decreases it enough."""
    decrease = DECREASE * _dot(slopes, direction)
    rounding = 1e-12 * np.abs(values)
    ahead, after, new = np.empty_like(points), np.empty_like(values), np.empty_like(slopes)
    todo, size = np.arange(len(points)), 1.0
    while len(todo) and size > SMALLEST:
        ahead[todo] = points[todo] + size * direction[todo]
        after[todo], new[todo] = evaluate(ahead[todo], active[todo])
        todo = todo[~(after[todo] <= values[todo] + size * decrease[todo] + rounding[todo])]
        size /= 2
    return ahead, after, new


def _dot(a: Floats, b: Floats) -> Floats:
    product: Floats = np.einsum("hp,hp->h", a, b)
    return product

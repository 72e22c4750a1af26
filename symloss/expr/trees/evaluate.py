"""Trees over numpy with forward-mode derivatives in `p`: fast enough to look at every candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symloss.expr.arrays import NUMPY
from symloss.expr.operator import Operator, apply_body
from symloss.expr.operators import OPERATORS
from symloss.expr.trees.program import Program

__all__ = ["slopes"]

Array = NDArray[np.float64]
Dual = tuple[Any, Any]
"""A value and its derivative in `p`; the derivative is None where it is zero everywhere."""


def slopes(
    program: Program,
    y: Array,
    p: Array,
    edges: Sequence[float | Array] | None = None,
    symbols: Mapping[str, Any] | None = None,
) -> tuple[Array, Array]:
    """`M(y, p)` and `dM/dp` elementwise in float64; what is not finite is left as it is.

    Args:
        program: the tree.
        y, p: of one shape.
        edges: one coefficient an edge, or several as an array that broadcasts with `p`; ones unless given.
        symbols: values of `C`, `pi`, `w` where the tree speaks of them.

    >>> slopes(Program(("square", "sub", "y", "p")), np.array([1.0]), np.array([3.0]))
    (array([4.]), array([4.]))
    """
    operators = program.registry.operators
    duals: list[Dual] = [(0.0, None)] * program.size
    with np.errstate(all="ignore"):
        # In prefix order children come after their parent: backwards, every operand is ready.
        for i in range(program.size - 1, -1, -1):
            token, children = program.tokens[i], program.children(i)
            if children:
                dual = _apply(operators[token], [duals[child] for child in children])
            else:
                dual = _leaf(token, y, p, symbols or {})
            scale = edges[i - 1] if edges is not None and i else 1.0
            # Most edges are 1, and multiplying an array by 1 costs what an operator costs.
            if isinstance(scale, np.ndarray) or scale != 1.0:
                dual = (dual[0] * scale, None if dual[1] is None else dual[1] * scale)
            duals[i] = dual
        value, slope = duals[0]
        shape = np.broadcast_shapes(np.shape(value), p.shape)
        # A tree of constants is one number, and gets the shape that callers count on.
        return np.broadcast_to(value, shape), np.zeros(shape) if slope is None else np.broadcast_to(
            slope, shape
        )


def _leaf(token: str, y: Array, p: Array, symbols: Mapping[str, Any]) -> Dual:
    if token == "p":
        return p, np.ones_like(p)
    if token == "y":
        return y, None
    if token == "m":
        # m = y p with y = +-1: dm/dp = y.
        return y * p, y
    value = symbols.get(token)
    # numpy's own numbers: a division by zero is infinite, as in an array.
    return value if isinstance(value, np.ndarray) else np.float64(token if value is None else value), None


def _apply(operator: Operator, duals: Sequence[Dual]) -> Dual:
    if operator.body is not None:
        return _dual(apply_body(operator.body, _inner, duals))
    if len(duals) == 1:
        ((a, slope),) = duals
        value = operator.value(NUMPY, a)
        return value, None if slope is None else _times(slope, operator.first(NUMPY, value, a)[0])
    (a, left), (b, right) = duals
    value = operator.value(NUMPY, a, b)
    if left is None and right is None:
        return value, None
    # df(a, b)/dp = f_a a' + f_b b'; None, a derivative that is 0 everywhere, costs no array.
    by_a, by_b = operator.first(NUMPY, value, a, b)
    left, right = _times(left, by_a), _times(right, by_b)
    return value, left if right is None else right if left is None else left + right


def _inner(name: str, *operands: Any) -> Dual:
    return _apply(OPERATORS[name], [_dual(operand) for operand in operands])


def _dual(a: Any) -> Dual:
    """A constant in the body of a registered operator is a bare number."""
    return a if isinstance(a, tuple) else (np.float64(a), None)


def _times(slope: Any, partial: Any) -> Any:
    if slope is None or partial is None:
        return None
    return slope if isinstance(partial, float) and partial == 1.0 else slope * partial

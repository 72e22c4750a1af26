"""Trees over numpy with forward-mode derivatives in `p`: fast enough to look at every candidate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from symloss.expr.functions import GUARD
from symloss.expr.primitives import PRIMITIVES, apply_body
from symloss.expr.trees.program import Program

__all__ = ["slopes"]

Array = NDArray[np.float64]
Dual = tuple[Any, Any]
"""A value and its derivative in `p`; the derivative is None where it is zero everywhere."""
_GUARD = float(GUARD)


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
    duals: list[Dual] = [(0.0, None)] * program.size
    with np.errstate(all="ignore"):
        for i in range(program.size - 1, -1, -1):
            token, children = program.tokens[i], program.children(i)
            if children:
                dual = _apply(token, [duals[child] for child in children])
            else:
                dual = _leaf(token, y, p, symbols or {})
            scale = edges[i - 1] if edges is not None and i else 1.0
            if isinstance(scale, np.ndarray) or scale != 1.0:
                dual = (dual[0] * scale, None if dual[1] is None else dual[1] * scale)
            duals[i] = dual
        value, slope = duals[0]
        shape = np.broadcast_shapes(np.shape(value), p.shape)
        return np.broadcast_to(value, shape), np.zeros(shape) if slope is None else np.broadcast_to(
            slope, shape
        )


def _leaf(token: str, y: Array, p: Array, symbols: Mapping[str, Any]) -> Dual:
    if token == "p":
        return p, np.ones_like(p)
    return (y if token == "y" else symbols[token] if token in symbols else float(token)), None


def _apply(token: str, duals: Sequence[Dual]) -> Dual:
    body = PRIMITIVES[token].body
    if body is not None:
        return apply_body(body, _DUAL_OPERATORS, duals)
    return _DUAL_OPERATORS[token](*duals)


def _dual(a: Any) -> Dual:
    """A constant in the body of a registered operator is a bare number."""
    return a if isinstance(a, tuple) else (a, None)


def _chain(d: Any, partial: Any) -> Any:
    return None if d is None else d * partial


def _sum(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a + b


def _unary(value: Callable[[Any], Any], slope: Callable[[Any, Any], Any]) -> Callable[..., Dual]:
    """From `f(a)` and `f'(v, a)`."""

    def apply(a: Any) -> Dual:
        x, d = _dual(a)
        v = value(x)
        return v, None if d is None else d * slope(v, x)

    return apply


def _binary(value: Callable[[Any, Any], Any], slope: Callable[..., tuple[Any, Any]]) -> Callable[..., Dual]:
    """From `f(a, b)` and its partial derivatives `(f_a, f_b)` of `(v, a, b)`."""

    def apply(a: Any, b: Any) -> Dual:
        (x, dx), (z, dz) = _dual(a), _dual(b)
        v = value(x, z)
        if dx is None and dz is None:
            return v, None
        left, right = slope(v, x, z)
        return v, _sum(_chain(dx, left), _chain(dz, right))

    return apply


def _outside(x: Any, value: Any) -> Any:
    return np.where(np.abs(x) > _GUARD, value, 0.0)


def _aq_slope(v: Any, a: Any, b: Any) -> tuple[Any, Any]:
    r = 1 / np.sqrt(1 + b * b)
    return r, -v * b * r * r


def _less(a: Any, b: Any) -> Any:
    return (np.sign(b - a) + 1) / 2


_DUAL_OPERATORS: dict[str, Callable[..., Dual]] = {
    "add": _binary(lambda a, b: a + b, lambda v, a, b: (1.0, 1.0)),
    "sub": _binary(lambda a, b: a - b, lambda v, a, b: (1.0, -1.0)),
    "mul": _binary(lambda a, b: a * b, lambda v, a, b: (b, a)),
    "div": _binary(np.divide, lambda v, a, b: (np.divide(1.0, b), -v / b)),
    "pow": _binary(np.power, lambda v, a, b: (b * np.power(a, b - 1.0), v * np.log(a))),
    "aq": _binary(lambda a, b: a / np.sqrt(1 + b * b), _aq_slope),
    "min": _binary(np.minimum, lambda v, a, b: (_less(a, b), _less(b, a))),
    "max": _binary(np.maximum, lambda v, a, b: (_less(b, a), _less(a, b))),
    "neg": _unary(np.negative, lambda v, a: -1.0),
    "abs": _unary(np.abs, lambda v, a: np.sign(a)),
    "sign": _unary(np.sign, lambda v, a: 0.0),
    "relu": _unary(lambda a: np.maximum(a, 0.0), lambda v, a: np.greater(a, 0).astype(float)),
    "square": _unary(np.square, lambda v, a: 2 * a),
    "log": _unary(np.log, lambda v, a: np.divide(1.0, a)),
    "exp": _unary(np.exp, lambda v, a: v),
    "sqrt": _unary(np.sqrt, lambda v, a: 0.5 / v),
    "tanh": _unary(np.tanh, lambda v, a: 1 - v * v),
    "sin": _unary(np.sin, lambda v, a: np.cos(a)),
    "cos": _unary(np.cos, lambda v, a: -np.sin(a)),
    "sinh": _unary(np.sinh, lambda v, a: np.cosh(a)),
    "cosh": _unary(np.cosh, lambda v, a: np.sinh(a)),
    "sigmoid": _unary(expit, lambda v, a: v * (1 - v)),
    "softplus": _unary(lambda a: np.logaddexp(0.0, a), lambda v, a: expit(a)),
    "plog": _unary(
        lambda a: np.log(np.maximum(np.abs(a), _GUARD)), lambda v, a: _outside(a, np.divide(1.0, a))
    ),
    "psqrt": _unary(
        lambda a: np.sqrt(np.maximum(np.abs(a), _GUARD)), lambda v, a: _outside(a, np.sign(a) / (2 * v))
    ),
}

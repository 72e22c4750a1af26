"""Fewer coefficients for the same function: the algebra of numbers in a weighted tree, without SymPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symloss.expr.operator import Operator
from symloss.expr.trees.program import Program

__all__ = ["merge"]

_Factors = Sequence[float]
_Rule = Callable[[_Factors], tuple[float, _Factors]]


def merge(
    program: Program, edges: Sequence[float], factor: float
) -> tuple[Program, tuple[float, ...], float] | None:
    """The weighted tree `factor * program` with constants folded and coefficients drawn together.

    None when a number on the way is not finite.
    """
    try:
        tree = _build(program, edges, 0)
        tree = _Tree(tree.token, tree.factor * factor, tree.children)
        tree = _spread(tree)
    except (OverflowError, ZeroDivisionError, ValueError):
        # Numbers that overflow on the way are data, not an error: the search keeps the tree unmerged.
        return None
    tokens: list[str] = []
    numbers: list[float] = []
    _flatten(tree, tokens, numbers)
    if not all(math.isfinite(number) for number in numbers):
        return None
    return program.with_tokens(tokens), tuple(numbers[1:]), numbers[0]


@dataclass(frozen=True)
class _Tree:
    """`factor * token(children)`."""

    token: str
    factor: float
    children: tuple[_Tree, ...] = ()

    def times(self, by: float) -> _Tree:
        return _Tree(self.token, self.factor * by, self.children)

    @property
    def constant(self) -> bool:
        return self.token == "1"


def _build(program: Program, edges: Sequence[float], i: int) -> _Tree:
    token = program.tokens[i]
    # Both constants are one terminal with a factor: the sign is a number like any other.
    if token in ("1", "-1"):
        return _Tree("1", float(token))
    children = tuple(_build(program, edges, child).times(edges[child - 1]) for child in program.children(i))
    if not children:
        return _Tree(token, 1.0)
    operator = program.registry.operators[token]
    if all(child.constant for child in children):
        return _Tree("1", operator.evaluate(*(child.factor for child in children)))
    if token == "pow" and children[1].constant and children[0].factor > 0:
        # (c*a)**b is c**b*a**b: a number below a free exponent would be printed as powers of its primes.
        base, exponent = children
        return _Tree(
            token, float(base.factor**exponent.factor), (_Tree(base.token, 1.0, base.children), exponent)
        )
    # Bottom up: each operator hands on what it can of its operands' factors, so that they meet in one number above.
    factor, kept = _pulled(operator, [child.factor for child in children])
    children = tuple(
        _Tree(child.token, value, child.children) for child, value in zip(children, kept, strict=True)
    )
    return _without_constant(token, factor, children)


def _without_constant(token: str, factor: float, children: tuple[_Tree, ...]) -> _Tree:
    """A product, quotient or sum in which one side is a number that changes nothing is its other side."""
    if len(children) == 2:
        first, second = children
        if token == "mul" and first.constant:
            return second.times(factor * first.factor)
        if (token in ("mul", "div") and second.constant) or (token in ("add", "sub") and second.factor == 0):
            return first.times(factor * (second.factor if token == "mul" else 1.0))
        # 0 - b = -b.
        if token in ("add", "sub") and first.factor == 0:
            return second.times(factor if token == "add" else -factor)
        if token == "aq" and second.constant:
            # aq(a, b) = a/sqrt(1 + b**2).
            return first.times(factor / math.hypot(1.0, second.factor))
    return _Tree(token, factor, children)


def _spread(tree: _Tree) -> _Tree:
    """A factor of a sum goes to its terms, a positive one of a minimum to its sides: no symbol more."""
    children = tree.children
    factor = tree.factor
    if factor != 1 and (tree.token in ("add", "sub") or (tree.token in ("min", "max") and factor > 0)):
        children, factor = tuple(child.times(factor) for child in children), 1.0
    return _Tree(tree.token, factor, tuple(_spread(child) for child in children))


def _flatten(tree: _Tree, tokens: list[str], numbers: list[float]) -> None:
    tokens.append(tree.token)
    numbers.append(tree.factor)
    for child in tree.children:
        _flatten(child, tokens, numbers)


def _pulled(operator: Operator, factors: _Factors) -> tuple[float, _Factors]:
    """From the factors of an operator's arguments to one before it and what stays with the arguments."""
    if operator.name in _RULES:
        return _RULES[operator.name](factors)
    if operator.arity > 1 or (operator.degree is None and operator.parity <= 0):
        return 1.0, factors
    factor, size = factors[0], abs(factors[0])
    # Even and not homogeneous, as cosh: f(c x) = f(|c| x), and no more comes out.
    if operator.degree is None:
        return 1.0, [size]
    # relu(-x) is no multiple of relu(x).
    if not operator.parity and factor <= 0:
        return 1.0, factors
    # f(c x) = c**d f(x) for c > 0; an even or odd f takes the sign out too.
    scale = size**operator.degree if size else 0.0
    return (-scale if operator.parity < 0 and factor < 0 else scale), [1.0]


_RULES: dict[str, _Rule] = {
    "mul": lambda c: (c[0] * c[1], [1.0, 1.0]),
    "div": lambda c: (c[0] / c[1], [1.0, 1.0]),
    # aq(c a, d b) = c aq(a, |d| b): linear in the first operand, even in the second.
    "aq": lambda c: (c[0], [1.0, abs(c[1])]),
}
"""Of the operators with two arguments, whose rules are not those of one."""

"""The row of facts that defines an operator; every room derives its own tables from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sympy import Expr, S, Set, oo
from sympy import Interval as SetInterval

from symloss.expr.arrays import FLOATS

__all__ = ["Operator", "Partials", "apply_body"]

Partials = tuple[Any, ...]
"""Partial derivatives: arrays, floats, or None for one that is zero everywhere."""


def _by_body(*_: Any) -> Partials:
    raise TypeError("an operator with a body is differentiated through it")


@dataclass(frozen=True)
class Operator:
    """An operator that formulas and trees are built of.

    `value`, `first` and `second` are written in the functions of an `ArrayModule`, their first argument, and hold
    for numpy, torch and single floats alike. Derivatives at kinks are torch's: a tie of `min` or `max` shares
    halves, `abs` and `relu` have 0 at 0; a step has 0, and so has a protected operator inside its guard.

    Attributes:
        name: how it is written, `name(a, ...)`.
        arity: how many arguments it takes.
        build: its meaning as a SymPy expression of its arguments.
        value: `v = f(a)` or `f(a, b)`, from `(xp, a, ...)`.
        first: from `(xp, v, a, ...)` the partial derivatives, one for each argument.
        second: from `(xp, v, a, ...)` the second ones: `(aa,)` or `(aa, ab, bb)`.
        head: the SymPy class of its nodes, where it has one.
        symbol: how it is written between or before its operands, if it is not called by name.
        parity: 1 for an even function, -1 for an odd one, else 0.
        degree: `d` where `f(c x) = c**d f(x)` for `c > 0`, else None.
        domain, range: the real arguments it takes, and the values it has there.
        increasing: whether it strictly is, on all of its domain, and its value on floats is right to 13 digits: bounds
            are then proved by its values at the ends of a stretch.
        zero: of a strictly increasing function the one argument at which it is 0, else None.
        code: how a language calls it, where that is not by its own name: a callable, or the source of a
            helper. A language without either gets the definition.
        definition: of an operator that a user registered, its arguments and formula.
        body: the same as nested tuples `(operator, operand, ...)`, an argument being its index (int) and a
            constant a float.
    """

    name: str
    # Operators are equal by name and definition. Functions compare by identity: one made again from its definition, in
    # a worker or a resumed run, would differ.
    arity: int = field(compare=False)
    build: Callable[..., Expr] = field(compare=False)
    value: Callable[..., Any] = field(compare=False)
    first: Callable[..., Partials] = field(default=_by_body, compare=False)
    second: Callable[..., Partials] = field(default=_by_body, compare=False)
    head: Any = field(default=None, compare=False)
    symbol: str = field(default="", compare=False)
    parity: int = field(default=0, compare=False)
    degree: int | None = field(default=None, compare=False)
    domain: Set = field(default=S.Reals, compare=False)
    range: Set = field(default=S.Reals, compare=False)
    increasing: bool = field(default=False, compare=False)
    zero: Expr | None = field(default=None, compare=False)
    code: Mapping[str, str] = field(default_factory=dict, compare=False)
    definition: tuple[tuple[str, ...], str] | None = None
    body: Any = field(default=None, compare=False)

    @property
    def infix(self) -> bool:
        """Whether it is written between or before its operands rather than called."""
        return bool(self.symbol)

    @cached_property
    def positive(self) -> bool:
        """Whether it is positive wherever it is defined."""
        return bool(self.range.is_subset(SetInterval.open(0, oo)))

    def evaluate(self, *arguments: float) -> float:
        """The value on floats.

        Raises:
            ValueError, OverflowError, ZeroDivisionError: outside its domain or the floats' range.
        """
        return float(self.value(FLOATS, *arguments))


def apply_body(body: Any, apply: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """The value of a registered operator's `body`, where `apply(name, *operands)` is that of a built-in one.

    >>> apply_body(("add", 0, ("mul", 2.0, 0)), lambda name, a, b: a * b if name == "mul" else a + b, [5])
    15.0
    """
    if isinstance(body, tuple):
        operands = [apply_body(operand, apply, arguments) for operand in body[1:]]
        return apply(body[0], *operands)
    # Constants in a body are floats, so an int can only be an argument's index.
    return arguments[body] if isinstance(body, int) else body

"""From a derivation to its loss: the formulas of the rules substituted into each other, over any algebra.

The algebra `Sprouts` builds trees with tied coefficients, which the search trains; `Exact` builds SymPy expressions,
for proofs. Both read the same text of a rule, so what is proved is what is trained.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Generic, NamedTuple, Protocol, TypeVar

from sympy import Expr, Integer

from symloss.expr import OPERATORS, Kind
from symloss.expr.symbols import RESERVED
from symloss.search.propose.inside.rules import Rule

__all__ = ["Exact", "Grown", "Numbers", "Sprout", "Sprouts", "derived"]

T = TypeVar("T")
_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow",
}  # fmt: skip
GENERIC = "(p - y)*({slope}) - ({value})"
"""`M = f'(p)(p - y) - f(p)`. Its expectation under a posterior q, minus the value at p = q, is the Bregman divergence
`f(q) - f(p) - f'(p)(q - p)`: positive but at p = q, as f is strictly convex (Savage 1971)."""


class Algebra(Protocol[T]):
    """What formulas are made of."""

    def leaf(self, name: str) -> T:
        """A symbol."""
        ...

    def constant(self, value: int) -> T:
        """A whole number of the rule itself."""
        ...

    def number(self, place: int) -> T:
        """The number at a place of the derivation's numbers."""
        ...

    def scaled(self, part: T, place: int) -> T:
        """A part times the number at a place."""
        ...

    def apply(self, operator: str, *parts: T) -> T:
        """An operator on parts."""
        ...


class Exact:
    """Expressions, in which the derivation's numbers are exact or symbols."""

    def __init__(self, numbers: Sequence[Expr]) -> None:
        self.numbers = tuple(numbers)

    def leaf(self, name: str) -> Expr:
        """See `Algebra`."""
        return RESERVED[name]

    def constant(self, value: int) -> Expr:
        """See `Algebra`."""
        return Integer(value)

    def number(self, place: int) -> Expr:
        """See `Algebra`."""
        return self.numbers[place]

    def scaled(self, part: Expr, place: int) -> Expr:
        """See `Algebra`."""
        return self.numbers[place] * part

    def apply(self, operator: str, *parts: Expr) -> Expr:
        """See `Algebra`."""
        return OPERATORS[operator].build(*parts)


Tie = tuple[int, float]
"""What an edge multiplies by: the number at a place (-1: none) times a constant."""
_FREE: Tie = (-1, 1.0)


class Sprout(NamedTuple):
    """A tree with its edges, and the edge above it."""

    tokens: tuple[str, ...]
    ties: tuple[Tie, ...] = ()
    above: Tie = _FREE

    @property
    def rooted(self) -> Sprout:
        """The same without an edge above it."""
        if self.above == _FREE:
            return self
        # The root of a tree has no edge, and its scale is dropped; a number that belongs to the derivation needs a
        # node.
        return Sprout(("mul", "1", *self.tokens), (self.above, _FREE, *self.ties))


class Sprouts:
    """Trees in prefix order whose edges say which number they are."""

    def leaf(self, name: str) -> Sprout:
        """See `Algebra`."""
        return Sprout((name,))

    def constant(self, value: int) -> Sprout:
        """See `Algebra`."""
        return Sprout(("1",), above=(-1, float(value)))

    def number(self, place: int) -> Sprout:
        """See `Algebra`."""
        return Sprout(("1",), above=(place, 1.0))

    def scaled(self, part: Sprout, place: int) -> Sprout:
        """See `Algebra`."""
        return self._times(part, (place, 1.0))

    def apply(self, operator: str, *parts: Sprout) -> Sprout:
        """See `Algebra`."""
        if operator == "mul":
            # A number times a part is an edge, not a node: one symbol less, and the number can be tuned as a
            # coefficient.
            for one, other in (parts, parts[::-1]):
                if one.tokens == ("1",):
                    return self._times(other, one.above)
        tokens = (operator, *(token for part in parts for token in part.tokens))
        return Sprout(tokens, tuple(tie for part in parts for tie in (part.above, *part.ties)))

    def _times(self, part: Sprout, tie: Tie) -> Sprout:
        if tie == _FREE:
            return part
        if part.above == _FREE:
            return part._replace(above=tie)
        # An edge carries one number; a second one needs a multiplication of its own.
        return Sprout(("mul", "1", *part.tokens), (tie, part.above, *part.ties))


Numbers = tuple[float, ...]
Step = tuple[Rule, Numbers]
"""One rule of a derivation in prefix order, with the number that multiplies it and its own."""


@dataclass
class Grown(Generic[T]):
    """A rule with what stands in it.

    Attributes:
        rule: the rule.
        first: place of the number that multiplies it; its own follow.
        inner: what stands in it, by name.
        algebra: of what it makes.
        target: what `y` is.
        kind: of the loss.
    """

    rule: Rule
    first: int
    inner: dict[str, Grown[T]]
    algebra: Algebra[T]
    target: Callable[[], T]
    kind: Kind

    @cached_property
    def value(self) -> T:
        """The formula."""
        return self._read(self.rule.value)

    @cached_property
    def slope(self) -> T:
        """The derivative of a convex function."""
        return self._read(self.rule.slope)

    @cached_property
    def entry(self) -> T:
        """The loss that a convex function makes."""
        rule = self.rule
        generic = GENERIC.format(slope=rule.slope, value=rule.value)
        on_simplex = rule.on_simplex if self.kind.exclusive else ""
        return self._read(on_simplex or rule.entry or generic)

    def _read(self, text: str) -> T:
        return self._walk(_parsed(text))

    def _walk(self, node: ast.expr) -> T:
        algebra = self.algebra
        match node:
            case ast.BinOp(left, ast.Pow(), ast.Constant(value=2)):
                return algebra.apply("square", self._walk(left))
            case ast.BinOp(left, operator, right):
                return algebra.apply(_BINARY[type(operator)], self._walk(left), self._walk(right))
            case ast.UnaryOp(ast.USub(), operand):
                return algebra.apply("neg", self._walk(operand))
            case ast.Call(ast.Name(name), arguments):
                return algebra.apply(name, *map(self._walk, arguments))
            case ast.Constant(int(value)):
                return algebra.constant(value)
            case ast.Name(name):
                return self._named(name)
        raise TypeError(f"a rule's formula holds {ast.dump(node)}")

    def _named(self, name: str) -> T:
        if name == "y":
            return self.target()
        if name in ("p", "C"):
            return self.algebra.leaf(name)
        own = list(self.rule.numbers)
        if name in own:
            return self.algebra.number(self.first + 1 + own.index(name))
        # `u`, `du` and `eu` (and `v`, `dv`, `ev`) end in the letter of the part that they belong to.
        inner = self.inner[name[-1]]
        part = inner.slope if name[0] == "d" else inner.entry if name[0] == "e" else inner.value
        return part if name[-1] in self.rule.bare else self.algebra.scaled(part, inner.first)


# Only texts of `rules.py` and `theorem.py` come here, never a user's.
@lru_cache(maxsize=512)
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def derived(
    steps: Sequence[tuple[Rule, Sequence[object]]],
    algebra: Algebra[T],
    kind: Kind,
    target: Callable[[], T] | None = None,
) -> T:
    """The loss that a derivation makes, its root being a rule for losses.

    Args:
        steps: in prefix order.
        algebra: of what is made.
        kind: of the loss.
        target: what `y` is, if not the target itself.
    """
    rest = iter(steps)
    places = 0

    def grow() -> Grown[T]:
        nonlocal places
        rule, numbers = next(rest)
        # In prefix order, as `TypedLoss.numbers` lists them.
        first, places = places, places + len(numbers)
        # Dicts keep their order, which is that of the arguments in the prefix form.
        inner = {name: grow() for name in rule.takes}
        return Grown(rule, first, inner, algebra, target or (lambda: algebra.leaf("y")), kind)

    return grow().value

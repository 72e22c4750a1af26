"""A loss given by its derivation in a typed grammar: tuned, rounded and bred by its numbers, it stays a member."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

from sympy import Expr, Rational

from symloss.errors import DomainError
from symloss.expr import C, Program, Y
from symloss.expr.trees import Weighted
from symloss.meta.tied import TiedLoss
from symloss.search.propose.inside.build import Exact, Sprout, Sprouts, Step, Tie, derived
from symloss.search.propose.inside.rules import Loss, Rule
from symloss.search.propose.inside.theorem import Inside, inside_of

__all__ = ["TypedLoss"]


@dataclass(frozen=True)
class TypedLoss(Weighted):
    """A member of a grammar, as the tree that it is.

    Whatever its numbers, it has the property of the grammar. It is not merged, and its edges are not to be moved one by
    one, since one number may be several of them.

    Attributes:
        inside: the grammar.
        steps: the derivation, rules in prefix order with their numbers.

    >>> one = TypedLoss.plain_of(inside_of(["proper"], "classification"), ["score", "power"])
    >>> one.formula, one.with_numbers([1.0, 1.0, 0.4]).formula
    ('(0.5*p - (1 + 0.5)*y)*p**0.5', '(0.4*p - (1 + 0.4)*y)*p**0.4')
    """

    inside: Inside | None = None
    steps: tuple[Step, ...] = ()

    free: ClassVar[bool] = False

    @classmethod
    def of(cls, inside: Inside, steps: Sequence[Step], factor: float = 1.0) -> TypedLoss:
        """The loss that a derivation makes, times a positive number.

        Raises:
            DomainError: for a factor that is not positive.
        """
        # Convexity and monotonicity turn with the sign; written so that NaN fails as well.
        if not factor > 0:
            raise DomainError(
                f"a member of {inside.name} times {factor:g} may be none: expected a number above 0"
            )
        program, ties = _tree(inside, tuple(rule for rule, _ in steps))
        numbers = [number for _, own in steps for number in own]
        # One number may be several edges: that is what keeps the derivation intact while it is tuned.
        edges = tuple(constant * (numbers[place] if place >= 0 else 1.0) for place, constant in ties)
        return cls(program, edges, factor, inside, tuple(steps))

    @classmethod
    def plain_of(cls, inside: Inside, names: Sequence[str]) -> TypedLoss:
        """The loss that rules make, in prefix order, with the numbers that they begin with.

        Raises:
            DomainError: for names that are no derivation of this grammar.
        """
        steps = [_begun(inside, name) for name in names]
        _complete(inside, [rule for rule, _ in steps])
        return cls.of(inside, steps)

    @property
    def ties(self) -> tuple[Tie, ...]:
        """For each edge the number that it is, and what that is multiplied by."""
        assert self.inside is not None
        return _tree(self.inside, tuple(rule for rule, _ in self.steps))[1]

    @property
    def numbers(self) -> tuple[float, ...]:
        """Of all rules, in prefix order: what multiplies each, then its own."""
        return tuple(number for _, own in self.steps for number in own)

    def with_numbers(self, numbers: Sequence[float]) -> TypedLoss:
        """The same derivation with other numbers."""
        assert self.inside is not None
        # A generator inside `tuple` stops at the numbers of its own rule; the iterator goes on with the next.
        rest = iter(numbers)
        steps = [(rule, tuple(next(rest) for _ in own)) for rule, own in self.steps]
        return TypedLoss.of(self.inside, steps, self.factor)

    @property
    def begun(self) -> TypedLoss:
        """The same derivation with the numbers that its rules begin with."""
        assert self.inside is not None
        return TypedLoss.plain_of(self.inside, [rule.name for rule, _ in self.steps])

    def turned(self) -> None:
        """A member negated is none."""
        return

    def scaled(self, by: float) -> TypedLoss:
        """The loss times a positive number.

        Raises:
            DomainError: for another.
        """
        assert self.inside is not None
        return TypedLoss.of(self.inside, self.steps, self.factor * by)

    def merged(self) -> TypedLoss:
        """Itself: numbers that are drawn together in floats are no longer those of one derivation."""
        return self

    def rounded(self, digits: int = 4) -> TypedLoss:
        """Every number to that many significant digits."""
        numbers = [
            span.rounded(number, digits)
            for rule, own in self.steps
            for span, number in zip(rule.spans, own, strict=True)
        ]
        return replace(self.with_numbers(numbers), factor=float(f"{self.factor:.{digits}g}"))

    def snapped(self, near: float) -> TypedLoss:
        """Numbers within a relative distance of what their rule begins with become that."""
        numbers = [
            # 1e-9 stands in for a start of 0, at which a relative distance says nothing.
            span.start if abs(number - span.start) <= near * max(abs(span.start), 1e-9) else number
            for rule, own in self.steps
            for span, number in zip(rule.spans, own, strict=True)
        ]
        return self.with_numbers(numbers)

    def exactly(self) -> Expr:
        """The formula with exact numbers, without the factor."""
        return exact_of(self.inside, [(rule, tuple(map(_decimal, own))) for rule, own in self.steps])

    def to_text(self) -> str:
        """The derivation as a line of JSON, that `from_text` reads."""
        assert self.inside is not None
        steps = [[rule.name, *own] for rule, own in self.steps]
        return json.dumps({"inside": self.inside.to_list(), "steps": steps, "factor": self.factor})

    @classmethod
    def from_text(cls, text: str, kind: str) -> TypedLoss:
        """The loss that `to_text` wrote.

        Raises:
            DomainError: for anything else.
        """
        try:
            data: Mapping[str, Any] = json.loads(text)
            inside = inside_of(list(map(str, data["inside"])), kind)
            if inside is None:
                raise DomainError("no theorem is named")
            steps = [_checked(inside, str(name), numbers) for name, *numbers in data["steps"]]
            _complete(inside, [rule for rule, _ in steps])
            return cls.of(inside, steps, float(data["factor"]))
        except (ValueError, TypeError, KeyError, AttributeError, DomainError) as error:
            raise DomainError(f"no derivation: {error}") from None

    def tied(self, kind: str) -> TiedLoss:
        """The loss as it is learned: without its factor, and by the numbers behind the links of its own."""
        spans = [span for rule, _ in self.steps for span in rule.spans]
        start = tuple(span.back(number) for span, number in zip(spans, self.numbers, strict=True))
        return TiedLoss(kind, self.program, self.ties, tuple(span.name for span in spans), start)


@lru_cache(maxsize=4096)
def _tree(inside: Inside, rules: tuple[Rule, ...]) -> tuple[Program, tuple[Tie, ...]]:
    """The tree of a derivation, and what its edges are."""
    # A tree's shape and its ties do not depend on the numbers, so that one entry of the cache serves every tuning
    # step.
    steps: list[Step] = [(rule, (0.0,) * len(rule.spans)) for rule in rules]
    sprout = derived(steps, Sprouts(), inside.kind, lambda: _target(inside)).rooted
    return Program(sprout.tokens), sprout.ties


def exact_of(inside: Inside | None, steps: Sequence[tuple[Any, Sequence[Expr]]]) -> Expr:
    """The formula of a derivation whose numbers are expressions."""
    assert inside is not None
    algebra = Exact([number for _, own in steps for number in own])
    xi = _decimal(inside.xi)
    return derived(steps, algebra, inside.kind, lambda: (1 - xi) * Y + xi / C if xi else Y)


def _decimal(value: float) -> Rational:
    """The float as an exact rational, read off its shortest decimal form."""
    return Rational(repr(float(value)))


def _target(inside: Inside) -> Sprout:
    """`y`, or the smoothed label `(1 - xi) y + xi/C`."""
    if not inside.xi:
        return Sprout(("y",))
    # As decimals: 1 - 0.1 is 0.9.
    rest = float(1 - _decimal(inside.xi))
    return Sprout(("add", "y", "div", "1", "C"), ((-1, rest), (-1, 1.0), (-1, inside.xi), (-1, 1.0)))


def _begun(inside: Inside, name: str) -> Step:
    if name not in inside.rules:
        raise DomainError(f"{inside.name} has no rule {name!r}: expected one of {', '.join(inside.rules)}")
    rule = inside.rules[name]
    return rule, tuple(span.start for span in rule.spans)


def _checked(inside: Inside, name: str, numbers: Sequence[float]) -> Step:
    rule, start = _begun(inside, name)
    values = tuple(map(float, numbers))
    fit = len(values) == len(start) and all(map(math.isfinite, values))
    # 17 significant digits leave a double as it is, so that only a number outside its span comes back changed.
    if not fit or any(span.rounded(v, 17) != v for span, v in zip(rule.spans, values, strict=True)):
        raise DomainError(f"the rule {name} does not take the numbers {list(values)}")
    return rule, values


def _complete(inside: Inside, rules: Sequence[Rule]) -> None:
    """Whether rules in prefix order are one derivation of a loss.

    Raises:
        DomainError: when they are not.
    """
    # A stack of sorts that are still to be filled, the next one on top.
    wanted: list[Any] = [Loss]
    for rule in rules:
        if not wanted or not issubclass(rule.gives, wanted.pop()):
            raise DomainError(
                f"the rules are no derivation of {inside.name}: {rule.name} stands where it may not"
            )
        # Reversed, so that the first argument is on top: prefix order.
        wanted += reversed(list(rule.takes.values()))
    if wanted:
        raise DomainError(f"the rules are no derivation of {inside.name}: it ends too early")

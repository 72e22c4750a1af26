"""A classification or multilabel loss as the curves that theory speaks of.

`M1(p) = M(1, p)` and `M0(p) = M(0, p)`; all on the open interval (0, 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from sympy import Expr, Integer, Rational, nan, oo, zoo

from symloss.expr import PI, HardValue, Loss, P, UnknownLimit, W, Y, at_zero
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.pieces import Piece, Resolver, Undecided, Undefined, pieces_of
from symloss.theory.functions.points import Point

__all__ = ["Profile"]

_ZERO, _ONE, _HALF = Integer(0), Integer(1), Rational(1, 2)
_LISTED = 1000
"""Of more classes a witness names the first so many."""


@dataclass(frozen=True)
class Profile:
    """The smooth pieces of `M1` and `M0`, and curves made of them.

    Attributes:
        loss: the loss.
        classes: their number; 2 for a multilabel loss, whose entries are two classes each.
        pieces: `(M1, M0)` on the cells of (0, 1).
        guarded: arguments of protected operators that count as outside their guard.
        absent: `M(0, p)`.
    """

    loss: Loss
    classes: int
    pieces: tuple[Piece, ...]
    guarded: frozenset[Expr]
    absent: Expr

    @staticmethod
    def of(loss: Loss, classes: int) -> Profile:
        """The profile of `loss` with `classes` classes.

        Raises:
            Undefined: where `M1` or `M0` has no finite real value on a stretch of (0, 1).
            Undecided: where a kink could not be settled, or the formula speaks of `pi` or `w`.
            DomainError: where `M(0, p)` is infinite, or not a real number.
        """
        expr = loss.at_classes(classes)
        foreign = expr.free_symbols & {PI, W}
        if foreign:
            raise Undecided(f"the formula depends on {min(map(str, foreign))}, which is not a fixed number")
        try:
            absent = at_zero(expr)
        except UnknownLimit as error:
            raise Undecided(str(error)) from None
        pieces, guarded = _both(expr, absent)
        return Profile(loss, classes, pieces, guarded, absent.expr)

    @property
    def formula(self) -> Expr:
        return self.loss.at_classes(self.classes)

    def target(self, resolver: Resolver, p: Expr) -> Expr:
        """`M1(p)`, smooth on the resolver's cell."""
        return resolver.smooth(self.formula, {Y: _ONE, P: p})

    def other(self, resolver: Resolver, p: Expr) -> Expr:
        """`M0(p)`, smooth on the resolver's cell."""
        return resolver.smooth(self.absent, {P: p})

    def pick(self, combine: Callable[[Expr, Expr], Expr]) -> Curve:
        """The curve of a combination of `M1` and `M0`."""
        return Curve.of_pieces(P, self.pieces, lambda exprs: combine(exprs[0], exprs[1]))

    @cached_property
    def m1(self) -> Curve:
        return self.pick(lambda m1, m0: m1)

    @cached_property
    def m0(self) -> Curve:
        return self.pick(lambda m1, m0: m0)

    @cached_property
    def difference(self) -> Curve:
        """`D = M1 - M0`."""
        return self.pick(lambda m1, m0: m1 - m0)

    @cached_property
    def spread(self) -> Curve:
        """`T(p) = M1(p) + (C-1) M0((1-p)/(C-1))`: the target has `p`, the others share the rest evenly."""
        rest = Integer(self.classes - 1)
        # Resolved anew, not from `pieces`: kinks of M0 lie at other p here, where (1-p)/(C-1) meets them.
        return Curve.build(lambda r: self.target(r, P) + rest * self.other(r, (1 - P) / rest), P, _ZERO, _ONE)

    def on(self, make: Callable[[Resolver], Expr], right: Expr = _ONE) -> Curve:
        """A curve on (0, right) of a formula that calls `target` and `other`."""
        return Curve.build(make, P, _ZERO, right)

    def listed(self, head: Sequence[float], rest: float) -> list[float]:
        """The entries `head` of a prediction or posterior and the equal ones that follow, up to `_LISTED` in all."""
        return [*head, *[rest] * (min(self.classes, _LISTED) - len(head))]

    @property
    def guard_note(self) -> str:
        """What is assumed of protected operators, or `""`."""
        return "; protected operators count as outside their guard on p in [1e-7, 1]" if self.guarded else ""


def _both(present: Expr, absent: HardValue) -> tuple[tuple[Piece, ...], frozenset[Expr]]:
    def build(resolver: Resolver) -> tuple[Expr, ...]:
        # Conditions under which M(0, p) is real or finite, that the limit could not settle for all coefficients:
        # checked here cell by cell, where signs are known.
        for part in absent.positive:
            if resolver.sign_of(resolver.smooth(part, {})) < 0:
                raise Undefined(f"at y = 0, {part} is negative under a root, power or logarithm")
        for part in absent.nonzero:
            if resolver.sign_of(resolver.smooth(part, {})) == 0:
                raise Undefined(f"at y = 0, {part} is 0 under a division or logarithm")
        pair = resolver.smooth(present, {Y: _ONE}), resolver.smooth(absent.expr, {})
        if any(expr.has(nan, zoo, oo, -oo) for expr in pair):
            raise Undefined("the formula has no finite value at y = 0 or y = 1")
        return pair

    return pieces_of(build, P, Point.at(_ZERO), Point.at(_ONE))

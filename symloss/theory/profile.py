"""A classification or multilabel loss as the curves that theory speaks of.

`M1(p) = M(1, p)` and `M0(p) = M(0, p)`; all on the open interval (0, 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from typing import Concatenate, ParamSpec

from sympy import (
    Abs,
    AccumBounds,
    Expr,
    Integer,
    Limit,
    Max,
    Min,
    PoleError,
    Rational,
    Symbol,
    expand_log,
    limit,
    nan,
    oo,
    sign,
    zoo,
)

from symloss.errors import DomainError
from symloss.expr import PI, Loss, P, W, Y, plog, psqrt
from symloss.theory.certificate import UNKNOWN, Finding
from symloss.theory.curve import Curve
from symloss.theory.pieces import Piece, Resolver, Undecided, Undefined, pieces_of
from symloss.theory.signs import Point

__all__ = ["Profile", "names_guards"]

_Arguments = ParamSpec("_Arguments")

_MAX_LIMIT_OPERATIONS = 60
_ZERO, _ONE, _HALF = Integer(0), Integer(1), Rational(1, 2)


@dataclass(frozen=True)
class Profile:
    """The smooth pieces of `M1` and `M0`, and curves made of them.

    Attributes:
        loss: the loss.
        classes: their number; 2 for a multilabel loss, whose entries are two classes each.
        pieces: `(M1, M0)` on the cells of (0, 1).
        guarded: arguments of protected operators that count as outside their guard.
        absent: the formula that stands for `M(0, p)`: the limit y -> 0+ where the value is not defined.
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
            DomainError: where `M(0, p)` is infinite.
        """
        expr = loss.at_classes(classes)
        foreign = expr.free_symbols & {PI, W}
        if foreign:
            raise Undecided(f"the formula depends on {min(map(str, foreign))}, which is not a fixed number")
        absent = expr
        try:
            pieces, guarded = _both(expr, expr)
        except Undefined:
            absent = _limit_without_target(expr)
            pieces, guarded = _both(expr, absent)
        return Profile(loss, classes, pieces, guarded, absent)

    @property
    def formula(self) -> Expr:
        return self.loss.at_classes(self.classes)

    def target(self, resolver: Resolver, p: Expr) -> Expr:
        """`M1(p)`, smooth on the resolver's cell."""
        return resolver.smooth(self.formula, {Y: _ONE, P: p})

    def other(self, resolver: Resolver, p: Expr) -> Expr:
        """`M0(p)`, smooth on the resolver's cell."""
        return resolver.smooth(self.absent, {Y: _ZERO, P: p})

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
        return Curve.build(lambda r: self.target(r, P) + rest * self.other(r, (1 - P) / rest), P, _ZERO, _ONE)

    def on(self, make: Callable[[Resolver], Expr], right: Expr = _ONE) -> Curve:
        """A curve on (0, right) of a formula that calls `target` and `other`."""
        return Curve.build(make, P, _ZERO, right)

    @property
    def guard_note(self) -> str:
        """What is assumed of protected operators, or `""`."""
        return "; protected operators count as outside their guard on p in [1e-7, 1]" if self.guarded else ""


def names_guards(
    find: Callable[Concatenate[Profile, _Arguments], Finding],
) -> Callable[Concatenate[Profile, _Arguments], Finding]:
    """`find`, with what is assumed of protected operators in the reason of every verdict."""

    @wraps(find)
    def noted(profile: Profile, *args: _Arguments.args, **named: _Arguments.kwargs) -> Finding:
        finding = find(profile, *args, **named)
        note = "" if finding.verdict == UNKNOWN else profile.guard_note
        return replace(finding, reason=finding.reason + note) if note else finding

    return noted


def _both(present: Expr, absent: Expr) -> tuple[tuple[Piece, ...], frozenset[Expr]]:
    def build(resolver: Resolver) -> tuple[Expr, ...]:
        pair = resolver.smooth(present, {Y: _ONE}), resolver.smooth(absent, {Y: _ZERO})
        if any(expr.has(nan, zoo, oo, -oo) for expr in pair):
            raise Undefined("the formula has no finite value at y = 0 or y = 1")
        return pair

    return pieces_of(build, P, Point.at(_ZERO), Point.at(_ONE))


def _limit_without_target(expr: Expr) -> Expr:
    """`lim M(y, p)` for y -> 0+, by SymPy's limit on a formula of bounded size."""
    if expr.count_ops() > _MAX_LIMIT_OPERATIONS or expr.has(Abs, sign, Max, Min, plog, psqrt):
        raise Undefined("the formula has no value at y = 0; write y*abs(log(p)), or use the protected plog")
    y, p = Symbol("y", positive=True), Symbol("p", positive=True)
    try:
        found = limit(expand_log(expr.xreplace({Y: y, P: p}), force=True), y, 0, "+")
    except (NotImplementedError, ValueError, PoleError) as error:
        raise Undefined(f"the limit of the loss for y -> 0+ is not known to SymPy: {error}") from None
    if found.has(Limit, AccumBounds, nan):
        raise Undefined("the limit of the loss for y -> 0+ is not known to SymPy")
    if found.is_infinite or not found.free_symbols <= {p} or found.has(zoo):
        raise DomainError(
            "the loss is infinite for classes other than the target (y = 0): write y*abs(log(p)), or use plog"
        )
    return found.xreplace({p: P})

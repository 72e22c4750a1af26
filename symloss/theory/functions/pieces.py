"""From a formula with kinks, jumps and guards to smooth pieces between proved breakpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from sympy import Abs, Expr, Integer, Max, Min, Pow, Rational, S, Symbol, log, sign, sqrt

from symloss.errors import SymlossError
from symloss.expr import GUARD, RealFunction, plog, psqrt
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.enclose import enclose, is_smooth
from symloss.theory.functions.points import Cell, Point
from symloss.theory.functions.signs import sign_pattern

__all__ = ["Piece", "Resolver", "Undecided", "Undefined", "pieces_of"]

_MAX_PIECES = 48


class Undefined(SymlossError):
    """The formula has no real value on part of its domain."""


class Undecided(SymlossError):
    """A sign that the formula's meaning hangs on could not be settled."""


class _Cut(SymlossError):
    """The cell must be divided: a formula changes sign inside it."""

    def __init__(self, formula: Expr, points: list[Point], signs: list[int]) -> None:
        super().__init__(str(formula))
        self.formula, self.points, self.signs = formula, points, signs


@dataclass(frozen=True)
class Piece:
    """Smooth formulas of one variable on one cell."""

    cell: Cell
    exprs: tuple[Expr, ...]


@dataclass
class Resolver:
    """Writes a formula without `abs`, `sign`, `min`, `max`, `plog`, `psqrt` on one cell of the line.

    Guards of protected operators: an argument that vanishes identically meets the guard (a constant); any
    other counts as outside it (spec: on probabilities of at least 1e-7).
    """

    variable: Symbol
    cell: Cell
    known: Mapping[Expr, int]
    guarded: set[Expr] = field(default_factory=set)
    steps: set[Expr] = field(default_factory=set)
    """Arguments of `sign`, which has a value of its own where they vanish."""

    def smooth(self, expr: Expr, values: Mapping[Expr, Expr]) -> Expr:
        """`expr` with `values` put in for its symbols, smooth on the cell."""
        seen: dict[Expr, Expr] = {}

        def of(node: Expr) -> Expr:
            if node not in seen:
                seen[node] = self._step(node, [of(arg) for arg in node.args], values)
            return seen[node]

        return of(expr)

    def _step(self, node: Expr, args: list[Expr], values: Mapping[Expr, Expr]) -> Expr:
        if not args:
            return values.get(node, node)
        if isinstance(node, Abs):
            return self.sign_of(args[0]) * args[0]
        if isinstance(node, sign):
            self.steps.add(args[0])
            return Integer(self.sign_of(args[0]))
        if isinstance(node, Max | Min):
            # max(a, b) is a where a - b >= 0: the sign on the whole cell is asked for, and the cell cut where it
            # changes.
            best = args[0]
            for other in args[1:]:
                larger = self.sign_of(best - other) >= 0
                best = best if larger == isinstance(node, Max) else other
            return best
        if isinstance(node, plog | psqrt):
            return self._protected(node, args[0])
        if isinstance(node, log):
            return self._logarithm(args[0])
        if isinstance(node, Pow):
            return self._power(args[0], args[1])
        if isinstance(node, RealFunction) and not is_smooth(node.func):
            return self.smooth(node.plain(args[0]), {})
        return node.func(*args)

    def _protected(self, node: Expr, argument: Expr) -> Expr:
        plain = log if isinstance(node, plog) else sqrt
        if argument.is_Rational:
            return plain(max(abs(argument), GUARD))
        direction = self.sign_of(argument)
        if not direction:
            return plain(GUARD)
        self.guarded.add(argument)
        # plog(u) = log(max(|u|, 1e-7)), and |u| = +-u here.
        return self.without_abs(plain(direction * argument))

    def _logarithm(self, argument: Expr) -> Expr:
        if self.sign_of(argument) <= 0:
            raise Undefined(f"log({argument}) is not real {self._where()}")
        return log(argument)

    def _power(self, base: Expr, exponent: Expr) -> Expr:
        if exponent.is_Integer:
            if exponent < 0 and self.sign_of(base) == 0:
                raise Undefined(f"a division by zero {self._where()}")
            # SymPy may take an absolute value out of a root as it builds one.
            return self.without_abs(base**exponent)
        if isinstance(base, Pow) and base.exp.is_Integer and base.exp % 2 == 0:
            # The root of an even power is one of an absolute value: sqrt(u**2) = |u|.
            direction = self.sign_of(base.base)
            if direction:
                return self.without_abs((direction * base.base) ** (base.exp * exponent))
        direction = self.sign_of(base)
        # A real power of a negative base is none over the reals, whatever SymPy's complex one is; 0**e = 0 for e > 0.
        if direction < 0 or (direction == 0 and not exponent.is_positive):
            raise Undefined(f"({base})**({exponent}) is not real {self._where()}")
        return S.Zero if direction == 0 else self.without_abs(base**exponent)

    def without_abs(self, expr: Expr) -> Expr:
        """`expr` without the absolute values that SymPy takes out of roots of squares."""
        return self.smooth(expr, {}) if expr.has(Abs) else expr

    def _where(self) -> str:
        low, high = self.cell.left.middle, self.cell.right.middle
        return f"for {self.variable} between {low:.4g} and {high:.4g}"

    def sign_of(self, formula: Expr) -> int:
        """The sign of `formula` on the whole cell; 0 where it vanishes identically.

        Raises:
            Undecided: when it is not settled.
        """
        if isinstance(formula, Rational):
            return (formula.p > 0) - (formula.p < 0)
        if formula in (S.NaN, S.ComplexInfinity, S.Infinity, S.NegativeInfinity):
            raise Undefined(f"a division by zero {self._where()}")
        if formula in self.known:
            return self.known[formula]
        if self.variable not in formula.free_symbols:
            direction = number_sign(formula)
            if direction is None:
                raise Undecided(f"the sign of the constant {formula} is not settled")
            return direction
        spans = sign_pattern(formula, self.variable, self.cell)
        if any(span.sign is None for span in spans):
            open_span = next(span for span in spans if span.sign is None)
            raise Undecided(f"the sign of {formula} is not settled near {open_span.left.middle:.4g}")
        signs = [span.sign for span in spans if span.sign is not None]
        if len(spans) == 1:
            return signs[0]
        if len(set(signs)) == 1:
            # The sign is the same on both sides of a touching root; for abs and roots the piece is one, but
            # the root itself is a singular point of log and of negative powers, so it stays a border.
            pass
        # `build` starts again on every part with the sign known there: a formula is never resolved on two parts at
        # once.
        raise _Cut(formula, [span.right for span in spans[:-1]], signs)


def pieces_of(
    build: Callable[[Resolver], tuple[Expr, ...]], variable: Symbol, left: Point, right: Point
) -> tuple[tuple[Piece, ...], frozenset[Expr]]:
    """The smooth pieces of the formulas that `build` makes, and the arguments that count as outside a guard.

    Raises:
        Undefined: where a formula has no real value on a stretch.
        Undecided: where a breakpoint could not be settled, there are more than 48 pieces, or a formula may have a
            value of its own at a single point.
    """
    work: list[tuple[Cell, dict[Expr, int]]] = [(Cell(left, right), {})]
    done: list[Piece] = []
    guarded: set[Expr] = set()
    resolvers: dict[Cell, Resolver] = {}
    while work:
        cell, known = work.pop()
        resolver = resolvers[cell] = Resolver(variable, cell, known, guarded)
        try:
            done.append(Piece(cell, build(resolver)))
        except _Cut as cut:
            work += _divided(cell, known, cut)
        if len(work) + len(done) > _MAX_PIECES:
            raise Undecided("the formula has too many pieces")
    done.sort(key=lambda piece: piece.cell.left.lo)
    for before, after in pairwise(done):
        # `sign` is 0 where its argument is, a value beside those on both sides. Limits do not see it, so it must lie
        # between them, or infima read from the pieces could be too high.
        if resolvers[before.cell].steps and not _between(build, resolvers[before.cell], before, after):
            where = f"{variable} = {before.cell.right.middle:.6g}"
            raise Undecided(
                f"the formula may have a value of its own at {where}, where the argument of a sign is 0"
            )
    return tuple(done), frozenset(guarded)


def _between(
    build: Callable[[Resolver], tuple[Expr, ...]], resolver: Resolver, before: Piece, after: Piece
) -> bool:
    """Whether the values at a border are none beyond those on both sides, of formulas with `sign`.

    Infimum, supremum, convexity and continuity can then be read from the pieces alone.
    """
    point = resolver.cell.right
    zeros = {argument for argument in resolver.steps if _vanishes(argument, resolver.variable, point)}
    if not zeros:
        return True
    known = {**resolver.known, **dict.fromkeys(zeros, 0)}
    for _ in range(_MAX_PIECES):
        try:
            values = build(Resolver(resolver.variable, resolver.cell, known))
        except _Cut as cut:
            # The border is the cell's right end, where the last sign counts.
            known[cut.formula] = cut.signs[-1]
        except Undefined:  # no value at all
            return True
        else:
            return all(
                _is_between(value, left, right, resolver.variable, point)
                for value, left, right in zip(values, before.exprs, after.exprs, strict=True)
            )
    return False


def _vanishes(formula: Expr, variable: Symbol, point: Point) -> bool:
    """Whether a formula may be zero at a point."""
    return not _signs_at(formula, variable, point) & {-1, 1}


def _is_between(value: Expr, before: Expr, after: Expr, variable: Symbol, point: Point) -> bool:
    if value in (before, after):
        return True
    signs = [_signs_at(value - end, variable, point) for end in (before, after)]
    return {0} in signs or (signs[0] | signs[1]) == {-1, 1}


def _signs_at(formula: Expr, variable: Symbol, point: Point) -> set[int | None]:
    """The sign at a point, None for one that is not settled."""
    if point.exact is not None:
        return {number_sign(formula.xreplace({variable: point.exact}))}
    value, _ = enclose(formula, variable, point.box)
    return {int(value.sign) or None}


def _divided(cell: Cell, known: dict[Expr, int], cut: _Cut) -> list[tuple[Cell, dict[Expr, int]]]:
    borders = [cell.left, *cut.points, cell.right]
    result: list[tuple[Cell, dict[Expr, int]]] = []
    vanishing = frozenset([cut.formula])
    for i, direction in enumerate(cut.signs):
        part = Cell(
            borders[i],
            borders[i + 1],
            # At the new borders the formula that was cut at is 0, which tails there need to know.
            cell.zeros_left if i == 0 else vanishing,
            cell.zeros_right if i == len(cut.signs) - 1 else vanishing,
        )
        result.append((part, {**known, cut.formula: direction}))
    return result

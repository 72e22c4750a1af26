"""A margin loss as the curves that theory speaks of: `M` on the line, `S` and `D` of a margin and its mirror image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from sympy import Add, Expr, I, Pow, S, exp, log, nan, oo, zoo

from symloss.expr import Loss, M, W, sigmoid, softplus
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.curve import Curve, Extreme
from symloss.theory.functions.pieces import Piece, Undecided, Undefined, pieces_of
from symloss.theory.functions.points import Point, Span

__all__ = ["Margin", "saturating"]


@dataclass(frozen=True)
class Margin:
    """The smooth pieces of a margin loss.

    Attributes:
        loss: the loss.
        formula: `M(m)`, numbers put in.
        pieces: `(M(m), M(-m))` on the cells of (0, oo).
        guarded: arguments of protected operators that count as outside their guard.
        classes: as `known_as` is asked; of no account here.
    """

    loss: Loss
    formula: Expr
    pieces: tuple[Piece, ...]
    guarded: frozenset[Expr]
    classes: int = 2

    @staticmethod
    def of(loss: Loss) -> Margin:
        """The margin loss as curves.

        Raises:
            Undefined: where it has no finite real value on a stretch.
            Undecided: where a kink could not be settled, or it depends on the weight of the instance.
        """
        if loss.value_expr.has(W):
            raise Undecided("the formula depends on w, which is not a fixed number")
        formula = saturating(loss.value_expr)
        if formula.has(nan, zoo, oo, -oo, I):
            raise Undefined("the loss has no finite real value")
        # A margin and its mirror image are resolved together: S, D and every risk are then smooth on one set of pieces.
        pieces, guarded = pieces_of(
            lambda r: (r.without_abs(r.smooth(formula, {})), r.without_abs(r.smooth(formula, {M: -M}))),
            M, Point.at(S.Zero), Point.at(oo),
        )  # fmt: skip
        return Margin(loss, formula, pieces, guarded)

    @cached_property
    def curve(self) -> Curve:
        """`M` on the whole line."""
        return Curve.build(lambda resolver: resolver.smooth(self.formula, {}), M, -oo, oo)

    @cached_property
    def slope(self) -> Curve:
        """`M'`."""
        return self.curve.map(lambda expr: _mirrored(expr.diff(M)))

    @cached_property
    def bend(self) -> Curve:
        """`M''`."""
        return self.slope.map(lambda expr: _mirrored(expr.diff(M)))

    def on_pairs(self, combine: Callable[[Expr, Expr], Expr]) -> Curve:
        """The curve on (0, oo) of a combination of `M(m)` and `M(-m)`."""
        return Curve.of_pieces(M, self.pieces, lambda exprs: combine(exprs[0], exprs[1]))

    @cached_property
    def total(self) -> Curve:
        """`S(m) = M(m) + M(-m)`: twice the risk where both labels are as likely."""
        return self.on_pairs(lambda here, there: here + there)

    @cached_property
    def gain(self) -> Curve:
        """`D(m) = M(-m) - M(m)`: what the right side is better by."""
        return self.on_pairs(lambda here, there: there - here)

    def risk(self, h: Expr) -> Curve:
        """`h M(m) + (1 - h) M(-m)` on m > 0."""
        return self.on_pairs(lambda here, there: h * here + (1 - h) * there)

    @cached_property
    def start(self) -> Expr | None:
        """`M'(0)`; None where a kink may lie there."""
        part = self.curve.part_at(S.Zero)
        return None if part is None else shorter(part.diff(M).subs(M, 0))

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """Where `M` rises and falls, neighbours of one sign joined."""
        joined: list[Span] = []
        for span in self.slope.pattern:
            # A kink, or a slope that touches 0, is no turn: M goes on falling or rising across it where it does not
            # jump.
            if joined and joined[-1].sign == span.sign and self._is_regular(span.left):
                joined[-1] = Span(joined[-1].left, span.right, span.sign)
            else:
                joined.append(span)
        return tuple(joined)

    def _is_regular(self, point: Point) -> bool:
        """Whether `M` is proved to be continuous at a border between spans."""
        for i, (cell, _) in enumerate(self.curve.parts[:-1]):
            if cell.right.lo <= point.hi and point.lo <= cell.right.hi:
                return self.curve.is_continuous_at(i)
        return True

    @cached_property
    def stationary(self) -> tuple[Extreme, ...] | None:
        """Where `M` turns from falling to rising or back, with its values there; None where a sign is open."""
        places = self.curve.places
        if places is None or any(span.sign is None for span in self.spans):
            return None
        turns = [a.right for a, b in pairwise(self.spans) if {a.sign, b.sign} == {-1, 1}]
        found = []
        for turn in turns:
            near = [each for each in places if each.where.lo <= turn.hi and turn.lo <= each.where.hi]
            # `places` may list one point from both its sides.
            found += near[:1]
        return tuple(found)

    @property
    def guard_note(self) -> str:
        """What is assumed of protected operators, or `""`."""
        return "; protected operators count as outside their guard" if self.guarded else ""


def saturating(expr: Expr) -> Expr:
    """`expr` with `softplus` for `log(1 + exp(x))` and `sigmoid` for `1/(1 + exp(x))`: they can be enclosed far out.

    >>> saturating(log(1 + exp(-M)) / (1 + exp(M)) ** 2)
    sigmoid(-m)**2*softplus(-m)
    >>> saturating(1 - sigmoid(20 * M))
    sigmoid(-20*m)
    """

    def is_soft(node: Expr) -> bool:
        return isinstance(node, log) and _exponent(node.args[0]) is not None

    def is_squashed(node: Expr) -> bool:
        return isinstance(node, Pow) and bool(node.exp.is_negative) and _exponent(node.base) is not None

    # log(1 + exp(x)) = softplus(x), and (1 + exp(x))**-k = sigmoid(-x)**k.
    found = expr.replace(is_soft, lambda node: softplus(_exponent(node.args[0])))
    return _mirrored(
        found.replace(is_squashed, lambda node: sigmoid(-(_exponent(node.base) or 0)) ** -node.exp)
    )


def _mirrored(expr: Expr) -> Expr:
    """`1 - sigmoid(x)` as `sigmoid(-x)`: the difference has no digits where it is small."""

    def is_rest(node: Expr) -> bool:
        return (
            isinstance(node, Add)
            and len(node.args) == 2
            and S.One in node.args
            and _against(node) is not None
        )

    return expr.replace(is_rest, lambda node: sigmoid(_against(node)))


def _against(node: Expr) -> Expr | None:
    """`-x` of `1 - sigmoid(x)`."""
    (other,) = (arg for arg in node.args if arg != S.One)
    # 1 - sigmoid(x) = sigmoid(-x).
    return -(-other).args[0] if isinstance(-other, sigmoid) else None


def _exponent(node: Expr) -> Expr | None:
    """`x` of `1 + exp(x)`."""
    if not (isinstance(node, Add) and len(node.args) == 2 and S.One in node.args):
        return None
    (other,) = (arg for arg in node.args if arg != S.One)
    return other.args[0] if isinstance(other, exp) else None

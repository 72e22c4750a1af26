"""From a formula to a derivation, by algebra: is this loss in the grammar?

A theorem says what the convex or increasing function of its form must be, from `M1 = M(1, p)` and `M0 = M(0, p)`: there
is no guessing at the form. That function is then taken apart term by term. What is found is put together again and
compared with the formula exactly. A formula that cannot be taken apart may still be a member: the reader knows the
rules, not all of algebra.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sympy import (
    Expr,
    Integer,
    Rational,
    cancel,
    diff,
    expand_mul,
    log,
    together,
)
from sympy.polys.polyerrors import PolynomialError

from symloss.errors import DomainError, SymlossError
from symloss.expr import C, Loss, P, Y, at_one, at_zero
from symloss.expr.canonical import canonicalise
from symloss.search.propose.inside.terms import Apart, Reader, Taken, bare, times, vanishes
from symloss.search.propose.inside.theorem import Inside
from symloss.search.propose.inside.typed import TypedLoss, exact_of

__all__ = ["read"]

_ONE, _ZERO = Integer(1), Integer(0)


def read(loss: Loss, inside: Inside, classes: int | None = None) -> TypedLoss:
    """The loss as a member of a grammar, up to what training cannot see.

    Exactly equal, up to a positive factor, a function of `y` alone, and, where the `p` of an instance add up to 1, a
    multiple of `p`.

    Args:
        loss: the formula.
        inside: the grammar.
        classes: what `C` is; a symbol unless given.

    Raises:
        DomainError: for one that has no derivation that the reader finds.

    >>> from symloss.search.propose.inside import inside_of
    >>> from symloss.zoo import named
    >>> one = read(named("brier"), inside_of(["proper"], "classification"))
    >>> [rule.name for rule, _ in one.steps]
    ['score', 'square']
    """
    try:
        formula = _Formula.of(loss, inside, classes)
        factor, taken = _READERS[inside.theorem.name](formula, Reader(inside))
        steps = [(inside.rules[name], numbers) for name, numbers in taken]
        _check(formula, inside, factor * exact_of(inside, steps), classes)
        floats = [(rule, _floats(numbers)) for rule, numbers in steps]
        return TypedLoss.of(inside, floats, float(factor))
    except Apart as error:
        raise DomainError(
            f"{loss} is not in the grammar of {inside.name}, as far as it is read: {error}"
        ) from None
    except DomainError:
        raise
    except (SymlossError, TypeError, ValueError, PolynomialError) as error:
        raise DomainError(f"{loss} cannot be read inside {inside.name}: {error}") from None


@dataclass(frozen=True)
class _Formula:
    """A loss at hard labels, or, of regression, at the targets 1 and 0.

    Attributes:
        whole: the formula.
        one, zero: `M1` and `M0`.
        kind: of the loss.
        count: of classes, a number or `C`.
        smoothed: the least and the largest of the smoothed labels; 0 and 1 without smoothing.
    """

    whole: Expr
    one: Expr
    zero: Expr
    kind: str
    count: Expr
    smoothed: tuple[Expr, Expr]

    @classmethod
    def of(cls, loss: Loss, inside: Inside, classes: int | None) -> _Formula:
        expr = loss.value_expr if classes is None else loss.at_classes(classes)
        if inside.kind.probabilities:
            one, zero = (canonicalise(at(expr).expr, loss.kind) for at in (at_one, at_zero))
        else:
            # For regression every y is a target. A loss of the form `f'(p)(p - y) - f(p)` is linear in y, so two
            # targets fix f, and `_check` compares for all others.
            one, zero = (expand_mul(expr.subs(Y, label)) for label in (1, 0))
        number = C if classes is None else Integer(classes)
        xi = Rational(repr(inside.xi))
        return cls(expr, one, zero, loss.kind, number, (xi / number, 1 - xi + xi / number))

    @property
    def gap(self) -> Expr:
        """`M0 - M1`."""
        return expand_mul(self.zero - self.one)

    @property
    def convex(self) -> Expr:
        """The only f for which `M = f'(p)(p - t) - f(p)` at the labels t, up to a line."""
        # M1 = f'(p)(p - high) - f(p) and M0 = f'(p)(p - low) - f(p): their difference gives f', then M0 gives f.
        low, high = self.smoothed
        slope = self.gap / (high - low)
        return expand_mul((P - low) * slope - self.zero)


def _check(formula: _Formula, inside: Inside, found: Expr, classes: int | None) -> None:
    if classes is not None:
        found = found.xreplace({C: Integer(classes)})
    if not inside.kind.probabilities:
        # A function of y alone, which no derivative in p sees, has no gradient.
        same = vanishes(diff(formula.whole - found, P), formula.kind)
    else:
        rest = [a - found.subs(Y, label) for a, label in ((formula.one, 1), (formula.zero, 0))]
        slopes = [diff(each, P) for each in rest]
        if inside.kind.exclusive:
            # M1 and M0 may both differ by the same line in p: summed over classes a p is the constant a, as the p of
            # an instance add up to 1.
            same = vanishes(slopes[0] - slopes[1], formula.kind) and vanishes(
                diff(slopes[0], P), formula.kind
            )
        else:
            same = all(vanishes(slope, formula.kind) for slope in slopes)
    if not same:
        raise Apart("what the theorem's form makes of it is another loss")


def _score(formula: _Formula, reader: Reader) -> tuple[Expr, Taken]:
    try:
        weight, taken = reader.convex(formula.convex)
    except Apart:
        # Fractions that cancel are not seen to before they are drawn together.
        weight, taken = reader.convex(expand_mul(cancel(together(formula.convex))))
    return weight, [("score", (_ONE,)), *taken]


def _symmetric(formula: _Formula, reader: Reader) -> tuple[Expr, Taken]:
    # With `M0 = g + m p` and `M1 = (1 - C) g + b p + m p` this is `(b + C m) p` plus a constant; m is what the
    # simplex hides.
    total = expand_mul(formula.one + (formula.count - 1) * formula.zero)
    slope = _line(total)
    # A multiple of p may move from the one term to the other: none, or all of it.
    for moved in (_ZERO, slope / formula.count):
        g, tilt = formula.zero - moved * P, slope - formula.count * moved
        try:
            weight, taken = reader.increasing(expand_mul(g - g.subs(P, 0)))
        except Apart:
            continue
        if tilt == 0:
            return weight, [("symmetric", (_ONE,)), *taken]
        # b <= 0 in `(1 - C y) g + b y p`: a positive tilt works against g, and can undo calibration.
        if (-tilt).is_positive:
            return _ONE, [("symmetric-tilted", (_ONE, -tilt)), *times(weight, taken)]
    raise Apart("M0 is not an increasing function that it knows, up to a multiple of p")


def _calibrated(formula: _Formula, reader: Reader) -> tuple[Expr, Taken]:
    factor, rising = reader.rising(formula.gap)
    rest = expand_mul(formula.zero)
    if rest.is_number:
        return factor, [("calibrated-sparse", (_ONE,)), *rising]
    # `-b log(p)` of every class is infinite at 0, hence no `Tree`; as a barrier it has a rule of its own.
    barrier = -rest.coeff(log(P))
    is_barrier = barrier.is_positive and expand_mul(rest + barrier * log(P)).is_number
    if is_barrier and "calibrated-barrier" in reader.inside.rules:
        return factor, [("calibrated-barrier", (_ONE, barrier / factor)), *rising]
    tree = reader.tree(rest / factor)
    return factor, [("calibrated", (_ONE,)), *tree, *rising]


def _bounded(formula: _Formula, reader: Reader) -> tuple[Expr, Taken]:
    if formula.zero.is_number:
        return _ONE, [("bounded-sparse", (_ONE,)), *bare(reader.tree(formula.one - formula.zero))]
    return _ONE, [("bounded", (_ONE,)), *reader.tree(formula.one), *reader.tree(formula.zero)]


_READERS: dict[str, Callable[[_Formula, Reader], tuple[Expr, Taken]]] = {
    "proper": _score, "smoothing": _score, "mean": _score, "symmetric": _symmetric, "calibrated": _calibrated,
    "bounded": _bounded,
}  # fmt: skip


def _floats(numbers: Sequence[Expr]) -> tuple[float, ...]:
    return tuple(map(float, numbers))


def _line(expr: Expr) -> Expr:
    """The slope of a line."""
    slope = diff(expr, P)
    if expand_mul(slope).has(P) and not vanishes(diff(slope, P), "classification"):
        raise Apart(f"M1 + (C-1) M0 = {expr} is no line")
    # The slope is a constant, written with p where SymPy could not simplify it: any p inside gives its value.
    return expand_mul(slope).subs(P, Rational(1, 2))

"""Which statistic of the targets the best constant prediction is: a mean, a quantile, or one weighted or transformed.

A loss `h(y) f(c y - p) + k(y)` is least where the weighted mean of `f'` vanishes: at `c` times a quantile where `f'` is
one constant on each side of 0, at `c` times an expectile where it is linear there. A loss whose slope in the prediction
is `g(y) (-B'(p)) (U(p) - t(y))` with `g >= 0` and `-B' U' > 0` is least where `U(p)` is the mean of `t(y)`, weighted by
`g(y)`; Bregman losses have `U(p) = p` and `t(y) = y` (Banerjee, Guo, Wang 2005).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sympy import (
    Add,
    Expr,
    Integer,
    Mul,
    Pow,
    Rational,
    Symbol,
    atanh,
    exp,
    log,
    oo,
    preorder_traversal,
    tanh,
)

from symloss.errors import SymlossError
from symloss.expr import P, Y, sigmoid
from symloss.theory.certificate import Finding, proved, unknown
from symloss.theory.findings.family import bare
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.residual import R, Residual, on_line
from symloss.theory.functions.algebra import shorter, vanishes
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.pieces import Undefined
from symloss.theory.functions.plane import has_kinks, is_defined, is_nonnegative, separated
from symloss.theory.values import MEAN, Statistic

__all__ = ["converges_to"]

_HALF = Rational(1, 2)
_T = Symbol("t", real=True)
"""The prediction as the variable of a curve."""


@names_guards
def converges_to(residual: Residual) -> Finding:
    """The constant that minimises the mean loss over targets, where it is a statistic with a name."""
    return (
        _of_family(residual)
        or _of_slope(residual)
        or unknown(
            "the slope is neither constant nor linear on both sides of the target, and no mean of targets is seen in it"
        )
    )


# Quantiles and expectiles


def _of_family(residual: Residual) -> Finding | None:
    family = residual.family
    if family is None or number_sign(family.lean) not in (1, -1):
        return None
    try:
        curve = on_line(family.shape, R)
    except SymlossError:
        return None
    left, right = _side(curve.derivative, -1), _side(curve.derivative, 1)
    if left is None or right is None or not curve.is_continuous:
        return None
    if not (vanishes(left.diff(R, 2)) and vanishes(right.diff(R, 2))):
        return None
    steep, level = (left.diff(R), right.diff(R)), (left.subs(R, 0), right.subs(R, 0))
    found: tuple[str, str, Expr] | None = None
    # psi = -a below and b above: the sum of h psi changes sign where the weight above is to that below as a to b; the
    # share b/(a+b) of the weight lies below.
    if steep == (0, 0) and number_sign(level[1]) == 1 and number_sign(level[0]) == -1:
        share = shorter(level[1] / (level[1] - level[0]))
        found = "median", "quantile", share
        reason = "psi is one constant above the target and another below it"
    # psi = a r below and b r above, of an expectile by definition; the mean for a = b.
    elif level == (0, 0) and number_sign(steep[0]) == 1 and number_sign(steep[1]) == 1:
        share = shorter(steep[1] / (steep[0] + steep[1]))
        found = "mean", "expectile", share
        reason = "psi is linear above the target and below it"
    if found is None:
        return None
    name, general, share = found
    if number_sign(family.lean) == -1:  # what lies above lies below
        share = shorter(1 - share)
    weight = None if family.weight == 1 else family.bare_weight
    outer = shorter(family.lean * MEAN)
    value = (
        Statistic(name, weight=weight, outer=outer)
        if share == _HALF
        else Statistic(general, share, weight=weight, outer=outer)
    )
    return proved(reason if residual.invariant else f"{reason}; {family}", value)


def _side(curve: Curve, side: int) -> Expr | None:
    """The one formula of the curve on the whole of one side of 0."""
    found = {
        shorter(expr) for cell, expr in curve.parts if (cell.right.hi > 0 if side > 0 else cell.left.lo < 0)
    }
    return found.pop() if len(found) == 1 else None


# Means


@dataclass(frozen=True)
class _Mean:
    """`g(y) (A'(p) + t(y) B'(p))`.

    Attributes:
        weight: `g`.
        target: `t`.
        constant, linear: `A'` and `B'`.
    """

    weight: Expr
    target: Expr
    constant: Expr
    linear: Expr


def _of_slope(residual: Residual) -> Finding | None:
    formula = residual.loss.value_expr
    if has_kinks(formula):
        return None
    for form in _forms(residual.slope):
        for low, where in ((-oo, ""), (Integer(0), " on p > 0, where the loss is real")):
            if low == 0 and _may_be_real_below(formula):
                continue
            finding = _solved(formula, form, low, where)
            if finding is not None:
                return finding
    return None


def _may_be_real_below(formula: Expr) -> bool:
    """Whether the loss may have values at negative predictions: what holds on `p > 0` then settles nothing."""
    try:
        Curve.build(lambda r: r.smooth(formula.subs({Y: 1, P: _T}), {}), _T, -oo, Integer(0))
    except Undefined:
        return False
    except SymlossError:
        return True
    return True


def _forms(slope: Expr) -> list[_Mean]:
    """The ways to read a slope as a mean: two functions of the target, each times one of the prediction."""
    parts = separated(slope)
    if len(parts) != 2:
        return []
    (g, a), (h, b) = parts.items()
    # g A' + h B' = g (A' + (h/g) B') = h (B' + (g/h) A').
    forms = [_Mean(g, shorter(h / g), a, b), _Mean(h, shorter(g / h), b, a)]
    forms = [f for f in forms if is_defined(f.weight) and is_nonnegative(f.weight) and is_defined(f.target)]
    return sorted(forms, key=lambda f: (f.target != Y, f.target.count_ops(), str(f.target)))


def _solved(formula: Expr, form: _Mean, low: Expr, where: str) -> Finding | None:
    """The statistic, where the slope changes sign once, and upwards, at every mean."""
    link = shorter(-form.constant / form.linear)
    outer = _inverse(link, low == 0)
    if outer is None:
        return None

    def on(expr: Expr) -> Curve:
        return Curve.build(lambda r: r.smooth(expr.subs(P, _T), {}), _T, low, oo)

    try:
        # Real, and in one smooth piece, at every target where its parts in y are.
        for expr in (formula.subs(Y, 1), formula.subs(Y, 2), form.constant, form.linear):
            if len(on(expr).parts) > 1:
                return None
        linear, rise = on(form.linear).signs, on(link).derivative.signs
    except SymlossError:
        return None
    # dM/dp = g (A' + t B') = g (-B') (U - t) with U = -A'/B': with -B' of one sign, and U' of the same, the weighted
    # mean of the slopes changes sign once, upwards, where U is the mean of t.
    if len(linear) != 1 or linear & {0, None} or rise != {-sign for sign in linear if sign is not None}:
        return None
    weight = None if form.weight == 1 else bare(form.weight)
    value = Statistic("mean", of=None if form.target == Y else form.target, weight=weight, outer=outer)
    reason = (
        f"dM/dp has the sign of U(p) - t(y), U(p) = {link} and t(y) = {form.target}, and U increases{where}"
    )
    if outer != MEAN:
        reason += "; wherever that mean is a value of U"
    return proved(reason, value)


_INVERSES: dict[object, Callable[[Expr], Expr]] = {
    exp: log,
    log: exp,
    tanh: atanh,
    sigmoid: lambda value: log(value / (1 - value)),
}


def _inverse(link: Expr, positive: bool) -> Expr | None:
    """The `p` with `U(p) = m`, a formula of `MEAN`, where `p` stands in `U` once; roots of positive numbers alone."""
    if sum(node == P for node in preorder_traversal(link)) != 1:
        return None
    value: Expr = MEAN
    while link != P:
        if isinstance(link, Add):
            fixed, link = link.as_independent(P, as_Add=True)
            value -= fixed
        elif isinstance(link, Mul):
            fixed, link = link.as_independent(P, as_Add=False)
            value /= fixed
        elif isinstance(link, Pow) and positive and link.exp.is_Rational:
            value, link = value ** (1 / link.exp), link.base
        elif link.func in _INVERSES:
            value, link = _INVERSES[link.func](value), link.args[0]
        else:
            return None
    return value

"""Why no loss is both strictly proper and symmetric, and what is left of the two together."""

from __future__ import annotations

from sympy import Expr, Function, Integer, Le, Rational, Sum, Symbol, diff, log

from symloss.expr import C, parse
from symloss.theory.derivations.derivation import (
    Derivation,
    Step,
    equation,
    identity,
    positive,
    probabilities,
    sampled,
)

__all__ = ["proper_symmetric_exclusive"]

_P, _Q, _XI = Symbol("p", positive=True), Symbol("q", positive=True), Symbol("xi", positive=True)
_F, _SLOPE, _K, _OFF = (
    Symbol("F", real=True),
    Symbol("c", real=True),
    Symbol("K", real=True),
    Symbol("d", positive=True),
)
# From p M1' + (1-p) M0' = c and M0' - M1' = F.
_ONE, _ZERO = _SLOPE - (1 - _P) * _F, _SLOPE + _P * _F
"""`M1'` and `M0'` of a loss whose `h` is the constant `c`, by their difference `F`."""


def proper_symmetric_exclusive() -> Derivation:
    """Symmetry makes every prediction equally good under the uniform posterior; strict properness makes one the best.

    References:
        Ghosh, Kumar, Sastry, Robust loss functions under label noise for deep neural networks, 2017: symmetry.
        Gneiting, Raftery, Strictly proper scoring rules, prediction, and estimation, 2007: properness. The argument is
        made here.
    """
    index, label = Symbol("i"), Symbol("k")
    one, zero = Function("M1"), Function("M0")
    entry = Symbol("p_i", positive=True)
    loss = Symbol("L(e_k, p)", real=True)
    total = Sum(loss, (label, 1, C))
    entries = Sum(one(entry) + (C - 1) * zero(entry), (index, 1, C))
    half = Symbol("A(p)", real=True)
    smoothed = (1 - _XI + _XI / C, _XI / C)
    steps = (
        Step(
            "sum over the labels",
            total,
            entries,
            "entry i is that of the label for one k and of another label for the C - 1 others",
            sampled(_over_labels),
        ),
        Step(
            "symmetry",
            equation(total, entries),
            equation(total, _K),
            "a loss is symmetric where this sum is the same for every prediction; M1 + (C - 1) M0 = alpha p + beta "
            "does it, with K = alpha + C beta, as the p_i add up to 1",
            sampled(_of_lines),
        ),
        Step(
            "under the uniform posterior",
            Sum(loss / C, (label, 1, C)),
            _K / C,
            "every label has the probability 1/C, so the expected loss is the mean over the labels",
            sampled(lambda n, k: sum(_losses(n, k)) / n - sum(loss / n for loss in _losses(n, k))),
        ),
        Step(
            "no prediction is the best",
            equation(Symbol("risk(uniform, p)"), _K / C),
            equation(Symbol("risk(uniform, uniform)"), _K / C),
            "a strictly proper loss has its one minimum at p = q, here at (1/C, ..., 1/C); where all predictions have "
            "one risk there is no such minimum: no loss is both, for any number of classes",
            f"there is another prediction: 1/C + d with {positive(_OFF)} is one of its entries",
        ),
        Step(
            "label smoothing, too",
            (1 - _XI) / C + _XI / C,
            1 / C,
            "a loss whose one minimum is at (1 - xi) q + xi/C has it at 1/C under the uniform posterior as well, so "
            "that it is not symmetric either",
            identity((1 - _XI) / C + _XI / C, 1 / C),
        ),
        Step(
            "what is proper without being strictly so: C >= 3",
            equation(Symbol("h(q)"), _Q * Symbol("M1'(q)") + (1 - _Q) * Symbol("M0'(q)")),
            equation(Symbol("h(q)"), _SLOPE),
            "at p = q the slopes of the risk in all entries are equal, and any two values are entries of one posterior "
            "or of two that share a third: so h is a constant c, and with F = M0' - M1' the slopes are "
            "M1' = c - (1 - p) F and M0' = c + p F",
            f"the slope of q M1(p) + (1 - q) M0(p): {_slope_of_the_risk(one, zero)}; these M1' and M0' have h = c: "
            + identity(_P * _ONE + (1 - _P) * _ZERO, _SLOPE),
        ),
        Step(
            "the sign of F",
            _Q * _ONE + (1 - _Q) * _ZERO - _SLOPE,
            (_P - _Q) * _F,
            "less c, a term of the risk has this slope: it is least at p = q for every q only where F >= 0",
            identity(_Q * _ONE + (1 - _Q) * _ZERO - _SLOPE, (_P - _Q) * _F),
        ),
        Step(
            "and symmetric",
            equation(Symbol("alpha"), _ONE + (C - 1) * _ZERO),
            equation(Symbol("alpha"), C * _SLOPE + (C * _P - 1) * _F),
            "M1' + (C - 1) M0' is the slope alpha of a line, so (C p - 1) F(p) is the same for every p",
            identity(_ONE + (C - 1) * _ZERO, C * _SLOPE + (C * _P - 1) * _F)
            + "; with smoothed labels t the slopes are c + (p - t) F, and it is the same: "
            + identity((_P - smoothed[0]) * _F + (C - 1) * (_P - smoothed[1]) * _F, (C * _P - 1) * _F),
        ),
        Step(
            "nothing is left",
            Le(0, _F),
            equation(_F, Integer(0)),
            "with F >= 0 the constant (C p - 1) F is at least 0 for p > 1/C and at most 0 for p < 1/C, so it is 0, and "
            "F with it: M1 and M0 are c p and constants, which add up to the same number for every prediction",
            f"at p = 1/C + d: {positive((C * (1 / C + _OFF) - 1).expand())}; "
            f"at p = 1/C - d the other sign: {positive((1 - C * (1 / C - _OFF)).expand())}",
        ),
        Step(
            "the same for two classes",
            _Q * half + (1 - _Q) * (_K - half),
            (2 * _Q - 1) * half + (1 - _Q) * _K,
            "with A(p) the loss of the first label, symmetry says A(1 - p) = K - A(p), and the risk is linear in A: "
            "for every q > 1/2 it has the same minimum, which q moves away from",
            identity(_Q * half + (1 - _Q) * (_K - half), (2 * _Q - 1) * half + (1 - _Q) * _K),
        ),
    )
    return Derivation(
        "proper-symmetric-exclusive",
        "No loss is both strictly proper and symmetric (nor is one that smooths labels symmetric), for any number of "
        "classes. A sum of differentiable entries that is proper and symmetric is constant, as the sum of all p is.",
        steps,
        parse("p"),
        {
            "L(e_k, p)": "the loss of the prediction p with the label k; M1, M0 its entries at y = 1 and y = 0",
            "q": "the class posterior, or one entry of it; the risk is the expected loss",
            "h": "h(q) = q M1'(q) + (1-q) M0'(q)",
            "F": "M0' - M1', the second derivative of the convex function of a proper loss",
            "K, c, d, alpha, beta": "constants; d > 0",
        },
    )


def _losses(count: int, point: int) -> list[Expr]:
    """The loss of each label, of a loss with entries `-log p` and `p**2`."""
    p = probabilities(count, point)
    absent = [x**2 for x in p]
    return [-log(x) + sum(absent) - x**2 for x in p]


def _over_labels(count: int, point: int) -> Expr:
    p = probabilities(count, point)
    return sum(_losses(count, point)) - sum(-log(x) + (count - 1) * x**2 for x in p)


def _of_lines(count: int, point: int) -> Expr:
    alpha, beta = Rational(3, 7), Rational(-2, 5)
    return sum(alpha * x + beta for x in probabilities(count, point)) - (alpha + count * beta)


def _slope_of_the_risk(one: Function, zero: Function) -> str:
    risk = _Q * one(_P) + (1 - _Q) * zero(_P)
    return identity(diff(risk, _P), _Q * diff(one(_P), _P) + (1 - _Q) * diff(zero(_P), _P))

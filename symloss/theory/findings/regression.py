"""Findings about the shape of a regression loss: what it depends on, where it is least, how it bends.

Three ways lead to a proof for every target: the loss is one curve, moved and scaled (`family`); the structure of its
formula shows it (`plane`); or its slope does. A counterexample needs one target.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sympy import Expr, Rational, nan, oo, zoo

from symloss.errors import SymlossError
from symloss.expr import P, Y, canonicalise
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.residual import SEEN, R, Residual, on_line, value_at
from symloss.theory.functions.algebra import one_fraction, shorter, tidy, vanishes
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.convexity import is_convex, low_chord, sought_chord
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.plane import Bend, bend, has_kinks, is_defined, is_nonnegative
from symloss.theory.functions.probes import RESIDUALS, TARGETS

__all__ = ["convex", "minimum_at_target", "translation_invariant"]


@names_guards
def translation_invariant(residual: Residual) -> Finding:
    """Whether `M` depends on the residual alone."""
    if residual.invariant:
        return proved(f"M(y, y - r) = {shorter(residual.formula)} is free of y, by algebra")
    if residual.witness is None:
        return unknown("M(y, y - r) is not free of y by algebra, and no two values differ on a grid")
    (y1, p1), (y2, p2) = residual.witness
    values = [float(value_at(residual.loss, y, p).mid) for y, p in residual.witness]
    return refuted(
        f"M({y1}, {p1}) = {values[0]:.6g} but M({y2}, {p2}) = {values[1]:.6g}, with equal residuals",
        {"points": [[float(y1), float(p1)], [float(y2), float(p2)]]},
    )  # fmt: skip


@names_guards
def minimum_at_target(residual: Residual) -> Finding:
    """Whether `M(y, y)` is the least value over all predictions, for every target."""
    lower = _lower_than_target(residual)
    if lower is not None:
        return lower
    family = residual.family
    problem = "the loss is not one curve of y - p, and its structure does not show where it is least"
    if family is not None and family.lean == 1:
        try:
            reason, problem = _turns_at_zero(on_line(family.shape, R))
        except SymlossError as error:
            reason, problem = "", str(error)
        if reason:
            return proved(reason if residual.invariant else f"{reason}, and {family}")
    reason = _least_by_structure(residual)
    return proved(reason) if reason else unknown(problem)


def _lower_than_target(residual: Residual) -> Finding | None:
    """A target and a prediction at which the loss is lower than where they meet: found in floats, then checked."""
    values = residual.table(RESIDUALS)
    there = values[:, [RESIDUALS.index(Rational(0))]]
    # Floats find where to look, 50 digits decide.
    lower = there - values > SEEN * np.fmax(np.abs(values), np.abs(there))
    for i, k in zip(*np.nonzero(lower), strict=True):
        y, r = RESIDUALS[i], RESIDUALS[k]
        here, best = value_at(residual.loss, y, y), value_at(residual.loss, y, y - r)
        if here is not None and best is not None and here.a > best.b:
            reason = f"M({y}, {y - r}) = {float(best.mid):.6g} is below M({y}, {y}) = {float(here.mid):.6g}"
            return refuted(reason, {"y": float(y), "p": float(y - r)})
    return None


def _turns_at_zero(curve: Curve) -> tuple[str, str]:
    """Why a curve is least at 0, or `""` and what speaks against it."""
    if not curve.is_continuous:
        return "", "a jump or a singular point is not excluded"
    spans = curve.derivative.pattern
    # Falling on the left of 0 and rising on the right, a continuous curve is least at 0. Otherwise all its extremes are
    # compared with the value there.
    if all(_leads_to_zero(span.left.lo, span.right.hi, span.sign) for span in spans):
        return (
            "M does not rise towards the target on either side: signs of its derivative in r on every piece",
            "",
        )
    lowest, here = curve.extreme(-1), curve.part_at(Rational(0))
    if lowest is not None and lowest.value.exact is not None and here is not None:
        value = shorter(here.subs(R, 0))
        if number_sign(value - lowest.value.exact) == 0:
            return (
                f"no value of M lies below {value}, its value at the target: all stationary points and ends",
                "",
            )
    return "", "the derivative's sign is open, or points away from the target, on a stretch"


def _leads_to_zero(left: float, right: float, sign: int | None) -> bool:
    return sign == 0 or (right <= 0 and sign == -1) or (left >= 0 and sign == 1)


def _least_by_structure(residual: Residual) -> str:
    """Why `M(y, p) >= M(y, y)` for all real `y` and `p`, or `""`."""
    formula = residual.loss.value_expr
    if not is_defined(formula):
        return ""
    least = formula.subs(P, Y)
    if least.has(nan, zoo, oo, -oo):
        return ""
    for gap in _spellings(formula - canonicalise(least, "regression")):
        if is_defined(gap) and is_nonnegative(gap):
            return f"M(y, p) - M(y, y) = {gap} is nowhere negative, by its structure"
    if has_kinks(formula):
        return ""
    slope = residual.slope
    # dM/dp = (p - y) u with u >= 0: M falls up to p = y and rises from there.
    steepness = one_fraction(slope / (P - Y))
    for rate in _spellings(steepness):
        if is_defined(rate) and is_nonnegative(rate):
            return f"dM/dp = (p - y) ({rate}), where the second factor is nowhere negative"
    if bend(formula) is Bend.UP and vanishes(slope.subs(P, Y)):
        return "M is convex in p at every target, by the rules of convex programming, and dM/dp vanishes at p = y"
    return ""


def _spellings(formula: Expr) -> Iterator[Expr]:
    """Equal formulas, of which one may show what another hides."""
    yield formula
    for other in (canonicalise(formula, "regression"), tidy(formula)):
        if other != formula:
            yield other


@names_guards
def convex(residual: Residual) -> Finding:
    """Whether `M` is convex in the prediction, for every target."""
    finding = _bent_family(residual)
    if finding.verdict != "unknown":
        return finding
    formula = residual.loss.value_expr
    if is_defined(formula):
        if bend(formula) in (Bend.UP, Bend.STRAIGHT):
            return proved(
                "by the rules of convex programming: M is put together of convex parts, at every target"
            )
        if not has_kinks(formula):
            for rate in _spellings(residual.slope.diff(P)):
                if is_defined(rate) and is_nonnegative(rate):
                    return proved(f"d2M/dp2 = {rate} is nowhere negative, by its structure")
    for target in TARGETS:
        try:
            chord = low_chord(residual.at(target).curve)
        except SymlossError:  # the loss has no value there
            continue
        if chord is not None:
            y = float(target)
            return _bends_down(y, y - chord.a, y - chord.b)
    return finding


def _bent_family(residual: Residual) -> Finding:
    """What follows from the one curve that the loss is, moved and scaled."""
    family = residual.family
    if family is None:
        return unknown("the sign of the second derivative is open")
    try:
        curve = on_line(family.shape, R)
        chord = low_chord(curve)
        if chord is None and is_convex(curve):
            reason = "the second derivative is nowhere negative, and no kink points down, on every piece"
            return proved(reason if residual.invariant else f"{reason}, and {family}")
        chord = chord or sought_chord(curve)
    except SymlossError as error:
        return unknown(str(error))
    if chord is None:
        return unknown("the sign of the second derivative is open")
    return _bends_down(float(family.base), family.prediction(chord.a), family.prediction(chord.b))


def _bends_down(y: float, a: float, b: float) -> Finding:
    reason = f"at y = {y:g} the chord from p = {a:.6g} to p = {b:.6g} runs below M at its middle"
    return refuted(reason, {"y": y, "p": [a, b]})

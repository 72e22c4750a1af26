"""Which loss of the zoo is it: `L = a L_zoo + b`, a > 0, with the zoo loss's coefficients solved for.

A least-squares fit of the gradient's direction proposes coefficients; they are snapped to exact numbers and
the identity is then proved by algebra. Fewest coefficients win, then the zoo's order.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import Expr, Integer, Poly, Rational, linsolve, oo, sqrt
from sympy.solvers.solveset import NonlinearError

from symloss.errors import SymlossError
from symloss.expr import KINDS, C, Loss, P, Y, at_one, at_zero
from symloss.theory.certificate import Finding, proved, refuted
from symloss.theory.findings.profile import Profile
from symloss.theory.findings.residual import R, Residual
from symloss.theory.functions.algebra import multiplied_out, shorter
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.pieces import Piece, Resolver, pieces_of
from symloss.theory.functions.points import Point
from symloss.theory.identify.fit import Fit, loss_of
from symloss.theory.identify.match import jumps, matched, slope_ratio
from symloss.theory.values import Named
from symloss.zoo import entry, names

__all__ = ["known_as"]


def known_as(view: Profile | Residual) -> Finding:
    """Equality with a zoo loss up to a positive factor and a constant; else the nearest one.

    Of regression losses also with one whose targets are weighted and scaled, `w(y) L(c y, p)`.
    """
    return _weighted(view) or _known_as(view)


def _weighted(view: Profile | Residual) -> Finding | None:
    """The loss of the zoo that a regression loss is up to a weight of each target and a factor of all."""
    if isinstance(view, Profile) or view.invariant:
        return None
    family = view.family
    if family is None or family.lean == 0 or Y in family.offset.free_symbols:
        return None
    inner = _known_as(Residual.of(Loss(family.shape.subs(R, Y - P), view.loss.kind)))
    if inner.verdict == "unknown" or not isinstance(inner.value, Named):
        return None
    weight = None if family.weight == 1 else family.bare_weight
    value = replace(inner.value, weight=weight, scale=family.lean)
    return replace(inner, value=value, reason=f"{family}; of f: {inner.reason}")


def _known_as(view: Profile | Residual) -> Finding:
    kind = view.loss.kind
    return matched(
        view.loss, view.classes, [entry(name, kind) for name in names(kind)], lambda: _constants(view),
        lambda fit: _proved(view, fit), lambda problem: _otherwise(view, problem),
    )  # fmt: skip


def _otherwise(view: Profile | Residual, problem: str) -> Finding | None:
    """The refutation of a loss by what its slopes do not show: it jumps, or its values depend on the target."""
    try:
        if isinstance(view, Residual):
            if view.witness is not None:
                points = [[float(value) for value in point] for point in view.witness]
                return refuted(
                    f"the loss depends on more than y - p, as no zoo loss does; but for that it {problem}",
                    {"points": points},
                )
            curves = [view.curve] if view.invariant else []
        else:
            two = KINDS[view.loss.kind].exclusive and view.classes == 2
            curves = [view.spread] if two else [view.m1, view.m0]
    except SymlossError:
        return None
    return next((found for curve in curves if (found := jumps(curve, problem)) is not None), None)


def _constants(view: Profile | Residual) -> list[Expr]:
    """Constants of the formula, and the places of its kinks, with their inverses and the like: likely coefficients.

    A kink leaves no trace in the slope at points beside it, so no fit finds its place.
    """
    numbers = view.loss.at_classes(view.classes).atoms(Rational)
    if isinstance(view, Residual):
        parts = view.curve.parts if view.invariant else ()
    else:
        parts = view.m1.parts
    kinks = {cell.right.exact for cell, _ in parts[:-1]} - {None}
    likely = {abs(number) for number in numbers | kinks}
    likely |= {sqrt(number) for number in likely}
    likely |= {1 / number for number in likely if number != 0}
    likely |= {abs(1 - number) for number in likely} | {1 + number for number in likely}
    return sorted(likely, key=lambda number: (number.count_ops(), len(str(number)), float(number)))


def _proved(view: Profile | Residual, fit: Fit) -> Finding | None:
    """The proof with the coefficients of a fit, else with those that algebra finds for its loss."""
    found = _proof(view, fit)
    if found is not None or isinstance(view, Residual):
        return found
    solved = _solved(view, fit)
    return None if solved is None else _proof(view, solved)


def _proof(view: Profile | Residual, fit: Fit) -> Finding | None:
    """The identity `L = a L_zoo + b`, with `a` from one point and the rest by algebra."""
    loss, classes = view.loss, view.classes
    other = loss_of(fit.name, loss.kind)
    if isinstance(view, Residual):
        return _residual_proof(view, Residual.of(other), fit)
    ours, theirs = view, Profile.of(other, classes)

    def build(resolver: Resolver) -> tuple[Expr, ...]:
        return (*_curves(ours, resolver), *_curves(theirs, resolver))

    pieces, _ = pieces_of(build, P, Point.at(Integer(0)), Point.at(Integer(1)))
    factor = _factor(pieces[0].exprs, pieces[0].cell.inner)
    if factor is None or number_sign(factor) != 1:
        return None
    # M1 - a N1 and M0 - a N0 may be lines s p + b1 and s p + b0 of one slope: summed over the entries they are the
    # constant s + b1 + (C-1) b0. Of multilabel losses, whose p do not sum to 1, s must be 0 and b1 = b0.
    target, other_line = (_difference(pieces, i, factor).line for i in (0, 1))
    if target is None or other_line is None:
        return None
    if not KINDS[loss.kind].exclusive:
        gaps = target.slope, other_line.slope, target.intercept - other_line.intercept
        same = all(number_sign(gap) == 0 for gap in gaps)
        return _named(fit, factor, shorter(target.intercept)) if same else None
    if number_sign(target.slope - other_line.slope) != 0:
        return None
    constant = target.slope + target.intercept + (classes - 1) * other_line.intercept
    return _named(fit, factor, shorter(constant))


def _curves(profile: Profile, resolver: Resolver) -> tuple[Expr, Expr]:
    """`M1` and `M0`; of two classes all in the first, as a function of `p_t`."""
    if KINDS[profile.loss.kind].exclusive and profile.classes == 2:
        return profile.target(resolver, P) + profile.other(resolver, 1 - P), Integer(0)
    return profile.target(resolver, P), profile.other(resolver, P)


def _solved(view: Profile, fit: Fit) -> Fit | None:
    """The coefficients in which the zoo loss is linear, from equating the powers of `p`, the others zero.

    Up to a factor and a constant a loss is `(M1 - M0)'` and `M0''`. None unless these are polynomials, on one
    smooth piece, that some coefficients make equal.
    """
    loss, classes = view.loss, view.classes
    family = fit.entry.loss.expr.xreplace({C: Integer(classes)})
    symbols = sorted((s for s in family.free_symbols if s.name in fit.values), key=str)
    linear = [s for s in symbols if family.diff(s, 2) == 0]
    fixed = {s: Integer(0) for s in symbols if s not in linear}
    bounds = fit.entry.bounds
    if not linear or any(
        not low <= 0 <= high for low, high in (bounds[s.name] for s in fixed if s.name in bounds)
    ):
        return None
    fixed |= {
        s: Rational(repr(value))
        for s in family.free_symbols
        if s not in symbols and (value := fit.entry.defaults.get(s.name)) is not None
    }
    theirs = family.xreplace(fixed)
    pieces, _ = pieces_of(lambda r: _curves(view, r), P, Point.at(Integer(0)), Point.at(Integer(1)))
    if len(pieces) > 1:
        return None
    target, other = at_one(theirs).expr, at_zero(theirs).expr
    if KINDS[loss.kind].exclusive and classes == 2:
        target, other = target + other.subs(P, 1 - P), Integer(0)
    present, absent = pieces[0].exprs[0] - target, pieces[0].exprs[1] - other
    powers: list[Expr] = []
    # These are 0 where the losses agree up to a constant; powers of p are independent, so each coefficient is an
    # equation.
    for expr in (multiplied_out((present - absent).diff(P)), multiplied_out(absent.diff(P, 2))):
        if not expr.is_polynomial(P):
            return None
        powers += [power for power in Poly(expr, P).coeffs() if power != 0]
    try:
        solutions = list(linsolve(powers, linear))
    except NonlinearError:
        return None
    if not solutions:
        return None
    values = {s.name: x.subs(dict.fromkeys(linear, 0)) for s, x in zip(linear, solutions[0], strict=True)}
    return Fit(fit.entry, {**dict.fromkeys(fit.values, Integer(0)), **values}, fit.apart)


def _difference(pieces: tuple[Piece, ...], i: int, factor: Expr) -> Curve:
    """Ours less `factor` times theirs, of `M1` (`i` 0) or `M0` (1)."""
    return Curve.of_pieces(P, pieces, lambda exprs: shorter(exprs[i] - factor * exprs[i + 2]))


def _residual_proof(ours: Residual, theirs: Residual, fit: Fit) -> Finding | None:
    """The identity in the residual, on the whole line."""
    if not (ours.invariant and theirs.invariant):
        return None
    pieces, _ = pieces_of(
        lambda r: (r.smooth(ours.formula, {}), r.smooth(theirs.formula, {})), R, Point.at(-oo), Point.at(oo)
    )
    # Slopes far from 0 may be too small to tell from 0.
    ratio = slope_ratio(pieces, R, (2.0, 0.1, 0.01))
    if ratio is None:
        return None
    factor = _simple(shorter(ratio))
    if number_sign(factor) != 1:
        return None
    line = Curve.of_pieces(R, pieces, lambda e: shorter(e[0] - factor * e[1])).line
    if line is None or number_sign(line.slope) != 0:
        return None
    return _named(fit, factor, line.intercept)


def _simple(ratio: Expr) -> Expr:
    """The short decimal that a number is, or may be as far as enclosures show; else the number."""
    # What is claimed with the number is proved afterwards: a wrong guess costs a verdict, never makes one.
    near = Rational(repr(round(float(ratio), 12)))
    return near if number_sign(ratio - near) in (0, None) and abs(float(ratio - near)) < 1e-13 else ratio


def _factor(exprs: tuple[Expr, ...], inner: tuple[float, float]) -> Expr | None:
    m1, m0, n1, n0 = exprs
    low, high = inner
    # a = (M1 - M0)'/(N1 - N0)' at any point where the denominator is not 0, or M0''/N0'': the affine part, which is
    # free, has no part in either.
    for share in (Rational(1, 2), Rational(1, 3), Rational(3, 4)):
        x = Rational(str(round(low + float(share) * (high - low), 3)))
        for top, bottom in (((m1 - m0).diff(P), (n1 - n0).diff(P)), (m0.diff(P, 2), n0.diff(P, 2))):
            below = bottom.xreplace({P: x})
            if below.is_finite and number_sign(below) in (1, -1):
                ratio = shorter(top.xreplace({P: x}) / below)
                if number_sign(ratio):
                    return _simple(ratio)
    return None


def _named(fit: Fit, factor: Expr, constant: Expr) -> Finding:
    reason = f"the loss is {factor} * {fit.name} + {constant}, by algebra on every smooth piece"
    return proved(reason, fit.name)

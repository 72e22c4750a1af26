"""Which loss of the zoo is it: `L = a L_zoo + b`, a > 0, with the zoo loss's coefficients solved for.

A least-squares fit of the gradient's direction proposes coefficients; they are snapped to exact numbers and
the identity is then proved by algebra. Fewest coefficients win, then the zoo's order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from sympy import Expr, Integer, Poly, Rational, expand, oo, solve, sqrt

from symloss.errors import SymlossError
from symloss.expr import C, Loss, P, Y
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.curve import Curve
from symloss.theory.exact import number_sign, shorter
from symloss.theory.interval import FloatArray
from symloss.theory.pieces import Piece, Resolver, pieces_of
from symloss.theory.profile import Profile
from symloss.theory.residual import R, Residual
from symloss.theory.signature import family, gap, signature
from symloss.theory.signs import Point
from symloss.zoo import Entry, entry, names

__all__ = ["known_as"]

_CLOSE = 1e-6
"""Signatures nearer than this are worth an attempt at a proof."""
_EXACT = 1e-10
"""Below this, signatures of equal losses differ by rounding."""


@dataclass(frozen=True)
class _Fit:
    entry: Entry
    values: Mapping[str, Expr]
    apart: float

    @property
    def label(self) -> str:
        inside = ", ".join(f"{name}={_decimal(value)}" for name, value in self.values.items())
        return f"{self.entry.name}({inside})" if inside else self.entry.name

    @property
    def loss(self) -> Loss:
        return self.entry.loss.with_coefficients(**{k: float(v) for k, v in self.values.items()})


def known_as(loss: Loss, classes: int) -> Finding:
    """Equality with a zoo loss up to a positive factor and a constant; else the nearest one."""
    target = signature(loss, classes)
    if not np.all(np.isfinite(target)):
        return unknown("the gradient is zero or not finite, so the loss has no direction to compare")
    likely = _constants(loss, classes)
    fits: list[_Fit] = []
    problem = ""
    for name in sorted(names(loss.kind), key=lambda name: len(entry(name, loss.kind).defaults)):
        for fit in _fitted(entry(name, loss.kind), classes, target, likely):
            if fit.apart >= _CLOSE:
                fits.append(fit)
                continue
            try:
                found = _proof(loss, fit, classes)
                if found is None and loss.kind != "regression":
                    solved = _solved(loss, fit, classes)
                    found = _proof(loss, solved, classes) if solved is not None else None
            except SymlossError as error:
                problem = problem or f"agrees with {fit.label} on a grid, which is not proved: {error}"
                continue
            if found is not None:
                return found
            problem = problem or f"agrees with {fit.label} to {fit.apart:.1g} on a grid, which is not proved"
    if problem:
        return _otherwise(loss, classes, problem) or unknown(problem)
    if not fits:
        return unknown("no zoo loss of this kind can be compared")
    nearest = min(fits, key=lambda f: f.apart)
    return refuted(
        f"the nearest zoo loss is {nearest.label}, at a distance of {nearest.apart:.3g} in normalised gradient"
        " (0 is equal, 2 opposite)",
        {"nearest": nearest.entry.name, "values": {k: float(v) for k, v in nearest.values.items()},
         "distance": nearest.apart},
        nearest.label,
        nearest.apart,
    )  # fmt: skip


def _otherwise(loss: Loss, classes: int, problem: str) -> Finding | None:
    """The refutation of a loss by what its slopes do not show: it jumps, or its values depend on the target."""
    try:
        if loss.kind == "regression":
            residual = Residual.of(loss)
            if residual.witness is not None:
                points = [[float(value) for value in point] for point in residual.witness]
                return refuted(
                    f"the loss depends on more than y - p, as no zoo loss does; but for that it {problem}",
                    {"points": points},
                )
            curves = [residual.curve] if residual.invariant else []
        else:
            profile = Profile.of(loss, classes)
            two = loss.kind == "classification" and classes == 2
            curves = [profile.spread] if two else [profile.m1, profile.m0]
    except SymlossError:
        return None
    for curve in curves:
        for left, right, point in curve.steps():
            if left is None or right is None or not (left.is_finite and right.is_finite):
                continue
            if left.hi < right.lo or right.hi < left.lo:
                where = point.middle
                return refuted(
                    f"the loss jumps at {curve.variable} = {where:.6g}, as no zoo loss does; but for that it {problem}",
                    {"jump": where, "left": left.middle, "right": right.middle},
                )
    return None


def _constants(loss: Loss, classes: int) -> list[Expr]:
    """Constants of the formula, and the places of its kinks, with their inverses and the like: likely coefficients.

    A kink leaves no trace in the slope at points beside it, so no fit finds its place.
    """
    numbers = loss.at_classes(classes).atoms(Rational)
    if loss.kind == "regression":
        residual = Residual.of(loss)
        parts = residual.curve.parts if residual.invariant else ()
    else:
        parts = Profile.of(loss, classes).m1.parts
    kinks = {cell.right.exact for cell, _ in parts[:-1]} - {None}
    found = {abs(number) for number in numbers | kinks}
    found |= {root for number in found if (root := sqrt(number)).is_Rational}
    found |= {1 / number for number in found if number != 0}
    found |= {abs(1 - number) for number in found} | {1 + number for number in found}
    return sorted(found, key=lambda number: (number.count_ops(), len(str(number)), float(number)))


def _fitted(found: Entry, classes: int, target: FloatArray, likely: list[Expr]) -> Iterator[_Fit]:
    """The zoo loss with coefficients that may be those of the target, the likely ones first."""
    at = family(found.name, found.kind, classes)
    coefficients = list(found.defaults)
    if not coefficients:
        yield _Fit(found, {}, gap(target, at(np.array([]))))
        return
    default = np.array([found.defaults[name] for name in coefficients])
    bounds = [found.bounds.get(name, (-np.inf, np.inf)) for name in coefficients]
    # A coefficient that scales the loss leaves the direction as it is: it stays at its default.
    free = [i for i in range(len(default)) if _matters(at, default, i)]
    if not free:
        yield _Fit(found, {}, gap(target, at(default)))
        return
    if len(free) == 1:
        low, high = bounds[free[0]]
        for value in likely:
            for signed in (value, -value):
                if not low <= signed <= high:
                    continue
                trial = default.copy()
                trial[free] = float(signed)
                apart = gap(target, at(trial))
                if apart < _CLOSE:
                    yield _Fit(found, {coefficients[free[0]]: signed}, apart)
    best, values = _search(at, target, default, free, bounds)
    if best > 2:
        return
    if best < 1e-4:
        # Fewer coefficients may do, but only as exactly: a fit that comes close with large ones is none.
        literals = [float(value) for value in likely]
        attempts = [
            np.array([_snapped(v, literals) for v in found])
            for found in (default, _simplest(at, target, default, values, free, bounds), values)
        ]
        best, values = min(
            ((gap(target, at(found)), found) for found in attempts), key=lambda pair: max(pair[0], _EXACT)
        )
    yield _Fit(found, {coefficients[i]: _exact(float(values[i])) for i in free}, best)


def _exact(value: float) -> Expr:
    """A float as the decimal that it prints as, or as the short fraction that it is nearest to."""
    decimal = Rational(repr(value))
    near = Rational(value).limit_denominator(200)
    return near if len(str(decimal)) > 12 and abs(near - decimal) <= 1e-7 * max(1.0, abs(value)) else decimal


def _matters(at: object, values: FloatArray, i: int) -> bool:
    changed = values.copy()
    changed[i] = values[i] * 0.83 + 0.0171
    return gap(at(values), at(changed)) > 1e-9  # type: ignore[operator]


def _search(
    at: object, target: FloatArray, default: FloatArray, free: list[int], bounds: list[tuple[float, float]]
) -> tuple[float, FloatArray]:
    low = np.array([bounds[i][0] for i in free])
    high = np.array([bounds[i][1] for i in free])

    def residual(x: FloatArray) -> FloatArray:
        values = default.copy()
        values[free] = x
        difference = at(values) - target  # type: ignore[operator]
        return np.where(np.isfinite(difference), difference, 1.0)

    starts = [default[free], np.zeros(len(free)), np.ones(len(free))]
    if len(free) <= 2:
        axis = np.array([0.03, 0.1, 0.2, 0.35, 0.5, 0.75, 1.5, 2.5, 5.0, 12.0])
        mesh = np.stack([m.ravel() for m in np.meshgrid(*[axis] * len(free))], axis=1)
        starts += list(mesh)
        starts += [-row for row in mesh]
    scored = []
    for start in starts:
        x = np.clip(start, low, high)
        scored.append((float(np.linalg.norm(residual(x))), x))
    scored.sort(key=lambda item: item[0])
    best, found = scored[0]
    for _, x in scored[: 4 if len(free) <= 2 else 3]:
        inside = np.clip(x, np.nextafter(low, np.inf), np.nextafter(high, -np.inf))
        try:
            result = least_squares(
                residual, inside, bounds=(low, high), xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=60
            )
        except ValueError:
            continue
        score = float(np.linalg.norm(result.fun))
        if score < best:
            best, found = score, result.x
        if best < 1e-10:
            break
    values = default.copy()
    values[free] = found
    return best, values


def _simplest(
    at: object, target: FloatArray, default: FloatArray, values: FloatArray, free: list[int],
    bounds: list[tuple[float, float]],
) -> FloatArray:  # fmt: skip
    """Coefficients that need not be there set to zero, the others fitted again."""
    kept = list(free)
    current = values
    if len(free) == 2:  # only their ratio may matter
        for i in free:
            start = current.copy()
            start[i] = default[i]
            score, found = _search(at, target, start, [j for j in free if j != i], bounds)
            if score < 1e-9:
                return found
    if len(free) <= 2:
        return current
    for i in free:
        trial = [j for j in kept if j != i]
        start = current.copy()
        start[i] = 0.0
        if not trial or not bounds[i][0] <= 0 <= bounds[i][1]:
            continue
        score, found = _search(at, target, start, trial, bounds)
        if score < 1e-7:
            current, kept = found, trial
    return current


def _snapped(value: float, literals: list[float]) -> float:
    """A nearby literal of the formula, or a nearby short decimal or fraction."""
    for literal in (*literals, *(abs(1 - x) for x in literals), *(1 + x for x in literals)):
        for signed in (literal, -literal):
            if abs(signed - value) <= 1e-6 * max(1.0, abs(value)):
                return signed
    for digits in range(9):
        short = round(value, digits)
        if abs(short - value) <= 1e-7 * max(1e-2, abs(value)):
            return short
    return value


def _decimal(value: Expr) -> str:
    return f"{float(value):.10g}"


def _proof(loss: Loss, fit: _Fit, classes: int) -> Finding | None:
    """The identity `L = a L_zoo + b`, with `a` from one point and the rest by algebra."""
    values = fit.values
    named = fit.entry.loss.expr.xreplace(
        {s: values.get(s.name, Rational(repr(fit.entry.defaults[s.name])))
         for s in fit.entry.loss.expr.free_symbols if s.name in fit.entry.defaults}
    )  # fmt: skip
    other = Loss(named, loss.kind)
    if loss.kind == "regression":
        return _residual_proof(loss, other, fit)
    ours, theirs = Profile.of(loss, classes), Profile.of(other, classes)

    def build(resolver: Resolver) -> tuple[Expr, ...]:
        return (*_curves(ours, resolver), *_curves(theirs, resolver))

    pieces, _ = pieces_of(build, P, Point.at(Integer(0)), Point.at(Integer(1)))
    factor = _factor(pieces[0].exprs, pieces[0].cell.inner)
    if factor is None or number_sign(factor) != 1:
        return None
    lines = []
    for i in (0, 1):
        line = _difference(pieces, i, factor).affine
        if not isinstance(line, tuple):
            return None
        lines.append(line)
    (slope, at_target), (other_slope, at_other) = lines
    if loss.kind == "multilabel":
        same = all(number_sign(d) == 0 for d in (slope, other_slope, at_target - at_other))
        return _named(fit, factor, shorter(at_target)) if same else None
    if number_sign(slope - other_slope) != 0:
        return None
    return _named(fit, factor, shorter(slope + at_target + (classes - 1) * at_other))


def _curves(profile: Profile, resolver: Resolver) -> tuple[Expr, Expr]:
    """`M1` and `M0`; of two classes all in the first, as a function of `p_t`."""
    if profile.loss.kind == "classification" and profile.classes == 2:
        return profile.target(resolver, P) + profile.other(resolver, 1 - P), Integer(0)
    return profile.target(resolver, P), profile.other(resolver, P)


def _solved(loss: Loss, fit: _Fit, classes: int) -> _Fit | None:
    """The coefficients in which the zoo loss is linear, from equating the powers of `p`, the others zero.

    Up to a factor and a constant a loss is `(M1 - M0)'` and `M0''`. None unless these are polynomials, on one
    smooth piece, that some coefficients make equal.
    """
    family = fit.entry.loss.expr.xreplace({C: Integer(classes)})
    symbols = [s for s in family.free_symbols if s.name in fit.values]
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
    ours = Profile.of(loss, classes)
    pieces, _ = pieces_of(lambda r: _curves(ours, r), P, Point.at(Integer(0)), Point.at(Integer(1)))
    if len(pieces) > 1:
        return None
    target, other = theirs.subs(Y, 1), theirs.subs(Y, 0)
    if loss.kind == "classification" and classes == 2:
        target, other = target + other.subs(P, 1 - P), Integer(0)
    present, absent = pieces[0].exprs[0] - target, pieces[0].exprs[1] - other
    powers: list[Expr] = []
    for expr in (expand((present - absent).diff(P)), expand(absent.diff(P, 2))):
        if not expr.is_polynomial(P):
            return None
        powers += [power for power in Poly(expr, P).coeffs() if power != 0]
    for solution in solve(powers, linear, dict=True):
        values = {s.name: solution.get(s, Integer(0)).subs(dict.fromkeys(linear, 0)) for s in linear}
        return _Fit(fit.entry, {**dict.fromkeys(fit.values, Integer(0)), **values}, fit.apart)
    return None


def _difference(pieces: tuple[Piece, ...], i: int, factor: Expr) -> Curve:
    """Ours less `factor` times theirs, of `M1` (`i` 0) or `M0` (1)."""
    return Curve.of_pieces(P, pieces, lambda exprs: shorter(exprs[i] - factor * exprs[i + 2]))


def _residual_proof(loss: Loss, other: Loss, fit: _Fit) -> Finding | None:
    """The identity in the residual, on the whole line."""
    ours, theirs = Residual.of(loss), Residual.of(other)
    if not (ours.invariant and theirs.invariant):
        return None
    pieces, _ = pieces_of(
        lambda r: (r.smooth(ours.formula, {}), r.smooth(theirs.formula, {})), R, Point.at(-oo), Point.at(oo)
    )
    factor = _residual_factor(pieces)
    if factor is None or number_sign(factor) != 1:
        return None
    line = Curve.of_pieces(R, pieces, lambda e: shorter(e[0] - factor * e[1])).affine
    if not isinstance(line, tuple) or number_sign(line[0]) != 0:
        return None
    return _named(fit, factor, line[1])


def _residual_factor(pieces: tuple[Piece, ...]) -> Expr | None:
    """The ratio of the slopes at some residual, near 0 where those farther out are too small to tell from 0."""
    for reach in (2.0, 0.1, 0.01):
        for piece in pieces:
            low, high = (max(piece.cell.left.middle, -reach), min(piece.cell.right.middle, reach))
            if not low < high:
                continue
            spot = Rational(repr(round((low + high) / 2 + (high - low) / 5, 5)))
            top, bottom = (expr.diff(R).subs(R, spot) for expr in piece.exprs)
            if bottom.is_finite and number_sign(bottom) in (1, -1):
                return shorter(top / bottom)
    return None


def _factor(exprs: tuple[Expr, ...], inner: tuple[float, float]) -> Expr | None:
    m1, m0, n1, n0 = exprs
    low, high = inner
    for share in (Rational(1, 2), Rational(1, 3), Rational(3, 4)):
        x = Rational(str(round(low + float(share) * (high - low), 3)))
        for top, bottom in (((m1 - m0).diff(P), (n1 - n0).diff(P)), (m0.diff(P, 2), n0.diff(P, 2))):
            below = bottom.xreplace({P: x})
            if below.is_finite and number_sign(below) in (1, -1):
                ratio = shorter(top.xreplace({P: x}) / below)
                if number_sign(ratio):
                    simple = Rational(repr(round(float(ratio), 12)))
                    return (
                        simple
                        if number_sign(ratio - simple) in (0, None) and abs(float(ratio - simple)) < 1e-13
                        else ratio
                    )
    return None


def _named(fit: _Fit, factor: Expr, constant: Expr) -> Finding:
    return proved(
        f"the loss is {factor} * {fit.label} + {constant}, by algebra on every smooth piece", fit.label
    )

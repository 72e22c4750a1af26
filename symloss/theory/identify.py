"""Which loss of the zoo is it: `L = a L_zoo + b`, a > 0, with the zoo loss's coefficients solved for.

A least-squares fit of the gradient's direction proposes coefficients; they are snapped to exact numbers and
the identity is then proved by algebra. Fewest coefficients win, then the zoo's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from sympy import Expr, Integer, Poly, Rational, expand, oo, solve

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
    literals = sorted({abs(float(r)) for r in loss.value_expr.atoms(Rational)})
    fits: list[_Fit] = []
    order = sorted(names(loss.kind), key=lambda name: len(entry(name, loss.kind).defaults))
    for name in order:
        fit = _fitted(entry(name, loss.kind), classes, target, literals)
        if fit is None:
            continue
        if fit.apart < _CLOSE:
            try:
                found = _proof(loss, fit, classes)
                if found is None and loss.kind != "regression":
                    solved = _solved(loss, fit, classes)
                    found = _proof(loss, solved, classes) if solved is not None else None
            except SymlossError as error:
                return unknown(f"agrees with {fit.label} on a grid, which is not proved: {error}")
            if found is not None:
                return found
            return unknown(f"agrees with {fit.label} to {fit.apart:.1g} on a grid, which is not proved")
        fits.append(fit)
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


def _fitted(found: Entry, classes: int, target: FloatArray, literals: list[float]) -> _Fit | None:
    at = family(found.name, found.kind, classes)
    coefficients = list(found.defaults)
    if not coefficients:
        return _Fit(found, {}, gap(target, at(np.array([]))))
    default = np.array([found.defaults[name] for name in coefficients])
    bounds = [found.bounds.get(name, (-np.inf, np.inf)) for name in coefficients]
    # A coefficient that scales the loss leaves the direction as it is: it stays at its default.
    free = [i for i in range(len(default)) if _matters(at, default, i)]
    if not free:
        return _Fit(found, {}, gap(target, at(default)))
    best, values = _search(at, target, default, free, bounds)
    if best > 2:
        return None
    if best < 1e-4:
        # Fewer coefficients may do, but only as exactly: a fit that comes close with large ones is none.
        attempts = [
            np.array([_snapped(v, literals) for v in found])
            for found in (default, _simplest(at, target, default, values, free, bounds), values)
        ]
        best, values = min(
            ((gap(target, at(found)), found) for found in attempts), key=lambda pair: max(pair[0], _EXACT)
        )
    exact = {coefficients[i]: Rational(repr(float(values[i]))) for i in free}
    return _Fit(found, exact, best)


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
        return (
            ours.target(resolver, P), ours.other(resolver, P),
            theirs.target(resolver, P), theirs.other(resolver, P),
        )  # fmt: skip

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
    pieces, _ = pieces_of(
        lambda r: (ours.target(r, P), ours.other(r, P)), P, Point.at(Integer(0)), Point.at(Integer(1))
    )
    if len(pieces) > 1:
        return None
    present, absent = (pieces[0].exprs[1 - y] - theirs.subs(Y, y) for y in (1, 0))
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
    for piece in pieces:
        top, bottom = (expr.diff(R) for expr in piece.exprs)
        low, high = (max(piece.cell.left.middle, -2.0), min(piece.cell.right.middle, 2.0))
        spot = Rational(str(round((low + high) / 2 + (high - low) / 5, 3)))
        below = bottom.subs(R, spot)
        if low < high and below.is_finite and number_sign(below) in (1, -1):
            break
    else:
        return None
    factor = shorter(top.subs(R, spot) / below)
    if number_sign(factor) != 1:
        return None
    line = Curve.of_pieces(R, pieces, lambda e: shorter(e[0] - factor * e[1])).affine
    if not isinstance(line, tuple) or number_sign(line[0]) != 0:
        return None
    return _named(fit, factor, line[1])


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

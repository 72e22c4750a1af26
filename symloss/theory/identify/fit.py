"""Coefficients of a zoo loss that bring the direction of its gradient nearest to a given one.

Least squares on the signatures, from several starts; then snapped to literals of the formula, short decimals and
short fractions. Nothing is proved here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from sympy import Expr, Rational

from symloss.expr import Loss
from symloss.theory.functions.interval import FloatArray
from symloss.theory.functions.probes import FIT_AXIS
from symloss.theory.identify.signature import family, gap
from symloss.theory.values import Named
from symloss.zoo import Entry, entry

__all__ = ["CLOSE", "Fit", "loss_of", "loss_of_fit", "proposals"]

CLOSE = 1e-6
"""Signatures nearer than this are worth an attempt at a proof."""
_EXACT = 1e-10
"""Below this, signatures of equal losses differ by rounding."""


@dataclass(frozen=True)
class Fit:
    entry: Entry
    values: Mapping[str, Expr]
    apart: float

    @property
    def name(self) -> Named:
        """The loss with its coefficients."""
        return Named(self.entry.name, tuple(self.values.items()))


def proposals(found: Entry, classes: int, target: FloatArray, likely: list[Expr]) -> Iterator[Fit]:
    """The zoo loss with coefficients that may be those of the target, the likely ones first."""
    at = family(found, classes)
    coefficients = list(found.defaults)
    if not coefficients:
        yield Fit(found, {}, gap(target, at(np.array([]))))
        return
    default = np.array([found.defaults[name] for name in coefficients])
    bounds = [found.bounds.get(name, (-np.inf, np.inf)) for name in coefficients]
    # A coefficient that scales the loss leaves the direction as it is: it stays at its default.
    free = [i for i in range(len(default)) if _matters(at, default, i)]
    if not free:
        yield Fit(found, {}, gap(target, at(default)))
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
                if apart < CLOSE:
                    yield Fit(found, {coefficients[free[0]]: signed}, apart)
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
    yield Fit(found, {coefficients[i]: _exact(float(values[i]), likely) for i in free}, best)


def loss_of(named: Named, kind: str) -> Loss:
    """The zoo loss that a name stands for, with exact coefficients."""
    return loss_of_fit(Fit(entry(named.name, kind), dict(named.coefficients), 0.0))


def loss_of_fit(fit: Fit) -> Loss:
    """The loss that was fitted, with exact coefficients."""
    entry = fit.entry
    values = {**{name: Rational(repr(value)) for name, value in entry.defaults.items()}, **fit.values}
    known = {s: values[s.name] for s in entry.loss.expr.free_symbols if s.name in values}
    return Loss(entry.loss.expr.xreplace(known), entry.kind)


def _exact(value: float, likely: list[Expr]) -> Expr:
    """A float as the likely number that it is, the decimal that it prints as, or the short fraction next to it."""
    for number in likely:
        for signed in (number, -number):
            if float(signed) == value and not signed.is_Rational:
                return signed
    decimal = Rational(repr(value))
    # 0.3333333 from a fit is 1/3, but 0.31 is 31/100: a fraction is taken only for a decimal that does not end.
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
        # Signatures have norm 1, so a coefficient that only scales the loss has no part in the residual.
        difference = at(values) - target  # type: ignore[operator]
        return np.where(np.isfinite(difference), difference, 1.0)

    starts = [default[free], np.zeros(len(free)), np.ones(len(free))]
    if len(free) <= 2:
        mesh = np.stack([m.ravel() for m in np.meshgrid(*[FIT_AXIS] * len(free))], axis=1)
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

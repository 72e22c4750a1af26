"""Simplifies fitted coefficients as far as the fit allows: named losses, coefficients 0 and 1, few digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import least_squares

from symloss.errors import SymlossError
from symloss.expr.trees import Weighted, symbols, weighted_from
from symloss.meta.gradient_distance import Array, gradient_distance
from symloss.search.distilling.visits import Visits
from symloss.search.loop.sweep import settings_of
from symloss.theory.identify.signature import slope_function
from symloss.zoo import Entry, entry, names

__all__ = ["misfit", "named_fits", "plainer"]

_SPARE, _LEAST = 0.03, 1e-6
"""A plainer loss may leave more unexplained than the one it comes from: by this share of it, or by this."""
_DIGITS = 6
_MATTERS = 1e-9
"""A coefficient that moves the direction of the gradient by less is a scale or dead."""


def misfit(loss: Weighted, visits: Visits) -> float:
    """What is left unexplained at the best scale, infinite where that is negative or the loss is not finite."""
    scale = visits.scale(loss)
    return visits.unexplained(loss, scale) if scale > 0 else np.inf


def named_fits(visits: Visits) -> dict[str, Weighted]:
    """Losses with names, fitted by their own coefficients, under the names that they have with these.

    A tree's edges are fitted one by one, and leave the family: these do not, so that what is a loss with a name is
    called by it. Losses that speak of class priors or weights are left out.
    """
    fits = {}
    for name in names(visits.points.kind):
        one = entry(name, visits.points.kind)
        if {"pi", "w"} & {symbol.name for symbol in one.loss.expr.free_symbols}:
            continue
        try:
            title, loss = _named_fit(one, visits)
        except SymlossError:
            continue  # no tree says it
        fits[title] = loss
    return fits


def _named_fit(one: Entry, visits: Visits) -> tuple[str, Weighted]:
    """The fitted loss and its title, its coefficients written with as few digits as the fit allows."""
    values = _fitted(one, visits)

    def told(digits: int) -> dict[str, float]:
        return {name: float(f"{value:.{digits}g}") for name, value in values.items()}

    def at(digits: int) -> Weighted:
        return weighted_from(one.with_coefficients(**told(digits)))

    digits = _fewest(at, visits)
    inside = ", ".join(f"{name}={value:g}" for name, value in told(digits).items())
    return f"{one.name}({inside})" if inside else one.name, at(digits)


def plainer(loss: Weighted, visits: Visits) -> Weighted:
    """The same loss with coefficients that are 0, 1 or have few digits, wherever hardly anything is lost by it.

    >>> from symloss.expr import parse
    >>> from symloss.meta import TreeLoss
    >>> from symloss.search.distilling.visits import drawn, looked_at
    >>> square = TreeLoss("regression", *weighted_from(parse("(y - p)**2", kind="regression")).graph())
    >>> visits = looked_at(square, square.coefficients, *drawn("regression", 1, seed=0))
    >>> fitted = weighted_from(parse("(1.0002*y - p)**2 + 1e-5*abs(p)", kind="regression"))
    >>> print(plainer(fitted, visits).to_loss("regression"))
    (y - p)**2
    """
    # Fixed at the start: relative to each version, many small losses would add up.
    allowed = _allowed(misfit(loss, visits))
    again = True
    while again:
        again = False
        for version in _versions(loss):
            if misfit(version, visits) <= allowed:
                loss, again = version, True
                break
    return loss.rounded(_fewest(loss.rounded, visits, allowed))


def _versions(loss: Weighted) -> Iterator[Weighted]:
    """Shorter versions of a loss: each coefficient set to 0, then each set to 1 or -1."""
    size = symbols(loss.formula)
    for value in (0.0, 1.0):
        for i, edge in enumerate(loss.edges):
            if abs(edge) == 1:
                continue
            edges = (*loss.edges[:i], float(np.copysign(value, edge)), *loss.edges[i + 1 :])
            version = replace(loss, edges=edges).merged()
            if version.finite and symbols(version.formula) < size:
                yield version


def _allowed(unexplained: float) -> float:
    return unexplained + max(_SPARE * unexplained, _LEAST)


def _fewest(rounded: Callable[[int], Weighted], visits: Visits, allowed: float | None = None) -> int:
    """The fewest digits that leave no more unexplained than is allowed."""
    limit = _allowed(misfit(rounded(_DIGITS), visits)) if allowed is None else allowed
    for digits in range(1, _DIGITS):
        version = rounded(digits)
        if version.finite and misfit(version, visits) <= limit:
            return digits
    return _DIGITS


def _fitted(one: Entry, visits: Visits) -> dict[str, float]:
    """The coefficients that bring a loss's normalised gradient nearest, within their bounds."""
    points, target = visits.points, visits.target
    slope = slope_function(one, round(points.symbols["C"]))

    def direction(values: Sequence[float] | Array) -> Array:
        with np.errstate(all="ignore"):
            gradient = points.in_outputs(slope(points.y, points.p, *values)[None])[0]
            unit = gradient / np.linalg.norm(gradient)
        # Ones are far longer than any unit vector, so that the fit turns away from where the loss is not finite.
        return np.asarray(np.where(np.isfinite(unit), unit, 1.0))

    names, default = list(one.defaults), np.array(list(one.defaults.values()))
    free = [i for i in range(len(names)) if _matters(direction, default, i)]
    if not free:
        return dict(one.defaults)
    low, high = (
        np.array([one.bounds.get(names[i], (-np.inf, np.inf))[side] for i in free]) for side in (0, 1)
    )

    def with_free(x: Array) -> Array:
        values = default.copy()
        values[free] = x
        return values

    # The values that the zoo suggests: the distance of directions is not convex, and one start may be in the wrong
    # valley.
    starts = [np.array([values[names[i]] for i in free]) for values in settings_of(one)]
    best, reached = default, np.inf
    for start in starts:
        inside = np.clip(start, np.nextafter(low, np.inf), np.nextafter(high, -np.inf))
        fit = least_squares(
            lambda x: direction(with_free(x)) - target, inside, bounds=(low, high), max_nfev=40
        )
        values = with_free(fit.x)
        distance = float(np.linalg.norm(direction(values) - target))
        if distance < reached:
            best, reached = values, distance
    return dict(zip(names, best.tolist(), strict=True))


def _matters(direction: Callable[[Array], Array], values: Array, i: int) -> bool:
    changed = values.copy()
    # A step that changes 0 as well, and neither halves nor doubles: no round ratio at which a loss might happen to
    # agree.
    changed[i] = values[i] * 0.83 + 0.0171
    return float(gradient_distance(direction(changed), direction(values))) > _MATTERS

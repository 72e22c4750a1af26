"""Certificates of margin losses looked at by force: 40 digits, a grid of margins and of probabilities, no theory."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import mpmath
from mpmath import mpf

import symloss as sl
from symloss.theory import Certificate

__all__ = ["contradictions"]

# Floats: exact at every precision, and so are their negatives. Where h is nearly 1/2, the best margin is nearly 0.
_SIZES = [10.0 ** (-i / 3) for i in range(4, 31)]
_SIZES += [i / 16 for i in range(1, 65)] + [4 * 1.17**i for i in range(1, 19)]
POINTS = sorted(map(mpf, (*(-size for size in _SIZES), 0.0, *_SIZES)))
SHARES = [mpf(1) / 2 + e for e in map(mpf, ("1e-6", "1e-3", "0.01", "0.05", "0.2", "0.4", "0.49", "0.4999"))]
_NEAR = mpf(10) ** -25


class _Grid:
    """A loss on the grid."""

    def __init__(self, loss: sl.Loss) -> None:
        exact = loss.lambdify("mpmath")

        def value(m: mpf) -> mpf:
            with mpmath.workdps(40):
                return mpf(exact(mpf(m)))

        self.at: Callable[[mpf], mpf] = value
        self.values = {m: value(m) for m in POINTS}

    def risk(self, h: mpf, m: mpf) -> mpf:
        return h * self.values[m] + (1 - h) * self.values[-m]

    def slope(self, m: mpf) -> mpf:
        step = mpf(10) ** -15
        return (self.at(m + step) - self.at(m - step)) / (2 * step)


def contradictions(certificate: Certificate) -> list[str]:
    """What a grid shows to be wrong; nothing of a certificate that holds, and little of one that does not."""
    with mpmath.workdps(40):
        grid = _Grid(certificate.loss)
        found = []
        for key, look in _LOOKS.items():
            finding = certificate.findings[key]
            if finding.verdict != "unknown" and not look(grid, finding):
                found.append(f"{key} {finding.verdict}: {finding.reason}")
        return found


def _start(grid: _Grid, finding: sl.theory.Finding) -> bool:
    slope = grid.slope(mpf(0))
    return (slope < -1e-12) == (finding.verdict == "proved") and abs(slope + finding.numeric) < 1e-12


def _calibrated(grid: _Grid, finding: sl.theory.Finding) -> bool:
    if finding.verdict == "proved":
        wrong = [m for m in POINTS if m <= 0]
        return all(min(grid.risk(h, m) for m in wrong) > min(grid.risk(h, m) for m in POINTS) for h in SHARES)
    if finding.witness.get("even"):
        return all(abs(grid.values[m] - grid.values[-m]) < _NEAR for m in POINTS)
    h, m = mpf(finding.witness["h"]), mpf(finding.witness["m"])
    risk = h * grid.at(m) + (1 - h) * grid.at(-m)
    return h > 0.5 and m <= 0 and all(risk <= grid.risk(h, right) + 1e-12 for right in POINTS if right > 0)


def _convex(grid: _Grid, finding: sl.theory.Finding) -> bool:
    if finding.verdict == "proved":
        triples = zip(POINTS, POINTS[1:], POINTS[2:], strict=False)
        return all(
            grid.values[b] <= ((c - b) * grid.values[a] + (b - a) * grid.values[c]) / (c - a) + _NEAR
            for a, b, c in triples
        )
    ends = finding.witness.get("chord") or finding.witness["between"]
    a, b = (mpf(end) if mpmath.isfinite(end) else mpf(50) * mpmath.sign(end) for end in ends)
    return grid.at((a + b) / 2) > (grid.at(a) + grid.at(b)) / 2


def _decreasing(grid: _Grid, finding: sl.theory.Finding) -> bool:
    if finding.verdict == "proved":
        return all(grid.values[a] >= grid.values[b] - _NEAR for a, b in pairwise(POINTS))
    for low, high in finding.witness["between"]:
        a, b = (mpf(max(-50.0, min(50.0, end))) for end in (low, high))
        if low != high and not grid.at(a + (b - a) / 3) < grid.at(a + 2 * (b - a) / 3):
            return False
    return True


def _minimum(grid: _Grid, finding: sl.theory.Finding) -> bool:
    if finding.verdict == "refuted":
        far = mpf(finding.witness["m"])
        return grid.at(mpf(10) ** 6 * mpmath.sign(far)) < min(grid.values.values())
    if finding.numeric is None:
        end = grid.at(mpf(2000) if str(finding.value) == "oo" else mpf(-2000))
        return all(end <= value + mpf(10) ** -6 for value in grid.values.values())
    least = grid.at(mpf(finding.numeric))
    # Its enclosure is that of a double: the value there is the least one to that precision.
    return all(least <= value + mpf(10) ** -14 for value in grid.values.values())


def _bounded(side: int) -> Callable[[_Grid, sl.theory.Finding], bool]:
    def look(grid: _Grid, finding: sl.theory.Finding) -> bool:
        values = [side * value for value in grid.values.values()]
        if finding.verdict == "refuted":
            return side * grid.at(mpf(10) ** 6 * mpmath.sign(mpf(finding.witness["m"]))) > max(values)
        ends = [side * grid.at(mpf(sign) * 2000) for sign in (-1, 1)]
        top = side * mpf(finding.numeric)
        return max(values) <= top + mpf(10) ** -13 and max(*values, *ends) > top - mpf("0.02") * (
            1 + abs(top)
        )

    return look


def _lipschitz(grid: _Grid, finding: sl.theory.Finding) -> bool:
    steep = [abs(grid.values[b] - grid.values[a]) / (b - a) for a, b in pairwise(POINTS)]
    if finding.verdict == "proved":
        bound = mpf(finding.numeric)
        return max(steep) <= bound + mpf(10) ** -13 and (max(steep) > mpf("0.9") * bound or bound == 0)
    if "limit" in finding.witness or not mpmath.isfinite(finding.witness["m"]):
        far = mpf(200) * mpmath.sign(mpf(finding.witness["m"]))
        return abs(grid.slope(far)) > max(steep)
    jump = mpf(finding.witness["m"])
    return abs(grid.at(jump + mpf(10) ** -9) - grid.at(jump - mpf(10) ** -9)) > mpf(10) ** -3


def _symmetric(grid: _Grid, finding: sl.theory.Finding) -> bool:
    sums = [grid.values[m] + grid.values[-m] for m in POINTS if m >= 0]
    if finding.verdict == "proved":
        return max(sums) - min(sums) < _NEAR and abs(sums[0] - mpf(finding.numeric)) < 1e-12
    return max(sums) - min(sums) > mpf(10) ** -9


def _forgets(grid: _Grid, finding: sl.theory.Finding) -> bool:
    near, far = abs(grid.slope(mpf(-60))), abs(grid.slope(mpf(-6000)))
    if finding.verdict == "proved":
        return far < mpf("0.01") and far <= near
    return far > mpf(10) ** -6


def _link(grid: _Grid, finding: sl.theory.Finding) -> bool:
    if finding.verdict == "proved":
        if finding.value is None:  # by no one formula
            link = lambda m: grid.slope(-m) / (grid.slope(m) + grid.slope(-m))  # noqa: E731
        else:
            link = sl.Loss(finding.value, "margin").lambdify("mpmath")
        for h in (mpf("0.51"), mpf("0.6"), mpf("0.75"), mpf("0.9")):
            best = min(POINTS, key=lambda m, h=h: grid.risk(h, m))
            after = min([m for m in POINTS if m > best], default=best)
            before = max([m for m in POINTS if m < best], default=best)
            # The formula is that of its first piece: the minimiser lies where it has the value h.
            if best < POINTS[-1] and not link(max(before, mpf(0))) <= h <= link(after) + mpf(10) ** -20:
                return False
        return True
    h = mpf(finding.witness["h"][0] if isinstance(finding.witness["h"], list) else finding.witness["h"])
    return bool(0 < h < 1) or isinstance(finding.witness["h"], list)


def _known(grid: _Grid, finding: sl.theory.Finding) -> bool:
    if finding.verdict == "refuted":
        return True
    name, values = finding.value.name, {key: float(value) for key, value in finding.value.coefficients}
    scale = mpf(values.pop("scale", 1.0))
    other = sl.named(name, "margin", **values).lambdify("mpmath")
    theirs = {m: mpf(other(scale * m)) for m in POINTS[::5]}
    first, last = POINTS[0], POINTS[::5][-1]
    factor = (grid.values[first] - grid.values[last]) / (theirs[first] - theirs[last])
    constant = grid.values[first] - factor * theirs[first]
    close = mpf(10) ** -10
    return factor > 0 and all(
        abs(grid.values[m] - factor * value - constant) <= close * (1 + abs(grid.values[m]))
        for m, value in theirs.items()
    )


_LOOKS: dict[str, Callable[[_Grid, sl.theory.Finding], bool]] = {
    "trainable_at_start": _start,
    "classification_calibrated": _calibrated,
    "convex": _convex,
    "decreasing": _decreasing,
    "minimum": _minimum,
    "bounded_below": _bounded(-1),
    "bounded_above": _bounded(1),
    "lipschitz": _lipschitz,
    "symmetric_noise_robust": _symmetric,
    "redescending": _forgets,
    "link": _link,
    "known_as": _known,
}

"""Certificates held against floats: random points of the simplex, grids, and descent on free logits.

Nothing here calls `symloss.theory` beyond reading a certificate: formulas are evaluated by the compiled numpy
function, slopes by central differences.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product

import numpy as np
import numpy.typing as npt
from sympy import Abs, lambdify, log, sqrt

import symloss as sl
from symloss.expr import GUARD, P, at_one, at_zero, elementary, plog, psqrt
from symloss.theory import Certificate, Finding

__all__ = ["contradictions", "descend", "random_predictions"]

Array = npt.NDArray[np.float64]
EDGE = 1e-7
"""Predictions stay this far from 0, where the guards of protected operators begin."""


class Instance:
    """`M1`, `M0` and what is made of them, in floats."""

    def __init__(self, loss: sl.Loss, classes: int) -> None:
        self.classes = classes
        self.entry = {y: _unguarded(loss, classes, y) for y in (0.0, 1.0)}

    def entries(self, y: float, p: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.entry[y](p), dtype=np.float64) + np.zeros_like(p)

    def value(self, p: Array, target: int = 0) -> Array:
        """The instance loss of predictions `[..., C]`."""
        absent = self.entries(0.0, p)
        return self.entries(1.0, p[..., target]) + absent.sum(-1) - absent[..., target]

    def slopes(self, p: Array, target: int = 0) -> Array:
        """`dM/dp` of every entry, by central differences."""
        step = 1e-6 * np.minimum(p, 1 - p)
        result = self._difference(0.0, p, step)
        result[..., target] = self._difference(1.0, p[..., target], step[..., target])
        return result

    def _difference(self, y: float, p: Array, step: Array) -> Array:
        return (self.entries(y, p + step) - self.entries(y, p - step)) / (2 * step)

    def logit_gradient(self, p: Array, target: int = 0) -> Array:
        g = self.slopes(p, target)
        return p * (g - (p * g).sum(-1, keepdims=True))

    def risk(self, q: Array, p: Array) -> Array:
        return (q * self.entries(1.0, p) + (1 - q) * self.entries(0.0, p)).sum(-1)


def _unguarded(loss: sl.Loss, classes: int, y: float) -> Callable[[Array], Array]:
    """`M(y, p)` in floats. As in the certificate, guards act where their argument is the constant 0 alone."""
    # The values at hard labels have tests of their own, against mpmath.
    expr = (at_one if y else at_zero)(loss.at_classes(classes)).expr
    for guarded, plain in ((plog, log), (psqrt, sqrt)):
        expr = expr.replace(
            guarded, lambda x, f=plain: f(Abs(x)) if x.free_symbols else f(max(abs(x), GUARD))
        )
    return lambdify([P], elementary(expr).evalf(20), modules="numpy")


def random_predictions(classes: int, count: int, seed: int = 0) -> Array:
    """Predictions all over the simplex, many near its faces."""
    rng = np.random.default_rng(seed)
    parts = [rng.dirichlet(np.full(classes, a), count) for a in (0.05, 0.3, 1.0, 5.0)]
    p = np.clip(np.concatenate(parts), EDGE, None)
    return p / p.sum(-1, keepdims=True)


def simplex(classes: int, steps: int) -> Array:
    """A grid of the open simplex, three classes at most."""
    if classes == 2:
        first = np.arange(1, 40 * steps) / (40 * steps)
        return np.stack([first, 1 - first], axis=-1)
    pairs = np.array([(i, j) for i, j in product(range(1, steps), repeat=2) if i + j < steps])
    return np.column_stack([pairs, steps - pairs.sum(1)]) / steps


def descend(instance: Instance, perturbation: float = 1e-3, steps: int = 6000) -> float:
    """`p_t` where descent on the logits ends: normalised steps that shrink, from zero plus a perturbation."""
    rng = np.random.default_rng(3)
    z = perturbation * rng.normal(size=instance.classes)
    size = 0.05
    for step in range(steps):
        p = np.exp(z - z.max())
        p = np.clip(p / p.sum(), 1e-9, 1 - 1e-9)
        g = instance.logit_gradient(p)
        norm = np.linalg.norm(g)
        if not np.isfinite(norm) or norm < 1e-13:
            break
        z = z - size * (1 - step / steps) * g / norm
    p = np.exp(z - z.max())
    return float((p / p.sum())[0])


def contradictions(certificate: Certificate, classes: int) -> list[str]:
    """Every verdict that floats speak against, in words."""
    instance = Instance(certificate.loss, classes)
    found = []
    for key, check in CHECKS.items():
        finding = certificate.findings[key]
        if finding.verdict == "unknown":
            continue
        problem = check(instance, finding.verdict == "proved", finding)
        if problem:
            found.append(f"{key} {finding.verdict} ({finding.reason[:80]}): {problem}")
    return found


def _start(instance: Instance) -> float:
    """`M0' - M1'` at the null epoch, and how well it is known."""
    p = np.array([1 / instance.classes] * instance.classes)
    g = instance.slopes(p)
    return float(g[1] - g[0])


def _target_only(instance: Instance, proved: bool, finding: Finding) -> str:
    if proved:
        p = random_predictions(instance.classes, 200)
        other = p.copy()
        other[:, 1:] = np.random.default_rng(1).permuted(p[:, 1:], axis=1) * 0.5
        other[:, 1:] += ((1 - p[:, 0]) / 2 / (instance.classes - 1))[:, None]
        values = np.stack([instance.value(p), instance.value(other)])
        gap = np.abs(np.diff(values, axis=0)) / (1 + np.abs(values).sum(0))
        return "" if gap.max() < 1e-6 else f"the spread matters: {gap.max():.3g}"
    w = finding.witness
    a, b, step = w["from"], w["to"], w["step"]
    before = instance.entries(0.0, np.array([a, b])).sum()
    after = instance.entries(0.0, np.array([a - step, b + step])).sum()
    return (
        "" if np.isclose(after - before, w["change"], rtol=1e-3, atol=1e-12) else "no change at the witness"
    )


def _trainable(instance: Instance, proved: bool, finding: Finding) -> str:
    pull = _start(instance)
    return "" if (pull > -1e-6 if proved else pull < 1e-6) else f"pull {pull:.3g}"


def _rate(instance: Instance, proved: bool, finding: Finding) -> str:
    rate = _start(instance) / instance.classes
    good = np.isclose(rate, finding.numeric, rtol=1e-4, atol=1e-6)
    return "" if good else f"{rate:.6g}, not {finding.numeric}"


def _even(instance: Instance, t: Array) -> Array:
    rest = np.repeat(((1 - t) / (instance.classes - 1))[:, None], instance.classes - 1, axis=1)
    return np.column_stack([t, rest])


def _attractor(instance: Instance, proved: bool, finding: Finding) -> str:
    t = np.linspace(1e-4, 1 - 1e-4, 4001)
    values = instance.value(_even(instance, t))
    if not proved:
        if "minimisers" in finding.witness:
            ends = np.clip(np.array(finding.witness["minimisers"]), 1e-6, 1 - 1e-6)
            least = instance.value(_even(instance, ends))
            good = (
                np.ptp(least) < 1e-6 * (1 + np.abs(least).max()) and least.max() <= np.nanmin(values) + 1e-6
            )
            return "" if good else f"T is {least} there"
        if "T" in finding.witness or "from" in finding.witness:
            low, high = finding.witness.get("from", 0.0), finding.witness.get("to", 1.0)
            flat = values[(t > low + 1e-6) & (t < high - 1e-6)]
            return "" if np.ptp(flat) < 1e-9 * (1 + np.abs(flat).max()) else "T is not constant"
        end, best = finding.witness["stops_at"], finding.witness["minimiser"]
        at = instance.value(_even(instance, np.clip(np.array([end, best]), 1e-6, 1 - 1e-6)))
        return "" if at[1] < at[0] else "the flow stops lower than the minimiser"
    best = float(t[np.nanargmin(values)])
    near = instance.value(_even(instance, np.clip(np.array([finding.numeric]), 1e-4, 1 - 1e-4)))[0]
    if near > values.min() + 1e-6 * (1 + np.ptp(values)):
        return f"T is lower at {best:.4g}"
    reached = descend(instance)
    # Flat slopes end descent early: what counts is that it is on its way and not elsewhere.
    start = 1 / instance.classes
    share = (reached - start) / (finding.numeric - start) if abs(finding.numeric - start) > 1e-3 else 1.0
    if share < 0.5 and abs(reached - finding.numeric) > 0.02:
        return f"descent on the logits ends at {reached:.4g}"
    if share > 1.2 and abs(reached - finding.numeric) > 0.02:
        return f"descent on the logits ends beyond, at {reached:.4g}"
    return ""


def _proper(instance: Instance, proved: bool, finding: Finding) -> str:
    if not proved:
        q, p = np.array(finding.witness["posterior"]), np.array(finding.witness["prediction"])
        gain = instance.risk(q, q) - instance.risk(q, p)
        stated = finding.witness["gain"]
        # Floats do not show a gain below their rounding.
        good = gain > (0 if stated > 1e-10 else -1e-9) if stated else abs(gain) < 1e-9
        return "" if good else f"the witness gains {gain:.3g}"
    for q in random_predictions(instance.classes, 12, seed=5)[12:]:
        p = random_predictions(instance.classes, 400, seed=6)
        near = 0.9 * q + 0.1 * p
        if min(instance.risk(q, p).min(), instance.risk(q, near).min()) < instance.risk(q, q) - 1e-9:
            return "another prediction has a lower risk"
    return ""


def _calibrated(instance: Instance, proved: bool, finding: Finding) -> str:
    classes = instance.classes
    if not proved:
        q = np.array(finding.witness["posterior"])
        p = random_predictions(classes, 3000, seed=8)
        if "exchange" in finding.witness:
            swapped = p.copy()
            swapped[:, [0, 1]] = p[:, [1, 0]]
            wrong = np.sign(p[:, 0] - p[:, 1]) * (instance.risk(q, p) - instance.risk(q, swapped))
            return (
                "" if wrong.min() > -1e-7 * (1 + np.abs(instance.risk(q, p)).max()) else "order is rewarded"
            )
        if "toward" in finding.witness:
            start, end = (np.maximum(np.array(finding.witness[k]), 1e-300) for k in ("from", "toward"))
            steps = 10.0 ** -np.arange(2, 14, 2)[:, None]
            fall = instance.risk(q, end + steps * (start - end))
            wrong = (start[1:].max() > start[0]) and (end[1:].max() > end[0])
            return "" if wrong and np.diff(fall)[-3:].max() < 0 else f"the risk does not fall: {fall}"
        if "tie" in finding.witness:
            tied = np.clip(finding.witness["tie"], EDGE, 1)
            least = min(
                instance.risk(q, p).min(), instance.risk(q, simplex(2, 60)).min() if classes == 2 else np.inf
            )
            ahead = tied[1] >= tied[0] or tied[2:].max() >= tied[0]
            return (
                "" if ahead and instance.risk(q, tied) <= least + 1e-6 * (1 + abs(least)) else "not the least"
            )
        best = instance.risk(q, np.maximum(np.array(finding.witness["prediction"]), EDGE))
        first = p[p[:, 0] >= p[:, 1:].max(1)]
        return "" if best < instance.risk(q, first).min() else "a right prediction has a lower risk"
    grid = simplex(classes, 60) if classes <= 3 else random_predictions(classes, 20000, seed=9)
    for q in random_predictions(classes, 10, seed=10)[10:]:
        top = np.sort(q)
        if top[-1] - top[-2] < 0.15:
            continue
        values = instance.risk(q, grid)
        right = grid.argmax(1) == q.argmax()
        if values[right].min() > values[~right].min() + 0.02 * np.ptp(values[np.isfinite(values)]):
            return f"under {np.round(q, 3)} another class is on top"
    return ""


def _robust(instance: Instance, proved: bool, finding: Finding) -> str:
    p = random_predictions(instance.classes, 100, seed=2)
    total = sum(instance.value(p, k) for k in range(instance.classes))
    if proved:
        good = np.allclose(total, finding.numeric, rtol=1e-6, atol=1e-6)
        return "" if good else f"the sum goes from {np.min(total):.6g} to {np.max(total):.6g}"
    return "" if np.ptp(total) > 1e-12 * (1 + np.abs(total).max()) else "the sum is constant"


def _convex(instance: Instance, proved: bool, finding: Finding) -> str:
    if not proved:
        w = finding.witness
        a, b = w["a"], w["b"]
        m = instance.entries(1.0 if w["function"] == "M1" else 0.0, np.array([a, (a + b) / 2, b]))
        return "" if m[1] > (m[0] + m[2]) / 2 - 1e-12 * (1 + np.abs(m).max()) else "the chord is above"
    t = np.linspace(1e-3, 1 - 1e-3, 2001)
    for y in (0.0, 1.0):
        m = instance.entries(y, t)
        if np.diff(m, 2).min() < -1e-9 * (1 + np.abs(m).max()):
            return f"M{y:.0f} bends down"
    return ""


def _bounded(side: int) -> Callable[[Instance, bool, Finding], str]:
    def check(instance: Instance, proved: bool, finding: Finding) -> str:
        if proved:
            assert finding.numeric is not None
            values = side * instance.value(random_predictions(instance.classes, 5000, seed=4))
            worst = float(np.max(values[np.isfinite(values)]))
            limit = side * finding.numeric
            return "" if worst <= limit + 1e-6 * (1 + abs(limit)) else f"{side * worst:.8g} is reached"
        w = finding.witness
        where, name = (w["p_t"], 0) if "p_t" in w else (w["p_other"], 1)
        distance = 10.0 ** -np.arange(1, 7)
        t = where + distance if where < 0.5 else where - distance
        p = _even(instance, t)
        if w.get("rest") == "one class":
            p[:, 1:] = 0.0
            p[:, 1] = 1 - t
        p[:, [0, name]] = p[:, [name, 0]]
        values = side * instance.value(p)
        return "" if np.diff(values)[-2:].min() > 0 else f"no divergence: {np.round(side * values, 4)}"

    return check


def _lipschitz(instance: Instance, proved: bool, finding: Finding) -> str:
    p = np.clip(random_predictions(instance.classes, 4000, seed=7), 1e-6, 1 - 1e-6)
    p /= p.sum(-1, keepdims=True)
    norm = np.linalg.norm(instance.logit_gradient(p), axis=-1)
    worst = float(np.max(norm[np.isfinite(norm)]))
    if not proved and "left" in finding.witness:
        w = finding.witness
        curve = (
            (lambda p: instance.value(_even(instance, p)))
            if w["function"] == "T"
            else (lambda p: instance.entries(1.0 if w["function"] == "M1" else 0.0, p))
        )
        beside = curve(w["p"] + np.array([-1e-3, -1e-6, -1e-9, 1e-9, 1e-6, 1e-3]))
        jump, steps = abs(beside[3] - beside[2]), np.abs(np.diff(beside))[[0, 1, 3, 4]]
        grows = max(steps[1], steps[2]) > 0.05 * max(steps[0], steps[3]) or not np.isfinite(beside).all()
        return "" if jump > 1e-6 or grows else "neither a jump nor a divergence"
    if proved:
        assert finding.numeric is not None
        # Differences across a kink or next to an edge are off by up to their step.
        return "" if worst <= finding.numeric * (1 + 1e-4) + 1e-5 else f"a norm of {worst:.8g}"
    return ""


def _known(instance: Instance, proved: bool, finding: Finding) -> str:
    if not proved:
        return ""
    name, _, rest = finding.text.partition("(")
    values = {k: float(v) for k, v in re.findall(r"(\w+)=([^,)]+)", rest)}
    other = Instance(sl.named(name, "classification", **values), instance.classes)
    p = random_predictions(instance.classes, 50, seed=11)
    p = np.clip(p, 1e-4, None) / np.clip(p, 1e-4, None).sum(-1, keepdims=True)
    ours, theirs = instance.value(p), other.value(p)
    slope, constant = np.polyfit(theirs, ours, 1)
    good = np.allclose(ours, slope * theirs + constant, rtol=1e-6, atol=1e-6 * (1 + np.abs(ours).max()))
    return "" if good and slope > 0 else "the values do not lie on a line"


CHECKS: dict[str, Callable[[Instance, bool, Finding], str]] = {
    "target_only": _target_only,
    "trainable_at_start": _trainable,
    "implicit_learning_rate": _rate,
    "attractor": _attractor,
    "proper": _proper,
    "classification_calibrated": _calibrated,
    "symmetric_noise_robust": _robust,
    "convex_in_p": _convex,
    "bounded_below": _bounded(-1),
    "bounded_above": _bounded(1),
    "lipschitz_in_logits": _lipschitz,
    "known_as": _known,
}

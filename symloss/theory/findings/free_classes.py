"""Findings that hold for every number of classes `C >= 2`.

A refutation names the number of classes it was found at. What is proved at one number is claimed for all only
with an argument that does not use it: on the curves `M1`, `M0` and `D = M1 - M0` of a formula without `C` (but
for a positive factor), or by algebra on one that speaks of `C`. The rest stays open, and says how to settle it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sympy import Expr, I, Integer, Rational, nan, oo, zoo

from symloss.errors import SymlossError
from symloss.expr import C, Loss, P, canonicalise
from symloss.theory.budget import Budget
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.calibration import EXCHANGE, classification_calibrated
from symloss.theory.findings.free_algebra import Algebra, one_sign
from symloss.theory.findings.posterior import closed_map, with_map
from symloss.theory.findings.profile import Profile
from symloss.theory.functions.algebra import one_fraction, shorter
from symloss.theory.functions.convexity import is_convex
from symloss.theory.functions.curve import Curve, Extreme
from symloss.theory.functions.enclose import enclose_number
from symloss.theory.functions.interval import Interval
from symloss.theory.identify.fit import loss_of
from symloss.theory.values import Named

__all__ = ["SAMPLE", "attractor_for_every_number", "for_every_number"]

SAMPLE = 10
"""The number of classes at which refutations are found."""
_NEAR = 1e-9


def for_every_number(loss: Loss, found: dict[str, Finding], budget: Budget) -> dict[str, Finding]:
    """From the findings at `SAMPLE` classes those for every number."""
    shown = {key: _named_number(finding) for key, finding in found.items()}
    try:
        with budget.bounded():
            free = _Free.of(loss, found)
    except SymlossError:
        return shown
    shown["implicit_learning_rate"] = budget.settle(free.implicit_learning_rate)
    for key, arguments in free.arguments().items():
        for argument in arguments if found[key].verdict == "proved" else ():
            finding = budget.settle(argument)
            if finding.verdict == "proved":
                shown[key] = finding
                break
    shown["label_smoothing"] = _smoothing(shown["attractor"], shown["label_smoothing"])
    shown["bounded_below"] = budget.settle(free.with_least, shown["bounded_below"], shown["attractor"])
    return shown


def attractor_for_every_number(loss: Loss) -> Finding:
    """`p*` with `C` free, where `T` and `M0` are seen to be convex for every C."""
    try:
        return Algebra.of(loss.value_expr).attractor()
    except ValueError as error:
        return unknown(str(error))


def _named_number(finding: Finding) -> Finding:
    if finding.verdict == "refuted":
        return refuted(f"at C = {SAMPLE}: {finding.reason}", finding.witness, finding.value, finding.numeric)
    if finding.verdict == "proved":
        return unknown(f"proved at C = {SAMPLE}, not for every C: give the number of classes")
    return finding


@dataclass(frozen=True)
class _Free:
    """A loss seen with `C` free.

    Attributes:
        loss: the loss.
        found: its findings at `SAMPLE` classes.
        factor: a positive factor of the formula that depends on C alone.
        profile: the curves of the formula less that factor, where they do not depend on C; else None.
    """

    loss: Loss
    found: dict[str, Finding]
    factor: Expr
    profile: Profile | None

    @staticmethod
    def of(loss: Loss, found: dict[str, Finding]) -> _Free:
        # A positive factor changes no argument about signs, and scales bounds.
        rest, factor = loss.value_expr.as_independent(C, as_Add=False)
        if rest == 0:  # SymPy splits 0 into 0 * 0
            factor = Integer(1)
        if factor.free_symbols <= {C} and one_sign(factor) == 1:
            return _Free(loss, found, factor, Profile.of(Loss(rest, "classification", {}), SAMPLE))
        return _Free(loss, found, Integer(1), None)

    @cached_property
    def algebra(self) -> Algebra:
        return Algebra.of(self.loss.value_expr)

    def arguments(self) -> dict[str, list[Callable[[], Finding]]]:
        """What may prove each finding for every C, to be tried in turn."""
        by_curve = {
            "target_only": self._as_found,
            "trainable_at_start": self._trainable,
            "attractor": self._attractor,
            "proper": self._as_found,
            "convex_in_p": self._as_found,
            "classification_calibrated": self._calibrated,
            "symmetric_noise_robust": self._symmetric,
            "bounded_below": lambda profile, key: self._bounded(profile, -1),
            "bounded_above": lambda profile, key: self._bounded(profile, 1),
            "lipschitz_in_logits": self._lipschitz,
        }  # fmt: skip
        tried: dict[str, list[Callable[[], Finding]]] = {key: [] for key in by_curve}
        if self.profile is not None:
            profile = self.profile
            for key, argue in by_curve.items():
                tried[key].append(lambda argue=argue, key=key: argue(profile, key))  # type: ignore[misc]
        tried["known_as"] = [self._known]
        for key, prove in _ALGEBRA.items():
            tried[key].append(lambda prove=prove: self._algebraic(prove))  # type: ignore[misc]
        return tried

    def _algebraic(self, prove: Callable[[Algebra], Finding]) -> Finding:
        try:
            return prove(self.algebra)
        except ValueError as error:
            return unknown(str(error))

    def implicit_learning_rate(self) -> Finding:
        """`(M0' - M1')/C` at `p = 1/C`, as a formula in C."""
        if self.profile is None:
            try:
                pull, smallest = self.algebra.pull, 2
            except ValueError as error:
                return unknown(str(error))
        else:
            # Near 0 one formula holds, up to the first border: it speaks for all C whose 1/C is before it.
            cell, first = self.profile.difference.parts[0]
            pull, smallest = self.factor * first.diff(P), _first_below(cell.right.lo)
        value = one_fraction((-pull / C).subs(P, 1 / C))
        if value.has(nan, zoo, oo, -oo, I):
            return unknown("M0' - M1' has no finite value at p = 1/C")
        since = "" if smallest == 2 else f", for every C >= {smallest}"
        return proved(
            f"(M0' - M1')/C at p = 1/C, by algebra{since}",
            shorter(value),
        )

    def _as_found(self, profile: Profile, key: str) -> Finding:
        """Conditions on `M1` and `M0` alone: for C >= 3, and then for C = 2 as well."""
        found = self.found[key]
        return proved(f"{found.reason}; free of C", found.value, found.numeric)

    def _trainable(self, profile: Profile, key: str) -> Finding:
        slope = profile.difference.derivative
        reach = 0.0
        for span in slope.pattern:
            if span.sign != -1:
                break
            reach = span.right.lo
            if _may_be_unit_fraction(reach, span.right.hi):  # D' may vanish there, or have a kink
                break
        if not reach:
            return unknown("M1' < M0' is not proved near p = 0")
        smallest = _first_below(reach)
        return proved(
            f"M1' - M0' < 0 on (0, {reach:.6g}), by its sign, so at p = 1/C for every C >= {smallest}"
        )

    def _attractor(self, profile: Profile, key: str) -> Finding:
        """For a loss of the target alone `T` is `D` and a constant, whatever C."""
        # With M0 = s p + b: T(p) = D(p) + s + C b, so neither p* nor the signs of T' depend on C. Every start 1/C lies
        # in (0, 1/2].
        found, curve = self.found[key], profile.difference
        if profile.m0.line is None or found.numeric is None or not curve.is_continuous:
            return unknown("T depends on C")
        before, after = _signs_around(curve.derivative, found.numeric)
        # One stretch on each side: where T' vanishes or has a kink on the way, some C may start and stay.
        if before != [-1] or after not in ([], [1]):
            return unknown("M1 - M0 does not fall from 0 to p* and rise from there to 1/2")
        return proved(
            f"{found.reason}; the loss depends on p_t alone, falls before p* and rises after it up to 1/2, so every"
            " C >= 2 leads there",
            found.value,
            found.numeric,
        )

    def _calibrated(self, profile: Profile, key: str) -> Finding:
        # One stretch: where D' vanishes, or has a kink, at 1/C, every class may be in a tie there.
        falls = [span.sign for span in profile.difference.derivative.pattern if span.left.lo < 0.5]
        if falls != [-1]:
            return unknown(
                "M1 - M0 does not fall, with a slope that never vanishes, on the whole of (0, 1/2]"
            )
        if classification_calibrated(Profile.of(profile.loss, 2)).verdict != "proved":
            return unknown("not proved for two classes")
        reason = f"{EXCHANGE}; free of C, and for two classes likewise"
        return with_map(proved(reason), closed_map(profile, C))

    def _symmetric(self, profile: Profile, key: str) -> Finding:
        target, other = profile.m1.line, profile.m0.line
        if target is None or other is None:
            return unknown("M1 and M0 are not affine")
        # As in `symmetric_noise_robust`: G(p) = s p + b sums to s + C b.
        slope = target.slope + (C - 1) * other.slope
        intercept = target.intercept + (C - 1) * other.intercept
        value = shorter(self.factor * (slope + C * intercept))
        return proved(
            "M1 and M0 are affine, so M1 + (C-1) M0 summed over the classes is constant for every C",
            value,
        )

    def _bounded(self, profile: Profile, side: int) -> Finding:
        line = profile.m0.line
        if line is not None:
            extreme = _finite_extreme(profile.difference, side)
            if extreme is None:
                return unknown("the extreme of M1 - M0 is not settled")
            how = "M0 is affine, and M1 - M0 has its extreme"
            return self._bound(extreme, side, line.slope + C * line.intercept, how)
        if side > 0 and is_convex(profile.m0):
            edge = profile.on(lambda r: profile.target(r, P) + profile.other(r, 1 - P))
            extreme, alone = _finite_extreme(edge, side), profile.m0.limit(0, -1)
            if extreme is not None and alone is not None and alone.exact is not None:
                how = "M0 is convex: the rest lies on one class"
                return self._bound(extreme, side, (C - 2) * alone.exact, how)
        first, second = (_finite_extreme(curve, side) for curve in (profile.m1, profile.m0))
        if first is None or second is None:
            return unknown("M1 or M0 alone is not bounded")
        # The corner p_t = 1 attains, or approaches, all of these extremes at once.
        if first.where.lo == 1 and second.where.hi == 0 and second.value.exact is not None:
            how = "M1 at 1 and M0 at 0 have their extremes"
            return self._bound(first, side, (C - 1) * second.value.exact, how)
        return proved("M1 and M0 are bounded on (0, 1); give the number of classes for the bound")

    def _bound(self, extreme: Extreme, side: int, constant: Expr, how: str) -> Finding:
        reason = f"{how}, for every C >= 2"
        if extreme.value.exact is not None:
            return proved(reason, shorter(self.factor * (extreme.value.exact + constant)))
        if self.factor != 1 or C in constant.free_symbols:
            return proved(reason)
        end = np.asarray(extreme.value.lo if side < 0 else extreme.value.hi)
        bound = Interval(end, end) + enclose_number(constant)
        return proved(reason, None, float(bound.lo if side < 0 else bound.hi))

    def with_least(self, shown: Finding, attractor: Finding) -> Finding:
        """A lower bound that has no value yet, with `T(p*)` where it is one."""
        is_open = shown.verdict == "proved" and shown.value is None and shown.numeric is None
        if not is_open or not isinstance(attractor.value, Expr):
            return shown
        try:
            convex = self.algebra.bends[1] in (0, 1)
            value = self.algebra.least(attractor.value) if convex else None
        except ValueError:
            return shown
        return shown if value is None else proved("T(p*), the rest spread evenly: M0 is convex", value)

    def _lipschitz(self, profile: Profile, key: str) -> Finding:
        found = self.found[key]
        if profile.m0.line is None:
            return proved(
                "p (1-p) M1' and p (1-p) M0' are bounded, whatever C; give the number of classes for the constant"
            )
        if self.factor == 1:
            return proved(f"{found.reason}; free of C", found.value, found.numeric)
        return proved(f"{found.reason}; for every C up to the factor {self.factor}")

    def _known(self) -> Finding:
        """One formula for every C: without C on either side, or by algebra."""
        found = self.found["known_as"]
        if not isinstance(found.value, Named):
            return unknown("a product of the search at one number of classes")
        other = loss_of(found.value, "classification")
        if C not in self.loss.value_expr.free_symbols | other.expr.free_symbols:
            # Equal on the simplex at one C, so M0 and M1 are, but for terms that sum to a constant; which depends on C.
            return proved(
                "neither formula has C in it, and they agree up to a factor and a constant", found.value
            )
        ratio = canonicalise(self.loss.value_expr / other.value_expr, "classification")
        if self.loss == other or (ratio.is_Rational and ratio > Rational(0)):
            return proved("one canonical form with C free", found.value)
        return unknown("not one formula with C free")


_ALGEBRA: dict[str, Callable[[Algebra], Finding]] = {
    "target_only": Algebra.target_only,
    "trainable_at_start": Algebra.trainable,
    "attractor": Algebra.attractor,
    "convex_in_p": Algebra.convex,
    "classification_calibrated": Algebra.calibrated,
    "bounded_below": Algebra.bounded_below,
    "lipschitz_in_logits": Algebra.lipschitz,
}


def _first_below(reach: float) -> int:
    """The smallest `C >= 2` with `1/C < reach`."""
    # 1/C < r for C > 1/r; where 1/r rounds to a whole number the next one is named, which holds in either case.
    return max(2, math.floor(1 / reach) + 1)


def _may_be_unit_fraction(low: float, high: float) -> bool:
    # Is there a whole C with 1/high <= C <= 1/low?
    return math.floor(1 / low) >= math.ceil(1 / high)


def _finite_extreme(curve: Curve, side: int) -> Extreme | None:
    extreme = curve.extreme(side)
    return extreme if extreme is not None and extreme.value.is_finite else None


def _signs_around(slope: Curve, point: float) -> tuple[list[int | None], list[int | None]]:
    """The signs of a curve on its stretches before a point, and on those that follow up to 1/2."""
    after = [s for s in slope.pattern if s.right.hi > point + _NEAR and s.left.lo < max(0.5, point - _NEAR)]
    return [s.sign for s in slope.pattern if s.right.hi <= point + _NEAR], [s.sign for s in after]


def _smoothing(attractor: Finding, shown: Finding) -> Finding:
    point = attractor.value
    if attractor.verdict != "proved" or (point is None and attractor.numeric is None):
        return shown
    if attractor.numeric == 1:
        return refuted("p* = 1 for every C >= 2", {}, Integer(0), 0.0)
    if isinstance(point, Expr):
        strength = shorter(one_fraction((1 - point) * C / (C - 1)))
    else:
        strength = shorter(one_fraction((1 - Rational(repr(attractor.numeric))) * C / (C - 1))).evalf(15)
    return proved("xi = (1 - p*) C/(C - 1)", strength)

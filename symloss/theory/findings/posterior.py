"""The posterior map: the prediction of least expected loss, `p*(q)`, under a class posterior `q`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sympy import Expr, Integer, Symbol, lambdify

from symloss.errors import DomainError
from symloss.expr import KINDS, Loss, P
from symloss.theory.certificate import Finding, proved
from symloss.theory.findings.misrank import grid_minimiser
from symloss.theory.findings.profile import Profile
from symloss.theory.findings.proper import proper
from symloss.theory.functions.algebra import shorter, vanishes
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.interval import FloatArray

__all__ = ["PosteriorMap", "Q", "closed_map", "logarithmic", "posterior_map", "shifted", "with_map"]

Q = Symbol("q", positive=True)
"""One entry of the class posterior."""


@dataclass(frozen=True)
class PosteriorMap:
    """`p*(q)` of a loss.

    Attributes:
        profile: the loss at a number of classes.
        closed: a formula in the entry `q`, to be divided by its sum over the classes; None where there is
            none, and the map is a grid search.
    """

    profile: Profile
    closed: Expr | None

    @cached_property
    def formula(self) -> str:
        """`closed` as text, or `""`."""
        return "" if self.closed is None else str(self.closed)

    def __call__(self, posteriors: FloatArray) -> FloatArray:
        """The minimisers `[..., C]` for posteriors `[..., C]`; to about 1e-3 where there is no formula.

        Raises:
            DomainError: for another number of classes.
        """
        q = np.asarray(posteriors, dtype=np.float64)
        if q.shape[-1] != self.profile.classes:
            raise DomainError(f"posteriors of {q.shape[-1]} classes, expected {self.profile.classes}")
        if self.closed is not None:
            with np.errstate(all="ignore"):
                entries = np.broadcast_to(lambdify(Q, self.closed, "numpy")(q), q.shape)
            result: FloatArray = entries / entries.sum(axis=-1, keepdims=True)
            return result
        flat = q.reshape(-1, q.shape[-1])
        return grid_minimiser(self.profile, flat).reshape(q.shape)


def posterior_map(loss: Loss, classes: int = 2) -> PosteriorMap:
    """The map from a class posterior to the prediction of least expected loss.

    Cross-entropy: `q`. GCE with coefficient r: `q**(1/(1-r))`, normalised. Label smoothing: `(1-xi) q + xi/C`.

    Args:
        loss: a classification loss.
        classes: their number; a map without formula is searched on a grid, which takes few classes.

    Raises:
        DomainError: for another kind, fewer than two classes, or a loss undefined on the simplex.

    >>> from symloss import parse
    >>> posterior_map(parse("y*(1 - p**0.5)"), 3).formula
    'q**2'
    """
    if not KINDS[loss.kind].exclusive:
        raise DomainError(f"the posterior map is one of a classification loss, not of a {loss.kind} loss")
    if classes < 2:
        raise DomainError(f"classes is {classes}: expected at least 2")
    profile = Profile.of(loss, classes)
    return PosteriorMap(profile, closed_map(profile))


def closed_map(profile: Profile, classes: Expr | None = None) -> Expr | None:
    """`g(q)` with `p*_i = g(q_i) / sum_k g(q_k)`, or None.

    A strictly proper loss has `g = q`. If `M1' = c - a1 p**-k` and `M0' = c - a0 p**-k` with `k > 0` and
    `a1 > a0 >= 0`, every term of the risk is convex and stationary where `p**k` is proportional to
    `a0 + (a1 - a0) q`.

    Args:
        classes: their number where it is to stay free; else that of the profile.
    """
    # p*(q) = q is what strict properness says.
    if proper(profile).verdict == "proved":
        return Q
    powers = _powers(profile)
    if powers is None:
        return None
    power, gain, base, _ = powers
    if power == 1:
        return shifted(base, gain, Integer(profile.classes) if classes is None else classes)
    # A common factor is gone when entries are divided by their sum.
    return shorter((base + gain * Q) / gain) ** (1 / power)


def logarithmic(profile: Profile) -> tuple[Expr, Expr] | None:
    """`(a1 - a0, a0)` of a loss with `M1' = -a1/p` and `M0' = -a0/p`, `a1 > a0 >= 0`, or None."""
    powers = _powers(profile)
    if powers is None:
        return None
    power, gain, base, shift = powers
    return (gain, base) if power == 1 and number_sign(shift) == 0 else None


def _powers(profile: Profile) -> tuple[Expr, Expr, Expr, Expr] | None:
    """`(k, a1 - a0, a0, c)` of a loss with `M1' = c - a1 p**-k` and `M0' = c - a0 p**-k`, `a1 > a0 >= 0`, or None."""
    if len(profile.pieces) != 1:
        return None
    m1, m0 = (e.diff(P) for e in profile.pieces[0].exprs)
    slope = shorter(m0 - m1)
    if P not in slope.free_symbols:
        return None
    # M0' - M1' = (a1 - a0) p**-k has the logarithmic slope -k/p; then M0'' = k a0 p**(-k-1) gives a0, and M0' gives c.
    power = shorter(-P * slope.diff(P) / slope)
    if P in power.free_symbols or number_sign(power) != 1:
        return None
    gain = shorter(slope * P**power)
    base = shorter(m0.diff(P) * P ** (power + 1) / power)
    shift = shorter(m0 + base * P**-power)
    constants = gain, base, shift
    if any(P in constant.free_symbols and not vanishes(constant.diff(P)) for constant in constants):
        return None
    if any(P in constant.free_symbols for constant in constants):
        return None
    if number_sign(gain) != 1 or number_sign(base) not in (0, 1):
        return None
    return power, gain, base, shift


def shifted(base: Expr, gain: Expr, classes: Expr) -> Expr:
    """`a0 + (a1 - a0) q`, normalised."""
    # sum_i (a0 + (a1 - a0) q_i) = C a0 + a1 - a0.
    return shorter((base + gain * Q) / (classes * base + gain))


def with_map(found: Finding, closed: Expr | None) -> Finding:
    """A verdict on calibration, with the posterior map where it has a formula."""
    if found.verdict != "proved" or closed is None:
        return found
    share = "" if closed == Q or closed.is_polynomial(Q) else ", divided by its sum over the classes"
    return proved(f"{found.reason}; p*(q) = {closed}{share}", closed)

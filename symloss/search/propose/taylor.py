"""TaylorGLO: a third-order Taylor polynomial in prediction and target, whose parameters are searched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symloss.expr import KINDS, Program
from symloss.expr.trees import Weighted
from symloss.search.propose.family import Vector

__all__ = ["SIGMA", "TaylorFamily", "taylor_loss"]

SIGMA = 1.2
"""The published first standard deviation."""
PARAMETERS = 8
_D, _E = ("sub", "p", "1"), ("sub", "y", "1")
_TOKENS = (
    "mul",
    *_D,
    "add",
    "add",
    "1",
    "mul",
    *_D,
    "add",
    "add",
    "1",
    "p",
    "y",
    "mul",
    *_E,
    "add",
    "1",
    "y",
)


def taylor_loss(theta: Vector, kind: str) -> Weighted:
    r"""The polynomial with the parameters `t0 ... t7`, factorials absorbed.

    `M(y, p) = -(1/C) (t2 d + t3 d^2 + t4 d^3 + t5 e d + t6 e d^2 + t7 e^2 d)`, `d = p - t1`, `e = y - t0`, written
    with few symbols, as `-(1/C) d (t2 + d (k + t4 p + t6 y) + e (h + t7 y))`. Under softmax, where predictions add
    up to 1, t2 does nothing. Where entries are averaged, and not added up over the classes, the division by C is
    that average and does not stand in the formula.

    Args:
        theta: `[8]`.
        kind: of the loss.

    References:
        Gonzalez, Miikkulainen, Optimizing loss functions through multivariate Taylor polynomial
        parameterization, 2021 (arXiv 2002.00059), eq. 7. (The release of EvoMAL exchanges target and prediction in
        the pure terms; this is the formula of its authors.)

    >>> taylor_loss(np.array([1, 0.5, 0, 0, 0, 2, 0, 0]), "regression").merged().formula
    '-2*(p - 0.5)*(y - 1)'
    """
    t0, t1, t2, t3, t4, t5, t6, t7 = map(float, theta)
    # Multiplied out: `t3 + t4 (p - t1) + t6 (y - t0) = k + t4 p + t6 y` and `t5 + t7 (y - t0) = h + t7 y`, so that
    # the centre (t0, t1) stands in `d` and `e` alone.
    k, h = t3 - t4 * t1 - t6 * t0, t5 - t7 * t0
    edges = (
        1.0, 1.0, t1, 1.0,  # d (
        1.0, t2, 1.0, 1.0, 1.0, t1,  # t2 + d (
        1.0, 1.0, k, t4, t6,  # k + t4 p + t6 y)
        1.0, 1.0, 1.0, t0, 1.0, h, t7,  # + e (h + t7 y))
    )  # fmt: skip
    if not KINDS[kind].sums:
        return Weighted(Program(_TOKENS), edges, -1.0)
    return Weighted(Program(("div", *_TOKENS, "C")), (1.0, *edges, 1.0), -1.0)


@dataclass(frozen=True)
class TaylorFamily:
    """The losses of `taylor_loss`, from the published start: centroid 0, sigma 1.2.

    Attributes:
        kind: of the losses.
        sigma: of the first generation.
    """

    kind: str
    sigma: float = SIGMA

    @property
    def centroid(self) -> Vector:
        """Zero: the loss that is 0 everywhere."""
        return np.zeros(PARAMETERS)

    def loss(self, x: Vector) -> Weighted:
        """See `taylor_loss`."""
        return taylor_loss(x, self.kind)

    def turned(self, x: Vector) -> Vector:
        """The same centre, and all else negated."""
        # M is linear in t2 ... t7, and t0, t1 are the centre.
        return np.concatenate([x[:2], -x[2:]])

    def said(self, x: Vector) -> str:
        """Nothing that the formula does not say."""
        return ""

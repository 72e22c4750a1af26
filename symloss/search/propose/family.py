"""Losses of one form, searched by their parameters alone."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from symloss.expr.trees import Weighted

__all__ = ["Family", "Vector"]

Vector = NDArray[np.float64]


class Family(Protocol):
    """A family of losses with real parameters `x`: what CMA-ES needs to know of one."""

    @property
    def centroid(self) -> Vector:
        """Where the search starts, `[n]`."""
        ...

    @property
    def sigma(self) -> float:
        """The standard deviation of the first generation about it, in every parameter."""
        ...

    def loss(self, x: Vector) -> Weighted:
        """The loss with parameters `x`."""
        ...

    def turned(self, x: Vector) -> Vector | None:
        """The parameters of the negated loss; None where the family does not have it."""
        ...

    def said(self, x: Vector) -> str:
        """The loss in words, where a reader knows more by them than by the formula; else `""`."""
        ...

"""Points of the line, cells between them, and stretches on which a formula has one sign."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from sympy import Expr

from symloss.theory.functions.enclose import enclose_number
from symloss.theory.functions.interval import Interval

__all__ = ["Cell", "Point", "Span"]


@dataclass(frozen=True)
class Point:
    """A point of the line, bracketed; `exact` where it has a formula."""

    lo: float
    hi: float
    exact: Expr | None = None

    @staticmethod
    def at(value: Expr) -> Point:
        """The point that a constant formula names; plus or minus infinity too."""
        if value.is_infinite:
            end = math.inf if value.is_extended_positive else -math.inf
            return Point(end, end, value)
        box = enclose_number(value)
        return Point(float(box.lo), float(box.hi), value)

    @property
    def middle(self) -> float:
        return self.lo if self.lo == self.hi else (self.lo + self.hi) / 2

    @property
    def is_finite(self) -> bool:
        return math.isfinite(self.lo)

    @property
    def box(self) -> Interval:
        return Interval(np.asarray(self.lo), np.asarray(self.hi))


_NOTHING: frozenset[Expr] = frozenset()


@dataclass(frozen=True)
class Cell:
    """An open stretch of the line between two points.

    Attributes:
        zeros_left, zeros_right: formulas known to vanish at the ends.
    """

    left: Point
    right: Point
    zeros_left: frozenset[Expr] = field(default=_NOTHING)
    zeros_right: frozenset[Expr] = field(default=_NOTHING)

    @property
    def inner(self) -> tuple[float, float]:
        """Two finite floats strictly inside, for probing."""
        lo = (
            self.left.hi
            if self.left.is_finite
            else min(-10.0, self.right.lo - 10.0 if self.right.is_finite else 0.0)
        )
        hi = self.right.lo if self.right.is_finite else max(10.0, lo + 20.0)
        return lo, hi


@dataclass(frozen=True)
class Span:
    """A stretch on which a formula has one sign: 1, -1, 0 (it vanishes), or None where that is open."""

    left: Point
    right: Point
    sign: int | None

"""Versions of finalists with fewer or rounder numbers, offered as candidates of their own."""

from __future__ import annotations

import math
from collections.abc import Iterator

from symloss.expr.trees import Weighted

__all__ = ["tidied"]

NEAR = 0.25
"""How far, relatively, a coefficient may be from 1 to be snapped to it."""


def tidied(loss: Weighted) -> Iterator[tuple[str, Weighted]]:
    """Other versions of a loss and what was done: other functions, to be trained before they are believed.

    >>> from symloss.expr import Program
    >>> loss = Weighted(Program(("square", "sub", "y", "p")), (1.0, 1.029, 0.641), 0.4)
    >>> [version.formula for _, version in tidied(loss)]
    ['0.4*(y - 0.64*p)**2', '0.4*(y - 0.641*p)**2', '0.4*(y - p)**2']
    """
    seen = {loss.formula}
    versions = (
        ("rounded to 2 digits", loss.rounded(2)),
        ("snapped to 1 where near", loss.snapped(NEAR)),
        ("dropped", loss.snapped(math.inf)),
    )
    for said, version in versions:
        if version.formula not in seen:
            seen.add(version.formula)
            yield f"coefficients {said}", version

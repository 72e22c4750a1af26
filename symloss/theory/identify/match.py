"""The zoo loss that a loss is: proposals by a fit of slopes, one after the other, until one is proved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from sympy import Expr, Rational, Symbol

from symloss.errors import SymlossError
from symloss.expr import Loss
from symloss.theory.certificate import Finding, refuted, unknown
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.pieces import Piece
from symloss.theory.identify.fit import CLOSE, Fit, proposals
from symloss.theory.identify.signature import signature
from symloss.zoo import Entry

__all__ = ["jumps", "matched", "slope_ratio"]


def matched(
    loss: Loss,
    classes: int,
    entries: Iterable[Entry],
    likely: Callable[[], list[Expr]],
    prove: Callable[[Fit], Finding | None],
    otherwise: Callable[[str], Finding | None],
) -> Finding:
    """The proof that a loss is one of some zoo losses, the one of fewest coefficients; else the nearest.

    Args:
        loss, classes: what is identified.
        entries: the zoo losses; of two with as many coefficients the first is tried first.
        likely: gives numbers that coefficients may be; asked only where there is a direction.
        prove: the proof that the loss is the fitted one, up to a factor and a constant.
        otherwise: a refutation, for a loss whose slopes look like those of a zoo loss or like none at all, given what
            is said of them.
    """
    target = signature(loss, classes)
    if not np.all(np.isfinite(target)):
        problem = "has a gradient that is zero or not finite, and so no direction to compare"
        return otherwise(problem) or unknown(f"the loss {problem}")
    numbers, fits, problem = likely(), list[Fit](), ""
    for found in sorted(entries, key=lambda found: len(found.defaults)):
        for fit in proposals(found, classes, target, numbers):
            if fit.apart >= CLOSE:
                fits.append(fit)
                continue
            try:
                finding = prove(fit)
            except SymlossError as error:
                problem = problem or f"agrees with {fit.name} on a grid, which is not proved: {error}"
                continue
            if finding is not None:
                return finding
            problem = problem or f"agrees with {fit.name} to {fit.apart:.1g} on a grid, which is not proved"
    if problem:
        return otherwise(problem) or unknown(problem)
    return _nearest(fits)


def _nearest(fits: list[Fit]) -> Finding:
    if not fits:
        return unknown("no zoo loss of this kind can be compared")
    nearest = min(fits, key=lambda fit: fit.apart)
    rounded = replace(nearest.name, digits=4)
    return refuted(
        f"the nearest zoo loss is {rounded}, at a distance of {nearest.apart:.3g} in normalised gradient"
        " (0 is equal, 2 opposite)",
        {"nearest": nearest.entry.name, "values": {k: float(v) for k, v in nearest.values.items()},
         "distance": nearest.apart},
        rounded,
        nearest.apart,
    )  # fmt: skip


def jumps(curve: Curve, problem: str) -> Finding | None:
    """The refutation of a loss by what its slopes do not show: it jumps, where every zoo loss is continuous.

    Args:
        curve: the loss as a function of one variable.
        problem: what its slopes say.
    """
    for left, right, point in curve.steps():
        if left is None or right is None or not (left.is_finite and right.is_finite):
            continue
        if left.hi < right.lo or right.hi < left.lo:
            where = point.middle
            return refuted(
                f"the loss jumps at {curve.variable} = {where:.6g}, as no zoo loss does; but for that it {problem}",
                {"jump": where, "left": left.middle, "right": right.middle},
            )
    return None


def slope_ratio(pieces: tuple[Piece, ...], variable: Symbol, reaches: tuple[float, ...]) -> Expr | None:
    """The ratio of the slopes of two functions at some point of the line where the second's is told from 0.

    Args:
        pieces: each of two expressions.
        variable: of both.
        reaches: how far from 0 points are taken, in the order of trying.
    """
    for reach in reaches:
        for piece in pieces:
            low, high = max(piece.cell.left.middle, -reach), min(piece.cell.right.middle, reach)
            if not low < high:
                continue
            spot = Rational(repr(round((low + high) / 2 + (high - low) / 5, 5)))
            top, bottom = (expr.diff(variable).subs(variable, spot) for expr in piece.exprs)
            if bottom.is_finite and number_sign(bottom) in (1, -1):
                return top / bottom
    return None

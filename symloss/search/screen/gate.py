"""Screens a candidate by its slopes before anything is trained with it, and corrects its sign.

A rejection says why in a few words. The tests are necessary for a loss to train from scratch, or nearly so;
some rejected losses would have learnt after tuning, which is why the search trains a sample of them all the
same and reports the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from symloss.expr import KINDS, Kind, Program
from symloss.expr.trees.evaluate import Array, slopes

__all__ = ["GateVerdict", "gate"]

_FLAT = 1e-9
"""A slope below this share of the largest is rounding."""
_AGREEMENT = 0.8
"""Share of the points near the target, and of targets, where a regression loss must point to the target."""


@dataclass(frozen=True)
class GateVerdict:
    """What the gate says of a candidate.

    Attributes:
        passed: whether it may be tuned and trained.
        reason: why not, or "".
        sign: -1 for a loss that descends once it is negated, else 1.
    """

    passed: bool
    reason: str = ""
    sign: int = 1


def gate(
    program: Program, kind: str, classes: int | None, edges: Sequence[float] | None = None
) -> GateVerdict:
    """Whether a loss can train a model from scratch, as far as a look at its slopes tells.

    It must use `y` and `p` (or `m`); be finite, with a finite slope, on the domain; not be flat; and, as it stands or
    negated, pull the right way: at the null epoch raise the target's probability (classification:
    `-M1' > -M0'` at `p = 1/C`; multilabel: `M1' < 0 < M0'` at `p = 1/2`), towards an attractor above chance,
    have a minimum at or near the target (regression), or fall at the start (`M'(0) < 0`, margin).

    Args:
        program: the tree.
        kind: of the loss.
        classes: number of classes or labels; None for regression.
        edges: one coefficient an edge; ones unless given.

    >>> gate(Program(("square", "sub", "y", "p")), "regression", None)
    GateVerdict(passed=True, reason='', sign=1)
    >>> gate(Program(("mul", "y", "plog", "p")), "classification", 10).sign
    -1
    """
    missing = [name for name in KINDS[kind].needs if name not in program.tokens]
    if missing:
        return GateVerdict(False, f"does not use {missing[0]}")
    if KINDS[kind].signed:
        return _of_margins(program, edges)
    if KINDS[kind].probabilities:
        return _of_probabilities(program, KINDS[kind], classes or 2, edges)
    return _of_numbers(program, edges)


@lru_cache(maxsize=64)
def _even_spread(kind: Kind, classes: int) -> tuple[Array, Array, float, int]:
    """Targets and predictions on the even spread (target row, others row), chance, and how many points lie above it."""
    chance = kind.null_epoch(classes)
    assert chance is not None
    above = chance + (1 - chance) * np.array([0.0, 1e-3, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.9999])
    others = (1 - above) / max(classes - 1, 1) if kind.exclusive else 1 - above
    low = chance * np.array([0.001, 0.01, 0.1, 0.5])
    # Below chance the rows are no instance together: four probes of M1 near 0 and four of M0 near 1, for finiteness.
    p = np.stack([np.concatenate([above, low]), np.concatenate([others, np.geomspace(0.01, 0.999, 4)])])
    y = np.array([[1.0], [0.0]]) * np.ones_like(p)
    return y, p, chance, above.size


def _of_probabilities(
    program: Program, kind: Kind, classes: int, edges: Sequence[float] | None
) -> GateVerdict:
    y, p, chance, above = _even_spread(kind, classes)
    symbols = {"C": float(classes), "pi": chance, "w": 1.0}
    value, slope = slopes(program, y, p, edges, symbols)
    problem = _degenerate(value, slope)
    if problem:
        return GateVerdict(False, problem)
    target, other = slope[0, :above], slope[1, :above]
    # Along the even spread dT/dp_t = M1'(p_t) - M0'((1 - p_t)/(C - 1)): negative where it pulls upwards.
    rise = target - other
    size = np.abs(slope).max()
    # rise[0] is the null epoch, rise[1] a thousandth of the way above chance.
    if abs(rise[0]) <= _FLAT * size:
        return GateVerdict(False, "no pull on the target at the start of training")
    sign = 1 if rise[0] < 0 else -1
    if not kind.exclusive and not (sign * target[0] < 0 < sign * other[0]):
        return GateVerdict(False, "pulls labels that are on and off the same way at the start of training")
    if kind.exclusive and sign * rise[1] >= 0:
        return GateVerdict(False, "stops at chance: the attractor is at 1/C")
    return GateVerdict(True, sign=sign)


_TARGETS = np.array([-1.5, -0.75, -0.2, 0.3, 0.9, 1.6])
# Without 0, the target itself, where the slope vanishes and shows no side.
_NEAR = np.array([-1.5, -1.0, -0.6, -0.35, -0.2, 0.2, 0.35, 0.6, 1.0, 1.5])
_FAR = np.array([-6.0, -3.0, 0.0, 3.0, 6.0])
_OFFSETS = np.concatenate([_NEAR, _FAR])
_Y = np.repeat(_TARGETS[:, None], _OFFSETS.size, axis=1)


def _of_numbers(program: Program, edges: Sequence[float] | None) -> GateVerdict:
    value, slope = slopes(program, _Y, _Y + _OFFSETS, edges, {"C": 1.0, "pi": 1.0, "w": 1.0})
    problem = _degenerate(value, slope)
    if problem:
        return GateVerdict(False, problem)
    near = slope[:, : _NEAR.size]
    # +1 where the slope has the sign of the offset, so that descent leads back to the target.
    pull = np.sign(np.where(np.abs(near) > _FLAT * np.abs(slope).max(), near, 0.0)) * np.sign(_NEAR)
    moving = np.abs(pull).sum()
    if moving == 0:
        return GateVerdict(False, "flat near the target")
    sign = 1 if pull.sum() > 0 else -1
    # From both sides, and for nearly every target: else a constant or a runaway does as well.
    sides = [(sign * pull[:, side]).sum(1) > 0 for side in (_NEAR < 0, _NEAR > 0)]
    if (sign * pull > 0).sum() < _AGREEMENT * moving or np.mean(sides[0] & sides[1]) < _AGREEMENT:
        return GateVerdict(False, "no minimum at or near the target")
    return GateVerdict(True, sign=sign)


# 0 first: with scores that start at 0, or DPO's log-ratio, every margin starts there.
_MARGINS = np.array([0.0, -12.0, -5.0, -2.0, -1.0, -0.5, -0.1, 0.1, 0.5, 1.0, 2.0, 5.0, 12.0])


def _of_margins(program: Program, edges: Sequence[float] | None) -> GateVerdict:
    value, slope = slopes(program, np.ones_like(_MARGINS), _MARGINS, edges, {"w": 1.0})
    problem = _degenerate(value, slope)
    if problem:
        return GateVerdict(False, problem)
    if abs(slope[0]) <= _FLAT * np.abs(slope).max():
        return GateVerdict(False, "no pull on the margin at the start of training")
    return GateVerdict(True, sign=-1 if slope[0] > 0 else 1)


def _degenerate(value: Array, slope: Array) -> str:
    if not (np.isfinite(value).all() and np.isfinite(slope).all()):
        return "not finite on the domain"
    return "flat: the gradient is zero" if not np.abs(slope).max() > 1e-12 else ""

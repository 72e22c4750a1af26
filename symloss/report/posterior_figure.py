"""A picture of what a loss does to the class posterior."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from symloss.errors import DomainError
from symloss.expr import KINDS, Loss
from symloss.report.curves import Array, entry
from symloss.report.style import BLACK, BLUE, GREY, VERMILION, figure, legend_outside, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["minimisers", "plot_posterior"]

_EDGE = 1e-6
"""Distance from the simplex's boundary at which predictions stop: the logarithm is infinite there."""
_FINE = {2: 20_000, 3: 240}
"""Steps of the prediction grid along one side."""
_ARROWS = 14


def plot_posterior(loss: Loss, classes: int = 2) -> Figure:
    """The prediction `p*(q)` that minimises the expected loss under the class posterior `q`.

    Two classes: `p*` over `q`; on the diagonal the loss is proper. Three: an arrow from each `q` to its
    `p*`; vermilion where the most probable class changes.

    Args:
        loss: a classification loss.
        classes: 2 or 3.

    Raises:
        DomainError: for another kind or number of classes.
    """
    if not KINDS[loss.kind].exclusive:
        raise DomainError(f"the posterior map is one of a classification loss, not of a {loss.kind} loss")
    if classes not in _FINE:
        raise DomainError(f"the posterior map is drawn for 2 or 3 classes, not for {classes}")
    fig, axes = figure(height=4.3 if classes == 2 else 5.2)
    draw = _two if classes == 2 else _three
    draw(fig, loss)
    title(fig, loss)
    legend_outside(fig, axes)
    return fig


def minimisers(loss: Loss, posteriors: Array) -> Array:
    """`argmin_p sum_k q_k L(e_k, p)` on a grid of the simplex.

    Args:
        loss: a classification loss.
        posteriors: `[N, C]` class posteriors, C = 2 or 3.

    >>> from symloss.expr import parse
    >>> minimisers(parse("-y*log(p)"), np.array([[0.8, 0.2]])).round(3)
    array([[0.8, 0.2]])
    """
    classes = posteriors.shape[1]
    grid = _simplex(classes, _FINE[classes]).clip(_EDGE, 1)
    grid = grid / grid.sum(axis=1, keepdims=True)
    target, other = entry(loss, 1, classes)(grid), entry(loss, 0, classes)(grid)
    # L(e_k, p) = M1(p_k) - M0(p_k) + sum_i M0(p_i) for each k: the one-hot identity.
    risks = target - other + other.sum(axis=1, keepdims=True)
    # NaN would win the argmin.
    risks = np.where(np.isfinite(risks), risks, np.inf)
    # By search on a grid, not by a root: the risk need not be convex, and its minimum may lie at a corner.
    best = [int(np.argmin(risks @ q)) for q in posteriors]
    return grid[best]


def _simplex(classes: int, steps: int) -> Array:
    """All points of the simplex whose entries are multiples of `1/steps`."""
    if classes == 2:
        first = np.arange(steps + 1) / steps
        return np.stack([first, 1 - first], axis=1)
    pairs = np.array([(i, j) for i, j in product(range(steps + 1), repeat=2) if i + j <= steps])
    return np.column_stack([pairs, steps - pairs.sum(axis=1)]) / steps


def _two(fig: Figure, loss: Loss) -> None:
    ax = fig.axes[0]
    q = np.linspace(0.001, 0.999, 999)
    best = minimisers(loss, np.stack([q, 1 - q], axis=1))[:, 0]
    ax.plot([0, 1], [0, 1], ":", color=GREY, lw=1.5, label="proper: $p^* = q$")
    # A minimiser may jump, as MAE's from one corner to the other: no line across.
    jumps = np.abs(np.diff(best)) > 0.05
    ax.plot(q, np.where(np.append(jumps, False), np.nan, best), color=BLUE, lw=2, label="this loss")
    wrong = (best - 0.5) * (q - 0.5) < 0
    if wrong.any():
        ax.plot(q[wrong], best[wrong], ".", color=VERMILION, ms=5, label="the other class is predicted")
    ax.axhline(0.5, color=BLACK, lw=0.6)
    ax.axvline(0.5, color=BLACK, lw=0.6)
    ax.set(xlim=(0, 1), ylim=(-0.02, 1.02), xlabel="posterior $q$ of a class, of two")
    ax.set_ylabel("prediction $p^*(q)$ of least expected loss")


def _three(fig: Figure, loss: Loss) -> None:
    ax = fig.axes[0]
    steps = _ARROWS
    q = _simplex(3, 3 * steps)
    # Every third point, from 1: evenly spread and off the edges, where the arrows would leave the triangle.
    interior = q[((np.rint(q * 3 * steps)[:, :2] % 3) == 1).all(axis=1) & (q.min(axis=1) > 0)]
    best = minimisers(loss, interior)
    start, end = _planar(interior), _planar(best)
    kept = interior.argmax(axis=1) == best.argmax(axis=1)
    # Where two posteriors tie there is no argmax to keep.
    top = np.sort(interior, axis=1)
    kept |= top[:, 2] - top[:, 1] < 1e-9
    corners = _planar(np.eye(3))
    ax.plot(*np.vstack([corners, corners[:1]]).T, color=BLACK, lw=1)
    for chosen, colour, label in (
        (kept, BLUE, "keeps the most probable class"),
        (~kept, VERMILION, "changes the most probable class"),
    ):
        if chosen.any():
            shift = end[chosen] - start[chosen]
            ax.quiver(
                *start[chosen].T, *shift.T, angles="xy", scale_units="xy", scale=1, color=colour, width=0.004,
                headwidth=4, headlength=5, minlength=0.5,
            )  # fmt: skip
            ax.plot(*start[chosen].T, "o", color=colour, ms=3, label=f"$q \\to p^*$: {label}")
    for name, corner, offset in zip("123", corners, ((-8, -10), (8, -10), (0, 8)), strict=True):
        ax.annotate(f"class {name}", corner, offset, textcoords="offset points", ha="center", va="center")
    ax.set_aspect("equal")
    ax.set_axis_off()


def _planar(points: Array) -> Array:
    """Barycentric coordinates in an upright triangle."""
    return points @ np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])

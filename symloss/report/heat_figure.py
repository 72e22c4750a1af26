"""A picture of the whole pull of a loss: what it does to a logit, wherever the probabilities are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symloss.errors import DomainError
from symloss.expr import KINDS, Loss
from symloss.report.curves import Array, entry, slope
from symloss.report.style import GREY, figure, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["logit_gradients", "plot_heat"]

_STEPS = 161
_INK = "#303030"
"""Of what stands on the map, whose colours are the same on dark paper: not the ink of the page."""
_REACH = 3.0
_EDGE = 1e-3
_SHOWN = 97
"""Percentile of the sizes beyond which the picture is one colour: at the edges a gradient may have no bound."""


def plot_heat(loss: Loss, classes: int = 10) -> Figure:
    """The gradient of the loss in a logit as a map, blue where descent raises the logit and red where it lowers it.

    Classification: `dL/dz_t` of the target and `dL/dz_j` of another class, over the probabilities of the two, the
    remaining classes sharing what is left. Multilabel: `dL/dz` of one label over prediction and label, soft ones too.
    Regression: `dM/dp` over target and prediction.

    Args:
        loss: any loss.
        classes: of a classification loss, at least 3; of two the gradient is a curve.

    Raises:
        CompileError, DomainError: for a loss that is infinite at a hard label, or too few classes.
    """
    if KINDS[loss.kind].exclusive:
        if classes < 3:
            raise DomainError(
                f"{classes} classes: their gradient is a curve; see the picture of the gradient"
            )
        fig, axes = figure(panels=2, height=4.4)
        line = np.linspace(_EDGE, 1 - _EDGE, _STEPS)
        target, other = np.meshgrid(line, line)
        pulls = logit_gradients(loss, target, other, classes)
        for ax, pull, name in zip(axes, pulls, ("the target's logit", "another class's logit"), strict=True):
            _map(ax, line, line, pull, name)
            ax.plot(1 / classes, 1 / classes, "o", color=_INK, ms=5, mfc="none")
            ax.annotate(
                "null epoch", (1 / classes, 1 / classes), (6, 6), textcoords="offset points", fontsize=8
            )
            ax.plot([0, 1], [1, 0], color=GREY, lw=0.8)
            ax.set_xlabel("probability of the target $p_t$")
            ax.set_ylabel("probability of another class $p_j$")
    elif KINDS[loss.kind].probabilities:
        fig, axes = figure()
        line = np.linspace(_EDGE, 1 - _EDGE, _STEPS)
        label, p = np.meshgrid(line, line, indexing="ij")
        _map(axes[0], line, line, p * (1 - p) * slope(loss)(label, p), "the logit of a label")
        axes[0].set_xlabel("predicted probability $p$")
        axes[0].set_ylabel("label $y$, soft ones between")
    else:
        fig, axes = figure()
        line = np.linspace(-_REACH, _REACH, _STEPS)
        _map(axes[0], line, line, slope(loss)(*np.meshgrid(line, line, indexing="ij")), "the prediction")
        axes[0].set_xlabel("prediction $p$")
        axes[0].set_ylabel("target $y$")
    title(fig, loss)
    return fig


def logit_gradients(loss: Loss, target: Array, other: Array, classes: int) -> tuple[Array, Array]:
    """`dL/dz_t` and `dL/dz_j` at probabilities of the target and of one other class; NaN where they sum to over 1.

    `dL/dz_k = p_k (g_k - sum_i p_i g_i)` with `g_t = M1'(p_t)` and `g_i = M0'(p_i)`; the other `C - 2` classes share
    what is left.

    >>> from symloss.expr import parse
    >>> [round(float(pull), 6) for pull in logit_gradients(parse("-y*log(p)"), np.array(0.3), np.array(0.2), 5)]
    [-0.7, 0.2]
    """
    of_target, of_other = entry(loss, 1, classes, derivative=True), entry(loss, 0, classes, derivative=True)
    rest = (1 - target - other) / (classes - 2)
    inside = rest > 0
    # Outside the simplex any probability will do: the result is masked below.
    third = np.where(inside, rest, 0.5)
    g_t, g_j, g_r = of_target(target), of_other(other), of_other(third)
    # sum_i p_i g_i, the softmax's pull: what keeps the gradient's sum over the logits at 0.
    mean = target * g_t + other * g_j + (classes - 2) * third * g_r
    pulls = target * (g_t - mean), other * (g_j - mean)
    first, second = (np.where(inside, pull, np.nan) for pull in pulls)
    return first, second


def _map(ax: Axes, x: Array, y: Array, values: Array, name: str) -> None:
    sizes = np.abs(values[np.isfinite(values)])
    if not sizes.size:
        raise DomainError("the gradient is not finite anywhere in the picture")
    most = float(np.percentile(sizes, _SHOWN)) or float(sizes.max()) or 1.0
    # Symmetric about 0, which is one of the levels: blue and red meet where there is no pull.
    levels = most * np.arange(-12, 13) / 12
    ax.grid(visible=False)
    # Blue and red are told apart by every eye, and white is no pull at all.
    drawn = ax.contourf(x, y, np.clip(values, -most, most), levels, cmap="RdBu_r")
    if np.nanmin(values) < 0 < np.nanmax(values):
        ax.contour(x, y, values, [0.0], colors=_INK, linewidths=1.0)
    bar = ax.figure.colorbar(drawn, ax=ax, shrink=0.9, format="%.2g")
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    ax.set_title(f"gradient in {name}", fontsize=9)

"""Pictures of one loss: its value and its gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symloss.errors import DomainError
from symloss.expr import KINDS, Loss
from symloss.report.curves import Array, Curve, entry, logit_gradient
from symloss.report.style import BLACK, BLUE, COLOURS, GREY, VERMILION, figure, legend_outside, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_gradient", "plot_loss"]

_UNIT = np.linspace(1e-4, 1 - 1e-4, 2001)
_LINE = np.linspace(-4.0, 4.0, 2001)
_STYLES = ("-", "--", "-.")
_TARGETS = (0.0, -1.0, 1.0)
"""Targets at which a regression loss is drawn when it is not a function of the residual alone."""


def plot_loss(loss: Loss, classes: int = 10) -> Figure:
    """The entry loss: over `p` for `y = 1` and `y = 0`, or over the residual `r = y - p` for regression.

    Args:
        loss: any loss.
        classes: the value of `C` where the formula has it.

    Raises:
        CompileError: for a loss that is infinite at a hard label.
        DomainError: for fewer than two classes, or a loss that is finite nowhere.
    """
    _check(classes)
    fig, axes = figure()
    ax = axes[0]
    if not KINDS[loss.kind].probabilities:
        _over_residual(ax, loss, derivative=False)
        ax.set_ylabel("loss $M(y, p)$")
    else:
        for target, colour, style in ((1, BLUE, "-"), (0, VERMILION, "--")):
            values = entry(loss, target, classes)(_UNIT)
            ax.plot(_UNIT, values, style, color=colour, lw=2, label=f"$y = {target}$")
        _probability_axis(ax, "predicted probability $p$")
        ax.set_ylabel("loss of one entry $M(y, p)$")
        _limit(ax, _UNIT)
    return _finish(fig, axes, loss, classes)


def plot_gradient(loss: Loss, classes: int = 10) -> Figure:
    """What the loss does to a logit, beside what the ordinary loss of its kind does.

    Classification: `dL/dz_t` over the target's probability, the other classes sharing the rest evenly.
    Multilabel: `dL/dz` of one label. Regression: the influence `-dM/dp` over the residual.

    Args:
        loss: any loss.
        classes: the number of classes.

    Raises:
        CompileError: for a loss that is infinite at a hard label.
        DomainError: for fewer than two classes, or a loss that is finite nowhere.
    """
    _check(classes)
    fig, axes = figure()
    ax = axes[0]
    if not KINDS[loss.kind].probabilities:
        _over_residual(ax, loss, derivative=True)
        ax.set_ylabel(r"influence $-\partial M / \partial p$")
    elif not KINDS[loss.kind].exclusive:
        for target, colour, style in ((1, BLUE, "-"), (0, VERMILION, "--")):
            gradient = _UNIT * (1 - _UNIT) * entry(loss, target, classes, derivative=True)(_UNIT)
            ax.plot(_UNIT, gradient, style, color=colour, lw=2, label=f"$y = {target}$")
        ax.plot(_UNIT, _UNIT - 1, ":", color=GREY, lw=1.5, label="binary cross-entropy")
        ax.plot(_UNIT, _UNIT, ":", color=GREY, lw=1.5)
        _probability_axis(ax, "predicted probability $p$")
        ax.set_ylabel(r"logit gradient $\partial L / \partial z$")
        _limit(ax, _UNIT)
    else:
        values = logit_gradient(loss, classes)(_UNIT)
        ax.plot(_UNIT, values, color=BLUE, lw=2, label="this loss")
        ax.plot(_UNIT, _UNIT - 1, ":", color=GREY, lw=1.5, label="cross-entropy")
        ax.axvline(1 / classes, color=BLACK, lw=0.8, dashes=(2, 3), label=f"null epoch, $p_t = 1/{classes}$")
        rest = _resting_points(_UNIT, values)
        if rest.size:
            ax.plot(rest, np.zeros_like(rest), "o", color=VERMILION, ms=7, label=_rest_label(rest))
        _probability_axis(ax, "probability of the target class $p_t$, the others sharing the rest evenly")
        ax.set_ylabel(r"logit gradient $\partial L / \partial z_t$")
        _limit(ax, _UNIT)
    ax.axhline(0, color=BLACK, lw=0.8)
    return _finish(fig, axes, loss, classes)


def _check(classes: int) -> None:
    if classes < 2:
        raise DomainError(f"{classes} classes: expected at least 2")


def _finish(fig: Figure, axes: list[Axes], loss: Loss, classes: int) -> Figure:
    title(fig, loss)
    if KINDS[loss.kind].exclusive:
        axes[0].set_title(f"C = {classes} classes", fontsize=9, color=GREY, loc="right")
    legend_outside(fig, axes)
    return fig


def _probability_axis(ax: Axes, label: str) -> None:
    ax.set_xlim(0, 1)
    ax.set_xlabel(label)


def _over_residual(ax: Axes, loss: Loss, derivative: bool) -> None:
    def at(target: float) -> Array:
        curve: Curve = entry(loss, target, derivative=derivative)
        values = curve(target - _LINE)
        return -values if derivative else values

    drawn = [at(target) for target in _TARGETS]
    if all(np.allclose(values, drawn[0], rtol=1e-9, atol=1e-9, equal_nan=True) for values in drawn):
        ax.plot(_LINE, drawn[0], color=BLUE, lw=2, label="this loss")
    else:
        for target, values, colour, style in zip(_TARGETS, drawn, COLOURS, _STYLES, strict=False):
            ax.plot(_LINE, values, style, color=colour, lw=2, label=f"this loss at $y = {target:g}$")
    reference = 2 * _LINE if derivative else _LINE**2
    ax.plot(_LINE, reference, ":", color=GREY, lw=1.5, label="squared error")
    ax.set_xlim(_LINE[0], _LINE[-1])
    ax.set_xlabel("residual $r = y - p$")
    _limit(ax, _LINE, references=1)


def _limit(ax: Axes, x: Array, references: int = 0) -> None:
    """A vertical range that shows the curves' bodies rather than their poles."""
    inner = slice(len(x) // 100, -(len(x) // 100))
    drawn = [np.asarray(line.get_ydata(), dtype=float) for line in ax.get_lines()]
    curves = [y[inner] for y in drawn if len(y) == len(x)]
    values = np.concatenate(curves[: len(curves) - references])
    values = values[np.isfinite(values)]
    if not values.size:
        raise DomainError("the loss is not finite anywhere on the drawn range")
    low, high = float(values.min()), float(values.max())
    # A pole inside the range would flatten all else: its flanks then leave the picture.
    body_low, body_high = np.percentile(values, (2, 98))
    if high - low > 4 * (body_high - body_low) > 0:
        middle, half = (body_low + body_high) / 2, 0.75 * (body_high - body_low)
        low, high = float(middle - half), float(middle + half)
    pad = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    ax.set_ylim(low - pad, high + pad)


def _resting_points(p: Array, gradient: Array) -> Array:
    """Where gradient descent rests: the gradient goes from negative to positive."""
    below, above = gradient[:-1] < 0, gradient[1:] > 0
    touching = (gradient[:-2] < 0) & (gradient[1:-1] == 0) & (gradient[2:] > 0)
    crossing = p[:-1][below & above]
    return np.concatenate([crossing, p[1:-1][touching]])


def _rest_label(points: Array) -> str:
    return "descent rests at $p_t = $" + ", ".join(f"{point:.3g}" for point in points[:3])

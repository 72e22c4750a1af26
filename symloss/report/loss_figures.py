"""Pictures of losses: their values and their gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from symloss.errors import DomainError
from symloss.expr import KINDS, Loss
from symloss.report.curves import Array, Curve, entry, logit_gradient
from symloss.report.style import BLACK, BLUE, COLOURS, GREY, VERMILION, figure, legend_outside, plain, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_gradient", "plot_loss"]

_UNIT = np.linspace(1e-4, 1 - 1e-4, 2001)
_LINE = np.linspace(-4.0, 4.0, 2001)
_STYLES = ("-", "--", "-.")
_MOST = len(COLOURS)
_TARGETS = (0.0, -1.0, 1.0)
"""Targets at which a regression loss is drawn when it is not a function of the residual alone."""


def plot_loss(losses: Loss | Mapping[str, Loss], classes: int = 10) -> Figure:
    """The entry loss: over `p` for `y = 1` and `y = 0`, over the residual `r = y - p` for regression, over the margin.

    Args:
        losses: any loss, or several of one kind by what they are called.
        classes: the value of `C` where a formula has it.

    Raises:
        CompileError: for a loss that is infinite at a hard label.
        DomainError: for fewer than two classes, losses of several kinds, or one that is finite nowhere.
    """
    named, kind = _named(losses, classes)
    fig, axes = figure()
    ax = axes[0]
    if KINDS[kind].signed:
        _over_margin(ax, named, derivative=False)
        ax.set_ylabel("loss $M(m)$")
    elif not KINDS[kind].probabilities:
        _over_residual(ax, named, derivative=False)
        ax.set_ylabel("loss $M(y, p)$")
    else:
        for (name, loss), colour in zip(named.items(), COLOURS * 2, strict=False):
            for target, style in ((1, "-"), (0, "--")):
                shown = (BLUE if target else VERMILION) if len(named) == 1 else colour
                values = entry(loss, target, classes)(_UNIT)
                if len(named) > 1 and not values.any():
                    continue  # of several that look at the target alone, the others' zeros would hide each other
                ax.plot(_UNIT, values, style, color=shown, lw=2, label=_label(name, named, f"$y = {target}$"))
        _probability_axis(ax, "predicted probability $p$")
        ax.set_ylabel("loss of one entry $M(y, p)$")
        _limit(ax, _UNIT)
    return _finish(fig, axes, named, classes)


def plot_gradient(losses: Loss | Mapping[str, Loss], classes: int = 10) -> Figure:
    """What a loss does to a logit, beside what the ordinary loss of its kind does.

    Classification: `dL/dz_t` over the target's probability, the other classes sharing the rest evenly, with the
    attractor, where descent comes to rest. Multilabel: `dL/dz` of one label. Regression: the influence `-dM/dp` over
    the residual. Margin: the slope `M'(m)`.

    Args:
        losses: any loss, or several of one kind by what they are called.
        classes: the number of classes.

    Raises:
        CompileError: for a loss that is infinite at a hard label.
        DomainError: for fewer than two classes, losses of several kinds, or one that is finite nowhere.
    """
    named, kind = _named(losses, classes)
    fig, axes = figure()
    ax = axes[0]
    if KINDS[kind].signed:
        _over_margin(ax, named, derivative=True)
        ax.set_ylabel("slope $M'(m)$,\nbelow 0 it raises the margin")
    elif not KINDS[kind].probabilities:
        _over_residual(ax, named, derivative=True)
        ax.set_ylabel(r"influence $-\partial M / \partial p$")
    elif not KINDS[kind].exclusive:
        for (name, loss), colour in zip(named.items(), COLOURS * 2, strict=False):
            for target, style in ((1, "-"), (0, "--")):
                shown = (BLUE if target else VERMILION) if len(named) == 1 else colour
                gradient = _UNIT * (1 - _UNIT) * entry(loss, target, classes, derivative=True)(_UNIT)
                ax.plot(
                    _UNIT, gradient, style, color=shown, lw=2, label=_label(name, named, f"$y = {target}$")
                )
        ax.plot(_UNIT, _UNIT - 1, ":", color=GREY, lw=1.5, label="binary cross-entropy")
        ax.plot(_UNIT, _UNIT, ":", color=GREY, lw=1.5)
        _probability_axis(ax, "predicted probability $p$")
        ax.set_ylabel(r"logit gradient $\partial L / \partial z$")
        _limit(ax, _UNIT)
    else:
        _pulls(ax, named, classes)
    ax.axhline(0, color=BLACK, lw=0.8)
    return _finish(fig, axes, named, classes)


def _pulls(ax: Axes, named: Mapping[str, Loss], classes: int) -> None:
    """Of classification losses, with their attractors."""
    styles = zip(COLOURS * 2, ("-", "--", "-.") * 5, strict=False)
    for (name, loss), (colour, style) in zip(named.items(), styles, strict=False):
        values = logit_gradient(loss, classes)(_UNIT)
        rest = _resting_points(_UNIT, values)
        told = "this loss" if len(named) == 1 else name
        if rest.size and len(named) > 1:
            told += f", rests at {', '.join(f'{point:.3g}' for point in rest[:3])}"
        ax.plot(_UNIT, values, style, color=colour, lw=2, label=plain(told))
        if rest.size:
            label = _rest_label(rest) if len(named) == 1 else None
            shown = VERMILION if len(named) == 1 else colour
            ax.plot(rest, np.zeros_like(rest), "o", color=shown, ms=7, mec="white", zorder=5, label=label)
    ax.plot(_UNIT, _UNIT - 1, ":", color=GREY, lw=1.5, label="cross-entropy")
    ax.axvline(1 / classes, color=BLACK, lw=0.8, dashes=(2, 3), label=f"null epoch, $p_t = 1/{classes}$")
    _probability_axis(ax, "probability of the target class $p_t$, the others sharing the rest evenly")
    ax.set_ylabel(r"logit gradient $\partial L / \partial z_t$")
    _limit(ax, _UNIT)


def _named(losses: Loss | Mapping[str, Loss], classes: int) -> tuple[Mapping[str, Loss], str]:
    """Losses by name, and their kind."""
    _check(classes)
    named = {"": losses} if isinstance(losses, Loss) else dict(losses)
    kinds = list(dict.fromkeys(loss.kind for loss in named.values()))
    if len(kinds) != 1:
        told = " and ".join(kinds) or "no"
        raise DomainError(f"{told} losses in one picture: expected losses of one kind")
    if len(named) > _MOST:
        raise DomainError(f"{len(named)} losses in one picture: at most {_MOST} lines can be told apart")
    return named, kinds[0]


def _label(name: str, named: Mapping[str, Loss], what: str) -> str:
    return what if len(named) == 1 else f"{plain(name)}, {what}"


def _check(classes: int) -> None:
    if classes < 2:
        raise DomainError(f"{classes} classes: expected at least 2")


def _finish(fig: Figure, axes: list[Axes], named: Mapping[str, Loss], classes: int) -> Figure:
    first = next(iter(named.values()))
    if len(named) == 1:
        title(fig, first)
    if KINDS[first.kind].exclusive:
        axes[0].set_title(f"C = {classes} classes", fontsize=9, color=GREY, loc="right")
    legend_outside(fig, axes)
    return fig


def _probability_axis(ax: Axes, label: str) -> None:
    ax.set_xlim(0, 1)
    ax.set_xlabel(label)


def _over_residual(ax: Axes, named: Mapping[str, Loss], derivative: bool) -> None:
    colours, drawn = iter(COLOURS * 3), 0
    for name, loss in named.items():
        told = plain(name) or "this loss"
        curves = [_at(loss, target, derivative) for target in _TARGETS]
        # Of one that is not a function of the residual, three targets are drawn; of several losses one is enough.
        if len(named) > 1 or all(
            np.allclose(each, curves[0], rtol=1e-9, atol=1e-9, equal_nan=True) for each in curves
        ):
            where = "" if len(named) == 1 else _where(curves)
            style = _STYLES[drawn % len(_STYLES)] if len(named) > 1 else "-"
            ax.plot(_LINE, curves[0], style, color=next(colours), lw=2, label=f"{told}{where}")
            drawn += 1
            continue
        for target, values, style in zip(_TARGETS, curves, _STYLES, strict=False):
            ax.plot(_LINE, values, style, color=next(colours), lw=2, label=f"{told} at $y = {target:g}$")
    reference = 2 * _LINE if derivative else _LINE**2
    ax.plot(_LINE, reference, ":", color=GREY, lw=1.5, label="squared error")
    ax.set_xlim(_LINE[0], _LINE[-1])
    ax.set_xlabel("residual $r = y - p$")
    _limit(ax, _LINE, references=1)


def _over_margin(ax: Axes, named: Mapping[str, Loss], derivative: bool) -> None:
    for i, ((name, loss), colour) in enumerate(zip(named.items(), COLOURS * 2, strict=False)):
        values = entry(loss, 1, derivative=derivative)(_LINE)
        style = _STYLES[i % len(_STYLES)]
        ax.plot(_LINE, values, style, color=colour, lw=2, label=plain(name) or "this loss")
    beside = "logistic" not in named  # else it is drawn, and in the legend, already
    if beside:
        reference = -1 / (1 + np.exp(_LINE)) if derivative else np.logaddexp(0, -_LINE)
        ax.plot(_LINE, reference, ":", color=GREY, lw=1.5, label="logistic")
    ax.axvline(0, color=BLACK, lw=0.8, dashes=(2, 3), label="start: nothing is learned, $m = 0$")
    ax.set_xlim(_LINE[0], _LINE[-1])
    ax.set_xlabel("margin $m$: the score on the side of its target")
    _limit(ax, _LINE, references=int(beside))


def _at(loss: Loss, target: float, derivative: bool) -> Array:
    # The axis is r = y - p, so p = y - r; the influence is -dM/dp.
    curve: Curve = entry(loss, target, derivative=derivative)
    values = curve(target - _LINE)
    return -values if derivative else values


def _where(curves: Sequence[Array]) -> str:
    same = all(np.allclose(each, curves[0], rtol=1e-9, atol=1e-9, equal_nan=True) for each in curves)
    return "" if same else f" at $y = {_TARGETS[0]:g}$"


def _limit(ax: Axes, x: Array, references: int = 0) -> None:
    """A vertical range that shows the curves' bodies rather than their poles."""
    # The outer hundredth on each side is where logarithms and reciprocals have their poles.
    inner = slice(len(x) // 100, -(len(x) // 100))
    drawn = [np.asarray(line.get_ydata(), dtype=float) for line in ax.get_lines()]
    curves = [y[inner] for y in drawn if len(y) == len(x)]
    # Reference curves are drawn last, and do not decide the range: a bounded loss would be flat beside the
    # squared error.
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
    # A grid point that is a root by accident, which no pair of neighbours straddles.
    touching = (gradient[:-2] < 0) & (gradient[1:-1] == 0) & (gradient[2:] > 0)
    crossing = p[:-1][below & above]
    return np.concatenate([crossing, p[1:-1][touching]])


def _rest_label(points: Array) -> str:
    return "descent rests at $p_t = $" + ", ".join(f"{point:.3g}" for point in points[:3])

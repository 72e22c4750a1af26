"""Pictures of landscapes: a loss and the metric around trained models, on a line or in a plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from symloss.report.style import BLACK, COLOURS, GREY, VERMILION, figure, legend_outside, plain
from symloss.report.tables import new_table
from symloss.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from symloss.compare import Landscape

__all__ = ["landscape_sentences", "plot_landscape", "sharpness_table"]

Array = NDArray[np.float64]
_LEVELS = 18
_SHOWN = 92
"""Percentile of a loss's values above which the picture is one colour: a loss may grow without bound."""
_STYLES = ("-", "--")
_LEAST = 0.05
"""The smallest range of the metric that an axis shows, as a share of its values."""


def plot_landscape(found: Landscape) -> Figure:
    """The landscape: each loss around the model that was trained with it, and the metric there, on the same axes.

    In a plane by contours, dark where a model is good; on a line by curves, a loss as the share of what training won:
    0 for the trained model, 1 for the one that it began with. What has not been computed is hatched, or left out.
    """
    if len(found.y) == 1:
        fig = _lines(found)
    else:
        fig = _around(found) if found.directions == "random" else _plane(found)
    fig.suptitle(plain(_headline(found)), fontsize=10)
    return fig


def _headline(found: Landscape) -> str:
    how = {
        "random": "along filter-normalised random directions",
        "minima": "through both minima" + (" and their common start" if len(found.y) > 1 else ""),
        "path": "along the principal directions of training",
    }[found.directions]
    if found.explained:
        how += f" ({', '.join(f'{share:.0%}' for share in found.explained)} of its variance)"
    return f"{found.config['name']}, {found.config['model']}: {how}"


def _around(found: Landscape) -> Figure:
    """A row for each model: its loss, and the metric."""
    fig, axes = figure(panels=2, rows=len(found.names), height=4.0)
    for i, name in enumerate(found.names):
        left, right = axes[2 * i : 2 * i + 2]
        _contours(left, found, found.values[i, i], f"trained with {name}: its loss")
        title = f"trained with {name}: validation {found.metric}"
        _contours(right, found, found.scores[i], title, score=True)
        for ax in (left, right):
            ax.plot(0, 0, "*", color=VERMILION, ms=11, mec="white", mew=0.6)
            ax.set_xlabel("first direction")
            ax.set_ylabel("second direction")
    return fig


def _plane(found: Landscape) -> Figure:
    """One plane: each loss in it, and the metric, with the ends of the trainings and the way there."""
    fig, axes = figure(panels=len(found.names) + 1, height=4.6)
    for i, name in enumerate(found.names):
        _contours(axes[i], found, found.values[0, i], f"the loss {name}")
    _contours(axes[-1], found, found.scores[0], f"validation {found.metric}", score=True)
    for ax in axes:
        for name, (start, end), style, mark in zip(found.names, found.places, _STYLES, "*P", strict=False):
            way = found.paths[found.names.index(name)] if found.paths else np.array([start, end])
            if found.paths:
                ax.plot(way[:, 0], way[:, 1], style, color="white", lw=2.6)
                ax.plot(way[:, 0], way[:, 1], style, color=VERMILION, lw=1.4)
            ax.plot(
                *end,
                mark,
                color=VERMILION,
                ms=11,
                mec="white",
                mew=0.8,
                ls="none",
                label=plain(f"trained with {name}"),
            )
            ax.plot(*start, "o", color="white", ms=6, mec=BLACK, mew=1.0, ls="none", label="the common start")
        ax.set_xlabel("distance along the first axis" if found.paths else "from minimum (0) to minimum (1)")
        ax.set_ylabel("")
        ax.set_aspect("equal", adjustable="box")
    legend_outside(fig, axes)
    return fig


def _contours(ax: Axes, found: Landscape, values: Array, title: str, score: bool = False) -> None:
    """Filled contours, dark where a model is good; NaN hatched."""
    known = np.isfinite(values)
    ax.set_title(plain(title), fontsize=9)
    ax.grid(visible=False)
    ax.patch.set(hatch="////", edgecolor=GREY, facecolor="none")
    if not known.any():
        ax.set(xlim=found.x[[0, -1]], ylim=found.y[[0, -1]])
        return
    rising = score and found.greater_is_better
    # One scale for the metric of all models.
    levels = _levels(found.scores[np.isfinite(found.scores)] if score else values[known], rising)
    # Clipped, as `contourf` leaves what is beyond the levels blank; NaN stays, and shows the hatching.
    shown = np.where(np.isnan(values), np.nan, np.clip(values, levels[0], levels[-1]))
    drawn = ax.contourf(found.x, found.y, shown, levels, cmap="viridis_r" if rising else "viridis", zorder=1)
    if not score:
        ax.contour(
            found.x, found.y, shown, levels[1:-1:3], colors="white", linewidths=0.4, alpha=0.7, zorder=2
        )
    bar = ax.figure.colorbar(drawn, ax=ax, shrink=0.86, format="%.3g")
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)


def _levels(values: Array, rising: bool = False) -> Array:
    """Close together near the best values, where a loss is flat; the worst share one colour."""
    best, worst = (
        (values.max(), np.percentile(values, 100 - _SHOWN))
        if rising
        else (values.min(), np.percentile(values, _SHOWN))
    )
    if worst == best:
        worst = values.min() if rising else values.max()
    if worst == best:
        # A constant: matplotlib needs two different levels.
        return np.array([best - 0.5, best + 0.5])
    # Squares: near a minimum a loss rises by the square of the distance, so the contours come out evenly spaced.
    levels: Array = np.sort(best + (worst - best) * np.linspace(0, 1, _LEVELS) ** 2)
    return levels


def _lines(found: Landscape) -> Figure:
    fig, axes = figure(panels=2, height=4.0)
    left, right = axes
    origins = found.values.shape[0]
    for i, (name, style, colour) in enumerate(zip(found.names, _STYLES, COLOURS, strict=False)):
        origin = min(i, origins - 1)
        share = _share(found, i, found.values[origin, i, 0])
        left.plot(
            found.x,
            share,
            style,
            color=colour,
            lw=2,
            label=plain(f"{name}" if origins == 1 else f"trained with {name}"),
        )
        if origins > 1 or i == 0:
            alone = origins > 1 or len(found.names) == 1
            right.plot(
                found.x, np.where(np.isfinite(found.scores[origin, 0]), found.scores[origin, 0], np.nan), style,
                color=colour if alone else BLACK, lw=2, label=plain(f"trained with {name}") if alone else "on the line",
            )  # fmt: skip
    left.set_ylabel("loss: 0 as trained, 1 as begun")
    right.set_ylabel(plain(f"validation {found.metric}"))
    # Beyond what training won a loss may grow without bound; and a wiggle of one row in a thousand is no mountain.
    low, high = left.get_ylim()
    left.set_ylim(low, max(min(high, 1.5), 0.1))
    low, high = right.get_ylim()
    if high - low < _LEAST * max(abs(low), abs(high)):
        middle, half = (low + high) / 2, _LEAST * max(abs(low), abs(high)) / 2
        right.set_ylim(middle - half, middle + half)
    for ax in axes:
        ax.set_xlabel(
            "step along the direction" if found.directions == "random"
            else "from minimum (0) to minimum (1)" if found.directions == "minima"
            else "distance along the axis"
        )  # fmt: skip
        if found.directions == "random":
            ax.axvline(0, color=GREY, lw=0.8, zorder=0)
            continue
        for name, (_, end), mark, colour in zip(found.names, found.places, "*P", COLOURS, strict=False):
            ax.axvline(end[0], color=colour, lw=0.9, dashes=(3, 2), zorder=0)
            ax.plot(end[0], 0.03, mark, color=colour, ms=10, ls="none", transform=ax.get_xaxis_transform(),
                    label=plain(f"trained with {name}"))  # fmt: skip
    legend_outside(fig, axes)
    return fig


def _share(found: Landscape, i: int, values: Array) -> Array:
    """Of what training won of a loss: losses have different units and scales."""
    end, start = found.ends[i, i], found.starts[i]
    # Where training has won nothing there is no unit: the difference itself.
    scale = start - end if np.isfinite(start) and start > end else 1.0
    share: Array = np.where(np.isfinite(values), (values - end) / scale, np.nan)
    return share


def sharpness_table(found: Landscape) -> Table:
    """How sharp each minimum is, by the loss that trained it and by the ordinary loss, which they share."""
    heads = (
        "largest eigenvalue",
        "ordinary loss's",
        "rise within 0.05",
        "ordinary loss's rise",
        found.metric,
    )
    table = new_table("trained with", *heads, numbers=heads)
    for name, each, end in zip(found.names, found.sharpness, found.ends, strict=True):
        cells = (each.own, each.ordinary, each.own_rise, each.ordinary_rise, end[-1])
        table.add_row(Text(name), *(number(cell) for cell in cells))
    return table


def landscape_sentences(found: Landscape) -> Sequence[str]:
    """What a reader must know of it: how far it is computed, and what a plane shows."""
    said = []
    if found.done < 1:
        said.append(f"{found.done:.0%} of the points are computed: the same command goes on.")
    if found.explained:
        parts = " and ".join(f"{share:.1%}" for share in found.explained)
        said.append(f"The axes hold {parts} of the variance of the way that training took.")
    return said

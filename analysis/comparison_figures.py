"""The picture that the studies share that are made of comparisons: what a loss gains, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from symloss.report.style import BLUE, GREY, VERMILION, legend_outside

__all__ = ["draw_gains", "grid"]

COLUMNS = 5


def grid(panels: int, height: float, columns: int = COLUMNS) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels in rows of at most `columns`, each 3.6 inches wide and `height` high."""
    columns = min(panels, columns)
    rows = -(-panels // columns)
    result = Figure(figsize=(max(3.6 * columns + 0.8, 6.2), height * rows + 0.5), layout="constrained")
    axes = [result.add_subplot(rows, columns, i + 1) for i in range(panels)]
    for ax in axes:
        ax.grid(alpha=0.25, linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
    return result, axes


def draw_gains(
    panels: Mapping[str, Mapping[str, tuple[Any, Any]]], names: tuple[str, str], axis: str, unit: float = 1.0
) -> Figure:
    """By panel and row, the gain of a loss over the ordinary one, and over the hardest of its other rivals.

    Args:
        panels: by title, by row, what `judged` and `not_inferior` say of a cell, either of them perhaps None.
        names: what to call the two in the legend.
        axis: what is gained.
        unit: what gains are multiplied by, as 100 for points.
    """
    rows = list(dict.fromkeys(row for panel in panels.values() for row in panel))
    fig, axes = grid(len(panels), 0.9 + 0.3 * max(len(rows), 3))
    for ax, (title, panel) in zip(axes, panels.items(), strict=True):
        for place, row in enumerate(rows):
            over, hardest = panel.get(row, (None, None))
            if over is not None:
                _interval(ax, place - 0.12, over["gain"], over["interval"], BLUE, names[0], unit)
            if hardest is not None:
                _interval(ax, place + 0.12, hardest["gain"], [hardest["low"]] * 2, VERMILION, names[1], unit)
                ax.plot([-unit * hardest["margin"]] * 2, [place - 0.05, place + 0.3], ":", color=GREY, lw=1)
        ax.axvline(0, color=GREY, lw=1, zorder=0)
        ax.set_yticks(range(len(rows)), rows if ax is axes[0] else [""] * len(rows), fontsize=8)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.set_title(title, fontsize=10)
        ax.set_xlabel(axis, fontsize=8)
    legend_outside(fig, axes)
    return fig


def _interval(
    ax: Axes, place: float, mean: float, ends: Sequence[float], colour: str, name: str, unit: float
) -> None:
    """A mean with its interval; where only the lower end counts, a line from there to the mean."""
    low, high = (unit * end for end in ends)
    if low == low:  # no interval from one split
        ax.plot([low, max(high, unit * mean)], [place, place], color=colour, lw=1.6)
    ax.plot([unit * mean], [place], "o", color=colour, ms=4, label=name)

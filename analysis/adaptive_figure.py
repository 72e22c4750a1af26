"""The figure of `analysis.adaptive_losses`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.adaptive_answers import EQUAL_TIME, QUESTIONS, Cells, by_loss, relative_rates
from analysis.comparison_figures import grid
from symloss.meta.adaptable import NEURAL
from symloss.report.style import BLACK, COLOURS, GREY

__all__ = ["draw"]


def draw(cells: Cells, found: Mapping[str, Any]) -> Figure:
    """The quadratic; gains over the five rivals; implicit learning rates; divergence."""
    fig, axes = grid(4, 4.2, columns=2)
    if "quadratic" in cells:
        _draw_quadratic(axes[0], cells["quadratic"])
    _draw_gains(axes[1], found["gains of adapting over"])
    _draw_paths(axes[2], by_loss(cells, "adapt"))
    _draw_divergence(axes[3], found["divergence"])
    for ax in axes[2:4]:
        if ax.get_legend_handles_labels()[1]:
            ax.legend(
                fontsize=6.5,
                framealpha=0.7,
                edgecolor="none",
                loc="lower right" if ax is axes[2] else "upper left",
            )
    return fig


def _draw_quadratic(ax: Axes, cell: Mapping[str, Any]) -> None:
    every = max(1, cell["steps"] // 100)
    rows = {f"horizon {horizon}": each["rates"] for horizon, each in cell["horizons"].items()}
    for i, (name, rates) in enumerate({**rows, "adapting online": cell["online"]["learned"]}.items()):
        ax.plot(
            [every * at for at in range(len(rates))], rates, ["-", "--", "-.", ":"][i], color=COLOURS[i], label=name
        )  # fmt: skip
    ax.axhline(cell["fixed"]["rate"], color=BLACK, lw=1, label="best fixed")
    ax.set_yscale("log")
    ax.set_title("noisy quadratic: learning rate", fontsize=10)
    ax.set_xlabel("step", fontsize=8)
    ax.legend(fontsize=8, frameon=False, loc="lower left")


def _draw_gains(ax: Axes, gains: Mapping[str, Mapping[str, Any]]) -> None:
    """In percent of the rival's error."""
    keys = list(dict.fromkeys(key for rows in gains.values() for key in rows))
    for i, name in enumerate((*QUESTIONS, EQUAL_TIME)):
        for key, row in gains.get(name, {}).items():
            error = row["error"] or math.nan
            place = keys.index(key) + (i - 2.5) * 0.13
            ends = row["interval"] or [row["gain"]] * 2
            ax.plot([100 * end / error for end in ends], [place] * 2, color=COLOURS[i], lw=1.2)
            ax.plot([100 * row["gain"] / error], [place], "o", color=COLOURS[i], ms=3, label=name)
    ax.axvline(0, color=GREY, lw=1)
    ax.set_yticks(range(len(keys)), keys, fontsize=8)
    ax.invert_yaxis()
    ax.set_xscale("symlog", linthresh=10)
    ax.set_xticks([-10_000, -100, 0, 100, 10_000], ["-10⁴", "-100", "0", "100", "10⁴"])
    ax.set_title("gain of adapting, % of the other's error", fontsize=10)
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    if handles:
        ax.legend(
            handles.values(),
            handles.keys(),
            fontsize=7,
            frameon=False,
            ncols=3,
            loc="upper center",
            bbox_to_anchor=(0.4, -0.07),
        )


def _draw_paths(ax: Axes, replicates: Mapping[str, Mapping[int, Any]]) -> None:
    """Medians over the replicates; a colour for each data set, the formula dashed."""
    tasks = list(dict.fromkeys(key.split("/")[0] for key in replicates))
    lowest = math.inf
    for key, each in replicates.items():
        task, loss = key.split("/")
        paths = [relative_rates(cell) for cell in each.values()]
        steps = sorted({step for path in paths for step, _ in path})
        middle = [
            statistics.median(rate for path in paths for at, rate in path if at == step) for step in steps
        ]
        lowest = min([lowest, *middle])
        ax.plot(steps, middle, "-" if loss == NEURAL else "--", color=COLOURS[tasks.index(task)], label=key)
    ax.axhline(1, color=GREY, lw=1)
    if lowest > 0:
        ax.set_yscale("log")
    else:
        ax.set_yscale("symlog", linthresh=0.01)
    ax.set_title("implicit rate over the best fixed one", fontsize=10)
    ax.set_xlabel("step", fontsize=8)


def _draw_divergence(ax: Axes, found: Mapping[str, Any]) -> None:
    """Share of trainings that end no better than they began, over all data sets that are measured."""
    ways = list(dict.fromkeys(way for each in found.values() for way in each))
    losses = list(dict.fromkeys(way.split(", ")[0] for way in ways))
    for way in ways:
        rows = [each[way] for each in found.values() if way in each]
        factors = list(rows[0])
        shares = [statistics.fmean(row[factor]["worse"] for row in rows) for factor in factors]
        style = "--" if way.endswith("fixed") else "-"
        ax.plot(
            [float(each) for each in factors],
            shares,
            style,
            marker="o",
            ms=3,
            color=COLOURS[losses.index(way.split(", ")[0]) % len(COLOURS)],
            label=way,
        )
    if ways:
        ax.set_xscale("log")
        ax.set_ylim(-0.05, 1.75)  # the legend above
        ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
    ax.set_title("share that ends no better than it began", fontsize=10)
    ax.set_xlabel("times the task's learning rate", fontsize=8)

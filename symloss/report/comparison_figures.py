"""Pictures of a comparison: differences with their intervals, sample efficiency, ranks over data sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from symloss.report.style import BLACK, COLOURS, GREY, figure, legend_outside

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from symloss.compare import Comparison, Ranking, Row

__all__ = ["plot_comparison", "plot_ranking", "plot_sample_efficiency"]


def plot_comparison(comparison: Comparison) -> Figure:
    """The difference of each row from the baseline with its 95 % interval, in units of the metric, task by task."""
    tasks = list(dict.fromkeys(row.task for row in comparison.rows))
    shown = {
        task: [row for row in comparison.rows if row.task == task and row.difference is not None]
        for task in tasks
    }
    most = max(len(rows) for rows in shown.values())
    fig, axes = figure(panels=len(tasks), height=1.6 + 0.32 * max(most, 3))
    for ax, task in zip(axes, tasks, strict=True):
        _intervals(ax, shown[task])
        ax.set_title(task, fontsize=10)
    return fig


def _intervals(ax: Axes, rows: Sequence[Row]) -> None:
    treatments = ("as is", "normalised", "tuned")
    for place, row in enumerate(rows):
        low, high = row.difference_interval or (row.difference, row.difference)
        colour = COLOURS[treatments.index(row.treatment)] if row.treatment in treatments else BLACK
        ax.plot([low or 0, high or 0], [place, place], color=colour, lw=1.6)
        ax.plot(
            row.difference or 0, place, "o" if row.primary else "s", color=colour, ms=6 if row.primary else 4
        )
    ax.axvline(0, color=GREY, lw=1, zorder=0)
    shares = len({row.fraction for row in rows}) > 1
    ax.set_yticks(
        range(len(rows)),
        [f"{row.name}, {row.treatment}" + (f", {row.fraction:.0%}" if shares else "") for row in rows],
        fontsize=8,
    )
    ax.invert_yaxis()
    if rows:
        ax.set_xlabel(
            f"difference in test {rows[0].metric} from the ordinary loss under the same treatment", fontsize=8
        )


def plot_sample_efficiency(comparison: Comparison) -> Figure:
    """The test metric of the hardest treatment against the share of the rows, with 95 % intervals."""
    fig, axes = figure()
    order = ("tuned", "normalised", "as is")
    treatment = next(t for t in order if any(row.treatment == t for row in comparison.rows))
    rows = [row for row in comparison.rows if row.treatment in (treatment, "as is") and row.mean is not None]
    for name, colour in zip(dict.fromkeys(row.name for row in rows), COLOURS * 3, strict=False):
        # The ordinary loss has no row of its own where its scale is taken out: it is 1.
        own = [row for row in rows if row.name == name and row.treatment == treatment]
        line = sorted(own or [row for row in rows if row.name == name], key=lambda row: row.fraction)
        xs, ys = [row.fraction for row in line], [row.mean or 0.0 for row in line]
        axes[0].plot(xs, ys, "o-", color=colour, ms=4, label=name)
        ends = [row.interval or (row.mean, row.mean) for row in line]
        axes[0].fill_between(
            xs, [e[0] or 0.0 for e in ends], [e[1] or 0.0 for e in ends], color=colour, alpha=0.12
        )
    axes[0].set_xscale("log")
    axes[0].set_xlabel("share of the training and validation rows")
    axes[0].set_ylabel(f"test {comparison.metric}, {treatment}")
    legend_outside(fig, axes)
    return fig


def plot_ranking(ranking: Ranking) -> Figure:
    """The critical-difference diagram: mean ranks over data sets; a bar joins what is not told apart (Demsar, 2006)."""
    fig, axes = figure(height=1.6 + 0.3 * len(ranking.names))
    ax = axes[0]
    for place, (name, rank) in enumerate(zip(ranking.names, ranking.ranks, strict=True)):
        ax.plot(rank, place, "o", color=COLOURS[0])
        ax.annotate(f"{name}  {rank:.2f}", (rank, place), (8, -3), textcoords="offset points", fontsize=8)
    for level, group in enumerate(ranking.groups):
        ends = [ranking.ranks[group[0]], ranking.ranks[group[-1]]]
        ax.plot(ends, [-0.6 - 0.3 * level] * 2, color=BLACK, lw=3, solid_capstyle="butt")
    ax.set_ylim(len(ranking.names) - 0.5, -1.2 - 0.3 * len(ranking.groups))
    ax.set_yticks([])
    ax.set_xlabel(
        f"mean rank over {ranking.data_sets} data sets (critical difference {ranking.critical_difference:.2f}, "
        f"Friedman p = {ranking.p_value:.2g})",
        fontsize=8,
    )
    ax.set_xlim(0.9, len(ranking.names) + 0.6)
    return fig

"""Pictures of a comparison: differences with their intervals, convergence, sample efficiency, ranks over data sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from symloss.errors import DomainError
from symloss.report.style import BLACK, COLOURS, GREY, figure, legend_outside, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from symloss.compare import Comparison, Ranking, Row

__all__ = ["plot_comparison", "plot_convergence", "plot_ranking", "plot_sample_efficiency"]


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
        ax.set_title(plain(task), fontsize=10)
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
        [plain(f"{row.name}, {row.treatment}") + (f", {row.fraction:.0%}" if shares else "") for row in rows],
        fontsize=8,
    )
    ax.invert_yaxis()
    if rows:
        ax.set_xlabel(
            f"difference in test {plain(rows[0].metric)} from the ordinary loss under the same treatment",
            fontsize=8,
        )


def plot_sample_efficiency(comparison: Comparison) -> Figure:
    """The test metric of the hardest treatment against the share of the rows, with 95 % intervals."""
    fig, axes = figure()
    treatment, by_name = _hardest([row for row in comparison.rows if row.mean is not None])
    for (name, rows), colour in zip(by_name.items(), COLOURS * 3, strict=False):
        line = sorted(rows, key=lambda row: row.fraction)
        xs, ys = [row.fraction for row in line], [row.mean or 0.0 for row in line]
        axes[0].plot(xs, ys, "o-", color=colour, ms=4, label=plain(name))
        ends = [row.interval or (row.mean, row.mean) for row in line]
        axes[0].fill_between(
            xs, [e[0] or 0.0 for e in ends], [e[1] or 0.0 for e in ends], color=colour, alpha=0.12
        )
    shares = sorted({row.fraction for row in comparison.rows})
    axes[0].set_xscale("log")
    axes[0].set_xticks(shares, [f"{share:.3g}" for share in shares])
    # On a logarithmic axis matplotlib would label its own ticks between the shares.
    axes[0].minorticks_off()
    axes[0].set_xlabel("share of the training and validation rows")
    axes[0].set_ylabel(f"test {plain(comparison.metric)}, {treatment}")
    legend_outside(fig, axes)
    return fig


def plot_convergence(comparison: Comparison, task: str) -> Figure:
    """How fast the losses get there on a task, under the hardest treatment and on most rows.

    Left the validation metric by step, with 95 % intervals over the splits; right the share of trainings that have
    reached the target score by then (Kaplan, Meier).

    Raises:
        DomainError: where nothing was seen on the way.
    """
    rows = [row for row in comparison.rows if row.task == task and row.curve]
    if not rows:
        raise DomainError(
            f"{task}: its trainings were not looked at on the way, so there is no curve to draw"
        )
    most = max(row.fraction for row in rows)
    treatment, by_name = _hardest([row for row in rows if row.fraction == most])
    target = next((row.target for row in rows if row.fraction == most and row.target is not None), None)
    fig, axes = figure(panels=1 if target is None else 2)
    last = max(point[0] or 0.0 for (row,) in by_name.values() for point in row.curve)
    styles = zip(COLOURS * 3, ["-", "--", ":"] * len(COLOURS), strict=True)
    for place, ((name, (row,)), (colour, style)) in enumerate(zip(by_name.items(), styles, strict=False)):
        # Equal curves lie on each other: the lower ones, drawn wider, show at the sides.
        width = max(1.2, 3.4 - 0.5 * place)
        steps, means, lows, highs = zip(*row.curve, strict=True)
        axes[0].plot(steps, means, style, color=colour, lw=width, label=plain(name))
        if None not in lows:
            axes[0].fill_between(steps, lows, highs, color=colour, alpha=0.12, lw=0)
        if target is not None:
            # The estimate is a step function: 0 before the first arrival, constant after the last one, to the end
            # of the picture.
            arrived = [(0.0, 0.0), *row.reached]
            times, shares = zip(*arrived, (last, arrived[-1][1]), strict=True)
            axes[1].step(times, shares, style, where="post", color=colour, lw=width, label=plain(name))
    axes[0].set_ylabel(f"validation {plain(rows[0].metric)}, {treatment}")
    if target is not None:
        axes[0].axhline(target, color=GREY, lw=1, zorder=0)
        axes[1].set_ylabel(f"share of trainings that reached {target:.3g}")
        axes[1].set_ylim(-0.03, 1.03)
    for ax in axes:
        ax.set_xlabel(f"steps on {plain(task)}")
    legend_outside(fig, axes)
    return fig


def _hardest(rows: Sequence[Row]) -> tuple[str, dict[str, list[Row]]]:
    """The hardest treatment that there is, and its rows by loss."""
    treatment = next(t for t in ("tuned", "normalised", "as is") if any(row.treatment == t for row in rows))
    groups: dict[str, list[Row]] = {}
    for name in dict.fromkeys(row.name for row in rows):
        own = [row for row in rows if row.name == name]
        # The ordinary loss has no row of its own where its scale is taken out: it is 1.
        groups[name] = [row for row in own if row.treatment == treatment] or [
            row for row in own if row.treatment == "as is"
        ]
    return treatment, {name: own for name, own in groups.items() if own}


def plot_ranking(ranking: Ranking) -> Figure:
    """The critical-difference diagram: mean ranks over data sets; a bar joins what is not told apart (Demsar, 2006)."""
    fig, axes = figure(height=1.6 + 0.3 * len(ranking.names))
    ax = axes[0]
    for place, (name, rank) in enumerate(zip(ranking.names, ranking.ranks, strict=True)):
        ax.plot(rank, place, "o", color=COLOURS[0])
        ax.annotate(
            f"{plain(name)}  {rank:.2f}", (rank, place), (8, -3), textcoords="offset points", fontsize=8
        )
    for level, group in enumerate(ranking.groups):
        ends = [ranking.ranks[group[0]], ranking.ranks[group[-1]]]
        ax.plot(ends, [-0.6 - 0.3 * level] * 2, color=BLACK, lw=3, solid_capstyle="butt")
    # Upside down: the best rank on top, the bars above it.
    ax.set_ylim(len(ranking.names) - 0.5, -1.2 - 0.3 * len(ranking.groups))
    ax.set_yticks([])
    ax.set_xlabel(
        f"mean rank over {ranking.data_sets} data sets (critical difference {ranking.critical_difference:.2f}, "
        f"Friedman p = {ranking.p_value:.2g})",
        fontsize=8,
    )
    ax.set_xlim(0.9, len(ranking.names) + 0.6)
    return fig

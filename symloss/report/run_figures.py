"""Pictures of one run: its front, and how it got there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from symloss.errors import DomainError
from symloss.report.style import BLACK, BLUE, COLOURS, GREY, VERMILION, figure, legend_outside, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from symloss.search import Baseline, Result

__all__ = ["plot_front", "plot_history"]

_OUTCOMES = ("trained", "reused", "rejected", "failed")
_HATCHES = ("", "//", "..", "xx")


def plot_front(result: Result) -> Figure:
    """Validation metric against complexity: every trained candidate, the front, the pick, the baselines.

    Raises:
        DomainError: when nothing has been trained yet.
    """
    front = sorted(result.front, key=lambda row: row.complexity)
    if not front:
        raise DomainError("the front is empty: nothing has been trained yet")
    fig, axes = figure()
    ax = axes[0]
    metric, greater = _metric(result)
    points = [
        (entry.loss.complexity, entry.validation)
        for entry in result.evaluations
        if entry.outcome == "trained" and entry.loss is not None and entry.validation is not None
    ]
    shown = [row.validation for row in front] + [row.validation for row in _others(result)]
    if min(shown) == max(shown):
        # One row alone has no scale; the better half of the candidates gives it one.
        ranked = sorted((validation for _, validation in points), reverse=greater)
        shown += ranked[: (len(ranked) + 1) // 2]
    low, high = min(shown), max(shown)
    pad = 0.25 * (high - low) or 0.1 * abs(high) or 1.0
    ax.set_ylim(low - pad, high + pad)
    inside = [point for point in points if low - pad <= point[1] <= high + pad]
    if inside:
        off = len(points) - len(inside)
        label = f"trained ({len(points)}{f', {off} off the picture' if off else ''})"
        ax.plot(*zip(*inside, strict=True), ".", color=GREY, alpha=0.5, ms=5, label=label)
    xs, ys = [row.complexity for row in front], [row.validation for row in front]
    ax.step(xs, ys, where="post", color=BLUE, lw=1.2, zorder=2)
    ax.plot(xs, ys, "o", color=BLUE, ms=6, zorder=3, label="front, by row")
    for row in front:
        ax.annotate(
            str(row.row), (row.complexity, row.validation), (6, 4 if greater else -9),
            textcoords="offset points", fontsize=8, color=BLACK,
        )  # fmt: skip
        if row.picked:
            ax.plot(row.complexity, row.validation, "*", color=VERMILION, ms=14, zorder=4, label="picked")
    for baseline, colour in zip(_others(result), COLOURS[2:], strict=False):
        ax.axhline(
            baseline.validation, color=colour, lw=1.2, dashes=(4, 2), zorder=1, label=plain(baseline.name)
        )
    ax.set_xlabel("complexity of the formula")
    ax.set_ylabel(f"validation {metric} ({'higher' if greater else 'lower'} is better)")
    fig.suptitle(plain(f"{result.task.get('name', 'run')}: {result.method}, seed {result.seed}"), fontsize=11)
    legend_outside(fig, axes)
    return fig


def plot_history(result: Result) -> Figure:
    """The best and the median validation metric by generation, and what became of the candidates.

    Raises:
        DomainError: when no generation has finished yet.
    """
    if not result.evaluations:
        raise DomainError("the run has no history: no candidate has been considered yet")
    fig, axes = figure(panels=2)
    _scores(axes[0], result)
    _outcomes(axes[1], result)
    fig.suptitle(plain(f"{result.task.get('name', 'run')}: {result.method}, seed {result.seed}"), fontsize=11)
    legend_outside(fig, axes)
    return fig


def _metric(result: Result) -> tuple[str, bool]:
    return plain(str(result.task.get("metric", "metric"))), bool(result.task.get("greater_is_better", False))


def _others(result: Result) -> list[Baseline]:
    """What is drawn beside the front; of several tasks nothing, whose front is one of ranks."""
    if "tasks" in result.task:
        return []
    return [row for row in result.baselines if row.role != "discovered"]


def _scores(ax: Axes, result: Result) -> None:
    metric, greater = _metric(result)
    by_generation: dict[int, list[float]] = {}
    for entry in result.evaluations:
        if entry.validation is not None and entry.fitness is not None:
            by_generation.setdefault(entry.generation + 1, []).append(entry.validation)
    better = max if greater else min
    best: list[float] = []
    medians: list[float] = []
    for scores in (by_generation[number] for number in sorted(by_generation)):
        best.append(better([*best[-1:], *scores]))
        medians.append(sorted(scores)[len(scores) // 2])
    numbers = sorted(by_generation)
    ax.plot(numbers, best, "o-", color=BLUE, ms=4, label="best so far")
    ax.plot(numbers, medians, "s--", color=VERMILION, ms=4, label="median of the generation")
    ax.set_xlabel("generation")
    ax.set_ylabel(f"validation {metric}")
    if best and not greater and min(best) > 0 and max(medians) > 20 * min(best):
        ax.set_yscale("log")
    _whole_numbers(ax.xaxis)


def _outcomes(ax: Axes, result: Result) -> None:
    counts = Counter((entry.generation + 1, entry.outcome) for entry in result.evaluations)
    numbers = sorted({entry.generation + 1 for entry in result.evaluations})
    floor = [0] * len(numbers)
    for outcome, colour, hatch in zip(_OUTCOMES, COLOURS, _HATCHES, strict=False):
        heights = [counts[number, outcome] for number in numbers]
        if any(heights):
            ax.bar(
                numbers, heights, bottom=floor, color=colour, alpha=0.85, hatch=hatch, edgecolor="white",
                label=outcome,
            )  # fmt: skip
        floor = [below + height for below, height in zip(floor, heights, strict=True)]
    ax.set_xlabel("generation")
    ax.set_ylabel("candidates")
    ax.set_axisbelow(True)
    for axis in (ax.xaxis, ax.yaxis):
        _whole_numbers(axis)


def _whole_numbers(axis: Axis) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))

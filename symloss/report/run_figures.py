"""Pictures of one run: its front, and how it got there."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from symloss.errors import DomainError
from symloss.report.shares import keep_axis_within, row_within, within
from symloss.report.style import BLACK, BLUE, COLOURS, GREY, VERMILION, figure, legend_outside, plain
from symloss.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from symloss.search import Baseline, FrontRow, Result

__all__ = ["ROUNDER", "label_generations", "plot_front", "plot_history"]

ROUNDER = "rounder numbers"
"""The way of a candidate that is a finalist with rounder numbers, made after the last generation."""

_OUTCOMES = ("trained", "reused", "rejected", "failed")
_TICKS = 12
_HATCHES = ("", "//", "..", "xx")
_NEAR, _FAR = 0.6, 4.0
"""The share of the rows that the picture always shows, the nearest to the best; the next one is off the picture when
it is more than `_FAR` times as far from the best as the last that is shown."""


def plot_front(result: Result) -> Figure:
    """Validation metric against complexity: the front with its pick, beside what was measured as it was.

    After finals that is the other finalists; without any, every trained candidate and the baselines. What is far worse
    than the rest is named at the edge of the picture.

    Raises:
        DomainError: when nothing has been trained yet.
    """
    metric, greater = _metric(result)
    front = sorted((row_within(row, metric) for row in result.front), key=lambda row: row.complexity)
    if not front:
        raise DomainError("the front is empty: nothing has been trained yet")
    fig, axes = figure()
    ax = axes[0]
    points = [(complexity, within(value, metric)) for complexity, value in _beside(result)]
    shown = [row.validation for row in front] + [row.validation for row in _others(result)]
    window = _window(shown, max(row.se or 0.0 for row in front), [value for _, value in points], greater)
    ax.set_ylim(*window)
    keep_axis_within(ax, metric)
    low, high = window = ax.get_ylim()
    inside = [point for point in points if low <= point[1] <= high]
    off = f", {len(points) - len(inside)} off the picture" if len(points) > len(inside) else ""
    if inside and result.finalists:
        ax.plot(
            *zip(*inside, strict=True),
            "o",
            color=BLUE,
            mfc="none",
            ms=5,
            zorder=2,
            label=f"other finalists{off}",
        )
    elif inside:
        label = f"trained ({len(points)}{off})"
        ax.plot(*zip(*inside, strict=True), ".", color=GREY, alpha=0.5, ms=5, label=label)
    _steps(ax, front, window, greater)
    for baseline, colour in zip(_others(result), COLOURS[2:], strict=False):
        name = plain(baseline.name)
        if low <= baseline.validation <= high:
            ax.axhline(baseline.validation, color=colour, lw=1.2, dashes=(4, 2), zorder=1, label=name)
        else:
            label = f"{name}: {number(baseline.validation)}, off the picture"
            ax.plot([], [], color=colour, lw=1.2, dashes=(4, 2), label=label)
    ax.set_xlabel("complexity of the formula")
    ax.set_ylabel(f"validation {metric} ({'higher' if greater else 'lower'} is better)")
    _whole_numbers(ax.xaxis)
    fig.suptitle(plain(f"{result.task.get('name', 'run')}: {result.method}, seed {result.seed}"), fontsize=11)
    legend_outside(fig, axes)
    return fig


def _beside(result: Result) -> list[tuple[int, float]]:
    """Complexity and validation metric of the losses that were measured as the front was and are not on it."""
    if result.finalists:
        front = {row.evaluation for row in result.front}
        return [(row.complexity, row.validation) for row in result.finalists if row.evaluation not in front]
    return [
        (entry.complexity, entry.validation)
        for entry in result.evaluations
        if entry.outcome == "trained" and entry.complexity is not None and entry.validation is not None
    ]


def _window(
    rows: Sequence[float], error: float, candidates: Sequence[float], greater: bool
) -> tuple[float, float]:
    """A vertical range that shows what is near the best; a row far behind does not squash the others."""
    best = max(rows) if greater else min(rows)
    behind = sorted(abs(value - best) for value in rows)
    if behind[-1] == 0:
        # One row alone has no scale; the better half of the candidates gives it one.
        ranked = sorted(abs(value - best) for value in candidates)
        behind = ranked[: (len(ranked) + 1) // 2] or [0.0]
    # A share of the rows is always seen, at least the best; standard errors need room of their own.
    near = math.ceil(_NEAR * len(behind))
    reach = max(4 * error, behind[near - 1])
    # In the order of distance: the window grows as long as the next row is not a leap away.
    for each in behind[near:]:
        if each > _FAR * reach > 0:
            break
        reach = max(reach, each)
    reach = reach or 0.1 * abs(best) or 1.0
    worst, pad = (best - reach if greater else best + reach), max(0.15 * reach, 1.4 * error)
    return min(best, worst) - pad, max(best, worst) + pad


def _steps(ax: Axes, front: Sequence[FrontRow], window: tuple[float, float], greater: bool) -> None:
    """The front: its rows with their standard errors, by number; a row outside the picture stands at its edge."""
    low, high = window
    xs, ys = [row.complexity for row in front], [row.validation for row in front]
    ax.step(xs, ys, where="post", color=BLUE, lw=1.2, zorder=2)
    known = [row for row in front if low <= row.validation <= high]
    ax.errorbar(
        [row.complexity for row in known], [row.validation for row in known], [row.se or 0.0 for row in known],
        fmt="o", color=BLUE, ms=6, lw=1, zorder=3,
        # The pick has a mark of its own, which covers this one.
        label=None if all(row.picked for row in front) else "front, by row",
    )  # fmt: skip
    for row in front:
        if row in known:
            place, text, shift = row.validation, str(row.row), (7, 5 if greater else -11)
        else:
            place, text = (low if row.validation < low else high), f"{row.row}: {number(row.validation)}"
            shift = (7, 5 if row.validation < low else -11)
            mark = "v" if row.validation < low else "^"
            ax.plot(row.complexity, place, mark, color=BLUE, ms=7, clip_on=False, zorder=3)
        ax.annotate(text, (row.complexity, place), shift, textcoords="offset points", fontsize=8, color=BLACK)
        if row.picked:
            ax.plot(
                row.complexity,
                place,
                "*",
                color=VERMILION,
                ms=15,
                mec="white",
                mew=0.6,
                zorder=4,
                label="picked",
            )


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
    """Baselines that were measured as the front was: not after finals, nor in the units of several tasks."""
    if "tasks" in result.task or result.finalists:
        return []
    return [row for row in result.baselines if row.role != "discovered"]


def _scores(ax: Axes, result: Result) -> None:
    metric, greater = _metric(result)
    by_generation: dict[int, list[float]] = {}
    for entry in result.evaluations:
        # Versions of finalists with rounder numbers come after the last generation, and are no generation.
        if entry.validation is not None and entry.fitness is not None and entry.way != ROUNDER:
            by_generation.setdefault(entry.generation + 1, []).append(within(entry.validation, metric))
    better = max if greater else min
    best: list[float] = []
    medians: list[float] = []
    for scores in (by_generation[each] for each in sorted(by_generation)):
        best.append(better([*best[-1:], *scores]))
        medians.append(sorted(scores)[len(scores) // 2])
    numbers = sorted(by_generation)
    ax.plot(numbers, best, "o-", color=BLUE, ms=4, label="best so far")
    ax.plot(numbers, medians, "s--", color=VERMILION, ms=4, label="median of the generation")
    ax.set_xlabel("generation")
    ax.set_ylabel(f"validation {metric}")
    # Errors of failed candidates may be orders of magnitude above the best one's.
    if best and not greater and min(best) > 0 and max(medians) > 20 * min(best):
        ax.set_yscale("log")
    keep_axis_within(ax, metric)
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
    ax.set_ylabel("candidates")
    ax.set_axisbelow(True)
    _whole_numbers(ax.yaxis)
    rounder = {entry.generation + 1 for entry in result.evaluations if entry.way == ROUNDER}
    label_generations(ax, numbers, rounder)


def label_generations(ax: Axes, numbers: Sequence[int], rounder: Collection[int]) -> None:
    """Ticks at generations, and a word where finalists got rounder numbers after the last one.

    Args:
        ax: what has generations from left to right.
        numbers: what is drawn, rising.
        rounder: those of `numbers` that are no generation.
    """
    bred = [each for each in numbers if each not in rounder]
    step = max(1, math.ceil(len(bred) / _TICKS))
    shown = {each: str(each) for each in bred[::step]} | dict.fromkeys(rounder, "end")
    # Two labels do not stand on each other.
    crowded = {each for each in bred if step > 1 and any(0 < end - each < step / 2 for end in rounder)}
    ticks = sorted(set(shown) - crowded)
    ax.set_xticks(ticks, [shown[each] for each in ticks])
    ax.set_xlabel("generation, and at the end rounder numbers" if rounder else "generation")


def _whole_numbers(axis: Axis) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))

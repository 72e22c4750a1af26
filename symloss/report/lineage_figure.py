"""A picture of where a loss comes from: its ancestors in a search, generation by generation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from symloss.errors import DomainError
from symloss.report.run_figures import ROUNDER, label_generations
from symloss.report.shares import within
from symloss.report.style import BLACK, BLUE, GREY, VERMILION, figure, plain
from symloss.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from symloss.search import Evaluation, FrontRow, Result

__all__ = ["ancestors", "plot_lineage"]

_MOST, _LONGEST = 22, 58
"""Ancestors that are shown, the nearest first; characters of a formula."""


def plot_lineage(result: Result, row: FrontRow | None = None) -> Figure:
    """The ancestors of a loss of the front: a line each, the youngest on top, joined to its parents.

    Args:
        result: a run.
        row: of its front; the pick unless given.

    Raises:
        DomainError: where the run has not kept who comes from whom, or the loss comes from nobody.
    """
    picked = result.picked if row is None else row
    family = ancestors(result, picked)
    if len(family) < 2:
        kept = any(entry.way for entry in result.evaluations)
        why = "it was drawn or given" if kept else "this run's method breeds none, or has not kept it"
        raise DomainError(f"row {picked.row} comes from no other loss: {why}")
    fig, (ax,) = figure(height=1.1 + 0.3 * len(family))
    fig.set_figwidth(9.6)
    places = {entry.number: (entry.generation + 1, -i) for i, entry in enumerate(family)}
    for entry in family:
        for i, parent in enumerate(_parents(entry)):
            if parent in places:
                (x0, y0), (x1, y1) = places[entry.number], places[parent]
                ax.plot([x0, x1], [y0, y1], "-" if i == 0 else "--", color=GREY, lw=1.2, zorder=1)
    metric = str(result.task.get("metric", "metric"))
    for i, entry in enumerate(family):
        colour = VERMILION if i == 0 else BLUE
        ax.plot(*places[entry.number], "*" if i == 0 else "o", color=colour, ms=13 if i == 0 else 7, zorder=2)
        score = picked.validation if i == 0 else entry.validation
        _beside(
            ax,
            -i,
            _columns(
                str(entry.number), _how(entry), _score(score, entry, metric), entry.name or entry.formula
            ),
        )
    last = max(entry.generation for entry in family) + 1
    rounder = {entry.generation + 1 for entry in family if entry.way == ROUNDER}
    label_generations(ax, range(1, last + 1), rounder)
    ax.set_xlim(0.5, last + 0.5)
    ax.set_ylim(-len(family) + 0.5, 1.3)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    _beside(ax, 0.9, _columns("no.", "made by", metric[:8], "formula"), GREY)
    fig.suptitle(plain(f"{result.task.get('name', 'run')}: where row {picked.row} comes from"), fontsize=10)
    return fig


def ancestors(result: Result, row: FrontRow) -> list[Evaluation]:
    """The candidate of a row and those that it comes from, by falling number; the nearest where there are many."""
    known: Mapping[int, Evaluation] = {entry.number: entry for entry in result.evaluations}
    ancestors: dict[int, Evaluation] = {}
    fresh = [row.evaluation]
    # Breadth first: the nearest generations come in before the limit is reached.
    while fresh and len(ancestors) < _MOST:
        asked, fresh = fresh, []
        for each in sorted(set(asked), reverse=True):
            if each in known and each not in ancestors and len(ancestors) < _MOST:
                ancestors[each] = known[each]
                fresh += _parents(known[each])
    return [ancestors[each] for each in sorted(ancestors, reverse=True)]


def _parents(entry: Evaluation) -> tuple[int, ...]:
    """Whom it was bred from; of one that repeats another, that one."""
    return entry.parents or (() if entry.source is None else (entry.source,))


def _how(entry: Evaluation) -> str:
    return entry.way or ("same as" if entry.source is not None else "named" if entry.name else "drawn")


def _score(validation: float | None, entry: Evaluation, metric: str) -> str:
    return entry.outcome if validation is None else number(within(validation, metric))


def _columns(place: str, how: str, score: str, text: str) -> str:
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return f"{place:>4}  {how:<15}  {score:>8}  {short}"


def _beside(ax: Axes, y: float, text: str, colour: str = BLACK) -> None:
    """A line to the right of the picture, at a height in it."""
    ax.annotate(
        plain(text), (1.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=7.5, family="monospace",
        color=colour, annotation_clip=False,
    )  # fmt: skip

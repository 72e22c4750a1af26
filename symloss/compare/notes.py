"""The notes below a comparison: caveats that a reader must know, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from symloss.compare.comparison import TUNED, Row
from symloss.compare.contenders import Contender
from symloss.compare.ranks import ENOUGH
from symloss.compare.verdicts import ENOUGH_SPLITS
from symloss.compare.work import row_scores
from symloss.tasks import SupervisedTask, Task, replicates_of

__all__ = ["notes_of", "origins", "repeated"]


def notes_of(
    tasks: Sequence[Task], contenders: Sequence[Contender], settings: Mapping[str, Any], rows: Sequence[Row]
) -> Iterator[str]:
    """How the data were repeated, what limits the claims, and where a number rests on a fallback."""
    for task in tasks:
        yield repeated(task, settings["splits"])
    if settings["splits"] < ENOUGH_SPLITS:
        yield f"{settings['splits']} splits: at least {ENOUGH_SPLITS} are needed for a verdict"
    if not settings["tune"]:
        yield "not tuned: a gain may be one that a tuned learning rate has too"
    for task in tasks:
        if not isinstance(task, SupervisedTask):
            yield f"{task.name} is trained by a function: its losses are compared as they are"
    yield from origins(tasks, contenders, settings)
    for row in rows:
        if row.treatment == TUNED and row.at_edge:
            of = f" of {row.fraction:g} of the rows" if row.fraction < 1 else ""
            yield (
                f"{row.task}, {row.name} tuned{of}: the best learning rate lies at the edge of the grid on "
                f"{row.at_edge} of {len(row.scores)} splits"
            )
    if 1 < len(tasks) < ENOUGH:
        yield f"{len(tasks)} data sets: a general claim takes at least {ENOUGH}; ranks are exploratory"


def repeated(task: Task, splits: int) -> str:
    """How the data of a task are drawn anew."""
    how = replicates_of(task, splits)
    if how == "starts":
        return (
            f"{task.name}: its rows cannot be drawn anew, so repetitions differ in start and order alone, and verdicts "
            "are about these rows"
        )
    assert isinstance(task, SupervisedTask)
    assert task.pool is not None
    if how == "pools":
        both = "a claim must hold over both"
        # Only a mean over rows can be resampled row by row; without that the test rows are taken as given.
        if row_scores(task.metric) is None:
            both = f"{task.metric} is no mean over rows, so claims are about these test rows"
        return (
            f"{task.name}: {splits} disjoint pools of {task.pool.size // splits:,} rows and {task.pool.test.size:,} "
            f"common test rows; {both}"
        )
    return (
        f"{task.name}: {splits} random splits of {task.pool.size + task.pool.test.size:,} rows; tests are corrected "
        f"for their overlap, {task.overlap:.2f}"
    )


def origins(
    tasks: Sequence[Task], contenders: Sequence[Contender], settings: Mapping[str, Any]
) -> Iterator[str]:
    """Where rows of runs were searched, and whether that flatters them here."""
    for one in contenders:
        if one.search is not None:
            yield (
                f"{one.name}: searched anew in each split, on its rows that are not test rows, in generations of "
                f"{one.search['population']} losses, {one.search['generations']} at most"
            )
        if one.origin is None:
            continue
        searched = set(zip(one.origin.tasks, one.origin.sources, strict=True))
        same = [task.name for task in tasks if (task.name, str(task.facts.get("source"))) in searched]
        if same:
            share = ", and of every share of the rows" if min(settings["fractions"]) < 1 else ""
            yield (
                f"{one.name} was searched on rows of {', '.join(same)} that are test rows of some splits here{share}: "
                "its score flatters it"
            )
        else:
            yield f"{one.name} was searched on {', '.join(one.origin.tasks)} and is used here unchanged"

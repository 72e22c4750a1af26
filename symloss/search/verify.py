"""Whether a front is true: every printed number worked out again from formula, data and seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from symloss.errors import SymlossError
from symloss.expr import Loss, parse
from symloss.runs import RunStore, derive
from symloss.search.engine import task_signs
from symloss.search.prepare import check_same, register_all
from symloss.search.reading import read_result
from symloss.search.records import front_csv, front_json
from symloss.search.result import FrontRow, Result
from symloss.tasks import Task

__all__ = ["TOLERANCE", "Check", "verify"]

TOLERANCE = 0.02
"""Relative difference up to which a metric holds: the formula is compiled anew, so its float32 rounding
differs from the search's, and training amplifies that."""


@dataclass(frozen=True)
class Check:
    """One number, or one file, and what came of working it out again.

    Attributes:
        where: such as `"row 2"` or `"front.csv"`.
        what: such as `"validation"`.
        printed: as the run has it.
        found: as worked out now.
        holds: whether they agree.
        note: why not, or how it was done.
    """

    where: str
    what: str
    printed: str
    found: str
    holds: bool
    note: str = ""


def verify(path: str | Path, task: Task | Sequence[Task] | None = None) -> tuple[Check, ...]:
    """Works out every printed number of a run's front again, and compares its files with its record.

    Each formula is parsed from its text, compiled, and a fresh model trained with it under the run's seeds on
    the run's data: no number of the record enters but to be compared. Test data is not touched.

    Args:
        path: the run's folder; it is only read.
        task: where the run's task came from arrays or code, that task again.

    Raises:
        RunError: when the run cannot be read.
        TaskError: when its task cannot be made again, or its data are others.
    """
    with RunStore.open(path) as store:
        config, result = store.config, read_result(store)
    register_all(config)
    tasks = check_same(config, task, "cpu", "serial")
    checks = list(_files(Path(path), result))
    scores = [row.score for row in result.front]
    for row, score in zip(result.front, _scores(result.front, tasks), strict=True):
        checks += _row(row, tasks, result.seed)
        printed = scores[row.row - 1]
        if score is not None and printed is not None:
            checks.append(_number(f"row {row.row}", "score", printed, score, 1e-6))
    return tuple(checks)


def _files(path: Path, result: Result) -> Iterator[Check]:
    for name, expected in (("front.csv", front_csv(result.front)), ("front.json", front_json(result.front))):
        try:
            found = (path / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            yield Check(name, "content", "", "", False, f"cannot be read: {error}")
            continue
        same = found == expected
        note = "" if same else "differs from the run's record: 'symloss resume' writes it anew"
        yield Check(name, "content", f"{len(found)} bytes", f"{len(expected)} bytes", same, note)


def _row(row: FrontRow, tasks: Sequence[Task], seed: int) -> Iterator[Check]:
    where = f"row {row.row}"
    try:
        loss = parse(str(row.loss), kind=row.loss.kind)
    except SymlossError as error:
        yield Check(where, "formula", str(row.loss), "", False, str(error))
        return
    yield Check(where, "formula", str(row.loss), str(loss), loss == row.loss, "parsed from its text")
    yield _number(where, "complexity", row.complexity, loss.complexity, 0.0)
    training = derive(seed, "training", 0)
    if len(tasks) == 1:
        yield _number(where, "validation", row.validation, _metric(tasks[0], loss, training), TOLERANCE)
        for replicate, printed in enumerate(row.fresh):
            again = _metric(tasks[0], loss, derive(seed, "fresh", replicate))
            yield _number(where, f"validation, fresh seed {replicate + 1}", printed, again, TOLERANCE)
        return
    for each, name in zip(tasks, task_signs(tasks), strict=True):
        again = _metric(each, loss, training)
        yield _number(where, f"validation on {name}", row.scores[name], again, TOLERANCE)


def _metric(task: Task, loss: Loss, seed: int) -> float:
    return float(task.score(loss, seed=seed)[task.metric])


def _scores(front: Sequence[FrontRow], tasks: Sequence[Task]) -> list[float | None]:
    """Fitness gained per added symbol over the row before, from the printed columns."""
    positive = len(tasks) > 1 or not tasks[0].measure.greater_is_better
    scores: list[float | None] = [None]
    for simpler, row in pairwise(front):
        symbols = row.complexity - simpler.complexity
        if positive and row.fitness > 0:
            scores.append(math.log(simpler.fitness / row.fitness) / symbols)
        else:
            scores.append((simpler.fitness - row.fitness) / symbols)
    return scores[: len(front)]


def _number(where: str, what: str, printed: float, found: float, tolerance: float) -> Check:
    holds = bool(np.isclose(found, printed, rtol=tolerance, atol=0, equal_nan=True))
    share = abs(found - printed) / abs(printed) if printed and math.isfinite(found) else math.nan
    note = "" if not share or math.isnan(share) else f"relative difference {share:.1e}"
    return Check(where, what, f"{printed:.6g}", f"{found:.6g}", holds, note)

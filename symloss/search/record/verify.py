"""Whether a front is true: every printed number worked out again from formula, coefficients and seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from symloss.expr import agrees, parse
from symloss.runs import RunStore, derive
from symloss.search.loop.engine import task_signs
from symloss.search.prepare import check_same, unusable
from symloss.search.record.codec import evaluation_record, front_csv, front_json, presented
from symloss.search.record.reading import read_result
from symloss.search.record.replay import Replay
from symloss.search.record.result import ENDED, Evaluation, FrontRow, Result
from symloss.tasks import Task

__all__ = ["TOLERANCE", "Check", "verify"]

TOLERANCE = 0.005
"""Relative difference up to which a metric holds. On the machine of the run there is none; another machine, or
another version of torch, rounds otherwise, and training amplifies that."""


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

    The search is told again from its settings, seed and recorded answers, which must lead to the recorded
    candidates and formulas; then each formula of the front is trained again on the run's data, from the run's
    seeds and in the run's own arithmetic, and measured. Test data is not touched.

    Args:
        path: the run's folder; it is only read.
        task: where the run's task came from arrays or code, that task again.

    Raises:
        RunError: when the run cannot be read.
        TaskError: when its task cannot be made again, or its data are others.
    """
    with RunStore.open(path) as store:
        config, result = store.config, read_result(store)
        device = str(config.get("device", "cpu"))
        tasks = check_same(config, task, "cpu" if unusable(device) else device, "serial")
        # A time limit ended the run after a generation; everything else that ends one is in the settings.
        last = len(result.generations) if result.status == "time limit" else None
        replay = Replay(store, config, last, tasks)
    checks = [*_files(Path(path), result), *_told(result, replay)]
    for row, score in zip(result.front, _scores(result.front, tasks), strict=True):
        checks += _row(row, tasks, result.seed, replay)
        if score is not None and row.score is not None:
            checks.append(_number(f"row {row.row}", "score", row.score, score, 1e-6))
    return tuple(checks)


def _told(result: Result, replay: Replay) -> Iterator[Check]:
    """Whether candidates and front on record are those that settings, seed and answers lead to."""
    kind = replay.tasks[0].kind
    engine = replay.engine
    told = {entry.number: _known(entry, kind) for entry in engine.evaluations}
    yield _same("candidates", [_known(entry, kind) == told.get(entry.number) for entry in result.evaluations])
    if result.status in ENDED:
        theirs, ours = (list(map(_printed, front)) for front in (engine.front, result.front))
        lost = [False for row in theirs if row not in ours]
        yield _same("front", [*(row in theirs for row in ours), *lost])


def _same(what: str, same: Sequence[bool]) -> Check:
    note = "" if all(same) else "the others are not what this version of symloss arrives at"
    return Check("run", what, f"{len(same)}", f"{sum(same)}", all(same), note)


def _known(entry: Evaluation, kind: str) -> dict[str, Any]:
    return {**evaluation_record(entry, kind), "seconds": 0.0}


def _printed(row: FrontRow) -> tuple[object, ...]:
    return row.evaluation, row.picked, row.complexity, row.validation, row.score, row.scale, row.fresh


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


def _row(row: FrontRow, tasks: Sequence[Task], seed: int, replay: Replay) -> Iterator[Check]:
    where, formula = f"row {row.row}", replay.formula(row.evaluation)
    if not formula:
        yield Check(where, "formula", str(row.shown), "", False, "the search does not arrive at it")
        return
    kind, hard = row.loss.kind, row.hard is not None
    trained, (exact, shown) = parse(formula, kind=kind), presented(formula, kind, hard)
    same = (str(exact), str(shown)) == (str(row.loss), str(row.shown)) and exact == trained
    if str(shown) != str(trained):
        # What is printed has the values of what was trained, on every label that the task has.
        same = same and agrees(trained.value_expr, shown.value_expr, kind, hard_labels=hard)
    yield Check(where, "formula", str(row.shown), str(shown), same)
    yield _number(where, "complexity", row.complexity, shown.complexity + replay.surcharge(row.evaluation))
    if len(tasks) == 1 and row.fresh:
        found = []
        for replicate, printed in enumerate(row.fresh):
            again = replay.trained(row.evaluation, derive(seed, "fresh", replicate))
            yield _metric(where, f"validation, fresh seed {replicate + 1}", printed, again, 0)
            found.append(math.nan if again is None or again[0] is None else again[0])
        yield _number(where, "validation", row.validation, statistics.fmean(found), TOLERANCE)
        return
    values = replay.trained(row.evaluation, derive(seed, "training", 0))
    if len(tasks) == 1:
        yield _metric(where, "validation", row.validation, values, 0)
        return
    for i, name in enumerate(task_signs(tasks)):
        yield _metric(where, f"validation on {name}", row.scores.get(name, math.nan), values, i)


def _metric(where: str, what: str, printed: float, values: Sequence[float | None] | None, i: int) -> Check:
    """Compares with the metric on the `i`-th task."""
    if values is None:
        return Check(where, what, f"{printed:.6g}", "", False, "the search does not train it")
    value = values[i]
    return _number(where, what, printed, math.inf if value is None else value, TOLERANCE)


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


def _number(where: str, what: str, printed: float, found: float, tolerance: float = 0.0) -> Check:
    holds = bool(np.isclose(found, printed, rtol=tolerance, atol=0, equal_nan=True))
    share = abs(found - printed) / abs(printed) if printed and math.isfinite(found) else math.nan
    note = "" if not share or math.isnan(share) else f"relative difference {share:.1e}"
    return Check(where, what, f"{printed:.6g}", f"{found:.6g}", holds, note)

"""Verifies a comparison or a transfer: recomputed from its record, and from trainings done again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symloss.compare.comparison import Outcome, Row
from symloss.compare.running import TableVerb
from symloss.compare.transferred import TransferRow
from symloss.runs import RunStore
from symloss.search import Check
from symloss.search.loop.workers import place_for
from symloss.search.prepare import unusable
from symloss.search.record.memory import Memory
from symloss.search.record.verify import TOLERANCE, file_checks
from symloss.tasks import Task

__all__ = ["verify_table"]


def verify_table(
    verb: TableVerb[Any], path: str | Path, task: Task | Sequence[Task] | None = None, models: Any = None
) -> tuple[Check, ...]:
    """Works out every row of a comparison or a transfer again, and compares its files with its record.

    First from the recorded answers, which must give the recorded table, and the losses that were searched inside
    splits; then every training that is reported is done again, from formulas, data and seeds, at the learning rates
    and steps that the recorded blocks choose, and certificates are worked out again.

    Args:
        verb: of the run.
        path: the run's folder; it is only read.
        task, models: where they came from arrays or code, they again.

    Raises:
        RunError: when the run cannot be read, or is not finished.
        TaskError: when its tasks cannot be made again, or their data are others.
    """
    with RunStore.open(path) as store:
        config = verb.config(store)
        device = str(config.get("device", "cpu"))
        tasks = verb.tasks(config, task, models, "cpu" if unusable(device) else device, "serial")
        found = verb.read(store.get(verb.noun, "table"), config, store.path, store.status)
        # Twice: from the answers, which shows an edited table, and from new trainings, which shows edited answers.
        told, again = (_worked_out(verb, _Overlay(store, retrain), tasks) for retrain in (False, True))
    checks = [*file_checks(Path(path), verb.files(found)), _table(found.every, told.every)]
    by_key = {_key(row): row for row in again.every}
    for row in found.every:
        checks += _row(row, by_key.get(_key(row)))
    return tuple(checks)


class _Overlay(Memory):
    """A read-only view of a run's record with parts hidden, so that these are worked out again.

    Hidden are the results of nested searches, which follow from their recorded work; or, to retrain, the reported
    trainings and the certificates.
    """

    def __init__(self, store: RunStore, retrain: bool) -> None:
        super().__init__(store.config)
        self._store, self._retrain = store, retrain

    def get(self, kind: str, key: int | str) -> Any:
        # What has been worked out again comes first, or each request would work it out once more.
        mine = super().get(kind, key)
        if mine is not None:
            return mine
        if kind == ("certificate" if self._retrain else "searched"):
            return None
        known = self._store.get(kind, key)
        if self._retrain and isinstance(known, list) and any(_is_report(answer) for answer in known):
            return None
        return known


def _is_report(answer: Any) -> bool:
    # Trainings that select measure no test rows; they are many, and their choice shows in what is reported.
    return isinstance(answer, dict) and answer.get("test") is not None


def _worked_out(verb: TableVerb[Any], store: Memory, tasks: Sequence[Task]) -> Outcome[Any]:
    with place_for(tasks, "serial", 1) as place:
        protocol = verb.protocol.of(store, tasks, place)
        protocol.run()
    table: Outcome[Any] = verb.table(protocol)
    return table


def _key(row: Row) -> tuple[object, ...]:
    where = row.cell if isinstance(row, TransferRow) else (row.task, row.fraction)
    return *where, row.name, row.treatment


def _table(found: Sequence[Row], told: Sequence[Row]) -> Check:
    ours, theirs = ([row.to_dict() for row in rows] for rows in (found, told))
    same = [_plain(a) == _plain(b) for a, b in zip(ours, theirs, strict=False)]
    holds = all(same) and len(ours) == len(theirs)
    note = "" if holds else "not what the recorded answers lead to"
    return Check("run", "rows, from the record", f"{len(ours)}", f"{sum(same)}", holds, note)


def _plain(value: Any) -> Any:
    """The value as JSON would return it: lists for tuples, None for what is not finite."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _row(row: Row, again: Row | None) -> Iterator[Check]:
    where = f"{row.name}, {row.treatment}" + (f", {row.fraction:g} of the rows" if row.fraction < 1 else "")
    where = f"{row.place}: {row.name}" if isinstance(row, TransferRow) else f"{row.task}: {where}"
    if again is None:
        yield Check(where, "row", row.verdict, "", False, "the comparison does not arrive at it")
        return
    yield _number(where, "mean", row.mean, again.mean)
    same = (row.verdict, row.explained_by, row.loss) == (again.verdict, again.explained_by, again.loss)
    yield Check(where, "verdict", row.verdict, again.verdict, same)
    if isinstance(row, TransferRow) and isinstance(again, TransferRow) and (row.broken or again.broken):
        ours, theirs = ", ".join(row.broken), ", ".join(again.broken)
        yield Check(where, "proved no more", ours, theirs, ours == theirs)


def _number(where: str, what: str, printed: float | None, found: float | None) -> Check:
    a, b = (math.nan if value is None else value for value in (printed, found))
    holds = bool(np.isclose(a, b, rtol=TOLERANCE, atol=0, equal_nan=True))
    return Check(where, what, f"{a:.6g}", f"{b:.6g}", holds)

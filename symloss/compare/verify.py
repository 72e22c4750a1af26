"""Whether a comparison or a transfer is true: told again from its record, and from trainings done again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from symloss.compare.cells import Cells
from symloss.compare.compare import VERB, files_of
from symloss.compare.comparison import Comparison, Row
from symloss.compare.protocol import Protocol
from symloss.compare.reading import comparison_from, transfer_from
from symloss.compare.running import made_by
from symloss.compare.transfer import VERB as TRANSFER
from symloss.compare.transfer import same_cells, transfer_files
from symloss.compare.transferred import TransferRow
from symloss.runs import RunStore
from symloss.search import Check
from symloss.search.loop.workers import place_for
from symloss.search.prepare import check_same, unusable
from symloss.search.record.memory import Memory
from symloss.search.record.verify import TOLERANCE
from symloss.tasks import Task
from symloss.tasks.train.models import ModelFactory

__all__ = ["verify_comparison", "verify_transfer"]

_Trained = TypeVar("_Trained", bound=Protocol)


def verify_comparison(path: str | Path, task: Task | Sequence[Task] | None = None) -> tuple[Check, ...]:
    """Works out every row of a comparison again, and compares its files with its record.

    First from the recorded answers, which must give the recorded table; then every training that is reported is done
    again, from formulas, data and seeds, at the learning rates and steps that the recorded blocks choose.

    Args:
        path: the run's folder; it is only read.
        task: where the task came from arrays or code, that task again.

    Raises:
        RunError: when the run cannot be read, or is not finished.
        TaskError: when its task cannot be made again, or its data are others.
    """
    with RunStore.open(path) as store:
        config = made_by(VERB, store.config, path)
        device = str(config.get("device", "cpu"))
        tasks = check_same(config, task, "cpu" if unusable(device) else device, "serial")
        record = store.get("comparison", "table")
        found = comparison_from(record, config, store.path, store.status)
        told = _again(store, tasks, retrain=False)
        checks = [*_files(Path(path), files_of(found)), _table(_rows(found), _rows(told))]
        again = {_key(row): row for row in _rows(_again(store, tasks, retrain=True))}
    for row in _rows(found):
        checks += _row(row, again.get(_key(row)))
    return tuple(checks)


def verify_transfer(
    path: str | Path,
    task: Task | Sequence[Task] | None = None,
    models: Sequence[str | ModelFactory] | None = None,
) -> tuple[Check, ...]:
    """As `verify_comparison`, of a transfer, whose certificates are worked out again too.

    Args:
        path: the run's folder; it is only read.
        task, models: see `resume_transfer`.

    Raises:
        RunError: when the run cannot be read, or is not finished.
        TaskError: when its tasks cannot be made again, or their data are others.
    """
    with RunStore.open(path) as store:
        config = made_by(TRANSFER, store.config, path)
        device = str(config.get("device", "cpu"))
        tasks = same_cells(config, task, models, "cpu" if unusable(device) else device, "serial")
        found = transfer_from(store.get("transfer", "table"), config, store.path, store.status)
        told, again = (
            _trained(Cells, _Overlay(store, retrain), tasks).transfer() for retrain in (False, True)
        )
    checks = [*_files(Path(path), transfer_files(found)), _table(found.rows, told.rows)]
    by_key = {_key(row): row for row in again.rows}
    for row in found.rows:
        checks += _row(row, by_key.get(_key(row)))
    return tuple(checks)


class _Overlay(Memory):
    """The record of a run, to which nothing is written: without what searches came to, which is then told again from
    their answers; or, to train again, without the trainings that are reported and without certificates.
    """

    def __init__(self, store: RunStore, retrain: bool) -> None:
        super().__init__(store.config)
        self._store, self._retrain = store, retrain

    def get(self, kind: str, key: int | str) -> Any:
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
    return isinstance(answer, dict) and answer.get("test") is not None


def _again(store: RunStore, tasks: Sequence[Task], retrain: bool) -> Comparison:
    return _trained(Protocol, _Overlay(store, retrain), tasks).comparison()


def _trained(kind: type[_Trained], store: Memory, tasks: Sequence[Task]) -> _Trained:
    with place_for(tasks, "serial", 1) as place:
        protocol = kind.of(store, tasks, place)
        protocol.run()
    return protocol


def _rows(found: Comparison) -> tuple[Row, ...]:
    return (*found.rows, *found.controls)


def _key(row: Row) -> tuple[object, ...]:
    where = row.cell if isinstance(row, TransferRow) else (row.task, row.fraction)
    return *where, row.name, row.treatment


def _files(path: Path, files: Mapping[str, str]) -> Iterator[Check]:
    for name, expected in files.items():
        try:
            text = (path / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            yield Check(name, "content", "", "", False, f"cannot be read: {error}")
            continue
        same = text == expected
        note = "" if same else "differs from the run's record"
        yield Check(name, "content", f"{len(text)} bytes", f"{len(expected)} bytes", same, note)


def _table(found: Sequence[Row], told: Sequence[Row]) -> Check:
    ours, theirs = ([row.to_dict() for row in rows] for rows in (found, told))
    same = [_plain(a) == _plain(b) for a, b in zip(ours, theirs, strict=False)]
    holds = all(same) and len(ours) == len(theirs)
    note = "" if holds else "not what the recorded answers lead to"
    return Check("run", "rows, from the record", f"{len(ours)}", f"{sum(same)}", holds, note)


def _plain(value: Any) -> Any:
    """As JSON has it: infinities are none, tuples lists."""
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

"""Verifies an adaptation: its table is recomputed from the record, and its trainings are repeated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from symloss.compare.adapt import ADAPT, adaptation_files, pieces_of, table, task_of
from symloss.compare.adapt_work import Answer, Piece, do
from symloss.compare.adaptation import adaptation_from
from symloss.runs import RunStore
from symloss.search import Check
from symloss.search.prepare import unusable
from symloss.search.record.verify import TOLERANCE, file_checks
from symloss.tasks import Task

__all__ = ["verify_adaptation"]


def verify_adaptation(path: str | Path, task: Task | None = None) -> tuple[Check, ...]:
    """Works out every row again, and compares the run's files with its record.

    First from the recorded answers, certificates included, which must give the recorded table; then every training,
    offline initialisation and tuning included, is done again.

    Args:
        path: the run's folder; it is only read.
        task: where the task came from arrays or code, that task again.

    Raises:
        RunError: when the run cannot be read, or is not finished.
        TaskError: when its task cannot be made again, or its data are others.
    """
    with RunStore.open(path) as store:
        config = ADAPT.config(store)
        device = str(config.get("device", "cpu"))
        again = task_of(config, task, "cpu" if unusable(device) else device, "serial")
        run = adaptation_from(store.get(ADAPT.name, "table"), store.path, store.status)
        # From the answers alone first: it takes no training, and finds an edited table at once.
        told = table(config, again, store)
        same = _facts(run.to_dict()) == _facts(told.to_dict())
        checks = [
            *file_checks(Path(path), adaptation_files(run)),
            Check("run", "table, from the record", f"{len(run.rows)} rows", f"{len(told.rows)} rows", same,
                  "" if same else "not what the recorded answers lead to"),
        ]  # fmt: skip
        for number, parts in enumerate(pieces_of(config)[: run.seeds], start=1):
            for piece in parts.values():
                checks += _piece(
                    f"replicate {number}", piece, store.get("work", piece.key), do((again,), piece)
                )
    return tuple(checks)


def _facts(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in ("run", "status")}


def _piece(where: str, piece: Piece, known: Answer | None, again: Answer) -> Iterator[Check]:
    for name, row in again["rows"].items():
        printed = math.nan if known is None else float(known["rows"].get(name, {}).get("test", math.nan))
        holds = math.isclose(printed, row["test"], rel_tol=TOLERANCE, abs_tol=1e-12)
        yield Check(where, f"{name}, test", f"{printed:.6g}", f"{row['test']:.6g}", holds)
    if piece.part == "adapting" and known is not None:
        holds = math.isclose(float(known["moved"]), again["moved"], rel_tol=TOLERANCE, abs_tol=1e-9)
        yield Check(where, "moved", f"{known['moved']:.6g}", f"{again['moved']:.6g}", holds)

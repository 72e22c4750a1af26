"""Verifies a front: recomputes every printed number from formulas, coefficients and seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from symloss.expr import agrees, parse
from symloss.runs import RunStore
from symloss.search.loop.candidate import Values
from symloss.search.loop.ledger import task_signs
from symloss.search.prepare import check_same, unusable
from symloss.search.record.codec import evaluation_record, files_of
from symloss.search.record.front import front_of, presented, scored
from symloss.search.record.reading import read_result
from symloss.search.record.replay import Replay
from symloss.search.record.result import ENDED, Evaluation, FrontRow, Result
from symloss.tasks import Task

__all__ = ["TOLERANCE", "Check", "file_checks", "verify"]

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


def file_checks(path: Path, files: Mapping[str, str]) -> Iterator[Check]:
    """Compares the files of a run's folder, by name, with the texts that its record leads to."""
    for name, expected in files.items():
        try:
            written = (path / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            yield Check(name, "content", "", "", False, f"cannot be read: {error}")
            continue
        same = written == expected
        note = "" if same else "differs from the run's record: 'symloss resume' writes it anew"
        yield Check(name, "content", f"{len(written)} bytes", f"{len(expected)} bytes", same, note)


def verify(path: str | Path, task: Task | Sequence[Task] | None = None) -> tuple[Check, ...]:
    """Works out every printed number of a run's front again, and compares its files with its record.

    The search is told again from its settings, seed and recorded answers, which must lead to the recorded
    headroom, candidates and formulas; then each formula of the front is trained again on every block that its
    numbers come from, from the run's seeds and in the run's own arithmetic, and measured. Test data is not
    touched.

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
        # On the run's own device where it can be had: another one rounds differently, and training amplifies that.
        tasks = check_same(config, task, "cpu" if unusable(device) else device, "serial")
        # A time limit ended the run after a generation; everything else that ends one is in the settings.
        last = len(result.generations) if result.status == "time limit" else None
        replay = Replay(store, config, last, tasks)
    # Two questions: is the record what the search leads to, and do the trainings give the numbers it holds?
    checks = [*file_checks(Path(path), files_of(result)), *_told(result, replay)]
    found: dict[int, dict[int, Values]] = {}
    for row in result.front:
        checks += _row(row, result, replay)
        checks += _trained(row, result, replay, found)
    checks += _evidence(result, replay, found)
    for row, score in zip(result.front, _scores(result.front, tasks), strict=True):
        if score is not None and row.score is not None:
            checks.append(_number(f"row {row.row}", "score", row.score, score, 1e-6))
    return tuple(checks)


def _told(result: Result, replay: Replay) -> Iterator[Check]:
    """Compares candidates, headroom and front on record with those that the replay arrives at."""
    engine = replay.engine
    kept = any(entry.way for entry in result.evaluations)
    told = {entry.number: _known(entry, kept) for entry in engine.ledger.evaluations}
    yield _same("candidates", [_known(entry, kept) == told.get(entry.number) for entry in result.evaluations])
    if result.headroom:
        yield _same(
            "headroom",
            [a.to_dict() == b.to_dict() for a, b in zip(result.headroom, engine.headroom, strict=False)],
        )
    if result.status in ENDED:
        theirs, ours = (list(map(_printed, front)) for front in (engine.ledger.front, result.front))
        # A row that is missing from the record is as wrong as one that was added.
        lost = [False for row in theirs if row not in ours]
        yield _same("front", [*(row in theirs for row in ours), *lost])


def _same(what: str, same: Sequence[bool]) -> Check:
    note = "" if all(same) else "the others are not what this version of symloss arrives at"
    return Check("run", what, f"{len(same)}", f"{sum(same)}", all(same), note)


def _known(entry: Evaluation, lineage: bool) -> dict[str, Any]:
    """The record of a candidate without its duration, and without lineage where the run predates that."""
    nothing = {} if lineage else {"parents": [], "way": ""}
    return {**evaluation_record(entry), "seconds": 0.0, **nothing}


def _printed(row: FrontRow) -> tuple[object, ...]:
    return row.evaluation, row.picked, row.complexity, row.validation, row.score, row.scale, row.finals


def _row(row: FrontRow, result: Result, replay: Replay) -> Iterator[Check]:
    where, formula = f"row {row.row}", replay.formula(row.evaluation)
    if not formula:
        yield Check(where, "formula", row.text, "", False, "the search does not arrive at it")
        return
    if row.neural:
        yield Check(where, "formula", row.text, formula, formula == row.text)
        yield _weights(where, row, result, replay)
        return
    kind, hard = row.loss.kind, row.hard is not None
    trained, (exact, shown) = parse(formula, kind=kind), presented(formula, kind, hard)
    same = (str(exact), str(shown)) == (str(row.loss), str(row.shown)) and exact == trained
    # A simplification that SymPy gets wrong would print one loss and train another.
    if str(shown) != str(trained):
        # What is printed has the values of what was trained, on every label that the task has.
        same = same and agrees(trained.value_expr, shown.value_expr, kind, hard_labels=hard)
    yield Check(where, "formula", str(row.shown), str(shown), same)
    yield _number(where, "complexity", row.complexity, shown.complexity + replay.surcharge(row.evaluation))


def _weights(where: str, row: FrontRow, result: Result, replay: Replay) -> Check:
    """Whether the weights on record are those that the search arrives at."""
    candidate = replay.engine.candidate(row.evaluation)
    network = None if candidate is None else candidate.network
    kept = result.network.loss if result.network and result.network.evaluation == row.evaluation else None
    same = network is not None and network == kept
    count = 0 if network is None else network.complexity
    note = "" if same else "the weights on record are not those that the search arrives at"
    return Check(where, "weights", f"{row.complexity}", f"{count}", same, note)


def _trained(
    row: FrontRow, result: Result, replay: Replay, found: dict[int, dict[int, Values]]
) -> Iterator[Check]:
    """Each block that the row's validation comes from, trained again."""
    names = list(task_signs(replay.tasks))
    printed, purpose = _blocks_of(row, result, replay)
    for block, values in printed.items():
        again = replay.trained(row.evaluation, purpose if block >= 0 else "training", block)
        what = f"{_BLOCKS[purpose]} {block + 1}" if block >= 0 else "validation"
        if again is None:
            yield Check(f"row {row.row}", what, str(values), "", False, "the search does not train it")
            continue
        found.setdefault(row.evaluation, {})[block] = again
        for i, name in enumerate(names):
            on = f" on {name}" if len(names) > 1 else ""
            yield _number(f"row {row.row}", what + on, _value(values[i]), _value(again[i]), TOLERANCE)


def _blocks_of(row: FrontRow, result: Result, replay: Replay) -> tuple[Mapping[int, Values], str]:
    held = replay.engine.held
    if row.finals and held is not None:
        return held.scores.get(row.evaluation, {}), "final"
    by_number = {entry.number: entry for entry in result.evaluations}
    entry = by_number[row.evaluation]
    while entry.source is not None and entry.source in by_number:
        entry = by_number[entry.source]
    return entry.blocks, "evidence"


_BLOCKS = {"final": "validation, final block", "evidence": "validation, block"}


def _evidence(result: Result, replay: Replay, found: Mapping[int, Mapping[int, Values]]) -> Iterator[Check]:
    """Validation and its error, worked out from what was trained again; of other losses, from the record."""
    engine = replay.engine
    noises = engine.field.noises
    signs = engine.signs
    if engine.held is not None and any(row.finals for row in result.front):
        scores = {number: found.get(number, blocks) for number, blocks in engine.held.scores.items()}
        held = replace(engine.held, scores=scores)
        front = front_of(
            engine.ledger.evaluations,
            classes=None,
            signs=signs,
            noises=noises,
            finals=held,
            hard_labels=engine.ledger.hard_labels,
        )
    else:
        entries = []
        for entry in engine.ledger.evaluations:
            again = found.get(entry.number)
            entries.append(replace(entry, blocks=again) if again else entry)
        front = front_of(
            scored(entries, tuple(signs.values()), noises),
            classes=None,
            signs=signs,
            noises=noises,
            hard_labels=engine.ledger.hard_labels,
        )
    by_number = {row.evaluation: row for row in front}
    for row in result.front:
        again_row = by_number.get(row.evaluation)
        value = math.nan if again_row is None else again_row.validation
        yield _number(f"row {row.row}", "validation", row.validation, value, TOLERANCE)
        if row.se is not None:
            error = math.nan if again_row is None or again_row.se is None else again_row.se
            # A small difference of larger numbers: held to the size of what it is the error of.
            size = max(abs(row.se), TOLERANCE * abs(row.validation))
            holds = abs(error - row.se) <= TOLERANCE * size + 1e-12
            yield Check(f"row {row.row}", "standard error", f"{row.se:.6g}", f"{error:.6g}", bool(holds))
        picked = again_row is not None and again_row.picked == row.picked
        if row.picked:
            yield Check(f"row {row.row}", "picked", "yes", "yes" if picked else "no", picked)


def _value(value: float | None) -> float:
    return math.inf if value is None else value


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

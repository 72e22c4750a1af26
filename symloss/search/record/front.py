"""The Pareto front over the whole run, and which of its rows is picked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from symloss.expr import Loss, parse
from symloss.expr.trees import symbols
from symloss.search.loop.evidence import Evidence, non_dominated, pick
from symloss.search.loop.field import row_of
from symloss.search.record.finals import Finals
from symloss.search.record.result import Evaluation, FrontRow

__all__ = ["finalist_rows", "front_of", "presented", "scored"]


def scored(
    evaluations: Sequence[Evaluation], signs: Sequence[float], noises: Sequence[float]
) -> list[Evaluation]:
    """The evaluations with what the evidence says of each: validation, its error, fitness.

    Args:
        evaluations: every candidate so far.
        signs: of the tasks' metrics, -1 where more is better.
        noises: of the tasks, in whose units several are averaged.
    """
    evidence = Evidence(
        {
            e.number: row_of(e.blocks, signs, noises)
            for e in evaluations
            if e.outcome == "trained" and e.blocks
        }
    )
    by_number = {entry.number: entry for entry in evaluations}
    alive = set(evidence.candidates)
    sign = signs[0] if len(signs) == 1 else 1.0
    rows = []
    for entry in evaluations:
        number = _original(entry, by_number)
        if entry.outcome not in ("trained", "reused") or number not in alive or not entry.formula:
            rows.append(replace(entry, validation=None, se=None, fitness=None))
            continue
        mean, error = evidence.mean(number), evidence.standard_error(number)
        rows.append(
            replace(entry, validation=sign * mean, fitness=mean, se=error if math.isfinite(error) else None)
        )
    return rows


def _original(entry: Evaluation, by_number: Mapping[int, Evaluation]) -> int:
    while entry.source is not None and entry.source in by_number:
        entry = by_number[entry.source]
    return entry.number


def front_of(
    evaluations: Sequence[Evaluation],
    *,
    classes: int | None,
    signs: Mapping[str, float],
    noises: Sequence[float],
    finals: Finals | None = None,
    hard_labels: bool = False,
) -> tuple[FrontRow, ...]:
    """The front that a list of candidates leaves.

    Which losses it may hold is decided by the complexity of the formulas as the search writes them; those are
    then read by SymPy, and what counts is the complexity of the formula that a user sees. Once finalists have
    met, it holds no other losses, and what counts is what the final blocks say.

    Args:
        evaluations: every candidate, in order, with its evidence.
        classes: of the task.
        signs, noises: see `scored`.
        finals: what came of the final blocks, if they were held.
        hard_labels: whether every label of every task is 0 or 1.
    """
    sign = _sign(signs)
    if finals is None:
        return _of_evidence(evaluations, classes, signs, hard_labels)
    rows = finalist_rows(
        evaluations, finals, classes=classes, signs=signs, noises=noises, hard_labels=hard_labels
    )
    if not rows:
        return ()
    taken = next(row.evaluation for row in rows if row.picked)
    return _numbered(rows, taken, positive=sign > 0)


def finalist_rows(
    evaluations: Sequence[Evaluation],
    finals: Finals,
    *,
    classes: int | None,
    signs: Mapping[str, float],
    noises: Sequence[float],
    hard_labels: bool = False,
) -> tuple[FrontRow, ...]:
    """Every loss that met on the final blocks, by rising fitness; one of them is picked."""
    sign, each = _sign(signs), tuple(signs.values())
    by_number = {entry.number: entry for entry in evaluations}
    evidence, estimates = finals.evidence(each, noises), finals.estimates(each, noises)
    rows = []
    for number, estimate in estimates.items():
        values = evidence.scores[number]
        row = _row(by_number[number], classes, estimate.mean, sign, hard_labels)
        rows.append(
            replace(
                row, se=estimate.error if math.isfinite(estimate.error) else None,
                finals=tuple(sign * values[block] for block in sorted(values)),
                scores=_scores(finals.scores[number], signs),
                rates=finals.own[number].rates, steps=finals.own[number].steps,
            )
        )  # fmt: skip
    if not rows:
        return ()
    # The pick is by plain means: all finalists met on the same blocks. Shrinking is for the numbers that are shown.
    complexities = {row.evaluation: float(row.complexity) for row in rows}
    means = {row.evaluation: evidence.mean(row.evaluation) for row in rows}
    taken = pick(means, complexities, finals.ordinary)
    rows = [replace(row, picked=row.evaluation == taken) for row in rows]
    return tuple(sorted(rows, key=lambda row: (row.fitness, row.complexity, row.evaluation)))


def _of_evidence(
    evaluations: Sequence[Evaluation], classes: int | None, signs: Mapping[str, float], hard: bool
) -> tuple[FrontRow, ...]:
    """The front before the finals, by the evidence so far; its best row is picked."""
    by_number = {entry.number: entry for entry in evaluations}
    known = {entry.number: entry for entry in evaluations if entry.fitness is not None}
    numbers = non_dominated(
        (entry.fitness, float(entry.complexity or 0), number)
        for number, entry in known.items()
        if entry.fitness is not None
    )
    rows = []
    for number in sorted(numbers):
        entry = known[number]
        assert entry.fitness is not None
        blocks = by_number[_original(entry, by_number)].blocks
        row = _row(entry, classes, entry.fitness, _sign(signs), hard)
        rows.append(replace(row, se=entry.se, scores=_scores(blocks, signs)))
    if not rows:
        return ()
    taken = min(rows, key=lambda row: (row.fitness, row.complexity, row.evaluation)).evaluation
    return _numbered(rows, taken, positive=_sign(signs) > 0)


def _sign(signs: Mapping[str, float]) -> float:
    """The sign of a single task's metric; several are averaged as fitnesses, so their sign is 1."""
    return next(iter(signs.values())) if len(signs) == 1 else 1.0


def _scores(blocks: Mapping[int, Sequence[float | None]], signs: Mapping[str, float]) -> dict[str, float]:
    """Of several tasks, the mean metric of each over the blocks of the row."""
    if len(signs) == 1:
        return {}
    columns = zip(*blocks.values(), strict=True)
    return {
        name: math.fsum(value for value in column if value is not None) / len(column)
        for name, column in zip(signs, columns, strict=True)
    }


@lru_cache(maxsize=4096)
def presented(formula: str, kind: str, hard_labels: bool) -> tuple[Loss, Loss]:
    """The loss that was trained in its plainest form, and as it is shown: on hard labels more is equal.

    Kept, since a front is built again after every generation, mostly of the same losses.
    """
    loss = parse(formula, kind=kind).simplify()
    return loss, loss.simplify(hard_labels=True) if hard_labels else loss


def _row(entry: Evaluation, classes: int | None, fitness: float, sign: float, hard: bool) -> FrontRow:
    if entry.neural:
        return FrontRow(
            row=0, written=None, complexity=entry.complexity or 0, validation=sign * fitness, fitness=fitness,
            score=None, picked=False, evaluation=entry.number, scale=entry.scale, classes=classes,
            neural=entry.kind,
        )  # fmt: skip
    loss, shown = presented(entry.formula, entry.kind, hard)
    # What the operators' costs added was counted on the searched tree; the shown formula may have other operators.
    surcharge = (entry.complexity or 0) - symbols(entry.formula)
    return FrontRow(
        row=0, written=loss, complexity=shown.complexity + surcharge, validation=sign * fitness,
        fitness=fitness, score=None, picked=False, evaluation=entry.number, scale=entry.scale,
        classes=classes, name=entry.name, hard=None if str(shown) == str(loss) else shown,
    )  # fmt: skip


def _numbered(rows: Iterable[FrontRow], taken: int, *, positive: bool) -> tuple[FrontRow, ...]:
    """The non-dominated rows, numbered, scored, and one of them picked.

    Args:
        rows: every loss that competes.
        taken: the evaluation that is picked.
        positive: whether fitnesses are errors, so that a score is a difference of logarithms.
    """
    by_number = {row.evaluation: row for row in rows}
    kept = [
        by_number[number]
        for number in non_dominated(
            (row.fitness, row.complexity, row.evaluation) for row in by_number.values()
        )
    ]
    if kept and all(row.evaluation != taken for row in kept):
        taken = min(kept, key=lambda row: (row.fitness, row.complexity)).evaluation
    scores = [None, *(_score(a, b, positive) for a, b in pairwise(kept))]
    return tuple(
        replace(row, row=i + 1, score=score, picked=row.evaluation == taken)
        for i, (row, score) in enumerate(zip(kept, scores, strict=True))
    )


def _score(simpler: FrontRow, row: FrontRow, positive: bool) -> float:
    symbols = row.complexity - simpler.complexity
    if positive and row.fitness > 0:
        # Per symbol: the drop of the log error, as symbolic regression scores a front (PySR); a difference for
        # metrics that can be 0 or negative. Complexities on a front differ, so `symbols` is above 0.
        return math.log(simpler.fitness / row.fitness) / symbols
    return (simpler.fitness - row.fitness) / symbols

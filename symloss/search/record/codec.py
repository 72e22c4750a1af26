"""How a search is written down and read again: plain JSON, formulas through the safe parser."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from symloss.errors import RunError, SymlossError
from symloss.expr import Loss, parse
from symloss.expr.trees import symbols
from symloss.search.record.front import build_front, non_dominated
from symloss.search.record.result import Baseline, Evaluation, FrontRow, later

__all__ = [
    "baseline_from", "baseline_record", "evaluation_from", "evaluation_record", "front_csv", "front_json",
    "front_of", "presented",
]  # fmt: skip

_COLUMNS = ("row", "picked", "complexity", "validation", "score", "scale", "evaluation", "formula")


def evaluation_record(entry: Evaluation, kind: str) -> dict[str, Any]:
    """JSON-ready data of a candidate."""
    return {
        "generation": entry.generation, "slot": entry.slot, "tokens": list(entry.tokens),
        "outcome": entry.outcome, "reason": entry.reason, "kind": kind, "formula": entry.formula,
        "validation": entry.validation, "fitness": entry.fitness, "seconds": entry.seconds,
        "scale": entry.scale, "scores": dict(entry.scores), "complexity": entry.complexity,
        "rungs": {share: dict(values) for share, values in entry.rungs.items()},
    }  # fmt: skip


def evaluation_from(number: int, data: Mapping[str, Any]) -> Evaluation:
    """The candidate that `evaluation_record` wrote; its formula is parsed when it is first read.

    Raises:
        RunError: for data that it does not write.
    """
    try:
        formula, complexity = str(data["formula"]), data["complexity"]
        return Evaluation(
            number=number, generation=int(data["generation"]), slot=int(data["slot"]),
            tokens=tuple(map(str, data["tokens"])), outcome=str(data["outcome"]), reason=str(data["reason"]),
            loss=later(formula, str(data["kind"])),
            validation=_number(data["validation"]), fitness=_number(data["fitness"]),
            seconds=float(data["seconds"]), scale=float(data["scale"]), formula=formula,
            scores={str(task): float(value) for task, value in data["scores"].items()},
            complexity=None if complexity is None else int(complexity),
            rungs={
                str(share): {str(task): float(value) for task, value in values.items()}
                for share, values in data["rungs"].items()
            },
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError, SymlossError) as error:
        raise RunError(f"evaluation {number} of the run cannot be read: {error}") from None


def baseline_record(entry: Baseline) -> dict[str, Any]:
    """JSON-ready data of a baseline."""
    return {
        "name": entry.name, "loss": entry.loss.to_dict(), "learning_rate": entry.learning_rate,
        "steps": entry.steps, "validation": entry.validation, "test": entry.test,
        "tests": list(entry.tests), "p_value": entry.p_value,
    }  # fmt: skip


def baseline_from(data: Mapping[str, Any]) -> Baseline:
    """The baseline that `baseline_record` wrote.

    Raises:
        RunError: for data that it does not write.
    """
    try:
        return Baseline(
            name=str(data["name"]), loss=Loss.from_dict(data["loss"]),
            learning_rate=float(data["learning_rate"]), steps=int(data["steps"]),
            validation=float(data["validation"]), test=float(data["test"]),
            tests=tuple(map(float, data["tests"])), p_value=_number(data["p_value"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, SymlossError) as error:
        raise RunError(f"a baseline of the run cannot be read: {error}") from None


def front_of(
    evaluations: Iterable[Evaluation],
    *,
    classes: int | None,
    fresh: Mapping[int, Sequence[float]] | None = None,
    sign: float = 1.0,
    hard_labels: bool = False,
) -> tuple[FrontRow, ...]:
    """The front that a list of candidates leaves.

    Which losses it may hold is decided by the complexity of the formulas as the search writes them; those are
    then read by SymPy, and what counts is the complexity of the formula that a user sees. Once there are
    finalists, it holds no other losses, and what counts is their mean over the fresh seeds: the best of many
    single trainings is mostly the luckiest.

    Args:
        evaluations: every candidate, in order.
        classes: of the task.
        fresh: the finalists' fitnesses on fresh seeds, by evaluation.
        sign: -1 where the metric is maximised: a fitness is minus the metric.
        hard_labels: whether every label of every task is 0 or 1.
    """
    scored = {
        entry.number: entry
        for entry in evaluations
        if None not in (entry.complexity, entry.fitness, entry.validation)
    }
    fresh = fresh or {}
    means = {number: statistics.fmean(values) for number, values in fresh.items() if values}
    if not any(map(math.isfinite, means.values())):
        means = {number: entry.fitness or 0.0 for number, entry in scored.items()}
    points = [
        (mean, float(scored[number].complexity or 0), number)
        for number, mean in means.items()
        if number in scored
    ]
    rows = [
        _row(scored[number], classes, means[number], fresh.get(number, ()), sign, hard_labels)
        for number in non_dominated(points)
    ]
    return build_front(sorted(rows, key=lambda row: row.evaluation), fresh, positive=sign > 0)


@lru_cache(maxsize=4096)
def presented(formula: str, kind: str, hard_labels: bool) -> tuple[Loss, Loss]:
    """The loss that was trained in its plainest form, and as it is shown: on hard labels more is equal.

    Kept, since a front is built again after every generation, mostly of the same losses.
    """
    loss = parse(formula, kind=kind).simplify()
    return loss, loss.simplify(hard_labels=True) if hard_labels else loss


def _row(
    entry: Evaluation, classes: int | None, fitness: float, fresh: Sequence[float], sign: float, hard: bool
) -> FrontRow:
    trained = entry.loss
    assert trained is not None
    loss, shown = presented(entry.formula, trained.kind, hard)
    surcharge = (entry.complexity or 0) - symbols(entry.formula)
    return FrontRow(
        row=0, loss=loss, complexity=shown.complexity + surcharge, validation=sign * fitness,
        fitness=fitness, score=None, picked=False, evaluation=entry.number, scale=entry.scale,
        classes=classes, scores=entry.scores, fresh=tuple(sign * value for value in fresh),
        hard=None if str(shown) == str(loss) else shown,
    )  # fmt: skip


def front_csv(front: Sequence[FrontRow]) -> str:
    """The front as a table that any spreadsheet reads; numbers as Python prints them, to the last bit."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for row in front:
        score = "" if row.score is None else repr(row.score)
        table.writerow(
            [row.row, int(row.picked), row.complexity, repr(row.validation), score, repr(row.scale),
             row.evaluation, str(row.shown)]
        )  # fmt: skip
    return text.getvalue()


def front_json(front: Sequence[FrontRow]) -> str:
    """The same as JSON, with kinds, LaTeX, values on fresh seeds, and what holds on soft labels too (`exact`)."""
    rows = [
        {
            "row": row.row, "picked": row.picked, "complexity": row.complexity, "validation": row.validation,
            "score": row.score, "scale": row.scale, "evaluation": row.evaluation, "formula": str(row.shown),
            "exact": str(row.loss), "kind": row.loss.kind, "latex": row.shown.latex(),
            "scores": dict(sorted(row.scores.items())), "fresh": [_finite(value) for value in row.fresh],
        }
        for row in front
    ]  # fmt: skip
    return json.dumps({"front": rows}, indent=1, allow_nan=False) + "\n"


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)

"""A small run, made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from symloss import named
from symloss.search import Baseline, Evaluation, FrontRow, Generation, Result


def _evaluation(number: int, outcome: str, loss=None, validation: float | None = None) -> Evaluation:
    return Evaluation(
        number, number // 4, number % 4, ("mul", "y", "p"), outcome, "", "regression",
        formula="" if loss is None else str(loss),
        complexity=None if loss is None else loss.complexity, validation=validation, fitness=validation, seconds=0.1,
    )  # fmt: skip


@pytest.fixture(scope="session")
def result() -> Result:
    """Three generations of four candidates, a front of three rows, four baselines."""
    losses = [named("mse"), named("cauchy"), named("huber")]
    front = tuple(
        FrontRow(i + 1, loss, loss.complexity, 0.6 - 0.05 * i, 0.6 - 0.05 * i, 0.1 if i else None, i == 2, i)
        for i, loss in enumerate(losses)
    )
    evaluations = [_evaluation(i, "trained", loss, 0.6 - 0.05 * i) for i, loss in enumerate(losses)]
    evaluations.append(_evaluation(3, "rejected"))
    evaluations += [_evaluation(i, "reused", losses[i % 3], 0.6 - 0.01 * i) for i in range(4, 8)]
    evaluations += [_evaluation(8, "failed"), _evaluation(9, "trained", losses[1], 40.0)]
    evaluations += [_evaluation(i, "trained", losses[2], 0.5 + 0.02 * i) for i in range(10, 12)]
    tests = (0.5, 0.52, 0.48)
    baselines = (
        Baseline("mse as is", "ordinary", named("mse"), 0.01, 500, 0.55, 0.53, tests, 0.5),
        Baseline("mse tuned", "ordinary tuned", named("mse"), 0.003, 1000, 0.49, 0.5, tests, None),
        Baseline("best zoo: huber", "best zoo", named("huber"), 0.01, 500, 0.5, 0.52, tests, 0.4),
        Baseline("discovered", "discovered", named("cauchy"), 0.01, 500, 0.48, 0.47, tests, 0.01),
    )
    generations = tuple(
        Generation(i + 1, 3, front, 4 * (i + 1), 10.0 * (i + 1), 20.0 - 10 * i) for i in range(3)
    )
    return Result(
        path=Path("runs/a"),
        task={"name": "diabetes", "metric": "mse", "greater_is_better": False},
        method="evomal", seed=0, settings={}, status="finished", front=front, evaluations=tuple(evaluations),
        generations=generations, baselines=baselines,
    )  # fmt: skip

"""The training settings of a search, chosen before it begins: shapes compete, not learning rates."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import Any

from symloss.expr.trees import weighted_from
from symloss.runs import derive
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.workers import Workers
from symloss.search.schedules import RATES, TRIALS, best_settings
from symloss.tasks import SupervisedTask, Task

__all__ = ["settle"]


def settle(workers: Workers, seed: int) -> tuple[Task, ...]:
    """The tasks, each with the learning rate and steps at which its ordinary loss does best.

    A task that is trained by a function of the user's stays as it is.

    Args:
        workers: who tries them.
        seed: of the run.
    """
    wanted = [
        (i, rate, derive(seed, "trial", trial))
        for i, task in enumerate(workers.tasks)
        if isinstance(task, SupervisedTask)
        for rate, trial in product(RATES, range(TRIALS))
    ]
    pieces = []
    for i, rate, trial in wanted:
        loss = weighted_from(workers.tasks[i].base_loss(), workers.registry)
        options: dict[str, Any] = {"task": i, "rate": rate}
        pieces.append(workers.piece("curve", [Candidate(-1, 0, 0, loss.program, loss)], trial, options))
    curves: dict[int, dict[float, list[list[float]]]] = {}
    for (i, rate, _), (answer,) in zip(wanted, workers.answers(pieces), strict=True):
        values = [math.inf if value is None else value for value in answer["values"]]
        curves.setdefault(i, {}).setdefault(rate, []).append(values)
    return tuple(
        replace(task, settings=best_settings(task, curves[i])) if i in curves else task
        for i, task in enumerate(workers.tasks)
    )

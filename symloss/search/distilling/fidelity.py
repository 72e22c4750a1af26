"""Does training with a formula end where training with the network does?"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

import numpy as np
from scipy import stats
from torch import Tensor, nn

from symloss.errors import TaskError
from symloss.expr import KINDS
from symloss.expr.trees import Weighted
from symloss.meta import LearnedLoss, Member, visit_members
from symloss.meta.gradient_distance import Array
from symloss.runs import derive
from symloss.search.distilling.result import Fidelity
from symloss.tasks import InContext, SupervisedTask
from symloss.tasks.train.loop import predict

__all__ = ["fidelity"]


def fidelity(
    loss: LearnedLoss,
    coefficients: Mapping[str, Tensor],
    formula: Weighted,
    task: SupervisedTask,
    *,
    seeds: int,
    seed: int,
) -> Fidelity:
    """Trains models with the network and with the formula, and holds them against each other.

    Args:
        loss, coefficients: the network.
        formula: at the network's scale.
        task: model, data and settings.
        seeds: pairs of trainings.
        seed: of the first.

    Raises:
        TaskError: when no pair of trainings ends in finite numbers.
    """
    phi = {name: each.to(task.device) for name, each in coefficients.items()}
    network = InContext(lambda outputs, targets, context: loss(phi, outputs, targets, context))
    starts = [derive(seed, "fidelity", i) for i in range(seeds)]
    program, edges = formula.graph()
    models: dict[int, nn.Module] = {}

    def keep(i: int, step: int, model: nn.Module) -> None:
        models[i] = copy.deepcopy(model)

    visit_members([Member(program, edges, task, start) for start in starts], keep)
    pairs = []
    for i, start in enumerate(starts):
        # One start and one order of batches for both, so that the difference is paired.
        both = (task.fit(network, seed=start), models[i])
        scores = [task.evaluate(model)[task.metric] for model in both]
        if all(map(math.isfinite, scores)):
            pairs.append((*scores, _agreement(task, *both)))
    if not pairs:
        raise TaskError(f"training on {task.name} diverges with the network or with the formula: no fidelity")
    theirs, ours, agreement = np.array(pairs).T
    return Fidelity(
        task.name, task.metric, len(pairs), float(theirs.mean()), float(ours.mean()),
        float((ours - theirs).mean()), _interval(ours - theirs), float(agreement.mean()), seeds - len(pairs),
    )  # fmt: skip


def _agreement(task: SupervisedTask, network: nn.Module, formula: nn.Module) -> float:
    kind = KINDS[task.kind]
    theirs, ours = (predict(model, task.val.X) for model in (network, formula))
    if kind.exclusive:
        return float((theirs.argmax(1) == ours.argmax(1)).float().mean())
    if kind.probabilities:
        return float(((theirs > 0) == (ours > 0)).float().mean())
    # R2 of the formula's predictions for the network's.
    spread = (theirs - theirs.mean()).square().sum()
    return float(1 - (ours - theirs).square().sum() / spread)


def _interval(differences: Array) -> tuple[float, float] | None:
    count = len(differences)
    if count < 2:
        return None
    mean, error = float(differences.mean()), float(differences.std(ddof=1) / math.sqrt(count))
    reach = float(stats.t.ppf(0.975, count - 1)) * error
    return mean - reach, mean + reach

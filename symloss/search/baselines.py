"""Is the discovered loss any good: against the ordinary loss, tuned, and the best of the zoo."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from symloss.errors import SymlossError
from symloss.expr import Loss
from symloss.runs import RunStore, derive
from symloss.search.records import baseline_record
from symloss.search.result import Baseline, Result
from symloss.search.schedules import TRIALS, fitness, tuned_settings
from symloss.tasks import Task, TrainingSettings
from symloss.zoo import named, names

__all__ = ["TRIALS", "baselines", "tuned_settings"]


def baselines(
    task: Task | Sequence[Task], result: Result, *, seeds: int | Sequence[int] = 10
) -> tuple[Baseline, ...]:
    """The picked loss of a run beside three rows trained on the same data with the same budget.

    These are: the ordinary loss as it is; the ordinary loss tuned; and the loss of the zoo that does best on
    validation data, tuned. Tuned means that the learning rate and the number of steps are chosen on validation
    data, from one grid over the same seeds for every row, the discovered loss included: else a loss could win
    by being a better learning rate. Then, once, all four are trained on fresh seeds and measured on test
    data; `p_value` is that of a two-sided paired t test over the seeds, against the ordinary loss tuned. The
    rows are remembered in the run's folder.

    Args:
        task: of the run; of several tasks, each has its rows, named `task: row`.
        result: a run with a front.
        seeds: how many final training seeds, or which.

    Raises:
        SymlossError: when the front is empty.
    """
    tasks = [task] if isinstance(task, Task) else list(task)
    final = [derive(result.seed, "test", i) for i in range(seeds)] if isinstance(seeds, int) else list(seeds)
    if not final:
        raise SymlossError("no seeds: expected at least one")
    trials = [derive(result.seed, "trial", i) for i in range(TRIALS)]
    rows: list[Baseline] = []
    for each in tasks:
        found = _judge(each, _contenders(each, result.best, trials), final)
        rows += found if len(tasks) == 1 else [replace(row, name=f"{each.name}: {row.name}") for row in found]
    if result.path is not None:
        with RunStore.open(result.path, write=True) as store:
            store.put_many("baseline", [(i, baseline_record(row)) for i, row in enumerate(rows)])
    return tuple(rows)


@dataclass(frozen=True)
class _Contender:
    name: str
    loss: Loss
    settings: TrainingSettings


def _contenders(task: Task, discovered: Loss, trials: Sequence[int]) -> list[_Contender]:
    base = task.base_loss()
    name = next(each for each in names(task.kind) if named(each, task.kind) == base)
    settings = tuned_settings(task, base, trials)
    zoo = _best_of_zoo(task, settings, trials)
    best = named(zoo, task.kind)
    return [
        _Contender(f"{name} as is", base, task.settings),
        _Contender(f"{name} tuned", base, settings),
        _Contender(f"best zoo: {zoo}", best, tuned_settings(task, best, trials)),
        _Contender("discovered", discovered, tuned_settings(task, discovered, trials)),
    ]


def _best_of_zoo(task: Task, settings: TrainingSettings, seeds: Sequence[int]) -> str:
    """The name of the zoo's loss of the best mean validation fitness, as the ordinary loss is trained."""

    def mean(name: str) -> float:
        loss = named(name, task.kind)
        try:
            values = [fitness(task, task.score(loss, seed=s, settings=settings)[task.metric]) for s in seeds]
        except SymlossError:
            return math.inf  # not defined on these targets
        return statistics.fmean(values)

    means = {name: mean(name) for name in names(task.kind)}
    return min(means, key=lambda name: means[name])


def _judge(task: Task, contenders: Sequence[_Contender], seeds: Sequence[int]) -> list[Baseline]:
    """Each trained on every seed; validation and test measured on the same models."""
    rows = []
    for contender in contenders:
        pairs = [_measure(task, contender, seed) for seed in seeds]
        tests = tuple(test for _, test in pairs)
        rows.append(
            Baseline(
                name=contender.name, loss=contender.loss, learning_rate=contender.settings.learning_rate,
                steps=contender.settings.steps, validation=statistics.fmean(v for v, _ in pairs),
                test=statistics.fmean(tests), tests=tests,
            )
        )  # fmt: skip
    tuned = next(row for row in rows if row.name.endswith(" tuned"))
    return [row if row is tuned else replace(row, p_value=_paired(row.tests, tuned.tests)) for row in rows]


def _measure(task: Task, contender: _Contender, seed: int) -> tuple[float, float]:
    if not task.has_gradients:
        values = [
            task.score(contender.loss, seed=seed, settings=contender.settings, split=split)[task.metric]
            for split in ("val", "test")
        ]
        return values[0], values[1]
    model = task.fit(contender.loss, seed=seed, settings=contender.settings)
    return task.evaluate(model)[task.metric], task.evaluate(model, split="test")[task.metric]


def _paired(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Two-sided p of a paired t test; None for fewer than two seeds or a diverged training."""
    if len(ours) < 2 or not all(map(math.isfinite, (*ours, *theirs))):
        return None
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    if max(differences) == min(differences):
        return 1.0 if differences[0] == 0 else 0.0
    from scipy.stats import ttest_rel  # most of a second to import, which no worker needs

    return float(ttest_rel(ours, theirs).pvalue)

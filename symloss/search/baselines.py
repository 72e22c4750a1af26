"""Is the discovered loss any good: against the ordinary loss, tuned, and the best of the zoo."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from symloss.errors import SymlossError
from symloss.expr import Loss
from symloss.runs import Executor, RunStore, derive
from symloss.search.loop.work import one_thread
from symloss.search.loop.workers import place_for
from symloss.search.prepare import prepare
from symloss.search.record.codec import baseline_record
from symloss.search.record.result import Baseline, Result
from symloss.search.schedules import TRIALS, best_settings, curve, fitness, rates, stops, tuned_settings
from symloss.search.settings import SearchSettings
from symloss.tasks import Task, TrainingSettings
from symloss.zoo import named, names

__all__ = ["TRIALS", "baselines", "tuned_settings"]


def baselines(
    task: Task | Sequence[Task],
    result: Result,
    *,
    seeds: int | Sequence[int] = 10,
    workers: int = 1,
    executor: str = "serial",
    device: str = "auto",
) -> tuple[Baseline, ...]:
    """The picked loss of a run beside three rows trained on the same data with the same budget.

    These are: the ordinary loss as it is; the ordinary loss tuned; and the loss of the zoo that does best on
    validation data, tuned. Tuned means that the learning rate and the number of steps are chosen on validation
    data, from one grid over the same seeds for every row, the discovered loss included: else a loss could win
    by being a better learning rate. Then, once, all four are trained on fresh seeds and measured on test
    data; `p_value` is that of a two-sided paired t test over the seeds, against the ordinary loss tuned. Rows
    of one loss and one setting share their trainings. The rows are remembered in the run's folder.

    Args:
        task: of the run; of several tasks, each has its rows, named `task: row`.
        result: a run with a front.
        seeds: how many final training seeds, or which.
        workers, executor, device: see `discover`.

    Raises:
        SymlossError: when the front is empty.
    """
    tasks = prepare(task, SearchSettings.from_dict(result.settings), None, device, executor)
    if isinstance(seeds, Sequence):
        final = [int(seed) for seed in seeds]
    else:
        final = [derive(result.seed, "test", i) for i in range(seeds)]
    if not final:
        raise SymlossError("no seeds: expected at least one")
    best = result.best
    trials = [derive(result.seed, "trial", i) for i in range(TRIALS)]
    rows: list[Baseline] = []
    with place_for(tasks, executor, workers) as place:
        for each in tasks:
            bench = _Bench(each, place)
            found = _judge(bench, _contenders(bench, best, trials), final)
            rows += (
                found if len(tasks) == 1 else [replace(row, name=f"{each.name}: {row.name}") for row in found]
            )
    if result.path is not None:
        with RunStore.open(result.path, write=True) as store:
            store.put_many("baseline", [(i, baseline_record(row)) for i, row in enumerate(rows)])
    return tuple(rows)


Job = tuple[Loss, Any, int]
"""A loss, how it is trained - settings, or a learning rate - and the seed."""


class _Bench:
    """A task, and where losses are trained on it; what is asked twice is done once."""

    def __init__(self, task: Task, place: Executor) -> None:
        self.task, self.place = task, place
        self._known: dict[tuple[Any, ...], Any] = {}

    def ask(self, function: Callable[[Task, Job], Any], jobs: Sequence[Job]) -> list[Any]:
        """`function` of the task and each job, with one torch thread each."""
        keys = [(function, str(loss), how, seed) for loss, how, seed in jobs]
        new = {key: job for key, job in zip(keys, jobs, strict=True) if key not in self._known}
        answers = self.place.map_ordered(partial(_alone, function, self.task), list(new.values()))
        self._known.update(zip(new, answers, strict=True))
        return [self._known[key] for key in keys]

    def tuned(self, loss: Loss, trials: Sequence[int]) -> TrainingSettings:
        """As `tuned_settings`."""
        tried = rates(self.task)
        found = iter(self.ask(_curve, [(loss, rate, seed) for rate in tried for seed in trials]))
        return best_settings(self.task, {rate: [next(found) for _ in trials] for rate in tried})


def _alone(function: Callable[[Task, Job], Any], task: Task, job: Job) -> Any:
    with one_thread():
        return function(task, job)


def _curve(task: Task, job: Job) -> list[float]:
    loss, rate, seed = job
    try:
        return curve(task, loss, seed, rate)
    except SymlossError:  # a trainer of the user's that fails, or takes too long, with this loss
        return [math.inf] * len(stops(task))


def _validated(task: Task, job: Job) -> float:
    loss, settings, seed = job
    try:
        return fitness(task, task.score(loss, seed=seed, settings=settings)[task.metric])
    except SymlossError:
        return math.inf  # not defined on these targets


def _measured(task: Task, job: Job) -> tuple[float, float]:
    """Validation and test metric, of one and the same model."""
    loss, settings, seed = job
    try:
        return task.score_parts(loss, seed=seed, settings=settings)
    except SymlossError:
        return math.nan, math.nan


@dataclass(frozen=True)
class _Contender:
    name: str
    loss: Loss
    settings: TrainingSettings


def _contenders(bench: _Bench, discovered: Loss, trials: Sequence[int]) -> list[_Contender]:
    task = bench.task
    base = task.base_loss()
    name = next(each for each in names(task.kind) if named(each, task.kind) == base)
    settings = bench.tuned(base, trials)
    zoo = _best_of_zoo(bench, settings, trials)
    best = named(zoo, task.kind)
    return [
        _Contender(f"{name} as is", base, task.settings),
        _Contender(f"{name} tuned", base, settings),
        _Contender(f"best zoo: {zoo}", best, bench.tuned(best, trials)),
        _Contender("discovered", discovered, bench.tuned(discovered, trials)),
    ]


def _best_of_zoo(bench: _Bench, settings: TrainingSettings, seeds: Sequence[int]) -> str:
    """The name of the zoo's loss of the best mean validation fitness, as the ordinary loss is trained."""
    kind = bench.task.kind
    zoo = {name: named(name, kind) for name in names(kind)}
    found = iter(bench.ask(_validated, [(loss, settings, seed) for loss in zoo.values() for seed in seeds]))
    means = {name: statistics.fmean([next(found) for _ in seeds]) for name in zoo}
    return min(means, key=lambda name: means[name])


def _judge(bench: _Bench, contenders: Sequence[_Contender], seeds: Sequence[int]) -> list[Baseline]:
    """Each trained on every seed; validation and test measured on the same models."""
    found = iter(
        bench.ask(_measured, [(each.loss, each.settings, seed) for each in contenders for seed in seeds])
    )
    rows = []
    for contender in contenders:
        pairs = [next(found) for _ in seeds]
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


def _paired(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Two-sided p of a paired t test; None for fewer than two seeds or a diverged training."""
    if len(ours) < 2 or not all(map(math.isfinite, (*ours, *theirs))):
        return None
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    if max(differences) == min(differences):
        return 1.0 if differences[0] == 0 else 0.0
    from scipy.stats import ttest_rel  # most of a second to import, which no worker needs

    return float(ttest_rel(ours, theirs).pvalue)

"""The discovered loss against the ordinary loss, as it is and tuned, and the best loss of the zoo."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from symloss.compare.contenders import BEST_ZOO, Variant, contender_of_row, contenders_of
from symloss.compare.statistics import paired_t
from symloss.errors import SymlossError
from symloss.meta import NeuralLoss
from symloss.numbers import as_whole
from symloss.runs import RunStore
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.field import fitness_of
from symloss.search.loop.training import TRIALS, Trainer, Training
from symloss.search.loop.workers import Progress, Workers, place_for
from symloss.search.prepare import prepare
from symloss.search.propose.outside import NOTHING
from symloss.search.record.codec import baseline_record
from symloss.search.record.finals import Own
from symloss.search.record.memory import Memory
from symloss.search.record.result import Baseline, Result
from symloss.search.settings import Blocks
from symloss.tasks import SupervisedTask, Task

__all__ = ["baselines"]


def baselines(
    task: Task | Sequence[Task],
    result: Result,
    *,
    seeds: int = 10,
    workers: int = 1,
    executor: str = "serial",
    device: str = "auto",
    on_progress: Progress | None = None,
) -> tuple[Baseline, ...]:
    """The picked loss of a run beside three rows trained on the same data with the same budget.

    These are: the ordinary loss as it is; the ordinary loss tuned; and the loss of the zoo that does best on
    validation data, tuned. Tuned means that the learning rate and the number of steps are chosen on validation
    blocks, from one grid for every row, the discovered loss included: else a loss could win by being a better
    learning rate. Where the search held finals, they are those of the finals. Then, once, all four are trained on
    fresh seeds and measured on test data; `p_value` is that of a two-sided paired t test over the seeds, against
    the ordinary loss tuned. The rows are remembered in the run's folder.

    Args:
        task: of the run; of several tasks, each has its rows, named `task: row`.
        result: a run with a front.
        seeds: how many final training seeds.
        workers, executor, device, on_progress: see `discover`.

    Raises:
        SymlossError: when the front is empty.
    """
    count = as_whole(seeds)
    if count is None or count < 1:
        raise SymlossError(f"{seeds} seeds: expected at least one")
    model = result.settings.get("model")
    tasks = prepare(task, model, None, device, executor)
    chunk, blocks = int(result.settings["chunk"]), Blocks(**result.settings["blocks"])
    rows: list[Baseline] = []
    with place_for(tasks, executor, workers) as place:
        trainer = Trainer(Workers(tasks, Memory({}), place, chunk, on_progress), result.seed, blocks)
        entrants = _entrants(trainer, result)
        tests = _tests(trainer, entrants, count)
    for t, each in enumerate(tasks):
        found = [_row(each, t, entrant, tests[i]) for i, entrant in enumerate(entrants)]
        found = _paired_with_tuned(found)
        rows += found if len(tasks) == 1 else [replace(row, name=f"{each.name}: {row.name}") for row in found]
    if result.path is not None:
        with RunStore.open(result.path, write=True) as store:
            store.put_many("baseline", [(i, baseline_record(row)) for i, row in enumerate(rows)])
            for row in rows:
                store.log("%s: test %s", row.name, row.test)
    return tuple(rows)


@dataclass(frozen=True)
class _Entrant:
    """A loss with the rates and steps at which its row is trained."""

    name: str
    role: str
    variant: Variant
    own: Own

    @property
    def candidate(self) -> Candidate:
        return _candidate(self.variant)


def _entrants(trainer: Trainer, result: Result) -> list[_Entrant]:
    task = trainer.tasks[0]
    pick = contender_of_row(result.picked, result, "discovered", task)
    # `contenders_of` puts the ordinary loss first.
    ordinary, zoo, discovered = contenders_of([BEST_ZOO, pick], task)
    (base,), (found,) = ordinary.variants, discovered.variants
    as_is = Own((1.0,) * len(trainer.tasks), tuple(each.settings.steps for each in trainer.tasks))
    in_finals = _of_finals(result, ordinary.name)
    if in_finals is not None:
        tuned, best, best_own = in_finals
    else:
        tuned, best, best_own = _without_finals(trainer, base, zoo.variants)
    if result.finalists:
        own = Own(result.picked.rates, result.picked.steps)
    else:
        (own,) = trainer.own("rates", [_candidate(found)], base=as_is.rates)
    return [
        _Entrant(f"{ordinary.name} as is", "ordinary", base, as_is),
        _Entrant(f"{ordinary.name} tuned", "ordinary tuned", base, tuned),
        _Entrant(f"best zoo: {best.name}", "best zoo", best, best_own),
        _Entrant("discovered", "discovered", found, own),
    ]


def _of_finals(result: Result, ordinary: str) -> tuple[Own, Variant, Own] | None:
    """The ordinary loss and the best of the zoo at the rates and steps of the finals, if both met there."""
    tuned = next((row for row in result.finalists if row.name == ordinary), None)
    # A loss of a simpler formula may have been the better one: by validation, as the finals had it.
    zoo = min((row for row in result.finalists if row.name), key=lambda row: row.fitness, default=None)
    if tuned is None or zoo is None:
        return None
    return Own(tuned.rates, tuned.steps), Variant(zoo.name, zoo.loss), Own(zoo.rates, zoo.steps)


def _without_finals(trainer: Trainer, base: Variant, zoo: Sequence[Variant]) -> tuple[Own, Variant, Own]:
    """The ordinary loss tuned, and the loss of the zoo that does best as it is trained then, tuned as well."""
    ones = (1.0,) * len(trainer.tasks)
    (tuned,) = trainer.own("rates", [_candidate(base)], base=ones)
    # At the ordinary loss's own rate and steps: tuning every loss of the zoo would cost as much as a search.
    stops = tuple((steps,) for steps in tuned.steps)
    trainings = [
        Training(_candidate(variant), block, tuned.rates, stops) for variant in zoo for block in range(TRIALS)
    ]
    values = trainer.values("zoo", trainings)
    signs = [-1.0 if task.measure.greater_is_better else 1.0 for task in trainer.tasks]
    means = [statistics.fmean(fitness_of(next(values), signs, ones) for _ in range(TRIALS)) for _ in zoo]
    best = zoo[means.index(min(means))]
    (own,) = trainer.own("rates", [_candidate(best)], base=ones)
    return tuned, best, own


def _candidate(variant: Variant) -> Candidate:
    """The loss as the trainer of a search takes it."""
    network = variant.loss if isinstance(variant.loss, NeuralLoss) else None
    tree = NOTHING if network is not None else variant.weighted
    return Candidate(-1, 0, 0, tree.program, tree, fixed=True, as_given=True, network=network)


def _tests(
    trainer: Trainer, entrants: Sequence[_Entrant], seeds: int
) -> list[list[list[tuple[float, float]]]]:
    """By entrant, seed and task the validation and the test metric of one and the same model."""
    trainings = [
        # No block: the task's own split, whose test rows no search has read.
        Training(each.candidate, None, each.own.rates, tuple((steps,) for steps in each.own.steps), start=i)
        for each in entrants
        for i in range(seeds)
    ]
    curves = trainer.curves("test", trainings, test=True)
    return [
        [[(_number(curve[0]), _number(curve[1])) for curve in next(curves)] for _ in range(seeds)]
        for _ in entrants
    ]


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _row(task: Task, t: int, entrant: _Entrant, tests: Sequence[Sequence[tuple[float, float]]]) -> Baseline:
    pairs = [by_task[t] for by_task in tests]
    rate, loss = task.settings.learning_rate, entrant.variant.loss
    return Baseline(
        name=entrant.name, role=entrant.role, loss=None if isinstance(loss, NeuralLoss) else loss,
        learning_rate=rate * entrant.own.rates[t] if isinstance(task, SupervisedTask) else rate,
        steps=entrant.own.steps[t], validation=statistics.fmean(v for v, _ in pairs),
        test=statistics.fmean(test for _, test in pairs), tests=tuple(test for _, test in pairs),
    )  # fmt: skip


def _paired_with_tuned(rows: Sequence[Baseline]) -> list[Baseline]:
    tuned = next(row for row in rows if row.role == "ordinary tuned")
    return [row if row is tuned else replace(row, p_value=_paired(row.tests, tuned.tests)) for row in rows]


def _paired(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Two-sided p of a paired t test; None for fewer than two seeds or a diverged training."""
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    # A diverged training has no number to pair; the row then says how many diverged.
    p_value = paired_t(differences).p_value if all(map(math.isfinite, differences)) else math.nan
    return None if math.isnan(p_value) else p_value

"""Is the discovered loss any good: against the ordinary loss, tuned, and the best of the zoo."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from symloss.errors import SymlossError
from symloss.expr import Loss
from symloss.expr.trees import weighted_from
from symloss.numbers import as_whole
from symloss.runs import RunStore
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.field import fitness_of
from symloss.search.loop.sweep import base_candidate, base_name, zoo_candidates
from symloss.search.loop.training import TRIALS, Trainer, Training
from symloss.search.loop.workers import Progress, Workers, place_for
from symloss.search.prepare import prepare
from symloss.search.propose.outside import NOTHING
from symloss.search.record.codec import baseline_record
from symloss.search.record.finals import Own
from symloss.search.record.memory import Memory
from symloss.search.record.result import Baseline, FrontRow, Result
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
    picked = result.picked
    rows: list[Baseline] = []
    with place_for(tasks, executor, workers) as place:
        trainer = Trainer(Workers(tasks, Memory({}), place, chunk, on_progress), result.seed, blocks)
        contenders = _contenders(trainer, result, picked)
        tests = _tests(trainer, contenders, count)
    for t, each in enumerate(tasks):
        found = [_row(each, t, contender, tests[i]) for i, contender in enumerate(contenders)]
        found = _paired_with_tuned(found)
        rows += found if len(tasks) == 1 else [replace(row, name=f"{each.name}: {row.name}") for row in found]
    if result.path is not None:
        with RunStore.open(result.path, write=True) as store:
            store.put_many("baseline", [(i, baseline_record(row)) for i, row in enumerate(rows)])
    return tuple(rows)


@dataclass(frozen=True)
class _Contender:
    name: str
    role: str
    loss: Loss | None
    candidate: Candidate
    own: Own


def _contenders(trainer: Trainer, result: Result, picked: FrontRow) -> list[_Contender]:
    task = trainer.tasks[0]
    ordinary, base = base_name(task), base_candidate(task)
    as_is = Own((1.0,) * len(trainer.tasks), tuple(each.settings.steps for each in trainer.tasks))
    if result.finalists:
        rows = {row.evaluation: row for row in result.finalists}
        tuned = next((_own(row) for row in rows.values() if row.name == ordinary), None)
        # A loss of a simpler formula may have been the better one: by validation, as the finals had it.
        zoo = min((row for row in rows.values() if row.name), key=lambda row: row.fitness, default=None)
        if tuned is None or zoo is None:
            tuned, best, best_own = _without_finals(trainer, base)
        else:
            best, best_own = (zoo.name, zoo.loss), _own(zoo)
        own = _own(picked)
    else:
        tuned, best, best_own = _without_finals(trainer, base)
        (own,) = trainer.own("rates", [_discovered(result)], base=as_is.rates)
    return [
        _Contender(f"{ordinary} as is", "ordinary", task.base_loss(), base, as_is),
        _Contender(f"{ordinary} tuned", "ordinary tuned", task.base_loss(), base, tuned),
        _Contender(f"best zoo: {best[0]}", "best zoo", best[1], _candidate(best[1]), best_own),
        _Contender("discovered", "discovered", picked.written, _discovered(result), own),
    ]


def _own(row: FrontRow) -> Own:
    return Own(row.rates, row.steps)


def _discovered(result: Result) -> Candidate:
    """The pick: a formula, or a network."""
    picked = result.picked
    if picked.written is not None:
        return _candidate(picked.written)
    if result.network is None or result.network.evaluation != picked.evaluation:
        raise SymlossError(f"the weights of row {picked.row} are not on record: go on with 'symloss resume'")
    found = Candidate(-1, 0, 0, NOTHING.program, NOTHING, fixed=True, as_given=True)
    found.network = result.network.loss
    return found


def _candidate(loss: Loss) -> Candidate:
    tree = weighted_from(loss)
    return Candidate(-1, 0, 0, tree.program, tree, fixed=True, as_given=True)


def _without_finals(trainer: Trainer, base: Candidate) -> tuple[Own, tuple[str, Loss], Own]:
    """The ordinary loss tuned, and the loss of the zoo that does best as it is trained then, tuned as well."""
    ones = (1.0,) * len(trainer.tasks)
    (tuned,) = trainer.own("rates", [base], base=ones)
    zoo = zoo_candidates(trainer.tasks[0], 0)
    stops = tuple((steps,) for steps in tuned.steps)
    trainings = [
        Training(candidate, block, tuned.rates, stops) for candidate in zoo for block in range(TRIALS)
    ]
    values = trainer.values("zoo", trainings)
    signs = [-1.0 if task.measure.greater_is_better else 1.0 for task in trainer.tasks]
    means = {
        candidate.number: statistics.fmean(fitness_of(next(values), signs, ones) for _ in range(TRIALS))
        for candidate in zoo
    }
    best = min(zoo, key=lambda candidate: (means[candidate.number], candidate.number))
    (own,) = trainer.own("rates", [best], base=ones)
    return tuned, (best.name, best.weighted.to_loss(trainer.tasks[0].kind)), own


def _tests(
    trainer: Trainer, contenders: Sequence[_Contender], seeds: int
) -> list[list[list[tuple[float, float]]]]:
    """By contender, seed and task the validation and the test metric of one and the same model."""
    trainings = [
        Training(each.candidate, None, each.own.rates, tuple((steps,) for steps in each.own.steps), start=i)
        for each in contenders
        for i in range(seeds)
    ]
    found = trainer.curves("test", trainings, test=True)
    return [
        [[(_number(curve[0]), _number(curve[1])) for curve in next(found)] for _ in range(seeds)]
        for _ in contenders
    ]


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _row(
    task: Task, t: int, contender: _Contender, tests: Sequence[Sequence[tuple[float, float]]]
) -> Baseline:
    pairs = [by_task[t] for by_task in tests]
    rate = task.settings.learning_rate
    return Baseline(
        name=contender.name, role=contender.role, loss=contender.loss,
        learning_rate=rate * contender.own.rates[t] if isinstance(task, SupervisedTask) else rate,
        steps=contender.own.steps[t], validation=statistics.fmean(v for v, _ in pairs),
        test=statistics.fmean(test for _, test in pairs), tests=tuple(test for _, test in pairs),
    )  # fmt: skip


def _paired_with_tuned(rows: Sequence[Baseline]) -> list[Baseline]:
    tuned = next(row for row in rows if row.role == "ordinary tuned")
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

"""Batches of trainings: which loss, on which block, at which learning rate, measured after which steps."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symloss.runs import derive
from symloss.search.loop.candidate import Candidate, Values
from symloss.search.loop.work import Piece, chunks
from symloss.search.loop.workers import Workers
from symloss.search.record.finals import Own
from symloss.search.settings import Blocks
from symloss.tasks import SupervisedTask, Task

__all__ = ["RATES", "TRIALS", "Trainer", "Training", "best_of"]

RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Learning rates that are tried, as multiples of the task's."""
STOPS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Numbers of steps that are tried, as shares of the task's."""
TRIALS = 3
"""Blocks over which a learning rate and a number of steps are chosen."""
MEMBERS = 4
"""Models that are trained in one pass, times the settings' chunk: the trees that are tuned in one."""
WIDENED = 4
"""How often a grid of rates is widened, by a factor of three each time, whose best lies at its edge."""

Curve = list[float | None]
"""The metric after each of the stops; None from where training diverged."""


@dataclass(frozen=True)
class Training:
    """One training of a loss.

    Attributes:
        candidate: the loss.
        block: number of the block, or None for the task's own split.
        rates: by task, times its learning rate.
        stops: by task, the numbers of steps after which it is measured.
        start: without a block, the number of the start and the batches.
    """

    candidate: Candidate
    block: int | None
    rates: tuple[float, ...]
    stops: tuple[tuple[int, ...], ...]
    start: int = 0


def best_of(task: Task, curve: Sequence[float | None]) -> float | None:
    """The best value on a curve, as users read the metric."""
    seen = [value for value in curve if value is not None]
    return min(seen, key=task.measure.fitness) if seen else None


class Trainer:
    """Has losses trained on blocks.

    Args:
        workers: who does it.
        seed: of the run.
        blocks: how blocks are drawn.
    """

    def __init__(self, workers: Workers, seed: int, blocks: Blocks) -> None:
        self.workers, self.seed, self.blocks = workers, seed, blocks
        self.tasks = workers.tasks

    def place(self, block: int | None) -> list[Any] | None:
        """What a piece of work is told of a block."""
        return None if block is None else [block, self.blocks.folds, self.blocks.val_size]

    def curves(
        self, purpose: str, trainings: Sequence[Training], *, test: bool = False
    ) -> Iterator[list[Curve]]:
        """By training and task the metric after each stop, in order, as they arrive.

        Args:
            purpose: which blocks: those of one purpose have nothing to do with those of another.
            trainings: in any order; a model's numbers do not depend on who is trained beside it.
            test: whether what follows the validation metrics on a curve are the test metrics.
        """
        # Chunks depend on the trainings alone, never on the number of workers, see `work`.
        runs = chunks(trainings, MEMBERS * self.workers.chunk)
        pieces = [self._piece(purpose, run, test) for run in runs]
        answers = self.workers.answers(pieces, STAGES.get(purpose, purpose))
        for run, piece_answers in zip(runs, answers, strict=True):
            for training, answer in zip(run, piece_answers, strict=True):
                training.candidate.seconds += answer["seconds"]
                training.candidate.trouble = training.candidate.trouble or answer["reason"]
                yield answer["values"]

    def _piece(self, purpose: str, run: Sequence[Training], test: bool) -> Piece:
        options: dict[str, Any] = {
            "blocks": [self.place(training.block) for training in run],
            "stops": [[list(each) for each in training.stops] for training in run],
            "rates": [list(training.rates) for training in run],
            "starts": [training.start for training in run],
        }  # fmt: skip
        if test:
            options["test"] = True
        return self.workers.piece(
            "train", [training.candidate for training in run], derive(self.seed, purpose), options
        )

    def values(self, purpose: str, trainings: Sequence[Training]) -> Iterator[Values]:
        """By training the metric of each task, at the better of the stops."""
        for curves in self.curves(purpose, trainings):
            yield tuple(best_of(task, curve) for task, curve in zip(self.tasks, curves, strict=True))

    def own(
        self,
        purpose: str,
        candidates: Sequence[Candidate],
        *,
        base: Sequence[float],
        rates: Sequence[float] = RATES,
        stops: Sequence[Sequence[int]] | None = None,
        trials: int = TRIALS,
    ) -> list[Own]:
        """The learning rate and number of steps of the best mean over a few blocks, for each loss.

        A grid whose best lies at its edge is widened. Tasks that somebody else trains keep theirs.

        Args:
            purpose: which blocks.
            candidates: the losses.
            base: by task, what the rates are multiples of, itself times the task's learning rate.
            rates: the grid.
            stops: by task the numbers of steps; `STOPS` unless given.
            trials: blocks.
        """
        stops = stops or [self.stops(task) for task in self.tasks]
        if not any(isinstance(task, SupervisedTask) for task in self.tasks):
            # A function that trains takes neither a rate nor steps, so nothing is spent on a grid.
            own = Own(tuple(base), tuple(task.settings.steps for task in self.tasks))
            return [own] * len(candidates)
        means: list[dict[float, list[list[float]]]] = [{} for _ in candidates]
        wanted = [list(rates) for _ in candidates]
        # The grid, then at most WIDENED rounds of one rate beyond either end.
        for _ in range(WIDENED + 1):
            asked = [(i, rate) for i, row in enumerate(wanted) for rate in row]
            if not asked:
                break
            trainings = [
                Training(candidates[i], block, self._rates(base, rate), tuple(map(tuple, stops)))
                for block in range(trials)
                for i, rate in asked
            ]
            curves = list(self.curves(purpose, trainings))
            for place, (i, rate) in enumerate(asked):
                # Trainings run block by block, so the trials of one loss at one rate lie a stride of `asked` apart.
                means[i][rate] = self._means(curves[place :: len(asked)])
            wanted = [_wider(self._best_rates(row)) for row in means]
        return [self._own(row, base, stops) for row in means]

    def stops(self, task: Task) -> list[int]:
        """The numbers of steps that are tried on a task; one where somebody else trains."""
        if not isinstance(task, SupervisedTask):
            return [task.settings.steps]
        # A set: of few steps some shares round to one number.
        return sorted({max(1, round(share * task.settings.steps)) for share in STOPS})

    def _rates(self, base: Sequence[float], rate: float) -> tuple[float, ...]:
        return tuple(
            each * rate if isinstance(task, SupervisedTask) else 1.0
            for task, each in zip(self.tasks, base, strict=True)
        )

    def _means(self, curves: Sequence[Sequence[Curve]]) -> list[list[float]]:
        """By task and stop the mean fitness over the trials, infinite where one diverged."""
        return [
            [
                # A rate at which one trial diverges is no rate to recommend, however good the others.
                statistics.fmean(
                    math.inf if value is None else task.measure.fitness(value) for value in at_stop
                )
                for at_stop in zip(*by_trial, strict=True)
            ]
            for task, by_trial in zip(self.tasks, zip(*curves, strict=True), strict=True)
        ]

    def _best_rates(self, means: Mapping[float, list[list[float]]]) -> tuple[list[float], set[float]]:
        """The grid so far, and the best rate of each supervised task; others keep their own."""
        best = {
            # On ties the rate nearest to the base: where everything diverged, the grid is not widened for nothing.
            min(means, key=lambda rate: (min(means[rate][t]), abs(math.log(rate))))
            for t, task in enumerate(self.tasks)
            if isinstance(task, SupervisedTask)
        }
        return sorted(means), best

    def _own(
        self, means: Mapping[float, list[list[float]]], base: Sequence[float], stops: Sequence[Sequence[int]]
    ) -> Own:
        grid = sorted(means)
        rates, steps, edge = [], [], False
        for t, task in enumerate(self.tasks):
            if not isinstance(task, SupervisedTask):
                rates.append(1.0)
                steps.append(task.settings.steps)
                continue
            rate, i = min(
                ((rate, i) for rate in grid for i in range(len(stops[t]))),
                # On ties fewer steps, then the rate nearest to the base.
                key=lambda place: (means[place[0]][t][place[1]], place[1], abs(math.log(place[0]))),
            )
            rates.append(base[t] * rate)
            steps.append(stops[t][i])
            # After the last round the best may still lie at an end, which users are told.
            edge = edge or rate in (grid[0], grid[-1])
        return Own(tuple(rates), tuple(steps), edge)


def _wider(found: tuple[list[float], set[float]]) -> list[float]:
    grid, best = found
    wider = []
    # Both ends are possible: with several tasks each has its own best rate.
    if grid[0] in best:
        wider.append(float(f"{grid[0] / 3:.3g}"))
    if grid[-1] in best:
        wider.append(float(f"{grid[-1] * 3:.3g}"))
    return wider


STAGES = {
    "settle": "learning rate and steps of the ordinary loss", "zoo": "learning rates of the zoo",
    "evidence": "training", "training": "training", "rates": "learning rates of the finalists",
    "final": "final blocks", "snap": "rounder numbers", "test": "test data",
}  # fmt: skip
"""How progress messages name each purpose."""

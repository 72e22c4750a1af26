"""What `fewshot` hands back: how well tasks of unseen classes are learned, task by task and seed by seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scipy.stats import t as student

from symloss.compare.comparison import finite
from symloss.errors import RunError
from symloss.meta.fewshot import METRICS, FewShotSettings

if TYPE_CHECKING:
    from symloss.meta.fewshot import FewShotModel

__all__ = ["FewShot", "SeedScores", "interval_of"]

_NORMAL = 1.96
"""Standard errors to each side of a 95 % interval over tasks, which are hundreds."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class SeedScores:
    """One training.

    Attributes:
        seed: of weights, batches and training episodes.
        best_step: meta-steps after which validation was best: those weights are judged.
        history: meta-steps, and the mean score of the validation tasks after them.
        tasks: the score of each test task after 0, 1, ... inner steps; the same tasks for every learner and seed.
        train_tasks: likewise of tasks of the training classes, where they were asked for.
        formula: the learned loss before a task modulates it, where it is one.
        stopped: why training ended early, or `""`.
    """

    seed: int
    best_step: int
    history: tuple[tuple[int, float], ...]
    tasks: tuple[tuple[float, ...], ...]
    train_tasks: tuple[tuple[float, ...], ...] = ()
    formula: str | None = None
    stopped: str = ""

    @property
    def scores(self) -> tuple[float, ...]:
        """Of each test task, after its last inner step."""
        return tuple(each[-1] for each in self.tasks)

    @property
    def mean(self) -> float:
        """Over the test tasks."""
        return statistics.fmean(self.scores)

    @property
    def interval(self) -> Interval | None:
        """Of the mean, 95 %, over tasks."""
        return interval_of(self.scores)

    @property
    def before(self) -> float:
        """The mean without adaptation."""
        return statistics.fmean(each[0] for each in self.tasks)

    @property
    def curve(self) -> tuple[tuple[float, Interval | None], ...]:
        """Mean and interval after 0, 1, ... inner steps."""
        columns = list(zip(*self.tasks, strict=True))
        return tuple((statistics.fmean(column), interval_of(column)) for column in columns)

    @property
    def train(self) -> float | None:
        """The mean over tasks of the training classes."""
        return statistics.fmean(each[-1] for each in self.train_tasks) if self.train_tasks else None

    @property
    def gap(self) -> float | None:
        """Tasks of training classes minus tasks of test classes, in units of the metric: meta-overfitting."""
        return None if self.train is None else self.train - self.mean

    def worse(self, greater_is_better: bool) -> float:
        """The share of test tasks on which the learner is worse after adaptation than before."""
        sign = 1 if greater_is_better else -1
        return statistics.fmean(sign * each[-1] < sign * each[0] for each in self.tasks)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` reads it back."""
        return {
            "seed": self.seed, "best_step": self.best_step, "formula": self.formula, "stopped": self.stopped,
            "history": [list(each) for each in self.history], "tasks": [list(each) for each in self.tasks],
            "train_tasks": [list(each) for each in self.train_tasks],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SeedScores:
        """What `to_dict` wrote.

        Raises:
            RunError: for anything else.
        """
        try:
            return cls(
                int(data["seed"]), int(data["best_step"]), _history(data["history"]), _table(data["tasks"]),
                _table(data["train_tasks"]), data["formula"], str(data["stopped"]),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"no few-shot scores can be read: {type(error).__name__} {error}") from None


@dataclass(frozen=True)
class FewShot:
    """A few-shot learner, trained from one seed or several: finished or as far as it came.

    Attributes:
        path: the run's folder, or None when it was kept in memory.
        status: `"finished"`, `"interrupted"`, `"running"`, or `"stopped"` where a number was not finite.
        task: what the source of episodes `describe()`s.
        settings: everything that decides what the learner becomes, but data and seeds.
        seed: the first of the seeds.
        seeds: the trainings that are finished.
        begun: meta-steps and validation of a training that is not.
        models: what the trainings came to, in their order.
    """

    path: Path | None
    status: str
    task: Mapping[str, Any]
    settings: FewShotSettings
    seed: int
    seeds: tuple[SeedScores, ...] = ()
    begun: tuple[tuple[int, float], ...] = ()
    models: tuple[FewShotModel, ...] = ()

    @property
    def metric(self) -> str:
        """What a task is judged by: `accuracy` or `mse`, on its queries."""
        return METRICS[str(self.task["kind"])]

    @property
    def greater_is_better(self) -> bool:
        """Whether a higher score is a better one."""
        return self.metric == "accuracy"

    @cached_property
    def scores(self) -> tuple[float, ...]:
        """Of each test task, the mean over the seeds."""
        return tuple(
            statistics.fmean(each) for each in zip(*(seed.scores for seed in self.seeds), strict=True)
        )

    @property
    def mean(self) -> float | None:
        """Over tasks and seeds."""
        return statistics.fmean(self.scores) if self.seeds else None

    @property
    def task_interval(self) -> Interval | None:
        """Of the mean, 95 %, over tasks: these seeds, other tasks."""
        return interval_of(self.scores) if self.seeds else None

    @property
    def interval(self) -> Interval | None:
        """Of the mean, 95 %: over seeds, by Student's t, where there are several; else over tasks."""
        if len(self.seeds) < 2:
            return self.task_interval
        means = [each.mean for each in self.seeds]
        half = student.ppf(0.975, len(means) - 1) * statistics.stdev(means) / len(means) ** 0.5
        return (statistics.fmean(means) - float(half), statistics.fmean(means) + float(half))

    @property
    def before(self) -> float | None:
        """The mean without adaptation."""
        return statistics.fmean(each.before for each in self.seeds) if self.seeds else None

    @property
    def gap(self) -> float | None:
        """Tasks of training classes minus tasks of test classes, the mean over seeds."""
        gaps = [each.gap for each in self.seeds]
        return (
            statistics.fmean(each for each in gaps if each is not None) if gaps and None not in gaps else None
        )

    @property
    def worse(self) -> float | None:
        """The share of test tasks on which the learner is worse after adaptation than before."""
        if not self.seeds:
            return None
        return statistics.fmean(each.worse(self.greater_is_better) for each in self.seeds)

    @property
    def history(self) -> tuple[tuple[int, float], ...]:
        """Meta-steps, and validation after them: the mean over seeds, or of the training that is going on."""
        if not self.seeds:
            return self.begun
        by_step: dict[int, list[float]] = {}
        for seed in self.seeds:
            for step, value in seed.history:
                by_step.setdefault(step, []).append(value)
        return tuple((step, statistics.fmean(values)) for step, values in sorted(by_step.items()))

    @property
    def curve(self) -> tuple[tuple[float, Interval | None], ...]:
        """Mean and interval over tasks after 0, 1, ... inner steps, each task's score the mean over seeds."""
        rows = [[statistics.fmean(cell) for cell in zip(*each, strict=True)]
                for each in zip(*(seed.tasks for seed in self.seeds), strict=True)]  # fmt: skip
        return tuple((statistics.fmean(column), interval_of(column)) for column in zip(*rows, strict=True))

    @property
    def model(self) -> FewShotModel:
        """What the first training came to.

        Raises:
            RunError: when none is finished.
        """
        if not self.models:
            raise RunError("no training is finished yet: go on with 'symloss resume'")
        return self.models[0]

    @property
    def notes(self) -> list[str]:
        """What limits the result."""
        said = [f"seed {each.seed}: {each.stopped}; judged with the weights after meta-step {each.best_step}"
                for each in self.seeds if each.stopped]  # fmt: skip
        settings = self.settings
        if settings.design.head == "shared" and settings.inner.test_steps == 1 and settings.ways > 1:
            said.append(
                "one inner step from a shared head moves the head alone: its gradient in the features is 0"
            )
        return said

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data, without the scores of single tasks; a number that is not finite is None."""
        settings = self.settings
        data = {
            "run": None if self.path is None else str(self.path), "status": self.status, "task": dict(self.task),
            "method": settings.method, "ways": settings.ways, "shots": settings.shots, "queries": settings.queries,
            "parts": list(settings.parts), "tasks": settings.tests.tasks, "metric": self.metric, "mean": self.mean,
            "interval": self.interval, "task_interval": self.task_interval, "before": self.before,
            "worse": self.worse, "gap": self.gap, "setting": settings.setting,
            "seeds": [self._seed(each) for each in self.seeds],
            "history": [{"step": step, "validation": value} for step, value in self.history],
            "curve": [{"inner_step": i, "mean": mean, "interval": interval}
                      for i, (mean, interval) in enumerate(self.curve)],
            "settings": settings.to_dict(), "notes": self.notes,
        }  # fmt: skip
        found: dict[str, Any] = finite(data)
        return found

    def _seed(self, each: SeedScores) -> dict[str, Any]:
        return {
            "seed": each.seed, "mean": each.mean, "interval": each.interval, "before": each.before,
            "worse": each.worse(self.greater_is_better), "train": each.train, "gap": each.gap,
            "best_step": each.best_step, "formula": each.formula, "stopped": each.stopped or None,
            "history": [{"step": step, "validation": value} for step, value in each.history],
        }  # fmt: skip

    def to_csv(self) -> str:
        """Every test task: `seed,task,before,step 1,...`."""
        steps = len(self.seeds[0].tasks[0]) - 1 if self.seeds else 0
        lines = [",".join(["seed", "task", "before", *(f"step {i}" for i in range(1, steps + 1))])]
        for seed in self.seeds:
            lines += [
                ",".join([str(seed.seed), str(number), *(f"{value:.10g}" for value in task)])
                for number, task in enumerate(seed.tasks)
            ]
        return "\n".join(lines) + "\n"


def interval_of(scores: Sequence[float]) -> Interval | None:
    """The mean plus and minus 1.96 standard errors; None of a single score.

    >>> tuple(round(end, 2) for end in interval_of([0.0, 1.0]))
    (-0.48, 1.48)
    """
    if len(scores) < 2 or not all(map(math.isfinite, scores)):
        return None
    mean = statistics.fmean(scores)
    half = _NORMAL * statistics.stdev(scores) / len(scores) ** 0.5
    return (mean - half, mean + half)


def _history(data: Sequence[Any]) -> tuple[tuple[int, float], ...]:
    return tuple((int(step), float(value)) for step, value in data)


def _table(data: Sequence[Any]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, each)) for each in data)

"""A task whose training is somebody else's: any trainer as a black box."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import Any, NoReturn, Self

import torch
from torch import Tensor

from symloss.errors import RunError, TaskError
from symloss.expr import Loss
from symloss.numbers import as_real
from symloss.runs import Overrun, call_limited
from symloss.tasks.given import whole
from symloss.tasks.task import Block, Task, block_numbers
from symloss.tasks.train.loop import InstanceLoss
from symloss.tasks.train.metrics import AnyMetric, Metric, get_metric
from symloss.tasks.train.settings import TrainingSettings

__all__ = ["BlackBoxTask", "TrainEval", "reported"]

TrainEval = Callable[[Any, int, int], Mapping[str, float]]


def reported(name: str, greater_is_better: bool) -> Metric:
    """A metric that is known by its name and direction alone: a trainer reports it, nothing here computes it."""
    return Metric(name, _not_computed, greater_is_better)


def _not_computed(outputs: Tensor, targets: Tensor) -> NoReturn:
    raise TaskError("the metric is reported by the function of the user: use score")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class BlackBoxTask(Task):
    """A task that can only be scored: it wraps `train_eval(loss_module, seed, budget) -> {"metric": float, ...}`.

    Attributes:
        train_eval: trains a model of its own and reports.
        time_limit: seconds that one training may take; with a limit it runs in a process of its own.
    """

    train_eval: TrainEval
    time_limit: float = math.inf

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of the kind and of where the function is defined; its data are not known."""
        return hashlib.sha256(f"{self.kind} {self.facts['source']}".encode()).hexdigest()

    def __repr__(self) -> str:
        return f"<Task {self.name}: {self.kind}, trained by a function, {self.metric}>"

    def describe(self) -> dict[str, Any]:
        """See `Task.describe`; `sizes` and `model` are the function's own business, so None."""
        return {
            "name": self.name,
            "kind": self.kind,
            "metric": self.metric,
            "greater_is_better": self.measure.greater_is_better,
            "classes": self.classes,
            "sizes": None,
            "model": None,
            "settings": asdict(self.settings),
            "fingerprint": self.fingerprint,
            **self.facts,
        }

    def to(self, device: torch.device | str) -> Self:
        """The task itself: where its data are is up to the function."""
        return self

    def block(self, run_seed: int, number: int, val_size: float | None = None, folds: int = 0) -> Block[Self]:
        """See `Task.block`: the seed alone differs."""
        run_seed, number, val_size, folds = block_numbers(run_seed, number, val_size, folds)
        return self._as_it_is(run_seed, number, val_size, folds, "the function has data of its own")

    def score(
        self,
        loss: InstanceLoss | Loss,
        *,
        seed: int,
        settings: TrainingSettings | None = None,
        split: str = "val",
        metrics: Sequence[AnyMetric] | None = None,
    ) -> dict[str, float]:
        """What the function reports after training with this loss.

        The key `"metric"` (or the metric's own name) is its validation result, `"test"` and `"train"` those on other
        rows; a split or metric that it does not report is NaN.

        Raises:
            TaskError: for an unknown split, or when the function fails, takes too long, or returns something else.
        """
        seed = whole("seed", seed)
        if split not in ("train", "val", "test"):
            raise TaskError(f"split {split!r}: expected train, val or test")
        # Counted before the call: a training that fails has had its look at the part all the same.
        self.ledger[split] += 1
        found = self._run(loss, seed, settings or self.settings)
        if split != "val":
            return {self.metric: found.get(split, math.nan)}
        values = {self.metric: self._primary(found)}
        for metric in metrics or ():
            name = metric if isinstance(metric, str) else get_metric(metric).name
            values.setdefault(name, found.get(name, math.nan))
        return values

    def score_parts(
        self, loss: InstanceLoss | Loss, *, seed: int, settings: TrainingSettings | None = None
    ) -> tuple[float, float]:
        """See `Task.score_parts`; NaN for a test result that is not reported."""
        seed = whole("seed", seed)
        self.ledger.update(("val", "test"))
        metrics = self._run(loss, seed, settings or self.settings)
        return self._primary(metrics), metrics.get("test", math.nan)

    def score_steps(
        self,
        loss: InstanceLoss | Loss,
        steps: Sequence[int],
        *,
        seed: int,
        settings: TrainingSettings | None = None,
    ) -> list[float]:
        """See `Task.score_steps`: a training for each, as nothing can be seen on the way."""
        budgets = [replace(settings or self.settings, steps=step) for step in steps]
        return [self.score(loss, seed=seed, settings=budget)[self.metric] for budget in budgets]

    def _primary(self, found: Mapping[str, float]) -> float:
        return found.get(self.metric, found.get("metric", math.nan))

    def _run(self, loss: InstanceLoss | Loss, seed: int, settings: TrainingSettings) -> Mapping[str, float]:
        """What the function reports, in this process or, with a time limit, in one that can be ended."""
        module = loss.to_torch() if isinstance(loss, Loss) else loss
        if math.isinf(self.time_limit):
            # In this process: a function may keep data, or a GPU, between calls.
            return self._report(module, seed, settings.steps)
        # CUDA does not survive a fork, nor do other systems' own libraries.
        fresh = torch.cuda.is_available() or sys.platform != "linux"
        work = partial(self._answer, module, seed, settings.steps)
        try:
            answer = call_limited(work, self.time_limit, fresh=fresh)
        except Overrun:
            raise TaskError(f"{self.name} took longer than its limit of {self.time_limit:g} s") from None
        except RunError as error:
            raise TaskError(f"{self.name} failed: {error}") from None
        if "problem" in answer:
            raise TaskError(answer["problem"])
        metrics: Mapping[str, float] = answer["found"]
        return metrics

    def _answer(self, module: Any, seed: int, steps: int) -> dict[str, Any]:
        """`_report` as JSON can have it, in the process that is made for it."""
        # The threads of this library do not survive a fork; a search trains on one anyway.
        torch.set_num_threads(1)
        try:
            return {"found": self._report(module, seed, steps)}
        except TaskError as error:
            hint = ""
            if "forked subprocess" in str(error):
                hint = (
                    ": define the function at the top of a module, so that it can be sent to a fresh process"
                )
            return {"problem": f"{error}{hint}"}

    def _report(self, module: Any, seed: int, steps: int) -> dict[str, float]:
        """The numbers that the function reports."""
        try:
            returned = self.train_eval(module, seed, steps)
        except Exception as error:
            raise TaskError(f"{self.name} failed with {type(error).__name__}: {error}") from error
        needed = {"metric", self.metric}
        if not isinstance(returned, Mapping) or not needed & set(returned):
            got = sorted(map(str, returned)) if isinstance(returned, Mapping) else type(returned).__name__
            raise TaskError(f'{self.name} returned {got}: expected {{"metric": float, ...}}')
        numbers = {}
        for name, value in returned.items():
            number = as_real(value)
            if number is not None:
                numbers[str(name)] = number
            elif name in {*needed, "test"}:
                raise TaskError(f"{self.name} reported {value!r} as {name}: expected a number")
        return numbers

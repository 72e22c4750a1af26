"""A task whose training is somebody else's: any trainer as a black box."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from symloss.deadline import OutOfTime, time_limit
from symloss.errors import TaskError
from symloss.expr import KINDS, Loss
from symloss.tasks.data.parts import Split
from symloss.tasks.task import Task
from symloss.tasks.train.loop import InstanceLoss
from symloss.tasks.train.metrics import METRICS, AnyMetric, Metric, get_metric
from symloss.tasks.train.settings import TrainingSettings

__all__ = ["BlackBoxTask", "TrainEval", "from_function"]

TrainEval = Callable[[Any, int, int], Mapping[str, float]]
_ANY_TRAINER = "this task trains by a function of the user: use score"


def _no_model() -> nn.Module:
    raise TaskError(f"no model here: {_ANY_TRAINER}")


def _reported(outputs: Tensor, targets: Tensor) -> NoReturn:
    raise TaskError(f"the metric comes from the trainer: {_ANY_TRAINER}")


@dataclass(frozen=True, eq=False, repr=False)
class BlackBoxTask(Task):
    """A task that can only be scored: `train_eval(loss_module, seed, budget) -> {"metric": float, ...}`."""

    train_eval: TrainEval | None = None
    time_limit: float = math.inf

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of the kind and of where the function is defined; its data are not known."""
        return hashlib.sha256(f"{self.kind} {self.facts['source']}".encode()).hexdigest()

    def __repr__(self) -> str:
        return f"<Task {self.name}: {self.kind}, trained by a function, {self.metric}>"

    def fit(self, loss: Any, **options: Any) -> NoReturn:
        """Not possible; see `score`."""
        raise TaskError(f"no gradients here: {_ANY_TRAINER}")

    def evaluate(self, model: Any, *arguments: Any, **options: Any) -> NoReturn:
        """Not possible; see `score`."""
        raise TaskError(f"no model here: {_ANY_TRAINER}")

    def with_model(self, model: Any) -> NoReturn:
        """Not possible: the function makes the model."""
        raise TaskError("the model is made by the function of the user: change it there")

    def with_metric(self, metric: Any, greater_is_better: bool = False) -> NoReturn:
        """Not possible: the function reports the metric."""
        raise TaskError("the metric is reported by the function of the user: name it in from_function")

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

        The key `"metric"` (or the metric's own name) is its validation result, `"test"` its test result;
        a split or metric that it does not report is NaN.

        Raises:
            TaskError: when the function fails, takes too long, or returns something else.
        """
        assert self.train_eval is not None
        module = loss.to_torch() if isinstance(loss, Loss) else loss
        self.ledger[split] += 1
        try:
            with nullcontext() if math.isinf(self.time_limit) else time_limit(self.time_limit):
                found = self.train_eval(module, seed, (settings or self.settings).steps)
        except OutOfTime:
            raise TaskError(f"{self.name} took longer than its limit of {self.time_limit:g} s") from None
        except Exception as error:
            raise TaskError(f"{self.name} failed with {type(error).__name__}: {error}") from error
        if not isinstance(found, Mapping) or not {"metric", self.metric} & set(found):
            got = sorted(found) if isinstance(found, Mapping) else type(found).__name__
            raise TaskError(f'{self.name} returned {got}: expected {{"metric": float, ...}}')
        if split == "test":
            return {self.metric: _number(found.get("test", math.nan))}
        values = {self.metric: _number(found.get(self.metric, found.get("metric", math.nan)))}
        for metric in metrics or ():
            name = metric if isinstance(metric, str) else get_metric(metric).name
            values.setdefault(name, _number(found.get(name, math.nan)))
        return values


def from_function(
    train_eval: TrainEval,
    *,
    kind: str,
    metric: str,
    greater_is_better: bool | None,
    classes: int | None,
    name: str | None,
    settings: TrainingSettings | None,
    time_limit: float | None,
) -> Task:
    """See `Task.from_function`."""
    if kind not in KINDS:
        raise TaskError(f"unknown kind {kind!r}: expected one of {', '.join(KINDS)}")
    if not callable(train_eval):
        raise TaskError(f"train_eval is a {type(train_eval).__name__}: expected (loss, seed, budget) -> dict")
    if time_limit is not None and not time_limit > 0:
        raise TaskError(f"time limit {time_limit}: expected a positive number of seconds, or None")
    known = METRICS.get(metric)
    better = bool(known and known.greater_is_better) if greater_is_better is None else greater_is_better
    where = f"{getattr(train_eval, '__module__', '?')}:{getattr(train_eval, '__qualname__', '?')}"
    nothing = Split(torch.empty(0), torch.empty(0))
    notes = ["trained by a function of the user: no gradients through training, no tuning of coefficients"]
    if kind != "regression" and classes is None:
        notes.append("number of classes not given: 2 assumed")
    return BlackBoxTask(
        name=name or str(getattr(train_eval, "__name__", "function")),
        kind=kind,
        measure=Metric(metric, _reported, better),
        train=nothing,
        val=nothing,
        _test=nothing,
        classes=None if kind == "regression" else classes or 2,
        factory=_no_model,
        settings=settings or TrainingSettings(),
        facts={"source": where, "notes": notes, "origin": None},
        has_gradients=False,
        train_eval=train_eval,
        time_limit=math.inf if time_limit is None else time_limit,
    )


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TaskError(f"the trainer reported {value!r}: expected a number") from None

"""A task: data, model, metric and training settings, the thing a loss is for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from symloss.errors import TaskError
from symloss.expr import Loss, parse
from symloss.tasks.data.parts import Split
from symloss.tasks.describe import describe, fingerprint
from symloss.tasks.makers import Makers
from symloss.tasks.train.augment import Augmentation, augmentation
from symloss.tasks.train.formulas import for_training
from symloss.tasks.train.loop import InstanceLoss, StepHook, batch_order, output_shape, predict, seeded, train
from symloss.tasks.train.metrics import AnyMetric, Metric, check_defined, get_metric
from symloss.tasks.train.models import ModelFactory, architecture
from symloss.tasks.train.objectives import BASE_LOSSES, ordinary
from symloss.tasks.train.settings import TrainingSettings

__all__ = ["Task"]


@dataclass(frozen=True, eq=False, repr=False)
class Task(Makers):
    """What a loss is for: data in three disjoint parts, a model, a metric and training settings.

    Made by `load_task`, `load_csv`, `from_arrays`, `from_loaders` or `from_function`. The test part is
    reached through `evaluate(model, split="test")` alone, and `test_evaluations` counts how often.

    Attributes:
        name: what it is called.
        kind: `"classification"`, `"multilabel"` or `"regression"`.
        metric: name of the primary metric.
        train, val: the parts that a search may look at.
        classes: number of classes or of labels; None for regression.
        settings: how the model is trained.
        priors: share of each class (of each label's ones) among the training labels, float32 `[C]`, in
            (0, 1): with an absent class each counts one more. None for regression.
        has_gradients: whether the library trains the model itself, so that gradients through it exist.
    """

    name: str
    kind: str
    measure: Metric
    train: Split
    val: Split
    _test: Split
    classes: int | None
    factory: ModelFactory
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    priors: Tensor | None = None
    augment: str | Augmentation | None = None
    objective: InstanceLoss | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    ledger: Counter[str] = field(default_factory=Counter)
    has_gradients: bool = True

    @property
    def metric(self) -> str:
        """Name of the primary metric."""
        return self.measure.name

    @property
    def device(self) -> torch.device:
        """Where the data are."""
        return self.train.X.device

    @property
    def inputs(self) -> tuple[int, ...]:
        """Shape of one instance."""
        return tuple(self.train.X.shape[1:])

    @property
    def test_evaluations(self) -> int:
        """How often the test part was evaluated, by this task and those derived from it, in this process."""
        return self.ledger["test"]

    @property
    def test_size(self) -> int:
        """Number of test instances."""
        return len(self._test)

    def __repr__(self) -> str:
        sizes = f"{len(self.train)}/{len(self.val)}/{len(self._test)}"
        return f"<Task {self.name}: {self.kind}, {sizes} instances, {self.metric}>"

    def build_model(self, seed: int) -> nn.Module:
        """A fresh model, the same for the same seed; torch's global random state is left as it was.

        Its outputs are `[N, C]` (classification), `[N, K]` (multilabel) or `[N]` (regression).
        """
        with seeded(seed):
            model = self.factory()
        if self.kind == "regression":
            model = nn.Sequential(model, nn.Flatten(0))
        return model.to(self.device)

    def batches(self, seed: int, steps: int, batch_size: int | None = None, split: str = "train") -> Tensor:
        """Row indices of each step, int64 `[steps, batch]`; one order for all candidates.

        Each epoch is a permutation of its own, and incomplete batches are dropped. A part smaller than the
        batch size is one batch.

        Args:
            seed: of the order; nothing else decides it.
            steps: number of batches.
            batch_size: that of `settings` unless given.
            split: `"train"` or `"val"`.
        """
        part = {"train": self.train, "val": self.val}.get(split)
        if part is None:
            raise TaskError(f"batches of {split!r}: expected train or val")
        return batch_order(len(part), seed, steps, batch_size or self.settings.batch_size)

    def minibatches(
        self, seed: int, steps: int, batch_size: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Training batches `(X, y)` in the order of `batches`, augmented when the task augments."""
        generator = torch.Generator().manual_seed((seed + 1) % 2**63)
        for rows in self.batches(seed, steps, batch_size):
            inputs = self.train.X[rows]
            if self.augment:
                inputs = augmentation(self.augment)(inputs, generator)
            yield inputs, self.train.y[rows]

    def fit(
        self,
        loss: InstanceLoss | Loss,
        *,
        seed: int,
        settings: TrainingSettings | None = None,
        on_step: StepHook | None = None,
    ) -> nn.Module:
        """A fresh model trained on the training part with this loss.

        SGD with Nesterov momentum and weight decay; dropout and batch normalisation are in training mode.
        The same seed gives the same start, batches and dropout whatever the loss. A model that diverges is
        returned as it is: its metrics are NaN.

        Args:
            loss: a formula, or a function of `(outputs, targets)` that returns a scalar. In a formula `pi` is
                the class prior and `w` the weight of the instance.
            seed: of initialisation and batch order.
            settings: those of the task unless given.
            on_step: called as `on_step(step, model)` after each step, from 1; False ends training.

        >>> import symloss.tasks as tasks
        >>> task = tasks.load_task("wine")
        >>> model = task.fit(task.base_loss(), seed=0)
        >>> task.evaluate(model)["accuracy"] > 0.9
        True
        """
        chosen = settings or self.settings
        model = self.build_model(seed)
        with seeded(seed):
            return train(model, for_training(loss, self), self._weighted(seed, chosen), chosen, on_step)

    def _weighted(
        self, seed: int, settings: TrainingSettings
    ) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """`minibatches` with the weights of their instances."""
        order = (seed, settings.steps, settings.batch_size)
        for rows, (inputs, targets) in zip(self.batches(*order), self.minibatches(*order), strict=True):
            yield inputs, targets, None if self.train.w is None else self.train.w[rows]

    def evaluate(
        self,
        model: nn.Module,
        split: str = "val",
        metrics: Sequence[AnyMetric] | None = None,
    ) -> dict[str, float]:
        """Metrics of a model on one part, by name; NaN when an output is not finite.

        Args:
            model: as `fit` returns it; evaluated in evaluation mode, its mode restored.
            split: `"train"`, `"val"` or `"test"`; the last is counted in `test_evaluations`.
            metrics: names, `Metric`s or functions; the primary metric unless given.
        """
        part = {"train": self.train, "val": self.val, "test": self._test}.get(split)
        if part is None:
            raise TaskError(f"split {split!r}: expected train, val or test")
        chosen = [self.measure] if metrics is None else [get_metric(metric, self.kind) for metric in metrics]
        self.ledger[split] += 1
        outputs = predict(model, part.X)
        return {metric.name: metric(outputs, part.y) for metric in chosen}

    def score(
        self,
        loss: InstanceLoss | Loss,
        *,
        seed: int,
        settings: TrainingSettings | None = None,
        split: str = "val",
        metrics: Sequence[AnyMetric] | None = None,
    ) -> dict[str, float]:
        """`fit`, then `evaluate`: what works for every task, those of `from_function` included."""
        return self.evaluate(self.fit(loss, seed=seed, settings=settings), split, metrics)

    def meta_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The differentiable objective by which coefficients are tuned, a scalar; not the metric.

        Cross-entropy, binary cross-entropy or mean squared error, unless `with_objective` chose another.
        """
        if self.objective is not None:
            return self.objective(outputs, targets)
        return ordinary(self.kind, outputs, targets)

    def base_loss(self) -> Loss:
        """The ordinary loss of this kind: cross-entropy, binary cross-entropy or squared error."""
        return parse(BASE_LOSSES[self.kind], kind=self.kind)

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of the kind and of every number in the three parts."""
        return fingerprint(self)

    def describe(self) -> dict[str, Any]:
        """The task in words and numbers, JSON-ready; `origin` says how to make it again, or is None."""
        return describe(self)

    def with_model(self, model: str | ModelFactory) -> Task:
        """The same task with another model: a name, or a function without arguments that makes one.

        Raises:
            TaskError: for an unknown name, or a model whose outputs do not have the shape of the task.
        """
        outputs = self.classes or 1
        if isinstance(model, str):
            return replace(self, factory=architecture(model, self.inputs, outputs))
        if isinstance(model, nn.Module) or not callable(model):
            raise TaskError(
                f"model is a {type(model).__name__}: expected a name, or a function that makes a fresh model"
            )
        changed = replace(self, factory=model)
        shape = output_shape(changed.build_model(0), self.train.X[:2])
        expected = (2,) if self.kind == "regression" else (2, self.classes)
        if shape != expected:
            raise TaskError(f"the model's outputs for two instances have shape {shape}: expected {expected}")
        return changed

    def with_metric(self, metric: AnyMetric, greater_is_better: bool = False) -> Task:
        """The same task with another primary metric: a name, a `Metric`, or `(outputs, targets) -> float`.

        Raises:
            TaskError: for an unknown name, a metric of another kind of task, or one without a value here.
        """
        measure = get_metric(metric, self.kind, greater_is_better)
        check_defined(measure, self.val.y, self.classes)
        return replace(self, measure=measure)

    def with_objective(self, objective: InstanceLoss) -> Task:
        """The same task with another differentiable meta-objective `(outputs, targets) -> scalar`."""
        return replace(self, objective=objective)

    def with_settings(self, **changes: Any) -> Task:
        """The same task with some training settings changed.

        >>> from symloss.tasks import load_task
        >>> load_task("wine").with_settings(steps=10).settings.steps
        10
        """
        return replace(self, settings=replace(self.settings, **changes))

    def to(self, device: torch.device | str) -> Task:
        """The same task with its data on another device."""
        moved = {name: getattr(self, name).to(device) for name in ("train", "val", "_test")}
        return replace(self, **moved)

"""A task: data, model, metric and training settings, the thing a loss is for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from symloss.errors import TaskError
from symloss.expr import Loss, parse
from symloss.tasks.augment import Augmentation, augmentation
from symloss.tasks.describe import describe, fingerprint
from symloss.tasks.metrics import Metric, get_metric
from symloss.tasks.models import ModelFactory, architecture
from symloss.tasks.objectives import BASE_LOSSES, ordinary
from symloss.tasks.parts import Split
from symloss.tasks.settings import TrainingSettings
from symloss.tasks.training import InstanceLoss, StepHook, batch_order, predict, seeded, train

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    AnyMetric = str | Metric | Callable[[Tensor, Tensor], float]

__all__ = ["Task"]


@dataclass(frozen=True, eq=False, repr=False)
class Task:
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
        priors: share of each class (of each label's ones) among the training labels, float32 `[C]`, or None.
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
            loss: a formula, or a function of `(outputs, targets)` that returns a scalar.
            seed: of initialisation and batch order.
            settings: those of the task unless given.
            on_step: called as `on_step(step, model)` after each step, from 1; False ends training.

        >>> import symloss.tasks as tasks
        >>> task = tasks.load_task("wine")
        >>> model = task.fit(task.meta_loss, seed=0)
        >>> task.evaluate(model)["accuracy"] > 0.9
        True
        """
        chosen = settings or self.settings
        function = loss.to_torch() if isinstance(loss, Loss) else loss
        if isinstance(function, nn.Module):
            function = function.to(self.device)
        model = self.build_model(seed)
        with seeded(seed):
            batches = self.minibatches(seed, chosen.steps, chosen.batch_size)
            return train(model, function, batches, chosen, on_step)

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
        changed._check_outputs()
        return changed

    def with_metric(self, metric: AnyMetric, greater_is_better: bool = False) -> Task:
        """The same task with another primary metric: a name, a `Metric`, or `(outputs, targets) -> float`.

        Raises:
            TaskError: for an unknown name, or a metric of another kind of task.
        """
        return replace(self, measure=get_metric(metric, self.kind, greater_is_better))

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

    @classmethod
    def from_arrays(
        cls,
        X: ArrayLike,
        y: ArrayLike,
        *,
        kind: str,
        model: str | ModelFactory | None = None,
        metric: AnyMetric | None = None,
        groups: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        name: str = "arrays",
        seed: int = 0,
        label_noise: float = 0.0,
        imbalance: float | None = None,
        outliers: float = 0.0,
        settings: TrainingSettings | None = None,
        augment: str | Augmentation | None = None,
    ) -> Task:
        """A task of one's own arrays, split 60/20/20 and scaled by the training rows.

        Args:
            X: numbers `[N, F]`, or images `[N, channels, height, width]` (scaled per channel).
            y: labels of any kind `[N]`, 0/1 labels `[N, K]` (multilabel) or numbers `[N]`.
            kind: `"classification"`, `"multilabel"` or `"regression"`.
            model: a name, or a function without arguments that makes a fresh model; `mlp` unless given.
            metric: a name, a `Metric` or a function; accuracy, macro-F1 or mean squared error unless given.
            groups: group of each row; no group is in two parts.
            weights: weight of each row, what `w` in a formula means.
            name: what to call it.
            seed: of the split and the modifiers.
            label_noise, imbalance, outliers: see `load_task`.
            settings: of the training.
            augment: of training images: `crop`, `crop-flip`, or a function `(images, generator) -> images`.

        Raises:
            TaskError: for arrays, labels or options that do not fit.

        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(50, 3))
        >>> Task.from_arrays(X, X[:, 0] > 0, kind="classification")
        <Task arrays: classification, 30/10/10 instances, accuracy>
        """
        from symloss.tasks.arrays import from_arrays  # it builds on this module
        from symloss.tasks.assemble import assemble

        data = from_arrays(X, y, kind=kind, groups=groups, weights=weights, name=name)
        return assemble(
            data, model=model, metric=metric, seed=seed, label_noise=label_noise, imbalance=imbalance,
            outliers=outliers, settings=settings, augment=augment,
        )  # fmt: skip

    @classmethod
    def from_loaders(
        cls,
        train: Iterable[Any],
        val: Iterable[Any],
        test: Iterable[Any],
        *,
        model: str | ModelFactory,
        kind: str,
        metric: AnyMetric | None = None,
        classes: int | None = None,
        name: str = "loaders",
        settings: TrainingSettings | None = None,
        augment: str | Augmentation | None = None,
    ) -> Task:
        """A task of one's own data loaders, split as they are.

        Each is read once, into memory (at most 8 GiB), as batches `(inputs, targets)`. Inputs stay as they
        are; regression targets are standardised by the training part. What a data set draws at random is
        drawn once: for fresh draws give it as `augment`. The batch size is that of the training loader.

        Args:
            train, val, test: `DataLoader`s, or any iterables of batches.
            model: a name, or a function without arguments that makes a fresh model.
            kind: `"classification"` (class indices), `"multilabel"` (0/1, `[N, K]`) or `"regression"`.
            metric: a name, a `Metric` or a function; accuracy, macro-F1 or mean squared error unless given.
            classes: number of classes; the largest index plus one unless given.
            name: what to call it.
            settings: of the training; their batch size takes precedence.
            augment: of training inputs: `crop`, `crop-flip`, or `(inputs, generator) -> inputs`.

        Raises:
            TaskError: for loaders that give something else.

        >>> batches = [(torch.randn(8, 3), torch.arange(8) % 2)]
        >>> Task.from_loaders(batches, batches, batches, model="linear", kind="classification")
        <Task loaders: classification, 8/8/8 instances, accuracy>
        """
        from symloss.tasks.loaders import from_loaders  # it builds on this module

        return from_loaders(
            train, val, test, model=model, kind=kind, metric=metric, classes=classes, name=name,
            settings=settings, augment=augment,
        )  # fmt: skip

    @classmethod
    def from_function(
        cls,
        train_eval: Callable[[Any, int, int], Mapping[str, float]],
        *,
        kind: str,
        metric: str = "metric",
        greater_is_better: bool | None = None,
        classes: int | None = None,
        name: str | None = None,
        settings: TrainingSettings | None = None,
    ) -> Task:
        """A task of any trainer: `train_eval(loss_module, seed, budget) -> {"metric": float, ...}`.

        Such a task has no gradients through training: it can only be scored, and coefficients are not tuned.

        Args:
            train_eval: trains a model of its own with `loss_module(outputs, targets)`, seeded by `seed`, for
                `budget` optimiser steps. It returns its validation result as `"metric"` and, if it has one,
                its test result as `"test"`.
            kind: what `loss_module` expects: logits and classes, logits and 0/1 labels, or numbers.
            metric: what to call the result.
            greater_is_better: its direction; that of the metric of this name, else False.
            classes: number of classes or labels; 2 unless given.
            name: what to call the task; that of the function unless given.
            settings: `steps` is the budget.

        Raises:
            TaskError: for an unknown kind, or something that cannot be called.

        >>> task = Task.from_function(lambda loss, seed, budget: {"metric": 0.5}, kind="regression")
        >>> task.score(task.meta_loss, seed=0)
        {'metric': 0.5}
        """
        from symloss.tasks.blackbox import from_function  # it builds on this module

        return from_function(
            train_eval, kind=kind, metric=metric, greater_is_better=greater_is_better, classes=classes,
            name=name, settings=settings,
        )  # fmt: skip

    def _check_outputs(self) -> None:
        model = self.build_model(0)
        try:
            shape = tuple(predict(model, self.train.X[:2]).shape)
        except (RuntimeError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise TaskError(f"the model fails on inputs of shape {(2, *self.inputs)}: {reason}") from error
        expected = (2,) if self.kind == "regression" else (2, self.classes)
        if shape != expected:
            raise TaskError(f"the model's outputs for two instances have shape {shape}: expected {expected}")

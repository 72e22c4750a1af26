"""The ways to make a task of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from symloss.tasks.task import Task
    from symloss.tasks.train.augment import Augmentation
    from symloss.tasks.train.metrics import AnyMetric
    from symloss.tasks.train.models import ModelFactory
    from symloss.tasks.train.settings import TrainingSettings

__all__ = ["Makers"]


class Makers:
    """The constructors of `Task`; each imports what it needs, which builds on `Task` itself."""

    @staticmethod
    def from_arrays(
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
        >>> from symloss.tasks import Task
        >>> X = np.random.default_rng(0).normal(size=(50, 3))
        >>> Task.from_arrays(X, X[:, 0] > 0, kind="classification")
        <Task arrays: classification, 30/10/10 instances, accuracy>
        """
        from symloss.tasks.arrays import from_arrays
        from symloss.tasks.assemble import assemble

        data = from_arrays(X, y, kind=kind, groups=groups, weights=weights, name=name)
        return assemble(
            data, model=model, metric=metric, seed=seed, label_noise=label_noise, imbalance=imbalance,
            outliers=outliers, settings=settings, augment=augment,
        )  # fmt: skip

    @staticmethod
    def from_loaders(
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

        >>> import torch
        >>> from symloss.tasks import Task
        >>> batches = [(torch.randn(8, 3), torch.arange(8) % 2)]
        >>> Task.from_loaders(batches, batches, batches, model="linear", kind="classification")
        <Task loaders: classification, 8/8/8 instances, accuracy>
        """
        from symloss.tasks.loaders import from_loaders

        return from_loaders(
            train, val, test, model=model, kind=kind, metric=metric, classes=classes, name=name,
            settings=settings, augment=augment,
        )  # fmt: skip

    @staticmethod
    def from_function(
        train_eval: Callable[[Any, int, int], Mapping[str, float]],
        *,
        kind: str,
        metric: str = "metric",
        greater_is_better: bool | None = None,
        classes: int | None = None,
        name: str | None = None,
        settings: TrainingSettings | None = None,
        time_limit: float | None = None,
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
            time_limit: seconds that one training may take, after which the loss counts as failed; a single
                long operation in C is not interrupted. Results near the limit depend on the machine's speed.

        Raises:
            TaskError: for an unknown kind, something that cannot be called, or a limit that is not positive.

        >>> from symloss.tasks import Task
        >>> task = Task.from_function(lambda loss, seed, budget: {"metric": 0.5}, kind="regression")
        >>> task.score(task.meta_loss, seed=0)
        {'metric': 0.5}
        """
        from symloss.tasks.blackbox import from_function

        return from_function(
            train_eval, kind=kind, metric=metric, greater_is_better=greater_is_better, classes=classes,
            name=name, settings=settings, time_limit=time_limit,
        )  # fmt: skip

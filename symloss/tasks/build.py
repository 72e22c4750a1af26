"""The ways to make a task: by name, of a file, of arrays, of loaders, of a function."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from symloss.errors import TaskError
from symloss.expr import KINDS
from symloss.numbers import as_whole
from symloss.tasks.assemble import PAIRS, assemble
from symloss.tasks.black_box import BlackBoxTask, TrainEval, reported
from symloss.tasks.catalogue import lasting_name, read_task
from symloss.tasks.data.arrays import read_arrays, task_kind
from symloss.tasks.data.loaders import read_loaders
from symloss.tasks.data.parts import class_shares
from symloss.tasks.supervised import SupervisedTask
from symloss.tasks.task import Task
from symloss.tasks.train.augment import Augmentation
from symloss.tasks.train.metrics import AnyMetric, get_metric, greater_by_name
from symloss.tasks.train.models import ModelFactory, architecture
from symloss.tasks.train.settings import TrainingSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["from_arrays", "from_frame", "from_function", "from_loaders", "load_csv", "load_task"]


def load_task(
    name: str,
    *,
    label_noise: float = 0.0,
    imbalance: float | None = None,
    outliers: float = 0.0,
    target_scale: str | None = None,
    model: str | ModelFactory | None = None,
    metric: AnyMetric | None = None,
    seed: int = 0,
    settings: TrainingSettings | None = None,
    data: str | Path | None = None,
) -> SupervisedTask:
    """The task of a name, split 60/20/20 without leaks (or as published); test data are never modified.

    Args:
        name: one of `task_names()`, `keel:NAME`, or `folder:PATH` for class folders of images (with `train/` and
            `test/` inside, or not). After `pairs:` the task is to tell which of two rows has the higher target (or
            class), by a score of one row: a margin task, whose pairs are of rows of one part.
        label_noise: probability with which a training or validation label becomes another, in [0, 1]; of pairs, is
            flipped.
        imbalance: size of the largest class over that of the rarest, geometric between, >= 1 (training and
            validation).
        outliers: share of training and validation targets shifted by +-5 standard deviations, in [0, 1].
        target_scale: of a regression, by its training rows: `standard` (mean 0, standard deviation 1) unless
            given, `minmax` (from 0 to 1), or `none`.
        model: a name of `MODELS`, perhaps with sizes as in `mlp-2x64`, `preresnet-110` and `wideresnet-28-10`, or a
            function that makes a fresh model.
        metric: a name, a `Metric`, or `(outputs, targets) -> float`; accuracy, macro-F1 or mean squared
            error unless given.
        seed: of the split and the modifiers.
        settings: of the training.
        data: the folder of data files; `$SYMLOSS_DATA` or `~/.cache/symloss` unless given.

    Raises:
        TaskError: for an unknown name, absent data, or an option that does not fit.

    >>> load_task("diabetes")
    <Task diabetes: regression, 265/89/88 instances, mse>
    >>> load_task("pairs:diabetes", label_noise=0.2)
    <Task pairs:diabetes: margin, 2112/712/700 instances, pair-accuracy>
    """
    rows = name.removeprefix(PAIRS)
    return assemble(
        read_task(rows, data), model=model, metric=metric, seed=seed, label_noise=label_noise, imbalance=imbalance,
        outliers=outliers, target_scale=target_scale, settings=settings, paired=rows != name,
        origin={"load_task": {"name": f"{PAIRS * (rows != name)}{lasting_name(rows, data)}"}},
    )  # fmt: skip


def load_csv(
    path: str | Path,
    target: str,
    *,
    group: str | None = None,
    kind: str | None = None,
    weight: str | None = None,
    encoding: str = "utf-8",
    decimal: str | None = None,
    label_noise: float = 0.0,
    imbalance: float | None = None,
    outliers: float = 0.0,
    target_scale: str | None = None,
    model: str | ModelFactory | None = None,
    metric: AnyMetric | None = None,
    seed: int = 0,
    settings: TrainingSettings | None = None,
) -> SupervisedTask:
    """A task of a user's file, read into a data frame and taken from there as `Task.from_frame` does.

    CSV with a header, perhaps packed by gzip; any one character separates, and a first line `sep=;` may say
    which. Or Parquet, with `pip install 'symloss[parquet]'`.

    Args:
        path: the file, on this machine.
        target, group, kind, weight: see `Task.from_frame`.
        encoding: of the text, with a byte-order mark or without.
        decimal: `"."` or `","`; unless given, columns of decimal commas are recognised where `;` separates.
        label_noise, imbalance, outliers, target_scale, model, metric, seed, settings: see `load_task`.

    Raises:
        TaskError: for a file, a column or a target that cannot be used.
    """
    # pandas and scikit-learn take two seconds to import: only when a table is asked for.
    from symloss.tasks.data.frame import read_frame
    from symloss.tasks.data.table import read_table

    frame, notes = read_table(path, encoding=encoding, decimal=decimal)
    found = read_frame(
        frame, target, group=group, kind=kind, weight=weight, name=Path(Path(path).name.removesuffix(".gz")).stem,
        source=str(path), notes=notes,
    )  # fmt: skip
    origin = {
        "path": str(Path(path).absolute()), "target": target, "group": group, "kind": kind, "weight": weight,
        "encoding": encoding, "decimal": decimal,
    }  # fmt: skip
    return assemble(
        found, target_scale=target_scale, model=model, metric=metric, seed=seed, label_noise=label_noise,
        imbalance=imbalance, outliers=outliers, settings=settings, origin={"load_csv": origin},
    )  # fmt: skip


def from_frame(
    frame: pd.DataFrame,
    target: str | Sequence[str],
    *,
    group: str | None = None,
    kind: str | None = None,
    weight: str | None = None,
    model: str | ModelFactory | None = None,
    metric: AnyMetric | None = None,
    name: str = "frame",
    seed: int = 0,
    label_noise: float = 0.0,
    imbalance: float | None = None,
    outliers: float = 0.0,
    target_scale: str | None = None,
    settings: TrainingSettings | None = None,
) -> SupervisedTask:
    """A task of a table that the user brings, split 60/20/20 and prepared by the training rows alone.

    Missing values (pandas' spellings, `?` and `none`), text, booleans, dates and constant columns are handled
    as `describe()["notes"]` says. Rows without a target are left out. Labels and groups are compared as they
    are written: 01 and 1 are two. Without groups each class is in each part in proportion (stratified); with
    groups as far as whole groups allow.

    Args:
        frame: one row for each instance; its index is not read.
        target: the column to predict; several (in a list, or separated by commas) are 0/1 labels, multilabel.
        group: a column whose groups are never in two parts; it is no feature.
        kind: of the task. Unless given: classification when the target is text, has two values, or few
            different whole numbers (at most 20 and one for each 20 rows), else regression.
        weight: a column of instance weights, what `w` in a formula means; it is no feature.
        name: what to call it.
        model, metric, seed, label_noise, imbalance, outliers, target_scale, settings: see `load_task`.

    Raises:
        TaskError: for a column or a target that cannot be used.

    >>> import pandas as pd
    >>> from symloss.tasks import Task
    >>> frame = pd.DataFrame({"size": range(50), "city": ["Rome", "Oslo"] * 25, "price": range(100, 150)})
    >>> Task.from_frame(frame, target="price")
    <Task frame: regression, 30/10/10 instances, mse>
    """
    # pandas and scikit-learn take two seconds to import: only when a table is asked for.
    from symloss.tasks.data.frame import read_frame

    return assemble(
        read_frame(frame, target, group=group, kind=kind, weight=weight, name=name),
        target_scale=target_scale, model=model, metric=metric, seed=seed, label_noise=label_noise,
        imbalance=imbalance, outliers=outliers, settings=settings,
    )  # fmt: skip


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
    target_scale: str | None = None,
    settings: TrainingSettings | None = None,
    augment: str | Augmentation | None = None,
) -> SupervisedTask:
    """A task of arrays that the user brings, split 60/20/20 and scaled by the training rows.

    Args:
        X: numbers `[N, F]`, or images `[N, channels, height, width]` (scaled per channel).
        y: labels of any kind `[N]`, 0/1 labels `[N, K]` (multilabel), numbers `[N]` or 0/1 targets `[N]` (margin); rows
            where it is missing are left out.
        kind: `"classification"`, `"multilabel"`, `"regression"` or `"margin"`.
        model: a name, or a function without arguments that makes a fresh model; `mlp` unless given.
        metric: a name, a `Metric` or a function; accuracy, macro-F1 or mean squared error unless given.
        groups: group of each row; no group is in two parts.
        weights: weight of each row, what `w` in a formula means.
        name: what to call it.
        seed: of the split and the modifiers.
        label_noise, imbalance, outliers, target_scale: see `load_task`.
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
    data = read_arrays(X, y, kind=kind, groups=groups, weights=weights, name=name)
    return assemble(
        data, model=model, metric=metric, seed=seed, label_noise=label_noise, imbalance=imbalance,
        outliers=outliers, target_scale=target_scale, settings=settings, augment=augment,
    )  # fmt: skip


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
) -> SupervisedTask:
    """A task of data loaders that the user brings, split as they are.

    Each is read once, into memory (at most 8 GiB), as batches `(inputs, targets)`. Inputs stay as they
    are; regression targets are standardised by the training part. What a data set draws at random is
    drawn once: for fresh draws give it as `augment`. The batch size is that of the training loader.

    Args:
        train, val, test: `DataLoader`s, or any iterables of batches.
        model: a name, or a function without arguments that makes a fresh model.
        kind: `"classification"` (class indices), `"multilabel"` (0/1, `[N, K]`), `"regression"` or `"margin"` (0/1).
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
    loaded = read_loaders(train, val, test, kind, number_of_classes(classes))
    notes = [
        "data as the loaders gave them, read once and kept in memory; inputs are not scaled",
        "the parts are given, so blocks differ in start and order of batches only",
    ]
    if loaded.scale:
        notes.append("targets standardised by the training part: errors are in its standard deviations")
    first, second, third = loaded.parts
    measure = get_metric(KINDS[kind].metric if metric is None else metric, kind)
    task = SupervisedTask(
        name=name,
        kind=kind,
        measure=measure,
        train=first,
        val=second,
        _test=third,
        classes=loaded.classes,
        factory=architecture("linear", tuple(first.X.shape[1:]), loaded.classes or 1),
        settings=settings or TrainingSettings(batch_size=loaded.batch_size),
        priors=class_shares(kind, first.y, loaded.classes),
        augment=augment,
        facts={"source": "loaders of the user", "target_scale": loaded.scale, "notes": notes, "origin": None},
    )
    return task.with_model(model).with_metric(measure)


def from_function(
    train_eval: TrainEval,
    *,
    kind: str,
    metric: str = "metric",
    greater_is_better: bool | None = None,
    classes: int | None = None,
    name: str | None = None,
    settings: TrainingSettings | None = None,
    time_limit: float | None = None,
) -> BlackBoxTask:
    """A task of any trainer: `train_eval(loss_module, seed, budget) -> {"metric": float, ...}`.

    Such a task has no gradients through training: it can only be scored, and coefficients are not tuned.

    Args:
        train_eval: trains a model of its own with `loss_module(outputs, targets)`, seeded by `seed`, for
            `budget` optimiser steps. It returns its validation result as `"metric"` and, if it has one,
            its test result as `"test"`.
        kind: what `loss_module` expects: logits and classes, logits and 0/1 labels, numbers, or margins (also scores
            and 0/1 targets).
        metric: what to call the result.
        greater_is_better: its direction; that of the metric of this name, else False.
        classes: number of classes or labels; 2 unless given.
        name: what to call the task; that of the function unless given.
        settings: `steps` is the budget.
        time_limit: seconds that one training may take, after which the loss counts as failed. Each training
            then runs in a process of its own, on one thread of torch, which is ended at the limit wherever it is;
            if it crashes, the loss counts as failed too. The process is a copy of this one; on machines with CUDA
            it starts afresh, for which the function must be at the top of an importable module. Results near the
            limit depend on the machine's speed.

    Raises:
        TaskError: for an unknown kind, something that cannot be called, or a limit that is not positive.

    >>> from symloss.tasks import Task
    >>> task = Task.from_function(lambda loss, seed, budget: {"metric": 0.5}, kind="regression")
    >>> task.score(task.base_loss(), seed=0)
    {'metric': 0.5}
    """
    like = task_kind(kind)
    if not callable(train_eval):
        raise TaskError(f"train_eval is a {type(train_eval).__name__}: expected (loss, seed, budget) -> dict")
    if time_limit is not None and not time_limit > 0:
        raise TaskError(f"time limit {time_limit}: expected a positive number of seconds, or None")
    # Nothing here computes the metric, so its name is the only hint of its direction.
    better = greater_by_name(metric) if greater_is_better is None else greater_is_better
    where = f"{getattr(train_eval, '__module__', '?')}:{getattr(train_eval, '__qualname__', '?')}"
    notes = ["trained by a function of the user: no gradients through training, no tuning of coefficients"]
    if like.probabilities and classes is None:
        notes.append("number of classes not given: 2 assumed")
    classes = number_of_classes(classes)
    return BlackBoxTask(
        name=name or str(getattr(train_eval, "__name__", "function")),
        kind=kind,
        measure=reported(metric, better),
        classes=(classes or 2) if like.probabilities else None,
        settings=settings or TrainingSettings(),
        facts={"source": where, "notes": notes, "origin": None},
        train_eval=train_eval,
        time_limit=math.inf if time_limit is None else time_limit,
    )


def number_of_classes(classes: Any) -> int | None:
    """The number of classes as Python's own integer; None stays None."""
    number = None if classes is None else as_whole(classes)
    if classes is not None and (number is None or number < 1):
        raise TaskError(f"classes is {classes!r}: expected a whole number of at least 1")
    return number


# Here and not in task.py: the functions need SupervisedTask and BlackBoxTask, which need Task; the import there
# would be a circle.
Task.from_arrays = staticmethod(from_arrays)
Task.from_frame = staticmethod(from_frame)
Task.from_loaders = staticmethod(from_loaders)
Task.from_function = staticmethod(from_function)

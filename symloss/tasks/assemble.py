"""From raw data to a task: split, scale by the training rows, modify, join with model and metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from symloss.errors import TaskError
from symloss.tasks.data.dataset import DataSet
from symloss.tasks.data.modifiers import add_label_noise, add_outliers, check_modifiers, keep_imbalanced
from symloss.tasks.data.parts import Split, class_shares
from symloss.tasks.data.splits import Indices, cut, split_indices
from symloss.tasks.supervised import SupervisedTask
from symloss.tasks.train.augment import Augmentation
from symloss.tasks.train.metrics import DEFAULT_METRIC, AnyMetric, get_metric
from symloss.tasks.train.models import ModelFactory, architecture
from symloss.tasks.train.settings import TrainingSettings

__all__ = ["assemble"]


def assemble(
    data: DataSet,
    *,
    model: str | ModelFactory | None = None,
    metric: AnyMetric | None = None,
    seed: int = 0,
    label_noise: float = 0.0,
    imbalance: float | None = None,
    outliers: float = 0.0,
    target_scale: str | None = None,
    settings: TrainingSettings | None = None,
    augment: str | Augmentation | None = None,
    origin: dict[str, Any] | None = None,
) -> SupervisedTask:
    """The task of a data set; see `load_task` for the arguments.

    Raises:
        TaskError: for data, a model, a metric or a modifier that do not fit.
    """
    if seed < 0:
        raise TaskError(f"seed {seed}: expected an integer of at least 0")
    check_modifiers(data.kind, label_noise, imbalance, outliers)
    parts = list(_parts(data, seed))
    inputs, notes = data.features.prepare(parts[0])
    targets, scale = _targets(data, parts[0], target_scale)
    classes = _classes(data, targets)
    if imbalance is not None:
        ranking = np.argsort(-np.bincount(targets[parts[0]], minlength=classes or 0), kind="stable")
        for which in (0, 1):
            rng = np.random.default_rng([seed, 1, which])
            parts[which] = parts[which][keep_imbalanced(targets[parts[which]], imbalance, ranking, rng)]
    labels = [targets[rows] for rows in parts]
    spread = 1.0 if scale is None or scale["how"] == "standard" else float(labels[0].std())
    for which in (0, 1):
        rng = np.random.default_rng([seed, 2, which])
        if label_noise:
            labels[which] = add_label_noise(labels[which], label_noise, classes or 0, rng)
        if outliers:
            labels[which] = add_outliers(labels[which], outliers, rng, spread)
    splits = [
        Split(
            torch.from_numpy(inputs[rows]),
            torch.from_numpy(label),
            None if data.weights is None else torch.from_numpy(data.weights[rows]),
        )
        for rows, label in zip(parts, labels, strict=True)
    ]
    facts = {
        "source": data.source,
        "class_names": list(data.class_names),
        "target_scale": scale,
        "split_seed": seed,
        "modifiers": {"label_noise": label_noise, "imbalance": imbalance, "outliers": outliers},
        "notes": [*data.notes, *notes, *_said(data, scale), *_twins(inputs, parts)],
        "origin": origin,
    }
    task = SupervisedTask(
        name=data.name,
        kind=data.kind,
        measure=get_metric(DEFAULT_METRIC[data.kind] if metric is None else metric, data.kind),
        train=splits[0],
        val=splits[1],
        _test=splits[2],
        classes=classes,
        factory=architecture("linear", tuple(inputs.shape[1:]), classes or 1),
        settings=settings or TrainingSettings(),
        priors=class_shares(data.kind, splits[0].y, classes),
        augment=data.augment if augment is None else augment,
        facts=facts,
    )
    return task.with_model(data.model if model is None else model).with_metric(task.measure)


def _parts(data: DataSet, seed: int) -> tuple[Indices, Indices, Indices]:
    labels = data.targets if data.kind == "classification" else None
    if data.test is None:
        return split_indices(len(data.features), seed, labels=labels, groups=data.groups)
    rest = np.setdiff1d(np.arange(len(data.features)), data.test)
    keys = np.zeros(rest.size, dtype=np.int64) if labels is None else labels[rest]
    train, val = cut(keys, seed, data.validation_every)
    return rest[train], rest[val], data.test


def _targets(data: DataSet, train: Indices, how: str | None) -> tuple[NDArray[Any], dict[str, Any] | None]:
    if data.kind != "regression":
        if how is not None:
            raise TaskError(f"target scale {how!r} is for regression, this task is {data.kind}: leave it out")
        return data.targets, None
    # scikit-learn takes a second to import: only when there are data.
    from symloss.tasks.data.scaling import scale_targets

    return scale_targets(data.targets, train, str(how or "standard"))


def _classes(data: DataSet, targets: NDArray[Any]) -> int | None:
    if data.kind == "regression":
        return None
    return targets.shape[1] if data.kind == "multilabel" else len(data.class_names)


def _twins(inputs: NDArray[np.float32], parts: list[Indices]) -> list[str]:
    """A note on test rows that are in the training part too: they measure memory."""
    if inputs.ndim > 2:
        return []
    seen = {inputs[row].tobytes() for row in parts[0]}
    twins = sum(inputs[row].tobytes() in seen for row in parts[2])
    return (
        [f"{twins} of {parts[2].size} test rows have exactly the features of a training row"] if twins else []
    )


_SCALED = {
    "standard": "targets standardised by the training rows: errors are in their standard deviations",
    "minmax": "targets scaled to [0, 1] by the training rows: errors are in units of their range",
    "none": "targets are not scaled: errors are in their own units",
}


def _said(data: DataSet, scale: dict[str, Any] | None) -> list[str]:
    said = [] if scale is None else [_SCALED[scale["how"]]]
    if data.groups is not None:
        said.append("split by group: no group is in two parts; classes in proportion as far as groups allow")
    if data.test is not None:
        said.append("official test part; validation is cut from the official training part")
    return said

"""From raw data to a task: a pool of rows joined with a model, a metric and training settings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from torch import Tensor

from symloss.expr import KINDS
from symloss.tasks.data.dataset import DataSet
from symloss.tasks.data.modifiers import Modifiers
from symloss.tasks.data.pairs import PairPool
from symloss.tasks.data.parts import class_shares
from symloss.tasks.data.pool import Pool
from symloss.tasks.given import number, whole
from symloss.tasks.supervised import SupervisedTask
from symloss.tasks.train.augment import Augmentation
from symloss.tasks.train.metrics import AnyMetric, get_metric
from symloss.tasks.train.models import ModelFactory, architecture
from symloss.tasks.train.settings import TrainingSettings

__all__ = ["PAIRS", "assemble"]

PAIRS = "pairs:"
"""Prefix of a task's name that asks for pairs of its rows."""
PREFERENCES = "margin"
"""The kind of loss that is for pairs."""


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
    paired: bool = False,
    origin: dict[str, dict[str, Any]] | None = None,
) -> SupervisedTask:
    """The task of a data set; see `load_task` for the arguments.

    Args:
        paired: whether instances are pairs of rows, of which the one with the higher target is preferred.
        origin: the name of the function that makes this task again, and those of its arguments that are not arguments
            of this function.

    Raises:
        TaskError: for data, a model, a metric or a modifier that do not fit.
    """
    seed = whole("seed", seed)
    label_noise, outliers = number("label noise", label_noise), number("outliers", outliers)
    imbalance = None if imbalance is None else number("imbalance", imbalance)
    modifiers = Modifiers(label_noise, imbalance, outliers)
    settled = {**asdict(modifiers), "target_scale": target_scale, "seed": seed}
    of = PairPool if paired else Pool
    pool = of.of(data, seed, modifiers, target_scale)
    kind = PREFERENCES if paired else data.kind
    prepared = pool.prepare(pool.train, pool.val)
    train, val, test = prepared.parts
    facts = {
        "source": data.source,
        "class_names": [] if paired else list(data.class_names),
        "target_scale": prepared.scale,
        "split_seed": seed,
        "modifiers": asdict(modifiers),
        "notes": [*data.notes, *prepared.notes, *_said(data, prepared.scale), *_twins(train.X, test.X)],
        "origin": origin and {maker: {**own, **settled} for maker, own in origin.items()},
    }
    task = SupervisedTask(
        name=f"{PAIRS}{data.name}" if paired else data.name,
        kind=kind,
        measure=get_metric(KINDS[kind].metric if metric is None else metric, kind),
        train=train,
        val=val,
        _test=test,
        classes=pool.classes,
        # A placeholder: `with_model` can only check a model's outputs against a task that exists, so it and
        # `with_metric` come last.
        factory=architecture("linear", tuple(train.X.shape[1:]), pool.classes or 1),
        settings=settings or TrainingSettings(),
        priors=class_shares(kind, train.y, pool.classes),
        augment=(None if paired else data.augment) if augment is None else augment,
        facts=facts,
        pool=pool,
        paired=paired,
    )
    return task.with_model(data.model if model is None else model).with_metric(task.measure)


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


def _twins(train: Tensor, test: Tensor) -> list[str]:
    """A note on test rows that are in the training part too: they measure memory."""
    if train.ndim > 2:
        return []
    # Scaling is one map for all rows, so rows that were equal before it are equal bit for bit after it.
    seen = {row.tobytes() for row in train.numpy()}
    twins = sum(row.tobytes() in seen for row in test.numpy())
    return [f"{twins} of {len(test)} test rows have exactly the features of a training row"] if twins else []

"""A task of one's own data loaders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from symloss.errors import TaskError
from symloss.tasks.arrays import encode_targets
from symloss.tasks.assemble import class_shares
from symloss.tasks.data.parts import Split
from symloss.tasks.task import Task
from symloss.tasks.train.augment import Augmentation
from symloss.tasks.train.loop import seeded
from symloss.tasks.train.metrics import DEFAULT_METRIC, AnyMetric, get_metric
from symloss.tasks.train.models import ModelFactory
from symloss.tasks.train.settings import TrainingSettings

__all__ = ["from_loaders"]

LARGEST_BYTES = 8 * 2**30
_GENERIC = "for other batches, or data that do not fit in memory, use Task.from_function"


def from_loaders(
    train: Iterable[Any],
    val: Iterable[Any],
    test: Iterable[Any],
    *,
    model: str | ModelFactory,
    kind: str,
    metric: AnyMetric | None,
    classes: int | None,
    name: str,
    settings: TrainingSettings | None,
    augment: str | Augmentation | None,
) -> Task:
    """See `Task.from_loaders`."""
    parts, sizes = [], []
    for which, loader in (("train", train), ("val", val), ("test", test)):
        inputs, targets, size = _read(loader, which)
        parts.append((inputs, targets))
        sizes.append(size)
    shapes = {tuple(inputs.shape[1:]) for inputs, _ in parts}
    if len(shapes) > 1:
        raise TaskError(f"the loaders give instances of different shapes: {', '.join(map(str, shapes))}")
    labels, count, scale = _targets([targets for _, targets in parts], kind, classes)
    splits = [Split(inputs, label) for (inputs, _), label in zip(parts, labels, strict=True)]
    notes = ["data as the loaders gave them, read once and kept in memory; inputs are not scaled"]
    if scale:
        notes.append("targets standardised by the training part: errors are in its standard deviations")
    task = Task(
        name=name,
        kind=kind,
        measure=get_metric(DEFAULT_METRIC[kind] if metric is None else metric, kind),
        train=splits[0],
        val=splits[1],
        _test=splits[2],
        classes=count,
        factory=_no_model,
        settings=settings or TrainingSettings(batch_size=sizes[0]),
        priors=class_shares(kind, splits[0].y, count),
        augment=augment,
        facts={"source": "loaders of the user", "target_scale": scale, "notes": notes, "origin": None},
    )
    return task.with_model(model).with_metric(task.measure)


def _no_model() -> torch.nn.Module:
    raise TaskError("no model: choose one with with_model")


def _read(loader: Iterable[Any], which: str) -> tuple[Tensor, Tensor, int]:
    """All inputs and targets of a loader and the size of its first batch."""
    inputs: list[Tensor] = []
    targets: list[Tensor] = []
    used = 0
    # A loader that shuffles draws its order from torch's global generator: the same order each time here.
    with seeded(0):
        for batch in loader:
            if not isinstance(batch, tuple | list) or len(batch) != 2:
                got = f"{len(batch)} parts" if isinstance(batch, tuple | list) else type(batch).__name__
                raise TaskError(f"the {which} loader gives {got}: expected (inputs, targets); {_GENERIC}")
            x, y = (torch.as_tensor(part) for part in batch)
            inputs.append(x.detach().float())
            targets.append(y.detach())
            used += inputs[-1].nbytes
            if used > LARGEST_BYTES:
                raise TaskError(
                    f"the {which} loader gives more than {LARGEST_BYTES / 2**30:g} GiB; {_GENERIC}"
                )
    if not inputs:
        raise TaskError(f"the {which} loader is empty: expected batches (inputs, targets)")
    joined = torch.cat(inputs)
    if not bool(torch.isfinite(joined).all()):
        raise TaskError(f"the {which} loader gives inputs that are not finite: fill them in first")
    return joined, torch.cat(targets), len(inputs[0])


def _targets(
    parts: list[Tensor], kind: str, classes: int | None
) -> tuple[list[Tensor], int | None, dict[str, float] | None]:
    """Targets as the kind wants them, the number of classes, and the scale of a regression."""
    if kind == "classification":
        together = torch.cat(parts)
        if together.ndim != 1 or together.is_floating_point() or bool((together < 0).any()):
            got = f"{together.dtype} of shape {tuple(together.shape)}"
            raise TaskError(f"targets are {got}: expected class indices from 0, [N]")
        count = int(together.max()) + 1
        if classes is not None and count > classes:
            raise TaskError(f"a target is {count - 1}: expected class indices below classes={classes}")
        return [part.long() for part in parts], max(2, classes or count), None
    if kind == "regression":
        parts = [part.squeeze(1) if part.ndim == 2 and part.shape[1] == 1 else part for part in parts]
    if len({part.shape[1:] for part in parts}) > 1:
        raise TaskError("the loaders give targets of different shapes: expected the same in each")
    sizes = [len(part) for part in parts]
    encoded, _ = encode_targets(torch.cat(parts).cpu().numpy(), kind)
    numbers = torch.from_numpy(encoded.astype(np.float32))
    if kind == "multilabel":
        return list(numbers.split(sizes)), numbers.shape[1], None
    mean, spread = encoded[: sizes[0]].mean(), encoded[: sizes[0]].std()
    if spread == 0:
        raise TaskError("the targets of the train loader are constant: nothing can be learned")
    scaled = torch.from_numpy(((encoded - mean) / spread).astype(np.float32))
    scale = {"mean": float(mean), "standard_deviation": float(spread)}
    return list(scaled.split(sizes)), None, scale

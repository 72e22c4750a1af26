"""Data loaders of the user, read once into memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from symloss.errors import TaskError
from symloss.tasks.data.arrays import encode_targets, task_kind
from symloss.tasks.data.dataset import LARGEST_BYTES
from symloss.tasks.data.parts import Split
from symloss.tasks.train.loop import seeded

__all__ = ["Loaded", "read_loaders"]

_GENERIC = "for other batches, or data that do not fit in memory, use Task.from_function"


@dataclass(frozen=True)
class Loaded:
    """What three loaders gave.

    Attributes:
        parts: training, validation and test part.
        classes: number of classes or labels; None for regression.
        scale: mean and standard deviation by which regression targets were standardised, or None.
        batch_size: of the training loader.
    """

    parts: tuple[Split, Split, Split]
    classes: int | None
    scale: dict[str, float] | None
    batch_size: int


def read_loaders(
    train: Iterable[Any], val: Iterable[Any], test: Iterable[Any], kind: str, classes: int | None
) -> Loaded:
    """Everything that three loaders give, each read once; see `Task.from_loaders`.

    Raises:
        TaskError: for loaders that give something else than batches of one shape, or too much of them.
    """
    read = [_read(loader, which) for which, loader in (("train", train), ("val", val), ("test", test))]
    shapes = {tuple(inputs.shape[1:]) for inputs, _, _ in read}
    if len(shapes) > 1:
        raise TaskError(f"the loaders give instances of different shapes: {', '.join(map(str, shapes))}")
    labels, count, scale = _targets([targets for _, targets, _ in read], kind, classes)
    first, second, third = (Split(inputs, label) for (inputs, _, _), label in zip(read, labels, strict=True))
    return Loaded((first, second, third), count, scale, read[0][2])


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
    like = task_kind(kind)
    if like.exclusive:
        together = torch.cat(parts)
        if together.ndim != 1 or together.is_floating_point() or bool((together < 0).any()):
            got = f"{together.dtype} of shape {tuple(together.shape)}"
            raise TaskError(f"targets are {got}: expected class indices from 0, [N]")
        count = int(together.max()) + 1
        if classes is not None and count > classes:
            raise TaskError(f"a target is {count - 1}: expected class indices below classes={classes}")
        # At least two: a part of one class alone still has a model with two outputs.
        return [part.long() for part in parts], max(2, classes or count), None
    if not like.probabilities:
        parts = [part.squeeze(1) if part.ndim == 2 and part.shape[1] == 1 else part for part in parts]
    if len({part.shape[1:] for part in parts}) > 1:
        raise TaskError("the loaders give targets of different shapes: expected the same in each")
    sizes = [len(part) for part in parts]
    encoded, _ = encode_targets(torch.cat(parts).cpu().numpy(), kind)
    numbers = torch.from_numpy(encoded.astype(np.float32))
    if like.independent:
        return list(numbers.split(sizes)), numbers.shape[1], None
    if like.signed:
        return list(numbers.split(sizes)), None, None
    # The training part is the first of the three that were joined.
    mean, spread = encoded[: sizes[0]].mean(), encoded[: sizes[0]].std()
    if spread == 0:
        raise TaskError("the targets of the train loader are constant: nothing can be learned")
    scaled = torch.from_numpy(((encoded - mean) / spread).astype(np.float32))
    scale = {"mean": float(mean), "standard_deviation": float(spread)}
    return list(scaled.split(sizes)), None, scale

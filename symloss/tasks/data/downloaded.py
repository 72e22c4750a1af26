"""Image data sets that have to be downloaded, through torchvision's readers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symloss.errors import TaskError
from symloss.tasks.data.dataset import DataSet, Numbers
from symloss.tasks.data.folders import data_folder

__all__ = ["cifar10", "cifar100", "explained", "mnist", "official", "svhn"]


def mnist(data: str | Path | None = None) -> DataSet:
    """70,000 handwritten digits of 28 x 28 pixels (LeCun et al., 1998)."""
    from torchvision.datasets import MNIST  # imports slowly: only when it is asked for

    train, test = _both("mnist", "MNIST", data, lambda folder, first, get: MNIST(folder, first, download=get))
    images, labels = (
        _joined(*(np.asarray(part.data)[:, None] for part in (train, test))),
        _labels(train, test),
    )
    return official("mnist", images, labels, len(train), _numbered(10), None)


def cifar10(data: str | Path | None = None) -> DataSet:
    """60,000 photographs, 32 x 32 pixels, 10 classes (Krizhevsky, 2009); cropped and mirrored to train."""
    from torchvision.datasets import CIFAR10

    return _cifar("cifar10", CIFAR10, 10, data)


def cifar100(data: str | Path | None = None) -> DataSet:
    """60,000 photographs, 32 x 32 pixels, 100 classes (Krizhevsky, 2009); cropped and mirrored to train."""
    from torchvision.datasets import CIFAR100

    return _cifar("cifar100", CIFAR100, 100, data)


def svhn(data: str | Path | None = None) -> DataSet:
    """99,289 house numbers of 32 x 32 pixels in 10 classes (Netzer et al., 2011); cropped to train.

    Not mirrored: a mirrored 2 is no digit.
    """
    from torchvision.datasets import SVHN

    def read(folder: str, first: bool, get: bool) -> Any:
        return SVHN(folder, "train" if first else "test", download=get)

    train, test = _both("svhn", "SVHN", data, read, "split='train'", "split='test'")
    labels = np.concatenate([train.labels, test.labels]).astype(np.int64)
    return official("svhn", _joined(train.data, test.data), labels, len(train), _numbered(10), "crop")


def _cifar(name: str, source: Any, classes: int, data: str | Path | None) -> DataSet:
    train, test = _both(
        name, source.__name__, data, lambda folder, first, get: source(folder, first, download=get)
    )
    images = _joined(*(part.data.transpose(0, 3, 1, 2) for part in (train, test)))
    return official(name, images, _labels(train, test), len(train), _numbered(classes), "crop-flip")


def _both(
    name: str,
    source: str,
    data: str | Path | None,
    read: Callable[[str, bool, bool], Any],
    *parts: str,
) -> list[Any]:
    """The training and the test part, from the folder if they are there, else downloaded into it."""
    folder = str(data_folder(data))
    calls = "; ".join(f"D('{folder}', {part}, download=True)" for part in parts or ("train=True",))
    command = f'python -c "from torchvision.datasets import {source} as D; {calls}"'
    present = []
    with explained(name, folder, command):
        for first in (True, False):
            try:
                present.append(read(folder, first, False))
            except RuntimeError:
                present.append(read(folder, first, True))
    return present


@contextmanager
def explained(name: str, folder: str, command: str) -> Iterator[None]:
    """Whatever a reader raises about files or the network, as one line that says what to do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of each retry
            yield
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TaskError(
            f"{name} is not in {folder} and cannot be downloaded ({reason[:120]}): where there is a network "
            f"run {command} and copy the folder, or point SYMLOSS_DATA to it"
        ) from error


def _numbered(classes: int) -> list[str]:
    return [str(label) for label in range(classes)]


def _joined(train: NDArray[Any], test: NDArray[Any]) -> NDArray[np.uint8]:
    return np.concatenate([train, test]).astype(np.uint8, copy=False)


def _labels(train: Any, test: Any) -> NDArray[np.int64]:
    return np.concatenate([np.asarray(train.targets), np.asarray(test.targets)]).astype(np.int64)


def official(
    name: str,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    train: int,
    classes: Sequence[str],
    augment: str | None,
    source: str = "torchvision",
    model: str = "lenet5",
) -> DataSet:
    """Images whose last rows, from `train` on, are the official test part."""
    return DataSet(
        name,
        "classification",
        Numbers(images, "channel"),
        labels,
        tuple(classes),
        source=source,
        test=np.arange(train, len(images)),
        augment=augment,
        model=model,
    )

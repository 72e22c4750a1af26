"""Fashion-MNIST: as Debian packages it, or as torchvision downloads it."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symloss.errors import TaskError
from symloss.tasks.data.dataset import DataSet
from symloss.tasks.data.downloaded import explained, official
from symloss.tasks.data.folders import data_folder

__all__ = ["DEBIAN", "fashion_mnist"]

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where the package `dataset-fashion-mnist` puts the files."""
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
# Debian compresses the files again, so that the checksums of the published .gz files, which torchvision knows, do
# not hold there: these are of the bytes inside, which are the same.
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def fashion_mnist(data: str | Path | None = None) -> DataSet:
    """70,000 articles of clothing of 28 x 28 pixels in 10 classes (Xiao et al., 2017).

    Read from `FashionMNIST/raw` (torchvision's) or `fashion-mnist` in the data folder, or from Debian's package
    `dataset-fashion-mnist`, compressed or not; downloaded where there is none of these.

    Raises:
        TaskError: for data that are nowhere, or whose bytes are not those that were published.
    """
    home = data_folder(data)
    places = (home / "FashionMNIST" / "raw", home / "fashion-mnist", DEBIAN)
    place = next((place for place in places if all(_file(place, name) for name in SHA256)), None)
    if place is None:
        place = places[0]
        _download(home)
    train, train_labels, test, test_labels = (_read(place, name) for name in SHA256)
    images = np.concatenate([train, test])[:, None]
    labels = np.concatenate([train_labels, test_labels]).astype(np.int64)
    return official("fashion-mnist", images, labels, len(train), CLASSES, None, str(place))


def _file(place: Path, name: str) -> Path | None:
    return next((path for path in (place / name, place / f"{name}.gz") if path.is_file()), None)


def _download(home: Path) -> None:
    command = (
        f'apt-get install dataset-fashion-mnist, or python -c "from torchvision.datasets import FashionMNIST '
        f"as D; D('{home}', download=True)\""
    )
    with explained("fashion-mnist", str(home), command):
        from torchvision.datasets import FashionMNIST  # imports slowly: only when it is needed

        FashionMNIST(str(home), download=True)


def _read(place: Path, name: str) -> NDArray[np.uint8]:
    """The array of an IDX file: two zeros, the type (8: bytes), the number of axes, each length, the bytes."""
    path = _file(place, name)
    if path is None:
        raise TaskError(f"fashion-mnist: {place} has no {name}, compressed or not")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise TaskError(f"cannot read {path}: {error}") from None
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise TaskError(f"{path} does not hold Fashion-MNIST's bytes (SHA-256): delete it and get it again")
    axes = content[3]
    shape = np.frombuffer(content, dtype=">i4", count=axes, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * axes).reshape(shape)

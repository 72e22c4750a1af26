"""CIFAR-FS and FC-100: the images of CIFAR-100 with their published splits by class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symloss.errors import TaskError
from symloss.tasks.data.folders import data_folder
from symloss.tasks.episodes.decode import decoded, images_in, resized
from symloss.tasks.episodes.episode import PARTS
from symloss.tasks.episodes.images import ImageClass, ImageEpisodes, standard_scale
from symloss.tasks.episodes.splits import cifar_split

__all__ = ["FOLDERS", "cifar_episodes"]

TORCHVISION = "cifar-100-python"
FOLDERS = (TORCHVISION, "cifar100-folders", "cifar100")
"""Where CIFAR-100 is looked for in the data folder: torchvision's, else class folders."""


def cifar_episodes(name: str, data: str | Path | None = None, size: int | None = None) -> ImageEpisodes:
    """CIFAR-100's classes in the parts of `cifar-fs` or `fc100`, 3 x 32 x 32; its two official parts are merged.

    Read from torchvision's `cifar-100-python` in the data folder (600 images a class, checked by its MD5 sums), or
    from class folders, `cifar100-folders/train/CLASS/*.png` and `test/CLASS/*.png`, or `cifar100/CLASS/*.png`.
    Each channel is scaled to mean 0 and standard deviation 1 over the training classes.

    Args:
        name: `"cifar-fs"` or `"fc100"`.
        data: the data folder; `$SYMLOSS_DATA` or `~/.cache/symloss` unless given.
        size: height and width, 32 unless given.

    Raises:
        TaskError: for data that are not there, or not all of them.
    """
    home = data_folder(data)
    place = next((home / each for each in FOLDERS if (home / each).is_dir()), None)
    if place is None:
        raise TaskError(
            f"{name} is made of CIFAR-100, which is not in {home}: where there is a network run "
            f"python -c \"from torchvision.datasets import CIFAR100 as D; D('{home}', download=True)\" and copy "
            f"{TORCHVISION}, or put class folders there ({FOLDERS[1]}/train/CLASS/*.png and test/CLASS/*.png), or "
            "point SYMLOSS_DATA to its parent"
        )
    split = cifar_split(name)
    if place.name == TORCHVISION:
        images, rows = _torchvision(name, home, size)
    else:
        images, rows = _folders(name, place, sorted(each for part in PARTS for each in split[part]), size)
    parts = {part: tuple(ImageClass(each, rows[each]) for each in split[part]) for part in PARTS}
    who = (
        "Bertinetto et al. (2019)" if name == "cifar-fs" else "Oreshkin et al. (2018), superclasses disjoint"
    )
    return ImageEpisodes(
        name, images, parts, standard_scale(images, parts["train"]), str(place), (f"split of {who}",)
    )


Rows = dict[str, NDArray[np.int64]]


def _torchvision(name: str, home: Path, size: int | None) -> tuple[NDArray[np.uint8], Rows]:
    from torchvision.datasets import CIFAR100  # imports slowly: only when it is asked for

    try:
        # Reads pickles, after it has compared their MD5 sums with the published ones.
        train, test = (CIFAR100(str(home), first, download=False) for first in (True, False))
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise TaskError(
            f"{name}: {home / TORCHVISION} does not hold CIFAR-100 as it was published "
            f"({' '.join(str(error).split())[:120]}): delete it and get it again"
        ) from None
    # Both official parts: few-shot parts are disjoint in classes, so a class has all 600 of its images in one of
    # them.
    images = np.concatenate([train.data, test.data]).transpose(0, 3, 1, 2)
    labels = np.concatenate([train.targets, test.targets])
    rows = {each: np.flatnonzero(labels == place) for place, each in enumerate(train.classes)}
    return resized(np.ascontiguousarray(images), size), rows


def _folders(name: str, place: Path, classes: list[str], size: int | None) -> tuple[NDArray[np.uint8], Rows]:
    parts = [place / part for part in ("train", "test") if (place / part).is_dir()] or [place]
    # "train" is a class too: a folder of that name with classes in it is none.
    if parts != [place] and not any((parts[0] / each).is_dir() for each in classes):
        parts = [place]
    files: list[Path] = []
    rows: Rows = {}
    for each in classes:
        images = [file for part in parts for file in images_in(part / each)]
        if not images:
            raise TaskError(
                f"{name}: {place} has no images of the class {each!r}: expected all 100 classes of CIFAR-100, "
                f"{parts[0] / each}/*.png"
            )
        rows[each] = np.arange(len(files), len(files) + len(images))
        files += images
    return decoded("cifar100", files, size=size, otherwise=32), rows

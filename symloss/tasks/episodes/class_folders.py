"""Class folders of images as episodes, `folder:PATH`: mini-ImageNet, tiered-ImageNet, or anyone's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from symloss.errors import TaskError
from symloss.tasks.data.image_folder import find_folder
from symloss.tasks.episodes.decode import decoded, images_in
from symloss.tasks.episodes.episode import PARTS
from symloss.tasks.episodes.images import ImageClass, ImageEpisodes, standard_scale
from symloss.tasks.episodes.splits import deal

__all__ = ["class_folders"]

USUAL = 84
"""Height and width of mini-ImageNet, for images of several sizes where none is asked for."""
_LAYOUT = "PATH/train/CLASS/*.jpg, PATH/val/CLASS/* and PATH/test/CLASS/*, or PATH/CLASS/*"
Classes = dict[str, list[Path]]


def class_folders(path: str, data: str | Path | None = None, size: int | None = None) -> ImageEpisodes:
    """The images of class folders, a class for each folder (png, jpg, bmp, tiff, webp, ppm).

    With `PATH/train/CLASS/*`, `PATH/val/CLASS/*` and `PATH/test/CLASS/*` the parts are those. With `PATH/CLASS/*`,
    or with `train` and `test` that hold the same classes and are merged, 64 % of the classes are for training, 16 %
    for validation and 20 % for the test, drawn by the hash of their names: the same on every machine. Images of
    several sizes become 84 x 84. Each channel is scaled to mean 0 and standard deviation 1 over the training classes.

    Args:
        path: the folder, or its place in the data folder.
        data: the data folder; `$SYMLOSS_DATA` or `~/.cache/symloss` unless given.
        size: height and width.

    Raises:
        TaskError: for a folder or a file that does not fit.
    """
    root = find_folder(path, data)
    found, notes = _parts(root)
    files: list[Path] = []
    parts: dict[str, tuple[ImageClass, ...]] = {}
    for part, classes in found.items():
        members = []
        for name, images in classes.items():
            members.append(ImageClass(name, np.arange(len(files), len(files) + len(images))))
            files += images
        parts[part] = tuple(members)
    pixels = decoded(root.name, files, size=size, otherwise=USUAL)
    scale = standard_scale(pixels, parts["train"])
    return ImageEpisodes(f"folder:{root.name}", pixels, parts, scale, str(root), notes)


def _parts(root: Path) -> tuple[dict[str, Classes], tuple[str, ...]]:
    """The classes of each part, and notes."""
    there = {part: _classes(root / part) for part in PARTS}
    if not there["train"]:
        return _dealt(root, _classes(root))
    if there["val"] and there["test"]:
        return there, ()
    # The layout of ordinary classification: its parts share all classes, and few-shot parts must share none.
    if there["test"] and there["train"].keys() == there["test"].keys():
        merged = {name: images + there["test"][name] for name, images in there["train"].items()}
        return _dealt(root, merged)
    lacking = "val" if there["test"] else "test"
    raise TaskError(f"{root} has class folders in train/ and none in {lacking}/: expected {_LAYOUT}")


def _dealt(root: Path, classes: Classes) -> tuple[dict[str, Classes], tuple[str, ...]]:
    if len(classes) < len(PARTS):
        raise TaskError(
            f"{root} has {len(classes)} class folders with images: expected at least one for training, one for "
            f"validation and one for the test, {_LAYOUT}"
        )
    dealt = {part: {name: classes[name] for name in names} for part, names in deal(classes).items()}
    return dealt, ("classes dealt to the parts by the hash of their names",)


def _classes(folder: Path) -> Classes:
    """The class folders with images in a folder, in the order of their names."""
    if not folder.is_dir():
        return {}
    try:
        names = sorted(each.name for each in folder.iterdir() if each.is_dir() and each.name[0] != ".")
    except OSError as error:
        raise TaskError(f"cannot read {folder}: {error.strerror or error}") from None
    found = {name: images_in(folder / name) for name in names}
    return {name: images for name, images in found.items() if images}

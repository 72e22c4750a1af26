"""Class folders of images: `folder:PATH`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symloss.errors import TaskError
from symloss.tasks.data.dataset import LARGEST_BYTES, DataSet, Numbers
from symloss.tasks.data.downloaded import official
from symloss.tasks.data.folders import data_folder

__all__ = ["find_folder", "image_folder"]

GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
"""PIL's names of the modes with eight bits a channel or fewer."""
_LAYOUT = (
    "expected two or more class folders with images in each, PATH/CLASS/*.png (or jpg, bmp, tiff, webp, ppm), "
    "or PATH/train/CLASS/* and PATH/test/CLASS/*"
)
Images = list[tuple[Path, str]]


def find_folder(path: str, data: str | Path | None = None) -> Path:
    """The folder of this path, absolute: as it is, or in the data folder.

    Raises:
        TaskError: when there is none.
    """
    places = (Path(path).expanduser(), data_folder(data) / path)
    for place in places:
        if path and place.is_dir():
            return place.resolve()
    raise TaskError(
        f"folder:{path}: no such folder here or in {data_folder(data)}; expected class folders of images"
    )


def image_folder(path: str, data: str | Path | None = None) -> DataSet:
    """The images of class folders, `PATH/CLASS/*.png` (or jpg, bmp, tiff, webp, ppm), a class for each folder.

    With `PATH/train/CLASS/*` and `PATH/test/CLASS/*` the test part is official, else the images are split
    60/20/20. Images are grey when all of them are, else RGB (without transparency); all must have one size.

    Raises:
        TaskError: for a folder, a file or sizes that do not fit.
    """
    root = find_folder(path, data)
    name = f"folder:{root.name}"
    if not (root / "train").is_dir():
        found = _listed(root)
        classes = tuple(sorted({label for _, label in found}))
        pixels, labels = _pixels(found), _indices(found, classes)
        return DataSet(
            name,
            "classification",
            Numbers(pixels, "channel"),
            labels,
            classes,
            str(root),
            model=_model(pixels),
        )
    if not (root / "test").is_dir():
        raise TaskError(
            f"{root} has train/ and no test/: expected both, or neither and the classes themselves"
        )
    train, test = _listed(root / "train"), _listed(root / "test")
    classes = tuple(sorted({label for _, label in train}))
    strangers = sorted({label for _, label in test} - {*classes})
    if strangers:
        raise TaskError(f"{root / 'test'} has the class {strangers[0]!r}, which train/ does not have")
    pixels, labels = _pixels([*train, *test]), _indices([*train, *test], classes)
    return official(name, pixels, labels, len(train), classes, None, str(root), _model(pixels))


def _listed(root: Path) -> Images:
    """The images below a folder with their classes, in the order of their names."""
    from torchvision.datasets import ImageFolder  # imports slowly: only when it is asked for

    class Visible(ImageFolder):
        """Without folders that programs leave behind, such as `.ipynb_checkpoints`."""

        def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
            return names, {name: index for index, name in enumerate(names)}

    try:
        names = sorted(each.name for each in root.iterdir() if each.is_dir() and each.name[0] != ".")
        if len(names) < 2:
            raise TaskError(f"{root} has {len(names)} class folders: {_LAYOUT}")
        found = Visible(str(root), allow_empty=True)
    except (OSError, RuntimeError) as error:
        raise TaskError(f"{root}: {' '.join(str(error).split())}") from None
    images = [(Path(file), names[label]) for file, label in found.samples]
    empty = sorted({*names} - {label for _, label in images})
    if empty:
        more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        raise TaskError(f"{root} has no image in its folder {empty[0]!r}{more}: {_LAYOUT}")
    return images


def _indices(found: Images, classes: Sequence[str]) -> NDArray[np.int64]:
    place = {label: index for index, label in enumerate(classes)}
    return np.array([place[label] for _, label in found], dtype=np.int64)


def _pixels(found: Images) -> NDArray[np.uint8]:
    """All images, `[N, channels, height, width]`."""
    from PIL import Image

    sizes: Counter[tuple[int, int]] = Counter()
    modes: set[str] = set()
    for file, _ in found:
        try:
            with Image.open(file) as image:  # the header alone
                sizes[image.size] += 1
                modes.add(image.mode)
        except (OSError, Image.DecompressionBombError) as error:
            raise TaskError(f"cannot read {file}: {error}") from None
    if len(sizes) > 1:
        (first, many), (second, few) = sizes.most_common(2)
        raise TaskError(
            f"images of different sizes: {many} of {first[0]} x {first[1]}, {few} of {second[0]} x {second[1]}: "
            "expected one size; resize or crop them first"
        )
    deep = sorted(modes - {*GREY, *COLOUR})
    if deep:
        raise TaskError(f"images of PIL's mode {deep[0]}: expected eight bits a channel; convert them first")
    mode = "L" if modes <= {*GREY} else "RGB"
    ((width, height),) = sizes
    shape = (len(found), 1 if mode == "L" else 3, height, width)
    # Four bytes each: scaling makes float32 of all of them at once.
    if 4 * np.prod(shape, dtype=np.int64) > LARGEST_BYTES:
        raise TaskError(
            f"{len(found)} images of {width} x {height} take more than {LARGEST_BYTES / 2**30:g} GiB: resize them, "
            "or use Task.from_function with a trainer that reads them from disk"
        )
    pixels = np.empty(shape, dtype=np.uint8)
    for row, (file, _) in enumerate(found):
        try:
            with Image.open(file) as image:
                pixels[row] = np.asarray(image.convert(mode)).reshape(height, width, -1).transpose(2, 0, 1)
        except OSError as error:
            raise TaskError(f"cannot read {file}: {error}") from None
    return pixels


def _model(pixels: NDArray[np.uint8]) -> str:
    return "lenet5" if min(pixels.shape[2:]) >= 12 else "mlp"

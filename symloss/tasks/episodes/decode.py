"""Image files as one array of bytes, decoded once and then kept in the cache."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, __version__

from symloss.errors import TaskError
from symloss.tasks.data.dataset import LARGEST_BYTES
from symloss.tasks.data.image_folder import COLOUR, GREY
from symloss.tasks.episodes.cache import remembered

__all__ = ["IMAGES", "decoded", "images_in", "resized"]

IMAGES = frozenset((".png", ".jpg", ".jpeg", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"))
"""Endings of files that are images, as torchvision's class folders know them."""
_RECIPE = f"1 Pillow {__version__}"


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder in the order of their names; none where there is no such folder."""
    try:
        return sorted(
            each for each in folder.iterdir() if each.suffix.lower() in IMAGES and each.name[0] != "."
        )
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise TaskError(f"cannot read {folder}: {error.strerror or error}") from None


def decoded(
    name: str, files: Sequence[Path], *, size: int | None = None, otherwise: int | None = None
) -> NDArray[np.uint8]:
    """The images of files, uint8 `[N, channels, height, width]`, in their order.

    Grey when all of them are, else RGB (without transparency); resized by Lanczos's filter.

    Args:
        name: of the data set, for the cache.
        files: at least one.
        size: height and width that all images are resized to; unless given they stay as they are.
        otherwise: `size` where it is not given and the images are of several sizes.

    Raises:
        TaskError: for a file that is no image, images of several sizes, or more than fit into memory.
    """
    try:
        # Path, size and time of each file: one that has changed since makes another key, without reading any.
        facts = [(str(file), info.st_size, info.st_mtime_ns) for file in files for info in (file.stat(),)]
    except OSError as error:
        raise TaskError(f"cannot read {error.filename}: {error.strerror}") from None
    listing = hashlib.sha256(repr(facts).encode()).hexdigest()
    arrays = remembered(
        name, f"{_RECIPE} {size} {otherwise} {listing}", lambda: {"images": _decode(files, size, otherwise)}
    )
    return arrays["images"]


def resized(images: NDArray[np.uint8], size: int | None) -> NDArray[np.uint8]:
    """Images `[N, channels, height, width]` at another size, by Lanczos's filter; the same where it is theirs."""
    if size is None or images.shape[2:] == (size, size):
        return images
    planes = images.reshape(-1, *images.shape[2:])
    small = [np.asarray(Image.fromarray(plane).resize((size, size), _FILTER)) for plane in planes]
    return np.stack(small).reshape(*images.shape[:2], size, size)


_FILTER = Image.Resampling.LANCZOS


def _decode(files: Sequence[Path], size: int | None, otherwise: int | None) -> NDArray[np.uint8]:
    mode, (width, height) = _headers(files, size, otherwise)
    shape = (len(files), 1 if mode == "L" else 3, height, width)
    if np.prod(shape, dtype=np.int64) > LARGEST_BYTES:
        raise TaskError(
            f"{len(files)} images of {width} x {height} take more than {LARGEST_BYTES / 2**30:g} GiB: ask for smaller "
            "ones (image_size=32) or take away classes"
        )
    pixels = np.empty(shape, dtype=np.uint8)
    for row, file in enumerate(files):
        try:
            with Image.open(file) as opened:
                image = opened.convert(mode)
        except (OSError, SyntaxError) as error:  # SyntaxError: Pillow's word for a broken PNG
            raise TaskError(f"cannot read {file}: {error}") from None
        if image.size != (width, height):
            image = image.resize((width, height), _FILTER)
        pixels[row] = np.asarray(image).reshape(height, width, -1).transpose(2, 0, 1)
    return pixels


def _headers(files: Sequence[Path], size: int | None, otherwise: int | None) -> tuple[str, tuple[int, int]]:
    """Mode and width and height that all images are brought to."""
    sizes: Counter[tuple[int, int]] = Counter()
    modes: set[str] = set()
    for file in files:
        try:
            with Image.open(file) as image:  # the header alone
                sizes[image.size] += 1
                modes.add(image.mode)
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise TaskError(f"cannot read {file}: {error}") from None
    deep = sorted(modes - {*GREY, *COLOUR})
    if deep:
        raise TaskError(f"images of PIL's mode {deep[0]}: expected eight bits a channel; convert them first")
    mode = "L" if modes <= {*GREY} else "RGB"
    if size is None and len(sizes) > 1:
        size = otherwise
    if size is not None:
        return mode, (size, size)
    if len(sizes) > 1:
        (first, many), (second, few) = sizes.most_common(2)
        raise TaskError(
            f"images of different sizes: {many} of {first[0]} x {first[1]}, {few} of {second[0]} x {second[1]}: "
            "expected one size; say which to resize them to (image_size)"
        )
    ((found),) = sizes
    return mode, found

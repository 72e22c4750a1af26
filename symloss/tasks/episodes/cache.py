"""Arrays that are slow to make, kept as plain `.npz` files in the user's cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["cache_folder", "remembered"]

Arrays = Mapping[str, NDArray[Any]]
# TypeError: a file that is one array, not an archive of them.
_DAMAGED = (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/symloss/episodes`, else `~/.cache/symloss/episodes`; it may be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "symloss" / "episodes"


def remembered(stem: str, made_of: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays that `make` returns, from the cache where they are there.

    Args:
        stem: what the file's name begins with, for people.
        made_of: all that the arrays depend on; another text is another file.
        make: makes them; nothing is kept where it raises.

    A file that is damaged is made again, and a folder that cannot be written is done without.
    """
    # 96 bits of the hash: a collision is out of the question, and the name stays readable.
    path = cache_folder() / f"{stem}-{hashlib.sha256(made_of.encode()).hexdigest()[:24]}.npz"
    # Whatever is in the file: plain arrays are read, and pickles are refused. Opened here, since NumPy leaves a
    # damaged archive open.
    with contextlib.suppress(*_DAMAGED), path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
        return {key: kept[key] for key in kept.files}
    arrays = make()
    with contextlib.suppress(OSError):
        _write(path, arrays)
    return arrays


def _write(path: Path, arrays: Arrays) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place and then renamed: another process sees a whole file or none.
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(name, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)

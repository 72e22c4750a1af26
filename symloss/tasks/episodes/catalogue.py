"""Episodic data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from symloss.errors import TaskError
from symloss.tasks.data.folders import data_folder
from symloss.tasks.episodes.checks import check_counts
from symloss.tasks.episodes.cifar import FOLDERS, cifar_episodes
from symloss.tasks.episodes.class_folders import class_folders
from symloss.tasks.episodes.episode import EpisodeSource
from symloss.tasks.episodes.glyphs import glyphs
from symloss.tasks.episodes.omniglot import omniglot
from symloss.tasks.episodes.sinusoid import Sinusoid
from symloss.tasks.names import suggestion

__all__ = ["Episodic", "episode_names", "episodic", "load_episodes"]


@dataclass(frozen=True)
class Episodic:
    """An episodic data set that can be asked for by name.

    Attributes:
        name: what users type.
        kind: `"classification"` or `"regression"`.
        description: one line.
        size: classes and shape of an instance, in words.
        load: reads it, given the data folder and the size of the images.
        files: in the data folder, any of which holds the data; empty for what is made on the spot.
    """

    name: str
    kind: str
    description: str
    size: str
    load: Callable[[str | Path | None, int | None], EpisodeSource]
    files: tuple[str, ...] = ()

    def availability(self, data: str | Path | None = None) -> str:
        """In words: `ready`, or what it takes; nothing is loaded to find out.

        >>> episodic()[0].availability()
        'ready'
        """
        home = data_folder(data)
        if not self.files or any((home / name).exists() for name in self.files):
            return "ready"
        return f"needs {self.files[0]} in {home}"


def _sinusoid(data: str | Path | None, image_size: int | None) -> EpisodeSource:
    if image_size is not None:
        raise TaskError("sinusoid has no images: leave the size of the images out")
    return Sinusoid()


_FOLDER = "folder:"
_C, _R = "classification", "regression"
_ENTRIES = {
    entry.name: entry
    for entry in (
        Episodic("sinusoid", _R, "sine waves of random amplitude and phase", "endless x 1", _sinusoid),
        Episodic(
            "glyphs", _C, "letters drawn from matplotlib's fonts", "some 900 classes x 28 x 28",
            lambda data, size: glyphs(size or 28),
        ),
        Episodic(
            "omniglot", _C, "handwritten characters, each turned four ways", "6,492 classes x 28 x 28", omniglot,
            ("omniglot-py",),
        ),
        Episodic(
            "cifar-fs", _C, "CIFAR-100's classes, split at random", "100 classes x 3 x 32 x 32",
            lambda data, size: cifar_episodes("cifar-fs", data, size), FOLDERS,
        ),
        Episodic(
            "fc100", _C, "CIFAR-100's classes, split by superclass", "100 classes x 3 x 32 x 32",
            lambda data, size: cifar_episodes("fc100", data, size), FOLDERS,
        ),
    )
}  # fmt: skip


def episodic() -> list[Episodic]:
    """All episodic data sets with a name; besides them `folder:PATH` opens class folders of images."""
    return list(_ENTRIES.values())


def episode_names() -> list[str]:
    """The names that `load_episodes` knows, `folder:PATH` apart.

    >>> episode_names()[:2]
    ['sinusoid', 'glyphs']
    """
    return list(_ENTRIES)


def load_episodes(
    name: str, data: str | Path | None = None, *, image_size: int | None = None
) -> EpisodeSource:
    """The episodic data set of a name.

    Args:
        name: one of `episode_names()`, or `folder:PATH`.
        data: the folder of data files; `$SYMLOSS_DATA` or `~/.cache/symloss` unless given.
        image_size: height and width of the images; the data set's usual size unless given.

    Raises:
        TaskError: for an unknown name, absent data, or data that do not fit.

    >>> load_episodes("sinusoid").kind
    'regression'
    """
    if image_size is not None:
        check_counts(image_size=image_size)
    if name.startswith(_FOLDER):
        return class_folders(name.removeprefix(_FOLDER), data, image_size)
    if name not in _ENTRIES:
        raise TaskError(
            f"unknown few-shot task {name!r}: {suggestion(name, [*episode_names(), 'folder:PATH'])}"
        )
    return _ENTRIES[name].load(data, image_size)

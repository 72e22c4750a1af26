"""Episodic data sets by name."""

from __future__ import annotations

from pathlib import Path

from symloss.errors import TaskError
from symloss.tasks.episodes.episode import EpisodeSource
from symloss.tasks.episodes.sinusoid import Sinusoid
from symloss.tasks.names import suggestion

__all__ = ["episode_names", "load_episodes"]

_ENTRIES = {"sinusoid": Sinusoid}


def episode_names() -> list[str]:
    """The names that `load_episodes` knows.

    >>> episode_names()[0]
    'sinusoid'
    """
    return list(_ENTRIES)


def load_episodes(
    name: str, data: str | Path | None = None, *, image_size: int | None = None
) -> EpisodeSource:
    """The episodic data set of a name.

    Args:
        name: one of `episode_names()`.
        data: the folder of data files; `$SYMLOSS_DATA` or `~/.cache/symloss` unless given.
        image_size: height and width of the images; the data set's usual size unless given.

    Raises:
        TaskError: for an unknown name or absent data.

    >>> load_episodes("sinusoid").kind
    'regression'
    """
    if name not in _ENTRIES:
        raise TaskError(f"unknown few-shot task {name!r}: {suggestion(name, episode_names())}")
    return _ENTRIES[name]()

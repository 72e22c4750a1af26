"""How a run was begun: the words that were typed, and the versions of what worked on it."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["Origin", "began_with", "origin_of_this"]

_PACKAGES = ("symloss", "torch", "sympy", "numpy", "scipy", "pandas", "scikit-learn", "deap")
"""The packages whose version can change a result."""
# A context variable: two searches in two threads of a program keep their own words.
_WORDS: ContextVar[tuple[str, ...]] = ContextVar("words", default=())


@dataclass(frozen=True)
class Origin:
    """How a run was begun.

    Attributes:
        command: the words after `symloss`; none where Python began the run, or one from before this was kept.
        versions: by package, and Python's.
        machine: system and processor.
    """

    command: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""

    @property
    def line(self) -> str:
        """The versions in a line."""
        return ", ".join([*(f"{name} {each}" for name, each in self.versions.items()), self.machine])

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {"command": list(self.command), "versions": dict(self.versions), "machine": self.machine}

    @classmethod
    def from_dict(cls, data: Any) -> Origin:
        """What `to_dict` wrote; what a stranger wrote instead is taken as text, or as nothing."""
        record = data if isinstance(data, Mapping) else {}
        words, versions = record.get("command"), record.get("versions")
        return cls(
            tuple(map(str, words)) if isinstance(words, list) else (),
            {str(name): str(each) for name, each in versions.items()}
            if isinstance(versions, Mapping)
            else {},
            str(record.get("machine", "")),
        )


@contextmanager
def began_with(words: Sequence[str]) -> Iterator[None]:
    """Runs that are made inside say that they were begun with these words."""
    token = _WORDS.set(tuple(words))
    try:
        yield
    finally:
        _WORDS.reset(token)


def origin_of_this() -> Origin:
    """The origin of a run that begins now, in this process."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # run from a checkout that is not installed
            versions[name] = "not installed"
    return Origin(_WORDS.get(), versions, f"{platform.system()}, {platform.machine()}")

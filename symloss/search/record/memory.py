"""An in-memory run: the part of `runs.RunStore` that a search uses, without a folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from symloss.runs import RunLog

__all__ = ["Memory", "Store"]


class Store(Protocol):
    """What a search needs of the memory of its run."""

    status: str
    log: RunLog

    @property
    def path(self) -> Path | None:
        """Its folder, or None in memory."""

    def put(self, kind: str, key: int | str, payload: Any) -> None:
        """Remembers a JSON-ready payload."""

    def put_many(self, kind: str, items: Iterable[tuple[int | str, Any]]) -> None:
        """Remembers several, all or none."""

    def get(self, kind: str, key: int | str) -> Any:
        """The payload, or None."""

    def write_text(self, name: str, text: str) -> Any:
        """Replaces a file of the run."""


class Memory:
    """A store that forgets with the process.

    Payloads pass through JSON all the same, so that a search in memory sees what one on disk would.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = dict(config)
        self.status = "running"
        self.path: Path | None = None
        self.log = RunLog(None)
        self._records: dict[tuple[str, str], str] = {}
        self._files: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Nothing is open."""

    def put(self, kind: str, key: int | str, payload: Any) -> None:
        """See `Store`."""
        self.put_many(kind, [(key, payload)])

    def put_many(self, kind: str, items: Iterable[tuple[int | str, Any]]) -> None:
        """See `Store`."""
        self._records.update(
            {(kind, str(key)): json.dumps(payload, sort_keys=True) for key, payload in items}
        )

    def get(self, kind: str, key: int | str) -> Any:
        """See `Store`."""
        text = self._records.get((kind, str(key)))
        return None if text is None else json.loads(text)

    def all(self, kind: str) -> list[tuple[str, Any]]:
        """Every `(key, payload)` of a kind, in order of writing."""
        return [(key, json.loads(text)) for (its, key), text in self._records.items() if its == kind]

    def write_text(self, name: str, text: str) -> None:
        """Nothing is written."""

    def write_bytes(self, name: str, content: bytes) -> None:
        """Remembers what a file would hold."""
        self._files[name] = content

    def read_bytes(self, name: str) -> bytes:
        """What `write_bytes` was given."""
        return self._files[name]

    def remove(self, name: str) -> None:
        """Forgets it."""
        self._files.pop(name, None)

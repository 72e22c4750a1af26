"""The lock on a run's folder: one writer at a time. The system releases it however the writer ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from symloss.errors import RunError

__all__ = ["LOCK", "taken"]

LOCK = "run.lock"

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        # Not lockf, whose locks belong to the process: two stores in one process would both get it, and closing either
        # file would release it.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def taken(folder: Path) -> IO[str]:
    """The lock of a run's folder, held until it is closed.

    Raises:
        RunError: when another process has it.
        OSError: when the folder cannot be written.
    """
    # The file stays when the lock goes: removing it would let two processes lock two files of one name.
    file = open(folder / LOCK, "a", encoding="utf-8")  # noqa: SIM115 - open as long as the store is
    try:
        _lock(file)
    except OSError:
        file.close()
        raise RunError(f"{folder} is being written by another process: wait for it, or stop it") from None
    return file

"""What a run did and when, for people: `run.log` in its folder, one line an event. Nothing reads it back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["LOG", "RunLog"]

LOG = "run.log"
_LOGGER = logging.getLogger("symloss.runs")
Progress = Callable[[str, int, int], object]


class RunLog:
    """Writes lines to the log of one run, and hands them to the logger `symloss.runs` where that listens at `INFO`.

    The file is a handler of the run's own rather than one of the logger: runs in several threads of a process do
    not write into each other's files, and no level that a program has set silences them.

    Args:
        folder: of the run; None for one that is kept in memory, which has no file.
    """

    def __init__(self, folder: Path | None) -> None:
        # `delay`: a run that logs nothing makes no file.
        self._file = None if folder is None else _Lines(folder / LOG, encoding="utf-8", delay=True)
        if self._file is not None:
            self._file.setFormatter(logging.Formatter("%(asctime)s  %(message)s"))

    def __call__(self, message: str, *values: object) -> None:
        """One event; `values` go into the message as `logging` has it."""
        # One record for both, so that file and listener give the same time.
        record = _LOGGER.makeRecord(_LOGGER.name, logging.INFO, __file__, 0, message, values, None)
        if self._file is not None:
            with suppress(OSError):  # no file can be opened there
                self._file.handle(record)
        if _LOGGER.isEnabledFor(logging.INFO):
            _LOGGER.handle(record)

    def stages(self, progress: Progress | None) -> Progress:
        """A watcher of stages that tells `progress`, and writes a line when a stage has ended."""

        def tell(stage: str, done: int, total: int) -> None:
            # Starts and steps would be most of the file.
            if done == total:
                self("%s: %d of %d", stage, done, total)
            if progress is not None:
                progress(stage, done, total)

        return tell

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()


class _Lines(logging.FileHandler):
    """A file of lines with their time. A log that cannot be written, as on a full disk, ends no run."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Does nothing: the run goes on. The default prints a traceback to stderr for every line."""

"""What is seen while a search runs: a live table on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from symloss.report.shares import within
from symloss.report.tables import front_table, number

if TYPE_CHECKING:
    from symloss.search import Generation, Headroom

__all__ = ["LiveFront", "LiveStages", "duration"]

_OF_A_GENERATION = ("training", "tune", "protocol")
_EVERY = 10.0
"""Seconds between two lines of one stage in a log."""
_ROWS = 12
"""Rows of the front that are shown while it grows: the table must fit a terminal."""


def duration(seconds: float | None) -> str:
    """A time that a person reads.

    >>> duration(75), duration(4.2), duration(7300), duration(None)
    ('1 min 15 s', '4 s', '2 h 1 min', '-')
    """
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class LiveStages:
    """Shows the stages of a long verb, each with the time left; a context manager.

    Args:
        console: where to; a terminal gets a bar, anything else a line now and then.
        silent: stages that have no line of their own in a log.
    """

    def __init__(self, console: Console, silent: Sequence[str] = ()) -> None:
        self._console, self._silent = console, silent
        self._live: Live | None = None
        self._stage, self._since, self._told = "", 0.0, 0.0
        self._progress = Progress(
            TextColumn("{task.description}"), MofNCompleteColumn(), BarColumn(30), TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"), console=console,
        )  # fmt: skip
        self._doing: TaskID | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            # Transient: when it ends, the bar leaves and the tables of the verb stand alone.
            self._live = Live(self._progress, console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def progress(self, stage: str, done: int, total: int) -> None:
        """How far a stage is: a bar on a terminal, else a line for what takes longer than a second."""
        now = time.perf_counter()
        # A stage of the same name begins anew, in the next generation, with done == 0.
        if stage != self._stage or done == 0:
            self._stage, self._since, self._told = stage, now, now
        spent = now - self._since
        left = f"{duration(spent / done * (total - done))} left" if done else ""
        if self._live is not None:
            if self._doing is None:
                self._doing = self._progress.add_task(stage, total=total, left="")
            self._progress.update(self._doing, description=stage, completed=done, total=total, left=left)
            return
        # A last line only for a stage that took a second: a log of a thousand short stages is no log.
        if stage in self._silent or now - self._told < (1.0 if done == total else _EVERY):
            return
        self._told = now
        rest = f", {left}" if done < total else ""
        self._console.print(
            f"{stage}: {done} of {total}, {duration(spent)}{rest}", soft_wrap=True, markup=False
        )


class LiveFront(LiveStages):
    """Shows every stage of a search; a context manager that is called with each `Generation`.

    Args:
        console: where to; a terminal gets a table that is redrawn, anything else one line a generation.
        metric: the name of the validation metric.
    """

    def __init__(self, console: Console, metric: str) -> None:
        # A generation has a line of its own.
        super().__init__(console, _OF_A_GENERATION)
        self._metric = metric
        self._bar = self._progress.add_task("generation", total=None, left="")

    def __call__(self, generation: Generation) -> None:
        """Show the state after one generation."""
        if self._live is None:
            self._console.print(self._line(generation), soft_wrap=True, markup=False)
            return
        left = f"{duration(generation.remaining)} left" if generation.remaining else ""
        self._progress.update(self._bar, completed=generation.number, total=generation.generations, left=left)
        title = f"{generation.evaluated} candidates considered"
        self._live.update(Group(front_table(generation.front[-_ROWS:], self._metric, title), self._progress))

    def opening(self, headrooms: Sequence[Headroom]) -> None:
        """What is known before the first generation, in plain words."""
        for each in headrooms:
            self._console.print(f"{each.task}: {each.sentence()}", soft_wrap=True, markup=False)

    def _line(self, generation: Generation) -> str:
        picked = next((row for row in generation.front if row.picked), None)
        best = (
            f"{self._metric} {number(within(picked.validation, self._metric))}  {picked.text}"
            if picked
            else "nothing trained yet"
        )
        left = f", {duration(generation.remaining)} left" if generation.remaining is not None else ""
        return (
            f"generation {generation.number}/{generation.generations}  {generation.evaluated} considered  "
            f"{duration(generation.seconds)}{left}  {best}"
        )

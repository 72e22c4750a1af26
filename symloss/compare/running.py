"""What comparisons and transfers have in common as runs: how they are recognised, begun, carried out and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from symloss.compare.comparison import Comparison
from symloss.compare.transferred import Transfer
from symloss.errors import RunError
from symloss.numbers import as_whole
from symloss.runs import Executor, RunStore
from symloss.search.loop.workers import place_for
from symloss.search.record.memory import Memory
from symloss.tasks import Task

__all__ = ["Opened", "begun", "carried_out", "checked_seed", "made_by"]

Opened = Callable[[], Memory | RunStore]
Table = TypeVar("Table", Comparison, Transfer)
Started = tuple[Callable[[], None], Callable[[], Table]]
"""What does the trainings that are not done yet, and what makes a table of those that are."""


def made_by(verb: str, config: Mapping[str, Any], path: str | Path) -> Mapping[str, Any]:
    """What a run was made with.

    Raises:
        RunError: when another verb made it.
    """
    made = config.get("verb", "discover")
    if made != verb:
        raise RunError(f"{path} is a run of 'symloss {made}', not of 'symloss {verb}'")
    return config


def checked_seed(seed: int) -> int:
    """The seed as a whole number of at least 0.

    Raises:
        RunError: when it is none.
    """
    number = as_whole(seed)
    if number is None or number < 0:
        raise RunError(f"seed {seed!r}: expected a whole number of at least 0")
    return number


def begun(config: Mapping[str, Any], out: str | Path | None) -> Opened:
    """Makes the folder of a new run when it is called; without one it is kept in memory."""
    return partial(Memory, config) if out is None else partial(RunStore.create, out, config)


def carried_out(
    name: str,
    opened: Opened,
    tasks: Sequence[Task],
    executor: str,
    workers: int,
    start: Callable[[Memory | RunStore, Executor], Started[Table]],
    files: Callable[[Table], Mapping[str, str]],
) -> Table:
    """Does what is not done yet, and writes down the table, under this name, and its files; also after Ctrl-C."""
    # The place first: where there is none, no folder is made.
    with place_for(tasks, executor, workers) as place, opened() as store:
        run, table = start(store, place)
        try:
            run()
            status = "finished"
        except KeyboardInterrupt:
            status = "interrupted"
        found = replace(table(), path=store.path, status=status)
        store.put(name, "table", found.to_dict())
        for file, text in files(found).items():
            store.write_text(file, text)
        store.status = status
    return found

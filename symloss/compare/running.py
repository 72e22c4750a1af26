"""Comparisons and transfers as runs: how they are started, carried out, stored and resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from symloss.compare.comparison import Outcome
from symloss.compare.protocol import Protocol
from symloss.errors import RunError
from symloss.numbers import as_whole
from symloss.runs import RunStore
from symloss.search.loop.workers import Progress, place_for
from symloss.search.record.memory import Memory
from symloss.tasks import Task

__all__ = ["Opened", "TableVerb", "begun", "checked_seed"]

Opened = Callable[[], Memory | RunStore]
Table = TypeVar("Table", bound=Outcome[Any])


@dataclass(frozen=True)
class TableVerb(Generic[Table]):
    """A verb that ends in a table of rows.

    Attributes:
        name: what users type, and what the record of a run says that it is.
        noun: what its table is called, and remembered under.
        protocol: does the trainings that are not done yet.
        table: makes the table of those that are.
        read: makes it from its record, configuration, folder and status.
        files: its text files, by name.
        tasks: those of a run, made again, from its configuration, what was given again (tasks, models), device and
            executor.
    """

    name: str
    noun: str
    protocol: type[Protocol]
    table: Callable[[Any], Table]
    read: Callable[[Any, Mapping[str, Any], Path | None, str], Table]
    files: Callable[[Table], Mapping[str, str]]
    tasks: Callable[[Mapping[str, Any], Any, Any, str, str], tuple[Task, ...]]

    def config(self, store: RunStore) -> Mapping[str, Any]:
        """What a run was made with.

        Raises:
            RunError: when another verb made it.
        """
        made = store.config.get("verb", "discover")
        if made != self.name:
            raise RunError(f"{store.path} is a run of 'symloss {made}', not of 'symloss {self.name}'")
        return store.config

    def carry_out(
        self,
        opened: Opened,
        tasks: Sequence[Task],
        executor: str,
        workers: int,
        on_progress: Progress | None,
    ) -> Table:
        """Does what is not done yet, and writes down the table and its files; also after Ctrl-C."""
        # The place first: where there is none, no folder is made.
        with place_for(tasks, executor, workers) as place, opened() as store:
            protocol = self.protocol.of(store, tasks, place, store.log.stages(on_progress))
            try:
                protocol.run()
                status = "finished"
            except KeyboardInterrupt:
                status = "interrupted"
            found = replace(self.table(protocol), path=store.path, status=status)
            store.put(self.noun, "table", found.to_dict())
            for file, text in self.files(found).items():
                store.write_text(file, text)
            store.status = status
            store.log("%s: %s", self.name, status)
        return found

    def open(self, path: str | Path) -> Table:
        """The table of a run as it is on disk, finished or as far as it came; nothing is trained.

        Raises:
            RunError: when there is no such run, or it is damaged.
        """
        with RunStore.open(path) as store:
            return self.read(store.get(self.noun, "table"), self.config(store), store.path, store.status)

    def resume(
        self,
        path: str | Path,
        task: Task | Sequence[Task] | None,
        models: Any,
        *,
        workers: int,
        executor: str,
        device: str,
        on_progress: Progress | None,
    ) -> Table:
        """Goes on with a run that was interrupted or killed: nothing that was finished is trained again."""
        with RunStore.open(path) as reading:
            tasks = self.tasks(self.config(reading), task, models, device, executor)
        return self.carry_out(partial(RunStore.open, path, write=True), tasks, executor, workers, on_progress)


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

"""The task that a user means: a name, a CSV file, or code of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.errors import TaskError

if TYPE_CHECKING:
    from symloss.tasks import Task

__all__ = ["Problem"]


@dataclass(frozen=True)
class Problem:
    """What the options of `discover` say about the data.

    Attributes:
        names: tasks with names.
        data: a CSV or Parquet file.
        table: what goes with a file: its columns `target`, `group` and `weight`, `encoding` and `decimal`.
        code: `module:function`, a function that makes a task.
        kind: of the CSV file's task, when its target alone does not say.
        options: the modifiers, model and metric of `load_task`.
    """

    names: tuple[str, ...]
    data: Path | None
    table: dict[str, str | None]
    code: str | None
    kind: str | None
    options: dict[str, Any]

    def load(self) -> list[Task]:
        """The task, or the tasks when several are named.

        Raises:
            TaskError: when none or more than one way of naming a task is used, or the task is not to be had.
        """
        ways = [bool(self.names), self.data is not None, self.code is not None]
        if sum(ways) != 1:
            raise TaskError(
                "expected one task: a name (see 'symloss tasks'), --data FILE --target COLUMN, or "
                "--task MODULE:FUNCTION"
            )
        given = [f"--{name}" for name, value in (*self.table.items(), ("kind", self.kind)) if value]
        if self.data is None and given:
            raise TaskError(f"{given[0]} goes with --data FILE, which is missing")
        if self.data is not None:
            return [self._from_csv(self.data)]
        if self.code is not None:
            return [self._from_code(self.code)]
        from symloss.tasks import load_task  # torch is imported only when a task is asked for

        return [load_task(name, **self.options) for name in self.names]

    def _from_csv(self, path: Path) -> Task:
        from symloss.tasks import load_csv

        given: dict[str, Any] = {name: value for name, value in self.table.items() if value is not None}
        if "target" not in given:
            raise TaskError(f"which column of {path} is to be predicted? Name it with --target COLUMN")
        return load_csv(path, kind=self.kind, **given, **self.options)

    def _from_code(self, code: str) -> Task:
        from symloss.tasks import load_object

        # By truth and not by None: label noise and outliers default to 0.0.
        given = [
            "--split-seed" if name == "seed" else f"--{name.replace('_', '-')}"
            for name, value in self.options.items()
            if value
        ]
        if given:
            raise TaskError(f"{given[0]} does not go with --task: {code} decides that itself")
        return load_object(code)

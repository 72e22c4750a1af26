"""What a transfer hands back: a matrix of losses and cells, as plain frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.compare.broken import Certified
from symloss.compare.comparison import BASELINE, Cost, Row, finite, flat
from symloss.compare.statistics import LEVEL
from symloss.errors import RunError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CLEAN", "Transfer", "TransferRow", "transfer_from"]

CLEAN = "clean"
"""Test inputs as they are."""


@dataclass(frozen=True)
class TransferRow(Row):
    """One loss in one cell: a task, a model, a share of its rows, noise of its labels, and a kind of test inputs.

    Attributes:
        model: of the task.
        label_noise: of its training and validation labels.
        inputs: `clean`, or the corruption of the test inputs.
        classes: of the task.
        broken: findings that were proved at the number of classes of the search and are not at this one.
    """

    model: str = ""
    label_noise: float = 0.0
    inputs: str = CLEAN
    classes: int | None = None
    broken: tuple[str, ...] = ()

    @property
    def cell(self) -> tuple[str, str, float, float, str]:
        """Where: task, model, label noise, share of the rows, test inputs."""
        return self.task, self.model, self.label_noise, self.fraction, self.inputs

    @property
    def place(self) -> str:
        """The cell in words; what is as usual is not said.

        >>> from symloss.compare.comparison import Cost
        >>> nothing = dict.fromkeys(("mean interval difference difference_interval p p_corrected effect "
        ...     "detectable explained_by area steps_to_target").split())
        >>> row = TransferRow(name="ce", role="", loss="", treatment="tuned", task="wine", metric="accuracy",
        ...     fraction=0.5, verdict="baseline", learning_rate=0.1, steps=9, at_edge=0, scores=(), metrics={},
        ...     chosen={}, cost=Cost(0, 0), model="linear", inputs="gaussian:0.5", **nothing)
        >>> row.place
        'wine, linear, 50 % of the rows, gaussian:0.5'
        """
        said = [self.task, self.model]
        said += [f"label noise {self.label_noise:g}"] if self.label_noise else []
        said += [f"{100 * self.fraction:g} % of the rows"] if self.fraction < 1 else []
        said += [self.inputs] if self.inputs != CLEAN else []
        return ", ".join(said)


@dataclass(frozen=True)
class Transfer:
    """Losses on other tasks, finished or as far as they came.

    Attributes:
        path: the run's folder, or None when it was kept in memory.
        task: the cells' tasks: `name`, `kind`, and under `tasks` what each `describe()`s.
        metric: of the tasks; different ones are joined by commas.
        seed: of everything.
        seeds: trainings that are averaged within a split.
        splits: replicates of the data, the units of every test.
        detectable: smallest difference that the tests tell with 80 % power, the median of the rows.
        rows: cell by cell, the ordinary loss first.
        certificates: of rows of runs, at each other number of classes.
        notes: what a reader must know, a line each.
        status: `"finished"`, `"interrupted"` or `"running"`.
    """

    path: Path | None
    task: Mapping[str, Any]
    metric: str
    seed: int
    seeds: int
    splits: int
    detectable: float | None
    rows: tuple[TransferRow, ...]
    certificates: tuple[Certified, ...] = ()
    notes: tuple[str, ...] = ()
    status: str = "finished"

    @property
    def losses(self) -> tuple[str, ...]:
        """The losses that are compared with the ordinary one."""
        return tuple(dict.fromkeys(row.name for row in self.rows if not row.role.startswith("ordinary")))

    @property
    def verdicts(self) -> dict[str, dict[str, int]]:
        """By loss, how often there is each verdict."""
        found: dict[str, dict[str, int]] = {}
        for row in self.rows:
            if row.verdict != BASELINE and row.name in self.losses:
                counts = found.setdefault(row.name, {})
                counts[row.verdict] = counts.get(row.verdict, 0) + 1
        return found

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data; a number that is not finite is None."""
        found = {
            "run": None if self.path is None else str(self.path), "status": self.status, "task": dict(self.task),
            "metric": self.metric, "seed": self.seed, "seeds": self.seeds, "splits": self.splits,
            "detectable": self.detectable, "level": LEVEL, "rows": [row.to_dict() for row in self.rows],
            "certificates": [each.to_dict() for each in self.certificates], "notes": list(self.notes),
        }  # fmt: skip
        return {name: finite(value) for name, value in found.items()}

    def to_frame(self) -> pd.DataFrame:
        """The rows as a table, one column a field."""
        import pandas as pd

        return pd.DataFrame([{**flat(row), "broken": "; ".join(row.broken)} for row in self.rows])

    def to_csv(self) -> str:
        """`to_frame` as CSV text."""
        text: str = self.to_frame().to_csv(index=False)
        return text

    def to_latex(self) -> str:
        """The matrix as a booktabs table for LaTeX: paste it in, with `\\usepackage{booktabs}`."""
        from symloss.compare.latex import transfer_latex

        return transfer_latex(self)


_FIELDS = {each.name for each in fields(TransferRow)}


def transfer_from(record: Any, config: Mapping[str, Any], path: Path | None, status: str) -> Transfer:
    """The transfer that `Transfer.to_dict` wrote; without rows where there is none yet.

    Raises:
        RunError: for a record that is damaged.
    """
    try:
        settings, found = config["settings"], record or {}
        metrics = dict.fromkeys(str(each["metric"]) for each in config["task"]["tasks"])
        return Transfer(
            path=path, task=config["task"], metric=",".join(metrics), seed=int(config["seed"]),
            seeds=int(settings["seeds"]), splits=int(settings["splits"]), detectable=found.get("detectable"),
            rows=tuple(_row(row) for row in found.get("rows", [])),
            certificates=tuple(Certified.from_dict(each) for each in found.get("certificates", [])),
            notes=tuple(found.get("notes", [])), status=status,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"the transfer cannot be read: {type(error).__name__} {error}") from None


def _row(data: Mapping[str, Any]) -> TransferRow:
    known = {name: value for name, value in data.items() if name in _FIELDS}
    for name in ("interval", "difference_interval"):
        known[name] = None if known[name] is None else tuple(known[name])
    known |= {name: tuple(map(tuple, known.get(name, ()))) for name in ("curve", "reached")}
    for name in ("scores", "broken"):
        known[name] = tuple(known[name])
    return TransferRow(**{**known, "cost": Cost(**known["cost"])})

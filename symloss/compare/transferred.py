"""The result of a transfer: a matrix of losses and cells, as plain frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from symloss.compare.broken import Certified
from symloss.compare.comparison import BASELINE, Outcome, Row

__all__ = ["CLEAN", "Transfer", "TransferRow"]

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
class Transfer(Outcome[TransferRow]):
    """Losses on other tasks, finished or as far as they came; `rows` are cell by cell, the ordinary loss first.

    Attributes:
        certificates: of rows of runs, at each other number of classes.
    """

    certificates: tuple[Certified, ...] = ()

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

    def _more(self) -> dict[str, Any]:
        return {"certificates": [each.to_dict() for each in self.certificates]}

    def to_latex(self) -> str:
        """See `Outcome.to_latex`."""
        from symloss.compare.latex import transfer_latex

        return transfer_latex(self)

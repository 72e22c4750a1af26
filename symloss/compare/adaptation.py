"""The result of `adapt`: a table of the adapting loss and its controls, and the path that the loss took."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.compare.comparison import finite
from symloss.compare.statistics import LEVEL
from symloss.errors import RunError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MOVED", "Adaptation", "AdaptationRow", "Step", "adaptation_from"]

MOVED = 0.02
"""A loss whose gradient has changed by a smaller share has not adapted: it is an offline loss."""


@dataclass(frozen=True)
class AdaptationRow:
    """One way to train.

    Attributes:
        name: `adaptive`, or that of a control.
        mean: of the metric on test rows over the replicates; a training that diverged counts as the untrained model.
        interval: of the mean, 95 %.
        difference: from the adapting loss, in units of the metric.
        difference_interval: of the paired difference, 95 %.
        p: two-sided, of the paired difference.
        p_corrected: Holm's, of the two rows that claims rest on; None of the others.
        verdict: of the row against the adapting loss, see `verdicts.verdict`; `baseline` of itself.
        diverged: trainings that did.
        scores: by replicate.
        seconds: of a training that is reported, on one core, the mean.
        note: why trainings failed.
    """

    name: str
    mean: float
    interval: tuple[float, float] | None
    difference: float | None
    difference_interval: tuple[float, float] | None
    p: float | None
    p_corrected: float | None
    verdict: str
    diverged: int
    scores: tuple[float, ...]
    seconds: float
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data; a number that is not finite is None."""
        return {name: finite(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Step:
    """The adapting loss and its model after a number of steps; None where a number is not defined.

    Attributes:
        step: how many.
        validation: the task's metric on the validation rows.
        attractor, label_smoothing, implicit_learning_rate: of the loss, as its certificate has them where it is a
            formula and they are proved, else as measured (`meta.adapt_path`).
        coefficients: of a formula, by name.
        sharpness: largest eigenvalue of the ordinary loss's Hessian in the weights, on training rows.
        formula: the loss, or None for a network.
        proved: which of the three are.
    """

    step: int
    validation: float | None
    attractor: float | None
    label_smoothing: float | None
    implicit_learning_rate: float | None
    coefficients: Mapping[str, float] | None
    sharpness: float | None = None
    formula: str | None = None
    proved: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data; a number that is not finite is None."""
        return {name: finite(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Adaptation:
    """A loss that adapted, beside its controls: finished or as far as it came.

    Attributes:
        path: the run's folder, or None when it was kept in memory.
        task: what the task `describe()`s.
        metric: of the task.
        loss: where adaptation began: a formula, or `"neural"`.
        seed: of everything.
        seeds: replicates that are finished.
        settings: as given.
        rows: the adapting loss first.
        moved: how far its gradient moved online, `|g' - g| / |g|` at fixed points; the median over the replicates.
        moved_shape: the same with the scale taken out.
        trajectories: by replicate, the adapting loss step by step.
        claims: what can be said of adaptivity and of shape, in words.
        notes: what a reader must know, a line each.
        status: `"finished"`, `"interrupted"` or `"running"`.
    """

    path: Path | None
    task: Mapping[str, Any]
    metric: str
    loss: str
    seed: int
    seeds: int
    settings: Mapping[str, Any]
    rows: tuple[AdaptationRow, ...]
    moved: float | None = None
    moved_shape: float | None = None
    trajectories: tuple[tuple[Step, ...], ...] = ()
    claims: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    status: str = "finished"

    @property
    def trajectory(self) -> tuple[Step, ...]:
        """That of the first replicate."""
        return self.trajectories[0] if self.trajectories else ()

    def row(self, name: str) -> AdaptationRow:
        """The row of a name.

        Raises:
            KeyError: when there is none.
        """
        return {row.name: row for row in self.rows}[name]

    def spread(self, name: str) -> list[float | None]:
        """The standard deviation over the replicates, step by step, of a number of the path; None for one replicate."""
        found: list[float | None] = []
        for steps in zip(*self.trajectories, strict=False):
            values = [getattr(step, name) for step in steps]
            # An attractor, say, may be undefined in some replicates; the spread is of the others.
            known = [value for value in values if value is not None]
            found.append(statistics.stdev(known) if len(known) > 1 else None)
        return found

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data; a number that is not finite is None."""
        path = [step.to_dict() for step in self.trajectory]
        spreads = {name: self.spread(name) for name in _MEASURED}
        for i, step in enumerate(path):
            step["spread"] = {
                name: finite(spreads[name][i]) if i < len(spreads[name]) else None for name in _MEASURED
            }
        return {
            "run": None if self.path is None else str(self.path), "status": self.status,
            "task": dict(self.task), "metric": self.metric, "loss": self.loss, "seed": self.seed, "seeds": self.seeds,
            "settings": dict(self.settings), "level": LEVEL, "rows": [row.to_dict() for row in self.rows],
            "moved": finite(self.moved), "moved_shape": finite(self.moved_shape), "path": path,
            "paths": [[step.to_dict() for step in steps] for steps in self.trajectories], "claims": dict(self.claims),
            "notes": list(self.notes),
        }  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """The rows as a pandas data frame."""
        import pandas as pd

        return pd.DataFrame([row.to_dict() for row in self.rows])

    def to_csv(self) -> str:
        """The path of every replicate as CSV, a line a step."""
        lines = ["replicate," + ",".join(("step", *_MEASURED, "formula"))]
        for number, steps in enumerate(self.trajectories):
            for step in steps:
                cells = [number, step.step, *(getattr(step, name) for name in _MEASURED)]
                shown = ["" if cell is None else repr(cell) for cell in cells]
                lines.append(",".join([*shown, f'"{step.formula}"' if step.formula else ""]))
        return "\n".join([*lines, ""])


_MEASURED = ("validation", "attractor", "label_smoothing", "implicit_learning_rate", "sharpness")


def adaptation_from(record: Any, path: Path | None, status: str) -> Adaptation:
    """What a record says.

    Raises:
        RunError: when it says something else, or nothing yet.
    """
    if record is None:
        raise RunError(f"{path} has no table yet: 'symloss resume {path}' goes on with it")
    try:
        rows = tuple(_row(each) for each in record["rows"])
        paths = tuple(tuple(_step(each) for each in steps) for steps in record["paths"])
        return Adaptation(
            path=path, task=record["task"], metric=str(record["metric"]), loss=str(record["loss"]),
            seed=int(record["seed"]), seeds=int(record["seeds"]), settings=record["settings"], rows=rows,
            moved=record["moved"], moved_shape=record["moved_shape"], trajectories=paths, claims=record["claims"],
            notes=tuple(record["notes"]), status=status,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{path} is damaged: its table cannot be read ({type(error).__name__} {error})"
        ) from None


def _row(data: Mapping[str, Any]) -> AdaptationRow:
    known = {each.name: data[each.name] for each in fields(AdaptationRow)}
    for name in ("interval", "difference_interval"):
        known[name] = None if known[name] is None else tuple(known[name])
    known["scores"] = tuple(math.nan if score is None else score for score in known["scores"])
    return AdaptationRow(**known)


def _step(data: Mapping[str, Any]) -> Step:
    known = {each.name: data[each.name] for each in fields(Step)}
    return Step(**{**known, "proved": tuple(known["proved"])})

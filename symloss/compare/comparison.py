"""The result of a comparison: plain frozen records from which tables, files and figures are made."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from symloss.compare.ranks import Ranking
from symloss.compare.statistics import LEVEL

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AS_IS",
    "BASELINE",
    "DIVERGED",
    "NORMALISED",
    "RATE_ONLY",
    "TREATMENTS",
    "TUNED",
    "AnyRow",
    "Comparison",
    "Cost",
    "Outcome",
    "Row",
    "finite",
    "flat",
]

AS_IS, NORMALISED, TUNED, RATE_ONLY = "as is", "normalised", "tuned", "learning rate only"
TREATMENTS = (AS_IS, NORMALISED, TUNED)
"""How a loss is trained. As is: at the task's learning rate and steps. Normalised: there, divided by its null-epoch
gradient scale. Tuned: normalised, with learning rate, steps and its own parameters chosen on blocks. A control beside
them tunes the learning rate only, at all of the task's steps."""
BASELINE, DIVERGED = "baseline", "diverged"
"""Verdicts of rows that are compared with nothing."""


@dataclass(frozen=True)
class Cost:
    """What a row took.

    Attributes:
        seconds, steps: of the trainings that are reported, on one core; steps are optimiser steps of one model.
        selection_seconds, selection_steps: of its tuning, blocks and configurations that were not chosen included.
        search_seconds, candidates: of the search that found the loss, in all splits where it was searched anew in each;
            rejected candidates included.
        search_steps: as many steps of the ordinary loss's trainings here take as long as the search, whose tunings and
            trainings differ in what a step costs.
    """

    seconds: float
    steps: int
    selection_seconds: float = 0.0
    selection_steps: int = 0
    search_seconds: float = 0.0
    candidates: int = 0
    search_steps: int = 0


@dataclass(frozen=True)
class Row:
    """One loss and treatment on one task.

    Attributes:
        name: of the loss.
        role: `ordinary`, `ordinary tuned` (the baselines), `best zoo`, `discovered`, or `""`.
        loss: the formula; of a tuned loss the version that was chosen most often.
        treatment: one of `TREATMENTS`, or the control `learning rate only`.
        task: name of the task.
        metric: of the task.
        fraction: share of the training and validation rows.
        mean: of the metric on test rows over the splits, seeds averaged within each; None where half of the trainings
            or more diverged (fewer count as the untrained models that they began with).
        interval: of the mean, 95 %.
        difference: of the mean from the baseline's under the same treatment, in units of the metric.
        difference_interval: of the paired difference, 95 %: that on which the verdict rests.
        p: two-sided, of the paired difference.
        p_corrected: Holm's, over all rows and tasks of the table's one hypothesis; None of exploratory rows.
        effect: paired difference in standard deviations over the splits, positive is better.
        detectable: smallest difference that is told with 80 % power.
        verdict: see `verdicts.verdict`; `baseline` or `diverged`.
        explained_by: `learning rate`, `early stopping` or None: see `verdicts.explained_by`.
        learning_rate, steps: of its training, the median over the splits.
        at_edge: splits on which the best learning rate lies at an end of the grid, widened as far as it goes.
        scores: the metric on each split, None where one is missing or diverged.
        metrics: means of the other metrics on test rows (`nll`, `ece`).
        area: under the validation curve over the task's steps, as a mean of the metric; None without a curve.
        steps_to_target: the median, runs that never reach it censored (Kaplan, Meier); None where half never do.
        chosen: of a tuned loss with parameters of its own, how often each version was chosen.
        cost: see `Cost`.
        note: a remark, such as why it failed.
        curve: of the validation metric, by step: the step, the mean over the splits and the ends of its 95 % interval;
            it ends where a training diverged, and is empty where nothing is seen on the way.
        target: the score that `steps_to_target` and `reached` are about; None without a curve of the ordinary loss.
        reached: by step, the share of trainings that have reached it by then (Kaplan, Meier).
    """

    name: str
    role: str
    loss: str
    treatment: str
    task: str
    metric: str
    fraction: float
    mean: float | None
    interval: tuple[float, float] | None
    difference: float | None
    difference_interval: tuple[float, float] | None
    p: float | None
    p_corrected: float | None
    effect: float | None
    detectable: float | None
    verdict: str
    explained_by: str | None
    learning_rate: float
    steps: int
    at_edge: int
    scores: tuple[float | None, ...]
    metrics: Mapping[str, float]
    area: float | None
    steps_to_target: float | None
    chosen: Mapping[str, int]
    cost: Cost
    note: str = ""
    curve: tuple[tuple[float | None, ...], ...] = ()
    target: float | None = None
    reached: tuple[tuple[int, float], ...] = ()

    @property
    def primary(self) -> bool:
        """Whether it belongs to the table's one hypothesis; every other row is exploratory."""
        return self.p_corrected is not None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data."""
        return asdict(self)


AnyRow = TypeVar("AnyRow", bound=Row)


@dataclass(frozen=True)
class Outcome(ABC, Generic[AnyRow]):
    """What a comparison and a transfer have in common: a table of rows, and what it was made with.

    Attributes:
        path: the run's folder, or None when it was kept in memory.
        task: what `Task.describe()` says; of several tasks, `name`, `kind` and each under `tasks`.
        metric: of the task; of several with different ones, joined by commas.
        seed: of everything.
        seeds: trainings that are averaged within a split.
        splits: replicates of the data, the units of every test.
        detectable: smallest difference that the tests of the hypothesis tell with 80 % power, the median of its rows.
        rows: of the table.
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
    rows: tuple[AnyRow, ...]
    notes: tuple[str, ...] = ()
    status: str = "finished"

    @property
    def every(self) -> tuple[AnyRow, ...]:
        """The rows of the table, and those that stand behind it."""
        return self.rows

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data; a number that is not finite is None."""
        found = {
            "run": None if self.path is None else str(self.path), "status": self.status, "task": dict(self.task),
            "metric": self.metric, "seed": self.seed, "seeds": self.seeds, "splits": self.splits,
            "detectable": self.detectable, "level": LEVEL, "rows": [row.to_dict() for row in self.rows],
            "notes": list(self.notes), **self._more(),
        }  # fmt: skip
        return {name: finite(value) for name, value in found.items()}

    @abstractmethod
    def _more(self) -> dict[str, Any]:
        """What else is said of it, JSON-ready."""

    def to_frame(self) -> pd.DataFrame:
        """`every` row as a table, one column a field; intervals and costs have a column for each of their numbers."""
        import pandas as pd

        return pd.DataFrame([flat(row) for row in self.every])

    def to_csv(self) -> str:
        """`to_frame` as CSV text."""
        text: str = self.to_frame().to_csv(index=False)
        return text

    @abstractmethod
    def to_latex(self) -> str:
        """The rows as a booktabs table for LaTeX: paste it in, with `\\usepackage{booktabs}`."""


@dataclass(frozen=True)
class Comparison(Outcome[Row]):
    """Losses compared, finished or as far as it came; `rows` are losses and treatments, task by task.

    Attributes:
        controls: rows of the control that tunes the learning rate only.
        rankings: across several tasks, by treatment.
        wilcoxon: across several tasks, by loss: the p of its differences from the baseline under the treatment of the
            hypothesis.
    """

    controls: tuple[Row, ...] = ()
    rankings: Mapping[str, Ranking] = field(default_factory=dict)
    wilcoxon: Mapping[str, float] = field(default_factory=dict)

    @property
    def every(self) -> tuple[Row, ...]:
        """The rows of the table, and those of the control."""
        return (*self.rows, *self.controls)

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict of each row of the hypothesis, by loss; of several tasks by `task: loss`.

        Of a comparison without any (all baseline, or interrupted) it is empty.
        """
        several = len({row.task for row in self.rows}) > 1
        return {
            f"{row.task}: {row.name}" if several else row.name: row.verdict
            for row in self.rows
            if row.primary
        }

    def _more(self) -> dict[str, Any]:
        return {
            "controls": [row.to_dict() for row in self.controls],
            "rankings": {name: _ranking(each) for name, each in self.rankings.items()},
            "wilcoxon": dict(self.wilcoxon),
        }

    def to_latex(self) -> str:
        """See `Outcome.to_latex`."""
        from symloss.compare.latex import latex_table

        return latex_table(self)


def flat(row: Row) -> dict[str, Any]:
    """A row as columns of a table: intervals and costs have one for each of their numbers."""
    columns: dict[str, Any] = {}
    for name, value in vars(row).items():
        if name in ("interval", "difference_interval"):
            low, high = value or (None, None)
            columns |= {f"{name}_low": low, f"{name}_high": high}
        elif name == "cost":
            columns |= {f"cost_{part}": number for part, number in vars(value).items()}
        elif name == "metrics":
            columns |= {f"test_{metric}": number for metric, number in sorted(value.items())}
        elif name == "broken":
            columns[name] = "; ".join(value)
        elif name == "scores":
            columns |= {f"split_{i + 1}": score for i, score in enumerate(value)}
        elif name in ("curve", "reached"):
            columns[name] = "; ".join(f"{point[0]}: {point[1]:.6g}" for point in value)
        elif name == "chosen":
            # As a record has it, whose keys are sorted.
            columns["chosen"] = "; ".join(f"{version} x{count}" for version, count in sorted(value.items()))
        else:
            columns[name] = value
    return columns


def _ranking(ranking: Ranking) -> dict[str, Any]:
    pairs = [[ranking.names[a], ranking.names[b], p] for (a, b), p in ranking.pairs.items()]
    groups = [[ranking.names[i] for i in group] for group in ranking.groups]
    return {**asdict(ranking), "pairs": pairs, "groups": groups}


def finite(value: Any) -> Any:
    """JSON-ready data in which a number that is not finite is None."""
    if isinstance(value, Mapping):
        return {str(key): finite(inner) for key, inner in value.items()}
    # A string is a sequence of strings, without end.
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return [finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

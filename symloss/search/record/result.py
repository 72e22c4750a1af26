"""What a search hands back: plain frozen records, which the report and the command line read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from symloss.errors import SymlossError
from symloss.expr import Loss, parse

__all__ = ["ENDED", "Baseline", "Evaluation", "FrontRow", "Generation", "Result"]

ENDED = ("finished", "max evaluations", "time limit")
"""Statuses of a run whose finalists were trained on fresh seeds; a time limit leaves something to go on with."""


@dataclass(frozen=True)
class Evaluation:
    """One candidate and what became of it.

    Attributes:
        number: its place in the order of proposal, from 0.
        generation: from 0, the initial population.
        slot: its place in the generation.
        tokens: the tree as proposed, in prefix order.
        outcome: `"trained"`, `"reused"` (another's score), `"rejected"` (by the gate or a requirement) or
            `"failed"` (training diverged).
        reason: why, in words; of a trained candidate `""` or a remark.
        loss: the formula as trained - tuned, scaled, rounded - or None when it never came so far. It may be
            given as a function, which is called when the loss is first read: SymPy takes milliseconds for it.
        validation: the metric as users read it, on validation data.
        fitness: what the search minimises.
        seconds: what it cost.
        scale: the factor on the null-epoch gradient that was taken out of the formula (1 when kept).
        scores: per task, when several are searched at once.
        formula: the loss as the search writes it; `""` without one.
        complexity: the number of symbols in that text, operators at their cost.
        rungs: the metric after a share of the training, with the coefficients as proposed, by that share and
            task.
    """

    number: int
    generation: int
    slot: int
    tokens: tuple[str, ...]
    outcome: str
    reason: str
    loss: Loss | None
    validation: float | None
    fitness: float | None
    seconds: float
    scale: float = 1.0
    scores: Mapping[str, float] = field(default_factory=dict)
    formula: str = ""
    complexity: int | None = None
    rungs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def with_fitness(self, value: float | None) -> Evaluation:
        """The same with another fitness, which is also what is shown as validation."""
        values = {each.name: self.__dict__[each.name] for each in fields(self)}
        return Evaluation(**{**values, "validation": value, "fitness": value})


class _OnDemand:
    """A field that may be given as a function of nothing, called when the field is first read."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = instance.__dict__[self.name]
        if callable(value):
            value = instance.__dict__[self.name] = value()
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.name] = value


def later(formula: str, kind: str) -> Any:
    """What to give an `Evaluation` for its loss, so that the formula is parsed when it is first read."""
    return partial(parse, formula, kind) if formula else None


# Set after the dataclass is made, which would take it for the field's default.
Evaluation.loss = _OnDemand("loss")  # type: ignore[assignment]


@dataclass(frozen=True)
class FrontRow:
    """One loss that no other beats in both validation metric and complexity.

    Attributes:
        row: from 1, as in `front.csv`.
        loss: the formula in its plainest form that equals what was trained, on soft labels too; what was
            trained to the letter is `result.evaluations[row.evaluation].formula`.
        complexity: the number of symbols in the formula as it is shown.
        validation: the metric as users read it: its mean over the fresh seeds, where there are any.
        fitness: the same, as the search minimises it.
        score: fitness gained per added symbol over the row before, in natural-log units where both are
            positive, else plain difference; None in the first row.
        picked: the row that the selection rule takes.
        evaluation: the number of the evaluation it comes from.
        scale: the factor taken out of the formula.
        classes: the number of classes of the task, or None.
        fresh: the metric on fresh training seeds, where re-evaluated.
        scores: per task, when several were searched at once.
        hard: the formula as it is shown where every label of the task is 0 or 1, if that differs from `loss`.
    """

    row: int
    loss: Loss
    complexity: int
    validation: float
    fitness: float
    score: float | None
    picked: bool
    evaluation: int
    scale: float = 1.0
    classes: int | None = None
    fresh: tuple[float, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    hard: Loss | None = None

    @property
    def shown(self) -> Loss:
        """The loss as tables, files and the command line print it."""
        return self.hard or self.loss

    @cached_property
    def certificate(self) -> Any:
        """What theory proves about this loss: `theory.analyze(loss, classes)`, worked out when first read."""
        from symloss.theory import analyze  # SymPy's algebra takes seconds: only for whoever asks

        return analyze(self.loss, self.classes)


@dataclass(frozen=True)
class Baseline:
    """One loss trained under the same budget, for comparison with what was discovered.

    Attributes:
        name: such as `"mse tuned"`, `"best zoo: huber"`, `"discovered"`.
        loss: the formula.
        learning_rate: of its training.
        steps: of its training.
        validation: the mean metric over the seeds, on validation data.
        test: the mean metric over the seeds, on test data.
        tests: the metric on test data, seed by seed.
        p_value: two-sided paired test of `tests` against the tuned baseline's; None for that one itself.
    """

    name: str
    loss: Loss
    learning_rate: float
    steps: int
    validation: float
    test: float
    tests: tuple[float, ...]
    p_value: float | None = None


@dataclass(frozen=True)
class Generation:
    """Where a search stands after one generation.

    Attributes:
        number: from 1.
        generations: how many there will be.
        front: the archive so far.
        evaluated: candidates considered so far.
        seconds: spent so far.
        remaining: seconds to go, estimated; None when unknown.
    """

    number: int
    generations: int
    front: tuple[FrontRow, ...]
    evaluated: int
    seconds: float
    remaining: float | None = None


@dataclass(frozen=True)
class Result:
    """A search, finished or as far as it came.

    Attributes:
        path: the run's folder, or None when it was kept in memory.
        task: what `Task.describe()` says (of several tasks: under `"tasks"`).
        method: `"evomal"`, `"gplfl"` or `"random"`.
        seed: the run seed.
        settings: everything else that fixes the outcome.
        status: `"finished"`, `"interrupted"`, `"time limit"`, `"max evaluations"` or `"running"`.
        front: by rising complexity.
        evaluations: every candidate considered, in order.
        generations: one record each.
        baselines: what it was compared with, if it was.
        notes: remarks a reader should see, such as a fallback that was taken.
    """

    path: Path | None
    task: Mapping[str, Any]
    method: str
    seed: int
    settings: Mapping[str, Any]
    status: str
    front: tuple[FrontRow, ...]
    evaluations: tuple[Evaluation, ...]
    generations: tuple[Generation, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def picked(self) -> FrontRow:
        """The row that the selection rule takes.

        Raises:
            SymlossError: when no candidate was trained.
        """
        for row in self.front:
            if row.picked:
                return row
        raise SymlossError(
            f"no loss survived in {len(self.evaluations)} candidates: search longer or with another seed"
        )

    @property
    def best(self) -> Loss:
        """The loss of the picked row."""
        return self.picked.loss

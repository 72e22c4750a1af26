"""The result of a search: plain frozen records, which the report and the command line read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from symloss.errors import DomainError, SymlossError
from symloss.expr import Loss, parse
from symloss.meta import NeuralLoss
from symloss.search.loop.candidate import NEURAL
from symloss.search.loop.headroom import Headroom

__all__ = ["ENDED", "Baseline", "Evaluation", "FrontRow", "Generation", "Network", "Result"]

ENDED = ("finished", "max evaluations", "time limit")
"""Statuses of a run whose finalists have met; a time limit leaves something to go on with."""


@dataclass(frozen=True)
class Evaluation:
    """One candidate and what became of it.

    Attributes:
        number: its place in the order of proposal, from 0.
        generation: from 0, the initial population.
        slot: its place in the generation.
        tokens: the tree as proposed, in prefix order; of a network `"neural"` and its hidden layers.
        outcome: `"trained"`, `"reused"` (another's score), `"rejected"` (by the gate or a requirement) or
            `"failed"` (training diverged).
        reason: why, in words; of a trained candidate `""` or a remark.
        kind: of the loss.
        formula: the loss as the search writes it, as trained - tuned, scaled, rounded; `""` without one, and
            `"neural"` for a network.
        complexity: the number of symbols in that text, operators at their cost; of a network of its weights.
        scale: the factor on the null-epoch gradient that was taken out of the formula (1 when kept).
        blocks: the metric of each task on each block that the loss has seen, None where training diverged.
        validation: the metric as users read it, on the average block; of several tasks the mean in units of
            their noise.
        se: standard error of it, or None while it is not known.
        fitness: what the search minimises.
        seconds: what it cost.
        name: of a loss of the zoo, with its parameters.
        source: the candidate whose training it shares.
        parents: the candidates that it was bred from, the first one first; none where it was drawn or given.
        way: how: `crossover`, `mutation`, `hoist`, `point`, `number`, `exponent`, `copy`, or `rounder numbers`.
    """

    number: int
    generation: int
    slot: int
    tokens: tuple[str, ...]
    outcome: str
    reason: str
    kind: str
    formula: str = ""
    complexity: int | None = None
    scale: float = 1.0
    blocks: Mapping[int, tuple[float | None, ...]] = field(default_factory=dict)
    validation: float | None = None
    se: float | None = None
    fitness: float | None = None
    seconds: float = 0.0
    name: str = ""
    source: int | None = None
    parents: tuple[int, ...] = ()
    way: str = ""

    @cached_property
    def loss(self) -> Loss | None:
        """The formula as a loss, parsed when it is first read: SymPy takes milliseconds for it."""
        return parse(self.formula, kind=self.kind) if self.formula and not self.neural else None

    @property
    def neural(self) -> bool:
        """Whether it is a network, which has no formula."""
        return self.formula == NEURAL


@dataclass(frozen=True)
class Network:
    """A network of a run that is a loss, and the evaluation that it comes from."""

    evaluation: int
    loss: NeuralLoss


@dataclass(frozen=True)
class FrontRow:
    """One loss that no other beats in both validation metric and complexity.

    Attributes:
        row: from 1, as in `front.csv`.
        written: `loss`, or None where the loss is a network.
        complexity: the number of symbols in the formula as it is shown, or of weights.
        validation: the metric as users read it: once finalists have met, the mean over the final blocks drawn
            towards the other finalists' (the winner's own score flatters it); before, on the average block.
        se: standard error of it, for data like these; None while it is not known.
        fitness: the same as `validation`, as the search minimises it.
        score: fitness gained per added symbol over the row before, in natural-log units where both are
            positive, else plain difference; None in the first row.
        picked: the row that the selection rule takes.
        evaluation: the number of the evaluation it comes from.
        scale: the factor taken out of the formula.
        classes: the number of classes of the task, or None.
        finals: the metric on each final block; of several tasks the mean in units of their noise.
        scores: of several tasks, the mean metric of each over its blocks.
        rates, steps: of its training there, one a task: times the task's learning rate; empty before.
        name: of a loss of the zoo, with its parameters: `sce(alpha=0.1, beta=1)`.
        hard: the formula as it is shown where every label of the task is 0 or 1, if that differs from `loss`.
        neural: the kind of a loss that is a network; `""` for a formula.
    """

    row: int
    written: Loss | None
    complexity: int
    validation: float
    fitness: float
    score: float | None
    picked: bool
    evaluation: int
    se: float | None = None
    scale: float = 1.0
    classes: int | None = None
    finals: tuple[float, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    rates: tuple[float, ...] = ()
    steps: tuple[int, ...] = ()
    name: str = ""
    hard: Loss | None = None
    neural: str = ""

    @property
    def loss(self) -> Loss:
        """The formula in its plainest form that equals what was trained, on soft labels too; what was trained to
        the letter is `result.evaluations[row.evaluation].formula`.

        Raises:
            DomainError: for a network.
        """
        if self.written is None:
            raise DomainError(
                f"row {self.row} is a neural loss of {self.complexity:,} weights and has no formula: distil it"
            )
        return self.written

    @property
    def kind(self) -> str:
        """Of the loss."""
        return self.neural or self.loss.kind

    @property
    def text(self) -> str:
        """The loss as it is printed: the formula that is shown, or `neural`."""
        return NEURAL if self.neural else str(self.shown)

    @property
    def exact(self) -> str:
        """The formula that holds on soft labels too, or `neural`."""
        return NEURAL if self.neural else str(self.loss)

    @property
    def latex(self) -> str | None:
        """What is shown as LaTeX; None for a network."""
        return None if self.neural else self.shown.latex()

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
        role: `"ordinary"`, `"ordinary tuned"`, `"best zoo"` or `"discovered"`.
        loss: the formula; None for a network.
        learning_rate: of its training.
        steps: of its training.
        validation: the mean metric over the seeds, on validation data.
        test: the mean metric over the seeds, on test data.
        tests: the metric on test data, seed by seed.
        p_value: two-sided paired test of `tests` against the tuned baseline's; None for that one itself.
    """

    name: str
    role: str
    loss: Loss | None
    learning_rate: float
    steps: int
    validation: float
    test: float
    tests: tuple[float, ...]
    p_value: float | None = None

    @property
    def text(self) -> str:
        """The loss as it is printed."""
        return NEURAL if self.loss is None else str(self.loss)

    @property
    def diverged(self) -> int:
        """How many of its final trainings diverged: with any, the means are not numbers and nothing is tested."""
        return sum(not math.isfinite(value) for value in self.tests)


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
        method: one of `METHODS`.
        seed: the run seed.
        settings: everything else that fixes the outcome.
        status: `"finished"`, `"interrupted"`, `"time limit"`, `"max evaluations"` or `"running"`.
        front: by rising complexity.
        finalists: every loss that met on the final blocks, by rising fitness; empty before.
        evaluations: every candidate considered, in order.
        generations: one record each.
        headroom: what was known before the search, one a task; empty where it was not asked.
        baselines: what it was compared with, if it was.
        network: the network on the front, else the best of those that were trained; None of a run without any.
        noises: of the tasks, in whose units several are averaged.
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
    finalists: tuple[FrontRow, ...] = ()
    headroom: tuple[Headroom, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    network: Network | None = None
    noises: tuple[float, ...] = (1.0,)
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
    def signs(self) -> tuple[float, ...]:
        """Of the tasks' metrics: -1 where more is better."""
        return tuple(
            -1.0 if each["greater_is_better"] else 1.0 for each in self.task.get("tasks", [self.task])
        )

    @property
    def best(self) -> Loss:
        """The loss of the picked row.

        Raises:
            SymlossError: when no candidate was trained, or the pick is a network, which has no formula.
        """
        return self.picked.loss

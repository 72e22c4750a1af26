"""A candidate on its way: proposed, screened, tuned, scaled, trained, or stopped with a reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from symloss.errors import SymlossError
from symloss.expr import Program, parse
from symloss.expr.trees import Weighted, symbols
from symloss.search.screen.fingerprint import fingerprint
from symloss.search.screen.gate import gate
from symloss.search.settings import SearchSettings

__all__ = ["Candidate", "Screen", "Values"]

MAX_LENGTH = 2000
"""Characters of a formula: well within what `parse` reads."""

Values = tuple[float | None, ...]
"""The metric of each task, None where training diverged."""


@dataclass
class Candidate:
    """One proposal and what has become of it so far.

    Attributes:
        number, generation, slot: see `Evaluation`.
        program: as proposed.
        weighted: the loss as it stands: unit edges, then tuned, scaled and rounded.
        fixed: a loss that was given with its coefficients, which stay.
        as_given: whether its scale stays as well.
        exempt: whether the gate lets it pass unseen: a loss with a name.
        nonsense: whether what was proposed is no loss at all.
        untuned: the loss before its coefficients were tuned, if they were.
        outcome: empty as long as it is on its way.
        source: the number of the candidate whose score it shares.
        remark: where it comes from, if not from breeding.
        parent: the number of the loss whose numbers it has rounded.
        name: of a loss of the zoo.
        rates: its own learning rate, one a task, as a multiple of what the search trains at.
        trouble: why a training of it failed.
        scores: by block, the metric of each task.
    """

    number: int
    generation: int
    slot: int
    program: Program
    weighted: Weighted
    fixed: bool = False
    as_given: bool = False
    exempt: bool = False
    nonsense: bool = False
    untuned: Weighted | None = None
    outcome: str = ""
    reason: str = ""
    source: int | None = None
    remark: str = ""
    parent: int | None = None
    name: str = ""
    formula: str = ""
    scale: float = 1.0
    rates: tuple[float, ...] = ()
    seconds: float = 0.0
    trouble: str = ""
    scores: dict[int, Values] = field(default_factory=dict)

    def stop(self, outcome: str, reason: str) -> None:
        """Ends the way of this candidate."""
        self.outcome = outcome
        self.reason = "; ".join(part for part in (self.remark, reason) if part)

    def undo_tuning(self) -> None:
        """Goes back to the coefficients as proposed, where those that tuning led to stopped it."""
        if self.untuned is not None:
            self.remark, self.outcome, self.reason = f"tuning undone: {self.reason}", "", ""
            self.weighted, self.untuned = self.untuned, None

    @property
    def on_its_way(self) -> bool:
        """Whether nothing has stopped it yet."""
        return not self.outcome

    @property
    def complexity(self) -> int:
        """Operators, functions, symbols and numbers of the formula; 0 without one."""
        return symbols(self.formula) if self.formula else 0

    def inherit(self, source: Candidate) -> None:
        """Takes the formula of the candidate whose training it shares, unless it has its own."""
        if not self.formula:
            self.formula, self.scale, self.weighted = source.formula, source.scale, source.weighted
            self.name = self.name or source.name
        if source.outcome != "trained" and source.reason:
            self.reason = f"{self.reason}; {source.reason}"


@dataclass(frozen=True)
class Screen:
    """What is asked of a loss before anything is trained with it.

    Attributes:
        settings: of the search.
        kind: of the losses.
        classes: the different numbers of classes of the tasks.
        null_scale: the null-epoch gradient scale of a loss on the tasks, relative to the ordinary loss.
    """

    settings: SearchSettings
    kind: str
    classes: tuple[int | None, ...]
    null_scale: Callable[[Weighted], float]

    def orient(self, candidate: Candidate, when: str = "") -> None:
        """Turns the loss so that it descends, or rejects it; a loss that was given is what it is."""
        if not self.settings.screening.gate or candidate.exempt:
            return
        for number in self.classes:
            program, edges = candidate.weighted.graph()
            verdict = gate(program, self.kind, number, edges)
            if not verdict.passed:
                candidate.stop("rejected", f"{when}{verdict.reason}")
                return
            if verdict.sign < 0:
                candidate.weighted = candidate.weighted.scaled(-1.0)

    def key(self, candidate: Candidate) -> str:
        """The dynamics class: losses with one key train a model in one way."""
        program, edges = candidate.weighted.graph()
        exact = self.settings.keep_scale or candidate.as_given
        return "/".join(fingerprint(program, self.kind, n, edges, exact=exact) for n in self.classes)

    def finish(self, candidate: Candidate, when: str = "after tuning: ") -> None:
        """Numbers merged, looked at again, scale taken out, rounded, written as a formula: ready to train."""
        loss = candidate.weighted
        if not loss.finite:
            candidate.stop("failed", f"{when}coefficients that are not finite")
            return
        candidate.weighted = loss.merged()
        self.orient(candidate, when)
        if not candidate.on_its_way:
            return
        if not self.settings.keep_scale and not candidate.as_given:
            scale = self.null_scale(candidate.weighted)
            if not (math.isfinite(scale) and scale > 0):
                candidate.stop("rejected", f"{when}gradient scale {scale:.3g} at the start of training")
                return
            candidate.scale = float(f"{scale:.4g}")
            candidate.weighted = candidate.weighted.scaled(1 / candidate.scale)
        candidate.weighted = candidate.weighted.merged().rounded(self.settings.tuning.digits)
        formula = candidate.weighted.formula
        if len(formula) > MAX_LENGTH or not candidate.weighted.moderate:
            candidate.stop("rejected", f"{when}numbers too large or too small, or too long to print")
            return
        if "pow" in candidate.weighted.program.tokens:
            # A number under a free exponent may have more digits than a formula can hold.
            try:
                parse(formula, kind=self.kind)
            except SymlossError as error:
                candidate.stop("rejected", f"{when}not to be written down: {error}")
                return
        candidate.formula = formula

"""A candidate on its way: proposed, screened, tuned, scaled, trained, or stopped with a reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from symloss.expr import Program
from symloss.expr.trees import Weighted, symbols
from symloss.search.record.result import Evaluation, later
from symloss.search.screen.fingerprint import fingerprint
from symloss.search.screen.gate import gate
from symloss.search.settings import SearchSettings

__all__ = ["Candidate", "Screen"]

MAX_LENGTH = 2000
"""Characters of a formula: well within what `parse` reads."""


@dataclass
class Candidate:
    """One proposal and what has become of it so far.

    Attributes:
        number, generation, slot: see `Evaluation`.
        program: as proposed.
        weighted: the loss as it stands: unit edges, then tuned, scaled and rounded.
        fixed: a loss that was given with its coefficients, which stay.
        untuned: the loss before its coefficients were tuned, if they were.
        outcome: empty as long as it is on its way.
        source: the number of the candidate whose score it shares.
        remark: where it comes from, if not from breeding.
    """

    number: int
    generation: int
    slot: int
    program: Program
    weighted: Weighted
    fixed: bool = False
    untuned: Weighted | None = None
    outcome: str = ""
    reason: str = ""
    source: int | None = None
    remark: str = ""
    formula: str = ""
    scale: float = 1.0
    values: Sequence[float] = ()
    seconds: float = 0.0
    rungs: dict[str, tuple[float | None, ...]] = field(default_factory=dict)

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

    def inherit(self, source: Candidate) -> None:
        """Takes the score of the candidate whose training it shares, and its formula unless it has one."""
        self.values = source.values
        if not self.formula:
            self.formula, self.scale, self.weighted = source.formula, source.scale, source.weighted
        if source.outcome != "trained" and source.reason:
            self.reason = f"{self.reason}; {source.reason}"

    def evaluation(self, kind: str, signs: Mapping[str, float], surcharge: float) -> Evaluation:
        """The record of it.

        Args:
            kind: of the loss.
            signs: of the tasks' metrics, -1 where more is better.
            surcharge: what operators cost beyond 1.
        """
        scores = dict(zip(signs, self.values, strict=True)) if self.values else {}
        value = self.values[0] if self.values else None
        return Evaluation(
            number=self.number, generation=self.generation, slot=self.slot, tokens=self.program.tokens,
            outcome=self.outcome, reason=self.reason, loss=later(self.formula, kind), validation=value,
            fitness=None if value is None else next(iter(signs.values())) * value,
            seconds=self.seconds, scale=self.scale, scores=scores, formula=self.formula,
            complexity=symbols(self.formula) + round(surcharge) if self.formula else None,
            rungs={share: _by_task(signs, values) for share, values in self.rungs.items() if None not in values},
        )  # fmt: skip


def _by_task(names: Iterable[str], values: Sequence[float | None]) -> dict[str, float]:
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


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
        """Turns the loss so that it descends, or rejects it."""
        if not self.settings.gate:
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
        exact = self.settings.keep_scale or candidate.fixed
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
        if not self.settings.keep_scale and not candidate.fixed:
            scale = self.null_scale(candidate.weighted)
            if not (math.isfinite(scale) and scale > 0):
                candidate.stop("rejected", f"{when}gradient scale {scale:.3g} at the start of training")
                return
            candidate.scale = float(f"{scale:.4g}")
            candidate.weighted = candidate.weighted.scaled(1 / candidate.scale)
        candidate.weighted = candidate.weighted.merged().rounded(self.settings.digits)
        formula = candidate.weighted.formula
        if len(formula) > MAX_LENGTH or not candidate.weighted.moderate:
            candidate.stop("rejected", f"{when}numbers too large or too small, or too long to print")
            return
        candidate.formula = formula

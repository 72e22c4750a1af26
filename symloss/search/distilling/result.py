"""The result of distillation: a front of formulas, each with the share of the gradient that it explains."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from symloss.expr import Loss, parse
from symloss.theory import Certificate, Finding, analyze

__all__ = ["Distillation", "DistilledRow", "Fidelity"]


@dataclass(frozen=True)
class DistilledRow:
    """One formula of the front.

    Attributes:
        row: from 1.
        loss: the formula, without its scale.
        complexity: the number of its symbols.
        r2: the share of the gradient that it explains where it was neither fitted nor chosen,
            `1 - |g - a f|^2 / |g - mean(g)|^2` of the network's gradient `g` in the outputs and the formula's `f`, at
            the scale `a` of the fit.
        scale: `a`, the factor at which the formula trains as the network does, rate for rate.
        picked: whether it is the row to take, see `distill`.
        classes: number of classes or labels; None for regression.
    """

    row: int
    loss: Loss
    complexity: int
    r2: float
    scale: float
    picked: bool
    classes: int | None

    @property
    def scaled(self) -> Loss:
        """The formula at the network's own scale."""
        return parse(f"{self.scale:.4g}*({self.loss})", kind=self.loss.kind)

    @cached_property
    def identity(self) -> Finding:
        """Which loss of the zoo it is: `known_as` of its certificate, without the rest of it."""
        # `known_as` alone: a whole certificate takes seconds a row.
        return analyze(self.loss, self.classes or 2, ("known_as",)).findings["known_as"]

    @property
    def known_as(self) -> str | None:
        """The loss of the zoo that it is, with its coefficients, where that is proved."""
        return self.identity.text if self.identity.verdict == "proved" else None

    @cached_property
    def certificate(self) -> Certificate:
        """What theory proves of it: `theory.analyze(loss, classes)`, worked out when first read."""
        return analyze(self.loss, self.classes)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `nearest` is the loss of the zoo that it is nearest to, where it is none."""
        identity = self.identity
        return {
            "row": self.row, "loss": str(self.loss), "complexity": self.complexity, "r2": self.r2,
            "known_as": self.known_as, "nearest": (identity.verdict == "refuted" and identity.text) or None,
            "scale": self.scale, "picked": self.picked, "latex": self.loss.latex(),
        }  # fmt: skip


@dataclass(frozen=True)
class Fidelity:
    """How well training with the picked formula reproduces training with the network.

    The trainings are paired: the same starts and batches, and the formula at the network's scale.

    Attributes:
        task, metric: where, and measured by what; the test rows are left alone.
        seeds: number of pairs.
        network, formula: the mean metric on validation rows.
        difference: formula less network.
        interval: its 95 % interval, by Student's t over the pairs; None for fewer than two.
        agreement: classification: the share of validation rows on which the two models of a pair predict the same
            class; multilabel: of labels, the same side of 1/2; regression: `R2` of the formula's predictions, taken
            against the network's.
        failed: pairs of which one training diverged; they are left out of all this.
    """

    task: str
    metric: str
    seeds: int
    network: float
    formula: float
    difference: float
    interval: tuple[float, float] | None
    agreement: float
    failed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        interval = None if self.interval is None else list(self.interval)
        return {
            "task": self.task, "metric": self.metric, "seeds": self.seeds, "network": self.network,
            "formula": self.formula, "difference": self.difference, "difference_interval": interval,
            "agreement": self.agreement, "failed": self.failed,
        }  # fmt: skip


@dataclass(frozen=True)
class Distillation:
    """A front of formulas for a loss that has none.

    Attributes:
        kind: of the losses.
        classes: number of classes or labels; None for regression.
        seed: of the search and of the trainings that it looked at.
        rows: by rising complexity.
        evaluated: formulas that were looked at.
        visited: where gradients were compared, in words.
        nearest: the loss with a name that comes nearest by its own coefficients, however long its formula.
        nearest_r2: what it explains.
        fidelity: of the picked row, where a task was given.
        notes: remarks a reader should see.
    """

    kind: str
    classes: int | None
    seed: int
    rows: tuple[DistilledRow, ...]
    evaluated: int
    visited: str
    nearest: str = ""
    nearest_r2: float | None = None
    fidelity: Fidelity | None = None
    notes: tuple[str, ...] = ()

    @property
    def picked(self) -> DistilledRow:
        """The row to take, see `distill`."""
        return next(row for row in self.rows if row.picked)

    @property
    def best(self) -> Loss:
        """The loss of the picked row."""
        return self.picked.loss

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "kind": self.kind, "classes": self.classes, "seed": self.seed,
            "evaluated": self.evaluated, "visited": self.visited, "picked": self.picked.row,
            "nearest": {"known_as": self.nearest, "r2": self.nearest_r2} if self.nearest else None,
            "rows": [row.to_dict() for row in self.rows],
            "fidelity": None if self.fidelity is None else self.fidelity.to_dict(), "notes": list(self.notes),
        }  # fmt: skip

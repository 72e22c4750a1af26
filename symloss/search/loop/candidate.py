"""The life of a candidate: proposed, screened, tuned, scaled and trained, or stopped with a reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from symloss.errors import SymlossError
from symloss.expr import Program, parse
from symloss.expr.trees import Weighted, symbols
from symloss.meta import NeuralLoss
from symloss.search.propose.inside import TypedLoss
from symloss.search.screen.fingerprint import fingerprint
from symloss.search.screen.gate import gate
from symloss.search.settings import SearchSettings

__all__ = ["INSIDE", "NEURAL", "Candidate", "Graph", "Screen", "Values"]

MAX_LENGTH = 2000
"""Characters of a formula: well within what `parse` reads."""

NEURAL = "neural"
"""What stands for a formula where there is none: the loss is a network."""
INSIDE = "inside"
"""What stands for a tree where it is a derivation whose numbers are tuned."""
Graph = tuple[tuple[str, ...], tuple[float, ...]]

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
        network: the loss as it stands where it is a network; then no tree says it.
        untuned: the loss before its coefficients were tuned, if they were.
        outcome: empty as long as it is on its way.
        source: the number of the candidate whose score it shares.
        remark: where it comes from, if not from breeding.
        parent: the number of the loss whose numbers it has rounded.
        parents, way: which candidates it was bred from, and how; see `Proposal`.
        name: of a loss of the zoo.
        rates: its own learning rate, one a task, as a multiple of what the search trains at: of a loss of the zoo
            as tried, of a child that of its first parent.
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
    network: NeuralLoss | None = None
    untuned: Weighted | None = None
    outcome: str = ""
    reason: str = ""
    source: int | None = None
    remark: str = ""
    parent: int | None = None
    parents: tuple[int, ...] = ()
    way: str = ""
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
            # The reason goes into the remark, where the record keeps it, and the candidate is on its way again.
            self.remark, self.outcome, self.reason = f"tuning undone: {self.reason}", "", ""
            self.weighted, self.untuned = self.untuned, None

    @property
    def on_its_way(self) -> bool:
        """Whether nothing has stopped it yet."""
        return not self.outcome

    @property
    def complexity(self) -> int:
        """Operators, functions, symbols and numbers of the formula, or weights of a network; 0 without one."""
        if self.network is not None:
            return self.network.complexity
        return symbols(self.formula) if self.formula else 0

    @property
    def graph(self) -> Graph:
        """The loss as it travels: tokens, and the numbers of its edges; or of a network's weights."""
        if self.network is not None:
            tokens = (NEURAL, *map(str, self.network.hidden))
            return tokens, (self.network.factor, *self.network.weights)
        program, edges = self.weighted.graph()
        return program.tokens, edges

    @property
    def unbounded(self) -> Graph:
        """What is tuned, as it travels: as `graph`, or of a derivation its rules and numbers."""
        if isinstance(self.weighted, TypedLoss):
            return (INSIDE, self.weighted.to_text()), self.weighted.numbers
        return self.graph

    def inherit(self, source: Candidate) -> None:
        """Takes the formula of the candidate whose training it shares, unless it has its own."""
        if not self.formula:
            self.formula, self.scale, self.weighted = source.formula, source.scale, source.weighted
            self.name = self.name or source.name
        # Its scores were made at these.
        self.rates = source.rates
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
    null_scale: Callable[[Weighted | NeuralLoss], float]

    def orient(self, candidate: Candidate, when: str = "") -> None:
        """Turns the loss so that it descends, or rejects it; a loss that was given is what it is."""
        # Named losses pass unseen: what they do here is to be measured, whatever a look at slopes says.
        if not self.settings.screening.gate or candidate.exempt:
            return
        program, edges = candidate.weighted.graph()
        verdicts = [gate(program, self.kind, number, edges) for number in self.classes]
        reason = next((verdict.reason for verdict in verdicts if not verdict.passed), "")
        signs = {verdict.sign for verdict in verdicts if verdict.passed}
        # Whether a loss falls towards the target at the null epoch, p = 1/C, may depend on C.
        if not reason and len(signs) > 1:
            reason = "points one way for one task's number of classes and the other way for another's"
        turned = candidate.weighted.turned() if not reason and signs == {-1} else None
        if not reason and signs == {-1} and turned is None:
            reason = "points the wrong way, and inside a theorem no sign is turned"
        if reason:
            candidate.stop("rejected", f"{when}{reason}")
        elif turned is not None:
            candidate.weighted = turned

    def key(self, candidate: Candidate) -> str:
        """The dynamics class: losses with one key train a model in one way."""
        program, edges = candidate.weighted.graph()
        # Without their scale, losses of one class train identically. With it only equal gradients may share a
        # fitness.
        exact = self.settings.keep_scale or candidate.as_given
        # Of several tasks the numbers of classes may differ; to share a training, losses must agree at each.
        return "/".join(fingerprint(program, self.kind, n, edges, exact=exact) for n in self.classes)

    def finish(self, candidate: Candidate, when: str = "after tuning: ") -> None:
        """Numbers merged, looked at again, scale taken out, rounded, written as a formula: ready to train."""
        if candidate.network is not None:
            self._finish_network(candidate, candidate.network, when)
            return
        loss = candidate.weighted
        if not loss.finite:
            # Failed, not rejected: tuning diverged, which says nothing of the form.
            candidate.stop("failed", f"{when}coefficients that are not finite")
            return
        candidate.weighted = loss.merged()
        # Tuning can turn a loss round, or flatten it.
        self.orient(candidate, when)
        if not candidate.on_its_way:
            return
        # After the sign: a scale is positive, and dividing by it must not turn the loss.
        if not candidate.as_given and self._measure_scale(candidate, candidate.weighted, when):
            candidate.weighted = candidate.weighted.scaled(1 / candidate.scale)
        if not candidate.on_its_way:
            return
        # Rounded before it trains, so that the formula shown is the loss that was trained.
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

    def _finish_network(self, candidate: Candidate, network: NeuralLoss, when: str) -> None:
        """As `finish`, of a network: no gate, since an untrained network is not yet the loss that it is to become."""
        if self._measure_scale(candidate, network, when):
            candidate.network = network.scaled(1 / candidate.scale)
        candidate.formula = NEURAL

    def _measure_scale(self, candidate: Candidate, loss: Weighted | NeuralLoss, when: str) -> bool:
        """Measures the scale; whether it is to be taken out. Rejects a loss whose scale is 0 or not finite."""
        if self.settings.keep_scale:
            return False
        scale = self.null_scale(loss)
        if not (math.isfinite(scale) and scale > 0):
            candidate.stop("rejected", f"{when}gradient scale {scale:.3g} at the start of training")
            return False
        candidate.scale = float(f"{scale:.4g}")
        return True

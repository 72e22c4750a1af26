"""A search without training: how near can the gradient of a formula come to a given one?

The fitness of a loss is the distance of its normalised gradient from the target's, once its coefficients have been
fitted to it. So a loss that is known by its gradient alone - a network, or one that a study has planted - is looked
for with the proposers of any other search, at milliseconds a candidate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from symloss.expr import KINDS
from symloss.expr.trees import Weighted, symbols
from symloss.meta.gradient_distance import Array, Points, fit, gradient_of
from symloss.search.propose.breeding import Breeder
from symloss.search.propose.proposal import Outcome, Proposal
from symloss.search.screen.fingerprint import fingerprint
from symloss.search.screen.gate import gate
from symloss.search.settings import SearchSettings

__all__ = ["Screen", "gated", "pointed", "search_by_gradient"]

Turn = Callable[[Weighted], Weighted | None]
"""The loss the right way round, or None for one that is not worth fitting."""


def gated(kind: str, classes: int | None) -> Turn:
    """Of losses that must train a model from scratch: what the gate says."""

    def turn(loss: Weighted) -> Weighted | None:
        verdict = gate(loss.program, kind, classes, loss.edges)
        return loss.scaled(verdict.sign) if verdict.passed else None

    return turn


def pointed(target: Array, points: Points) -> Turn:
    """Of losses that need only agree with a gradient: those with one, turned to its side.

    The gate would ask too much: a network that was learned late in a training need not start one.
    """

    def turn(loss: Weighted) -> Weighted | None:
        along = float(gradient_of(loss, points) @ target)
        return loss.scaled(math.copysign(1.0, along)) if math.isfinite(along) else None

    return turn


class Screen:
    """What is asked of a loss before it is fitted: a way to turn it, and a dynamics class that is new or shorter.

    Args:
        kind: of the losses.
        classes: number of classes or labels.
        turn: see `Turn`.
    """

    def __init__(self, kind: str, classes: int | None, turn: Turn) -> None:
        self.kind, self.classes, self.turn = kind, classes if KINDS[kind].probabilities else None, turn
        self._sizes: dict[str, float] = {}
        self._last: tuple[Weighted, Weighted | None, str] | None = None

    def worth_it(self, loss: Weighted) -> bool:
        """Whether it may take a slot."""
        self._last = loss, *self._looked_at(loss)
        _, turned, key = self._last
        # Of a class that is known only a shorter member is new: the distance would be the same.
        return turned is not None and loss.program.size < self._sizes.get(key, math.inf)

    def admit(self, loss: Weighted) -> Weighted | None:
        """The loss as it descends, its class known from now on, or None for one that is not worth fitting."""
        # The breeder asks `worth_it` of the loss that it then proposes: the same object need not be looked at twice.
        seen = self._last is not None and self._last[0] is loss
        turned, key = self._last[1:] if self._last is not None and seen else self._looked_at(loss)
        if turned is not None:
            self._sizes[key] = min(loss.program.size, self._sizes.get(key, math.inf))
        return turned

    def _looked_at(self, loss: Weighted) -> tuple[Weighted | None, str]:
        program, edges = loss.graph()
        turned = self.turn(Weighted(program, edges))
        if turned is None:
            return None, ""
        program, edges = turned.graph()
        return turned, fingerprint(program, self.kind, self.classes, edges)


def search_by_gradient(
    settings: SearchSettings,
    seed: int,
    target: Array,
    points: Points,
    screen: Screen,
    *,
    limit: int,
    given: Sequence[Weighted] = (),
    neighbours: Sequence[Weighted] = (),
    selected: bool = True,
    longest: float = math.inf,
) -> Iterator[Outcome]:
    """What becomes of one loss after another; the fitness is the distance of normalised gradients.

    Deterministic in its arguments. Whoever has seen enough stops asking.

    Args:
        settings: how losses are proposed: method, population, grammar, rates.
        seed: of the run.
        target: gradient of norm 1, see `unit_gradient`.
        points: where.
        screen: what a loss must pass.
        limit: losses that are looked at.
        given: losses that the first generation begins with.
        neighbours: losses with names, bred from where the rates say so.
        selected: whether parents are chosen by what became of them; else every child is one of the neighbours'.
        longest: the complexity up to which a loss has a fitness.
    """
    breeder = Breeder(settings, seed, given, screen.worth_it, neighbours)
    outcomes: list[Outcome] = []
    # Generation 0 is drawn at random; from 1 on losses are bred, without parents from the neighbours alone.
    generation = 0 if selected else 1
    while len(outcomes) < limit:
        proposals = breeder.propose(generation, min(settings.population, limit - len(outcomes)))
        for proposal in proposals:
            outcomes.append(_evaluated(proposal, len(outcomes), target, points, screen, longest))
            yield outcomes[-1]
        if selected and settings.method != "random":
            breeder.learn(outcomes, len(proposals))
        generation += 1


def _evaluated(
    proposal: Proposal, number: int, target: Array, points: Points, screen: Screen, longest: float
) -> Outcome:
    """Screens a proposal, fits its coefficients and measures how far its gradient is from the target's."""
    loss = screen.admit(proposal.loss)
    if loss is None:
        return Outcome(number, proposal.loss.program, proposal.loss, None, 0)
    (found,) = fit([loss], target, points)
    fitted = found.loss.merged()
    # The scale goes: the distance is between normalised gradients, and a shorter number counts as simpler.
    fitted = replace(fitted, factor=1.0).rounded(6)
    complexity = symbols(fitted.formula)
    good = math.isfinite(found.distance) and fitted.finite and complexity <= longest
    return Outcome(number, proposal.loss.program, fitted, found.distance if good else None, complexity)

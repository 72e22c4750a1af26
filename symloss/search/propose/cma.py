"""CMA-ES as a proposer: the parameters of a family of losses, a generation from the outcomes of the last."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from deap.cma import Strategy

from symloss.expr.trees import Weighted
from symloss.runs import generator
from symloss.search.propose.family import Family, Vector
from symloss.search.propose.proposal import Outcome, Proposal, best_of

__all__ = ["ATTEMPTS", "CmaProposer"]

ATTEMPTS = 1000
"""Draws for a slot until one passes the gate, a seventh of a millisecond each; of TaylorGLO's first polynomials for
regression one in 150 does."""


class _Sample(list[float]):
    """Parameters with their fitness, as DEAP's strategy takes them: more is better."""

    fitness = -np.inf


class CmaProposer:
    """Proposes the losses of a family by covariance matrix adaptation (Hansen, Ostermeier 2001), from DEAP.

    One generation is one sample of the strategy's normal distribution, all scored on one block, and the better half
    of it moves the distribution. A loss that the gate turns away is drawn again, one that descends once it is
    negated is turned round (and so are its parameters, where the family has it): else half of the draws would be
    spent on losses that only ascend. What was not trained to its end ranks last. The state is a function of seed
    and outcomes: nothing of it is stored, a run that goes on arrives at it again.

    Args:
        family: of the losses.
        population: losses in a generation, lambda.
        seed: of the run.
        given: losses that the first generation begins with; the strategy does not learn from them.
        turn: 1 for a loss that may take a slot as it is, -1 once it is negated, 0 not at all.
        shuffled: whether the strategy sees the fitnesses of a generation in random order: a control.

    References:
        Hansen, Ostermeier, Completely derandomized self-adaptation in evolution strategies, 2001. Drawing again
        instead of a penalty: Hansen, The CMA evolution strategy: a tutorial, 2016, appendix B.5.
    """

    def __init__(
        self,
        family: Family,
        population: int,
        seed: int,
        given: Sequence[Weighted],
        turn: Callable[[Weighted], int],
        *,
        shuffled: bool = False,
    ) -> None:
        self.family, self.population, self.seed, self.given = family, population, seed, tuple(given)
        self.turn, self.shuffled = turn, shuffled
        self.strategy = Strategy(family.centroid, family.sigma, lambda_=population)
        self._asked: list[Vector | None] = []
        self._own: set[int] = set()
        self._again: list[int] = []

    def propose(self, generation: int, slots: int) -> list[Proposal]:
        """A sample of the strategy's distribution, each loss from the seed of its slot."""
        proposals = []
        self._asked = []
        for slot in range(slots):
            if generation == 0 and slot < len(self.given):
                self._asked.append(None)
                proposals.append(Proposal(self.given[slot], fixed=True, as_given=True))
                continue
            x, loss = self._draw(generation, slot)
            self._asked.append(x)
            proposals.append(Proposal(loss, remark=self.family.said(x)))
        return proposals

    def learn(self, outcomes: Sequence[Outcome], fresh: int) -> None:
        """Moves the distribution towards the better half of the generation that has just ended."""
        if not self._asked:
            return  # what came before the first generation, the zoo, is no sample of the distribution
        latest = outcomes[-fresh:]
        self._own |= {outcome.number for outcome in latest}
        self._again = best_of([each for each in outcomes if each.number in self._own], self.population)
        # DEAP's strategy maximises. Of a rejected or diverged loss only the rank counts, which is why an infinity
        # does no harm here.
        values = [-np.inf if outcome.fitness is None else -outcome.fitness for outcome in latest]
        if self.shuffled:
            order = generator(self.seed, "shuffle", len(outcomes)).permutation(len(values))
            values = [values[i] for i in order]
        samples = []
        for x, value in zip(self._asked, values, strict=True):
            if x is not None:
                sample = _Sample(x)
                sample.fitness = value
                samples.append(sample)
        self._asked = []
        # A generation that a limit has cut short is the last; one without a single loss that trains says nothing.
        if len(samples) >= self.strategy.mu and max(s.fitness for s in samples) > -np.inf:
            self.strategy.update(samples)

    def scored_again(self) -> list[int]:
        """As many as a generation has, the best so far: what a front needs, though the strategy does not."""
        return self._again

    def _draw(self, generation: int, slot: int) -> tuple[Vector, Weighted]:
        # The strategy's own `generate` draws from NumPy's global generator.
        draw = generator(self.seed, "variation", generation, slot)
        strategy = self.strategy
        # A slot has its own generator, so that what it draws depends on neither the other slots nor the number of
        # their rejections. When no draw passes, the last one goes on and the search records why it is rejected.
        for _ in range(ATTEMPTS):
            z = draw.standard_normal(strategy.dim)
            # As `Strategy.generate` has it, C = BD BD'.
            x: Vector = strategy.centroid + strategy.sigma * strategy.BD @ z
            loss = self.family.loss(x)
            way = self.turn(loss)
            if way > 0:
                break
            turned = self.family.turned(x) if way < 0 else None
            if turned is not None:
                x, loss = turned, self.family.loss(turned)
                break
        return x, loss

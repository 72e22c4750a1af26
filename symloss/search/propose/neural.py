"""ML3 as a proposer: networks that are losses, each drawn afresh and tuned through training."""

from __future__ import annotations

from collections.abc import Sequence

from symloss.expr.trees import Weighted
from symloss.meta import NeuralLoss
from symloss.runs import derive
from symloss.search.propose.outside import NOTHING
from symloss.search.propose.proposal import Outcome, Proposal, best_of

__all__ = ["NeuralProposer"]


class NeuralProposer:
    """Proposes fresh networks: population times generations are independent initialisations.

    Nothing is bred, so that generations differ in their blocks alone; the best of all so far are scored again on
    each of them.

    Args:
        kind: of the losses.
        hidden: units of the hidden layers.
        population: losses in a generation.
        seed: of the run.
        given: losses that the first generation begins with.
    """

    def __init__(
        self, kind: str, hidden: tuple[int, ...], population: int, seed: int, given: Sequence[Weighted]
    ) -> None:
        self.kind, self.hidden, self.population, self.seed = kind, hidden, population, seed
        self.given = tuple(given)
        self._asked = False
        self._own: set[int] = set()
        self._again: list[int] = []

    def propose(self, generation: int, slots: int) -> list[Proposal]:
        """One network for each slot, from the seed of the slot."""
        self._asked = True
        given = self.given[:slots] if generation == 0 else ()
        proposals = [Proposal(loss, fixed=True, as_given=True) for loss in given]
        for slot in range(len(proposals), slots):
            seed = derive(self.seed, "variation", generation, slot)
            proposals.append(Proposal(NOTHING, network=NeuralLoss.drawn(self.kind, seed, self.hidden)))
        return proposals

    def learn(self, outcomes: Sequence[Outcome], fresh: int) -> None:
        """Notes the best so far."""
        if not self._asked:
            return  # what came before the first generation, the zoo, is scored on every block anyway
        self._own |= {outcome.number for outcome in outcomes[-fresh:]}
        self._again = best_of([each for each in outcomes if each.number in self._own], self.population)

    def scored_again(self) -> list[int]:
        """The best so far, as many as a generation has: selection is all that later generations add."""
        return self._again

"""The interface of every proposer of losses: what it receives and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from symloss.expr import Program
from symloss.expr.trees import Weighted
from symloss.meta import NeuralLoss

__all__ = ["Outcome", "Proposal", "Proposer", "best_of"]


@dataclass(frozen=True)
class Proposal:
    """A loss that is proposed for one slot of a generation.

    Attributes:
        loss: the tree, and the coefficients from which its tuning starts.
        fixed: whether the coefficients stay as they are.
        as_given: whether the scale stays as well, and so the loss as somebody wrote it.
        source: the number of the candidate that it is once more, if it is one.
        remark: where it comes from, where a reader should know.
        problem: why it is no loss at all, or `""`.
        network: the loss where it is a network, and no tree says it.
        pace: by task the learning rate that it is tried at, as a multiple of what the search trains at; the
            search's own unless given.
        parents: the numbers of the candidates that it was bred from, the first one first.
        way: how, a word.
    """

    loss: Weighted
    fixed: bool = False
    as_given: bool = False
    source: int | None = None
    remark: str = ""
    problem: str = ""
    network: NeuralLoss | None = None
    pace: tuple[float, ...] = ()
    parents: tuple[int, ...] = ()
    way: str = ""


@dataclass(frozen=True)
class Outcome:
    """What has become of a proposal.

    Attributes:
        number: of the candidate.
        program: the tree as proposed.
        loss: what it was when it was trained: coefficients tuned and drawn together, scale taken out.
        fitness: as it stands now, smaller is better; None for one that was not trained.
        complexity: symbols of its formula.
        pace: see `Proposal`.
    """

    number: int
    program: Program
    loss: Weighted
    fitness: float | None
    complexity: float
    pace: tuple[float, ...] = ()


class Proposer(Protocol):
    """A method of search: it proposes generations, and learns from what became of them.

    What is proposed for a slot depends on the run's seed, the generation, the slot and the outcomes before the
    generation alone, so that a run that goes on proposes what it would have proposed.
    """

    def propose(self, generation: int, slots: int) -> list[Proposal]:
        """One loss for each slot."""
        ...

    def learn(self, outcomes: Sequence[Outcome], fresh: int) -> None:
        """Takes in the outcomes of all candidates so far, by number; the last `fresh` are of the generation
        that has just ended."""
        ...

    def scored_again(self) -> list[int]:
        """The numbers of the candidates that are scored on the block of the next generation too, unless they are
        out of the race: so that the evidence of those that may be picked grows."""
        ...


def best_of(outcomes: Sequence[Outcome], count: int) -> list[int]:
    """The numbers of the `count` best of those that were trained to the end, the best first."""
    # The number breaks ties, so that equal fitnesses do not depend on the order of completion.
    known = [(outcome.fitness, outcome.number) for outcome in outcomes if outcome.fitness is not None]
    return [number for _, number in sorted(known)[:count]]

"""Evolution as a proposer: parents from the outcomes so far, a seed for each slot of each generation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from symloss.expr import Program
from symloss.expr.trees import Weighted, weighted_from
from symloss.runs import derive, generator
from symloss.search.propose.gp import Individual, Rates, initial_loss, member, offspring, survivors
from symloss.search.propose.proposal import Outcome, Proposal
from symloss.search.propose.stock import Stock, Trees
from symloss.search.settings import SearchSettings
from symloss.zoo import named, names

__all__ = ["Breeder", "rates_of", "zoo_trees"]


def zoo_trees(kind: str) -> list[Weighted]:
    """Every loss with a name, at its default coefficients."""
    return [weighted_from(named(name, kind)) for name in names(kind)]


def rates_of(settings: SearchSettings) -> Rates:
    """The rates of a search, without what its other settings rule out.

    Unit coefficients leave no exponent free, and a person who names the operators means no others.
    """
    rates = settings.rates
    # GP-LFL is the control without coefficients: whatever moves or passes on a number would turn it into EvoMAL.
    if settings.method == "gplfl":
        rates = replace(rates, inherit=False, number=0.0, exponent=0.0, neighbours=0.0)
    if settings.inside:
        # A power with a free exponent is a rule of its own there, and its exponent a number.
        rates = replace(rates, number=rates.number + rates.exponent, exponent=0.0)
    if not settings.grammar.is_usual:
        rates = replace(rates, exponent=0.0, neighbours=0.0)
    return rates


class Breeder:
    """Proposes generations and keeps their parents.

    Args:
        settings: of the search.
        seed: of the run.
        given: losses that the first generation begins with.
        worth_it: whether a loss may take a slot: one that cannot learn, or is known, is drawn again.
        neighbours: losses with names, bred from where the rates say so.
        stock: what is drawn and bred; trees of the settings' operators unless given.
    """

    def __init__(
        self,
        settings: SearchSettings,
        seed: int,
        given: Sequence[Weighted],
        worth_it: Callable[[Weighted], bool],
        neighbours: Sequence[Weighted] = (),
        stock: Stock | None = None,
    ) -> None:
        self.settings, self.seed, self.given, self.worth_it = settings, seed, tuple(given), worth_it
        self.stock, self.rates = stock or Trees(settings.grammar), rates_of(settings)
        self.parents: list[Individual] = []
        # -1: no candidate of this run, until `_pace_neighbours` finds the one under which the search trained the
        # loss.
        self._neighbours = [member(self.stock, loss, None, 0, -1) for loss in neighbours]
        self._elites: dict[int, Weighted] = {}
        self._seen: set[Program] = set()

    def propose(self, generation: int, slots: int) -> list[Proposal]:
        """The losses of one generation: elites, those given, and what is drawn or bred."""
        proposals = []
        for slot in range(slots):
            elite = self._elite(generation, slot)
            if elite is not None:
                remark = f"elite: candidate {elite} kept as it is"
                proposal = Proposal(self._elites[elite], source=elite, remark=remark)
            elif generation == 0 and slot < len(self.given):
                proposal = Proposal(self.given[slot], fixed=True, as_given=True)
            else:
                proposal = self._draw(generation, slot)
            self._seen.add(self._known_by(proposal.loss))
            proposals.append(proposal)
        return proposals

    def learn(self, outcomes: Sequence[Outcome], fresh: int) -> None:
        """Chooses the parents of the next generation.

        Args:
            outcomes: all so far, by number, as their fitness stands now.
            fresh: how many of the last belong to the generation that has just ended.
        """
        pool = [outcome for outcome in outcomes[-fresh:] if self.stock.breeds(outcome.loss)]
        if self.settings.objectives == 2:
            # NSGA-II chooses among parents and offspring; elites do the same for one objective.
            pool = [outcomes[parent.number] for parent in self.parents] + pool
        fitnesses = [outcome.fitness for outcome in pool]
        # A control: the same losses and the same fitnesses, paired at random. A search that does no worse so has
        # learnt nothing from fitness.
        if self.settings.shuffled:
            order = generator(self.seed, "shuffle", len(outcomes)).permutation(len(pool))
            fitnesses = [fitnesses[i] for i in order]
        members = [
            member(
                self.stock, self._bred_as(outcome), fitness, outcome.complexity, outcome.number, outcome.pace
            )
            for outcome, fitness in zip(pool, fitnesses, strict=True)
        ]
        self.parents = survivors(members, self.settings.population, self.settings.objectives)
        self._elites = {parent.number: outcomes[parent.number].loss for parent in self.parents}
        self._pace_neighbours(outcomes)

    def scored_again(self) -> list[int]:
        """The parents."""
        return [parent.number for parent in self.parents]

    def _pace_neighbours(self, outcomes: Sequence[Outcome]) -> None:
        """Gives each named loss the learning rates of its best-scoring version among the candidates."""
        best: dict[Program, Outcome] = {}
        for outcome in outcomes:
            if outcome.pace and outcome.fitness is not None:
                known = best.get(outcome.program)
                if known is None or known.fitness is None or outcome.fitness < known.fitness:
                    best[outcome.program] = outcome
        for each in self._neighbours:
            if each.program in best:
                each.pace, each.number = best[each.program].pace, best[each.program].number

    def _bred_as(self, outcome: Outcome) -> Program | Weighted:
        return outcome.loss if self.rates.inherit else self.stock.begun(outcome.loss, outcome.program)

    def _elite(self, generation: int, slot: int) -> int | None:
        if self.settings.objectives == 2 or self.settings.method == "random" or generation == 0:
            return None
        # The published share of 0.05 is one loss of a population of 25.
        count = max(1, round(self.rates.elitism * self.settings.population))
        return self.parents[slot].number if slot < min(count, len(self.parents)) else None

    def _known_by(self, loss: Weighted) -> Program:
        """The key under which a tree counts as seen: tuning ends at one loss, whatever coefficients it starts from."""
        return loss.merged().program if self.rates.inherit else loss.program

    def _wanted(self, loss: Weighted) -> bool:
        return self._known_by(loss) not in self._seen and self.worth_it(loss)

    def _draw(self, generation: int, slot: int) -> Proposal:
        seed, rates = derive(self.seed, "variation", generation, slot), self.rates
        if generation == 0 or self.settings.method == "random":
            return Proposal(initial_loss(self.stock, rates, seed, self._wanted))
        child = offspring(self.stock, rates, self.parents, seed, self._wanted, self._neighbours)
        # A child of a loss that wants ten times the learning rate wants about that too: at the ordinary loss's
        # it would lose to its parent, and leave the race, whatever its shape.
        pace = child.first.pace if self.rates.inherit else ()
        numbers = [parent.number for parent in (child.first, child.second) if parent is not None]
        # A named loss that was never trained has no number, and no lineage to record.
        return Proposal(child.loss, pace=pace, parents=tuple(n for n in numbers if n >= 0), way=child.way)

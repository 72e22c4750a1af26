"""What is proposed: a seed for each slot of each generation, parents from the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from symloss.expr import Program
from symloss.expr.trees import Weighted
from symloss.runs import derive, generator
from symloss.search.loop.candidate import Candidate
from symloss.search.propose.gp import Individual, initial_program, member, offspring, survivors
from symloss.search.record.result import Evaluation
from symloss.search.settings import SearchSettings

__all__ = ["Breeder"]


class Breeder:
    """Proposes generations and keeps their parents.

    Args:
        settings: of the search.
        seed: of the run.
        given: losses that the first generation begins with.
        worth_it: whether a tree may take a slot: one that cannot learn, or is known, is drawn again.
    """

    def __init__(
        self,
        settings: SearchSettings,
        seed: int,
        given: Sequence[Weighted],
        worth_it: Callable[[Program], bool],
    ) -> None:
        self.settings, self.seed, self.given, self.worth_it = settings, seed, tuple(given), worth_it
        self.grammar = settings.grammar
        self.parents: list[Individual] = []
        self._seen: set[Program] = set()

    def propose(
        self, generation: int, slots: int, start: int, known: Mapping[int, Candidate]
    ) -> list[Candidate]:
        """The candidates of one generation, numbered from `start`."""
        candidates = []
        for slot in range(slots):
            elite = self._elite(generation, slot)
            if elite is not None:
                source = known[elite]
                candidate = Candidate(start + slot, generation, slot, source.program, source.weighted)
                candidate.source = elite
                candidate.stop("reused", f"elite: candidate {elite} kept as it is")
            elif generation == 0 and slot < len(self.given):
                loss = self.given[slot]
                candidate = Candidate(start + slot, generation, slot, loss.program, loss, fixed=True)
            else:
                program = self._draw(generation, slot)
                candidate = Candidate(start + slot, generation, slot, program, Weighted.plain(program))
            self._seen.add(candidate.program)
            candidates.append(candidate)
        return candidates

    def select(self, evaluations: Sequence[Evaluation], fresh: int) -> None:
        """Chooses the parents of the next generation.

        Args:
            evaluations: all so far, as their fitness stands now.
            fresh: how many of the last belong to the generation that has just ended.
        """
        pool = list(evaluations[-fresh:])
        if self.settings.objectives == 2:
            # NSGA-II chooses among parents and offspring; elites do the same for one objective.
            pool = [evaluations[parent.number] for parent in self.parents] + pool
        fitnesses = [entry.fitness for entry in pool]
        if self.settings.shuffled:
            order = generator(self.seed, "shuffle", len(evaluations)).permutation(len(pool))
            fitnesses = [fitnesses[i] for i in order]
        members = [
            member(self.grammar, Program(entry.tokens), fitness, entry.complexity or 0, entry.number)
            for entry, fitness in zip(pool, fitnesses, strict=True)
        ]
        self.parents = survivors(members, self.settings.population, self.settings.objectives)

    def _elite(self, generation: int, slot: int) -> int | None:
        if self.settings.objectives == 2 or self.settings.method == "random" or generation == 0:
            return None
        count = max(1, round(self.settings.rates.elitism * self.settings.population))
        return self.parents[slot].number if slot < min(count, len(self.parents)) else None

    def _wanted(self, program: Program) -> bool:
        return program not in self._seen and self.worth_it(program)

    def _draw(self, generation: int, slot: int) -> Program:
        seed = derive(self.seed, "variation", generation, slot)
        if generation == 0 or self.settings.method == "random":
            return initial_program(self.grammar, self.settings.rates, seed, self._wanted)
        return offspring(self.grammar, self.settings.rates, self.parents, seed, self._wanted)

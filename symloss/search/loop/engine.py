"""One run from its sweep to its front; a resumed run is the same run, replayed from its stored answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from symloss.expr.trees import Weighted
from symloss.runs import Executor
from symloss.search.loop import finals, sweep
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.ending import Ending
from symloss.search.loop.headroom import Headroom
from symloss.search.loop.ledger import Ledger
from symloss.search.loop.proposers import proposer_of
from symloss.search.loop.stages import Stages
from symloss.search.loop.training import RATES
from symloss.search.loop.workers import Progress, Workers
from symloss.search.methods import METHODS
from symloss.search.propose.outside import Ask, Outside
from symloss.search.propose.proposal import Outcome, Proposal
from symloss.search.record.finals import Finals
from symloss.search.record.memory import Store
from symloss.search.record.result import Evaluation, Generation
from symloss.search.screen.proved_again import proved_again
from symloss.search.settings import SearchSettings
from symloss.tasks import SupervisedTask, Task

__all__ = ["Engine"]

Watcher = Callable[[Generation], object]


class Engine:
    """A run in progress.

    Args:
        tasks: one, or several that are searched for one loss.
        settings, seed: what fixes the outcome.
        store: the memory of the run.
        place: where the work is done.
        given: losses that the first generation begins with.
        progress: told of every stage.
        ask: where formulas come from, if not from the method.
        opening: called with what is known of the tasks before the first generation.
        proves: whether what a theorem says of the front is proved again at the end, row by row.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        settings: SearchSettings,
        seed: int,
        store: Store,
        place: Executor,
        given: Sequence[Weighted] = (),
        progress: Progress | None = None,
        opening: Callable[[Sequence[Headroom]], object] | None = None,
        ask: Ask | None = None,
        *,
        proves: bool = False,
    ) -> None:
        self.proves = proves
        self.tasks, self.settings, self.seed, self.store = tuple(tasks), settings, seed, store
        self.opening = opening
        self.workers = Workers(self.tasks, store, place, settings.chunk, progress, settings.registry)
        self.stages = Stages(settings, seed, self.workers)
        self.proposer = proposer_of(self.stages, store, given, ask)
        self.ledger = Ledger(self.tasks, settings, store)
        self.field, self.signs = self.ledger.field, self.ledger.signs
        self.generations: list[Generation] = []
        self.headroom: list[Headroom] = []
        self.ordinary: int | None = None
        self.held: Finals | None = None
        self._swept = 0
        self._notes: list[str] = []
        self._known = 0
        # A run that goes on is searched again from its seed; stored trainings answer at once. Up to here the record
        # stands.
        while store.get("generation", self._known + 1) is not None:
            self._known += 1
        self._before = float(store.get("clock", "seconds") or 0.0)
        self._start = time.perf_counter()

    def run(self, watcher: Watcher | None = None, time_limit: float | None = None) -> str:
        """The sweep, every generation, then the finals; the status in which the run ends."""
        status = "finished"
        told = self.settings.proposer == "tells"  # then whoever told it was the one to end it
        self.begin()
        while told or len(self.generations) < self.settings.generations:
            if not self.generation(self.slots()):
                break
            if watcher is not None:
                watcher(self.generations[-1])
            if not told and self.slots() == 0:
                status = "max evaluations"
                break
            if not told and self._stale():
                break
            last = len(self.generations) == self.settings.generations
            # Between generations only: a clock within one would let the outcome depend on the speed of the machine.
            if not last and time_limit is not None and self._elapsed() >= time_limit:
                status = "time limit"
                break
        self.end(status)
        return status

    def begin(self) -> None:
        """What comes before the first generation."""
        if not self.retelling:
            self._go_on()
        self._notes = [*self.settle(), *self.sweep()]

    def end(self, status: str) -> None:
        """What follows the last generation."""
        gated = METHODS[self.settings.method].formula
        notes = [*self._notes, *(finals.audit(self.stages, self.field) if gated else ()), *self._finals()]
        notes += self._said_of_rows()
        if isinstance(self.proposer, Outside):
            notes += self.proposer.notes
        if self.settings.screening.require:
            for row in self.ledger.front:
                proofs = self.ledger.requirements.proofs(row.loss)
                notes += [f"required of row {row.row}: {proof}" for proof in proofs]
        if self.proves and self.stages.inside is not None:
            notes += proved_again(self.stages.inside, self.ledger.front, self.stages.classes)
        self.store.put("front", "notes", notes)
        self.store.put("clock", "seconds", self._before + self._elapsed())
        self.store.status = status
        self.store.log(
            "%s: %d candidates, a front of %d", status, len(self.ledger.evaluations), len(self.ledger.front)
        )

    def sweep(self) -> list[str]:
        """The zoo and a few random losses over the first blocks, as far as the settings want them."""
        blocks = self.settings.blocks
        task = self.tasks[0]
        if not (blocks.zoo or blocks.headroom):
            return []
        wide = blocks.headroom and blocks.resample
        inside = self.stages.inside
        member = self.stages.member if inside is not None else None
        # Without a headroom nobody asks about losses that the search may not find.
        candidates = sweep.zoo_candidates(task, 0, member, alone=not wide)
        if wide:
            candidates += sweep.strangers(self.stages, len(candidates), blocks.strangers)
        limit = self.settings.max_evaluations
        if limit is not None and not isinstance(task, SupervisedTask):
            candidates = candidates[:limit]  # every training of somebody else's trainer is paid for
        signs = tuple(self.signs.values())
        try:
            # Without a headroom one block suffices: the zoo then is part of the first population, scored as that is.
            sweep.train_sweep(self.stages, candidates, blocks.sweep if wide else 1)
        except KeyboardInterrupt:
            # What is known of the candidates is kept.
            self.ledger.enter(candidates)
            self.ledger.record(candidates, retelling=self.retelling)
            raise
        if blocks.zoo:
            self.ledger.enter(candidates)
        if wide:
            if len(self.tasks) > 1:
                self.field.noises = sweep.noises_of(self.tasks, candidates, signs)
            planned = self.settings.population * self.settings.generations
            self.headroom = sweep.measure(self.stages, candidates, signs, planned)
            self.store.put("front", "headroom", [each.to_dict() for each in self.headroom])
            for each in self.headroom:
                self.store.log("%s: %s", each.task, each.sentence())
            if self.opening is not None:
                self.opening(self.headroom)
        self.store.put("front", "noises", list(self.field.noises))
        if inside is not None:
            # The headroom was measured with them; no front shows them.
            sweep.leave_out(candidates, inside)
        if blocks.zoo:
            self.ordinary, self._swept = sweep.ordinary_number(task, candidates), len(candidates)
            self.field.changed()
            self.ledger.record(candidates, retelling=self.retelling)
            self._learn(len(candidates))
        else:
            self.stages.forget()
        return [note for each in self.headroom for note in each.said]

    def settle(self) -> list[str]:
        """The learning rate and the steps at which the ordinary loss does best, where the search chooses them."""
        if not self.settings.blocks.settle:
            return []
        base = sweep.base_candidate(self.tasks[0])
        (own,) = self.stages.trainer.own("settle", [base], base=(1.0,) * len(self.tasks), rates=RATES)
        self.stages.settled = own
        notes = []
        for i, (name, task) in enumerate(zip(self.signs, self.tasks, strict=True)):
            if isinstance(task, SupervisedTask):
                rate = task.settings.learning_rate * own.rates[i]
                edge = ", the end of a grid that was widened as far as it goes" if own.edge else ""
                notes.append(
                    f"{name}: trained at learning rate {rate:g}{edge}, judged at the best of "
                    f"{_either(self.stages.stops[i])} steps: the ordinary loss does best at {own.steps[i]}"
                )
        return notes

    @property
    def retelling(self) -> bool:
        """Whether all this is on record: nothing is written then, so that a kill leaves the record as it was."""
        return len(self.generations) < self._known

    def _go_on(self) -> None:
        """Continues the record from here: drops the finals and notes that an earlier end of the run added to it."""
        self.store.put_many(
            "front", [("finals", None), ("notes", []), ("count", len(self.ledger.evaluations))]
        )
        self.store.status = "running"
        self.ledger.show_front(None)

    def candidate(self, number: int) -> Candidate | None:
        """What is known of a candidate beyond its record, if the search has come to it."""
        return self.field.candidates.get(number)

    def _elapsed(self) -> float:
        return time.perf_counter() - self._start

    def _stale(self) -> bool:
        """Whether the best has been the best for longer than the settings' patience."""
        found = [
            (entry.fitness, entry.generation)
            for entry in self.ledger.evaluations
            if entry.fitness is not None
        ]
        patience = self.settings.patience
        # Counted from the generation in which the best was proposed, not from the last change of its mean.
        return bool(patience and found) and len(self.generations) - 1 - min(found)[1] >= patience

    def slots(self) -> int:
        """How many losses the next generation may have."""
        limit = self.settings.max_evaluations
        if limit is None:
            return self.settings.population
        counted = len(self.ledger.evaluations)
        if isinstance(self.tasks[0], SupervisedTask):
            # The zoo of a supervised task comes free; of a black box every training counts, see `sweep`.
            counted -= self._swept
        return max(0, min(self.settings.population, limit - counted))

    def generation(self, slots: int) -> list[Candidate]:
        """One more generation; empty when nobody proposes any."""
        generation = len(self.generations)
        # A new split, start and batch order for each generation: what won by the luck of one block meets another.
        block = generation if self.settings.blocks.resample else None
        start = len(self.field.candidates)
        candidates = [
            self._candidate(proposal, start + slot, generation, slot)
            for slot, proposal in enumerate(self.proposer.propose(generation, slots))
        ]
        if not candidates:
            return []
        try:
            self.stages.evaluate(candidates, block, [] if block is None else self._still_racing(block))
        finally:
            # After Ctrl-C as well: what is known of the candidates is kept.
            self.ledger.enter(candidates)
            self.ledger.record(candidates, retelling=self.retelling)
        self._learn(len(candidates))
        done, total = generation + 1, self.settings.generations
        known = self.store.get("generation", done)
        # The time on record, where there is one: a run that goes on prints what it printed before.
        seconds = self._before + self._elapsed() if known is None else float(known["seconds"])
        remaining = seconds / done * (total - done)
        state = Generation(done, total, self.ledger.front, len(self.ledger.evaluations), seconds, remaining)
        self.generations.append(state)
        if known is None:
            self.store.put("generation", done, {"evaluated": state.evaluated, "seconds": seconds})
            self.store.put("clock", "seconds", seconds)
            self._log_generation(state)
        elif not self.retelling:
            self._go_on()
        return candidates

    def _log_generation(self, state: Generation) -> None:
        picked = next((row for row in state.front if row.picked), None)
        best = "nothing trained yet" if picked is None else f"{picked.validation:.4g}  {picked.text}"
        self.store.log(
            "generation %d of %d: %d candidates, %s", state.number, state.generations, state.evaluated, best
        )

    def _candidate(self, proposal: Proposal, number: int, generation: int, slot: int) -> Candidate:
        loss = proposal.loss
        if proposal.source is None:
            candidate = Candidate(number, generation, slot, loss.program, loss, fixed=proposal.fixed)
            candidate.as_given, candidate.remark = proposal.as_given, proposal.remark
            candidate.network, candidate.rates = proposal.network, proposal.pace
            candidate.parents, candidate.way = proposal.parents, proposal.way
            if proposal.problem:
                candidate.nonsense = True
                candidate.stop("rejected", proposal.problem)
            return candidate
        # Under the tree that was proposed, whatever tuning has made of it.
        source = self.field.candidates[proposal.source]
        candidate = Candidate(number, generation, slot, source.program, source.weighted)
        candidate.source, candidate.rates = source.number, source.rates
        candidate.stop("reused", proposal.remark)
        return candidate

    def _learn(self, fresh: int) -> None:
        outcomes = [
            Outcome(
                entry.number, self.field.candidates[entry.number].program,
                self.field.candidates[entry.number].weighted, entry.fitness, entry.complexity or 0,
                self.field.candidates[entry.number].rates,
            )
            for entry in self.ledger.evaluations
        ]  # fmt: skip
        if isinstance(self.proposer, Outside):
            self.proposer.known = [_told(entry) for entry in self.ledger.evaluations]
        self.proposer.learn(outcomes, fresh)

    def _still_racing(self, block: int) -> list[Candidate]:
        """Parents and losses of the zoo that are not out of the race and have not seen this block."""
        # Scores belong to the candidate that was trained; one that shares them would train the same loss again.
        parents = [self.field.original(number).number for number in self.proposer.scored_again()]
        named = [
            number for number, each in self.field.candidates.items() if each.name and each.source is None
        ]
        evidence = self.field.evidence
        return [
            self.field.candidates[number]
            for number in sorted({*parents, *named})
            if number in evidence.candidates
            and block not in evidence.scores[number]
            and not (self.settings.blocks.race and evidence.out_of_race(number))
        ]

    def _finals(self) -> list[str]:
        """The finals, where the search holds any."""
        if not self.settings.blocks.resample:
            self.ledger.show_front(None)
            return []
        ending = Ending(self.stages, self.ledger, len(self.generations), self.ordinary)
        self.held, said = ending.hold()
        return said

    def _said_of_rows(self) -> list[str]:
        """What a method without breeding knows of its rows beyond their formulas, such as the parts of a mixture."""
        if METHODS[self.settings.method].breeds:
            return []
        told = {row.row: self.field.candidates[row.evaluation] for row in self.ledger.front}
        return [
            f"row {row} is {candidate.remark} up to its scale"
            for row, candidate in told.items()
            if candidate.remark and not candidate.name
        ]


def _told(entry: Evaluation) -> dict[str, object]:
    """What a proposer from outside is told of a candidate."""
    return {
        "formula": entry.formula, "outcome": entry.outcome, "reason": entry.reason, "mean": entry.validation,
        "se": entry.se, "complexity": entry.complexity,
    }  # fmt: skip


def _either(steps: Sequence[int]) -> str:
    *rest, last = map(str, steps)
    return f"{', '.join(rest)} and {last}" if rest else last

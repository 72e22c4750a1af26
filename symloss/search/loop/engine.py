"""One run from its first generation to its front, and the same again when it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from symloss.expr.trees import Weighted
from symloss.runs import Executor
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.finals import audit, finalists, fresh_fitnesses, tidied_candidates
from symloss.search.loop.ranks import with_fitness
from symloss.search.loop.settle import settle
from symloss.search.loop.stages import Stages
from symloss.search.loop.workers import Workers
from symloss.search.propose.breeding import Breeder, rates_of, zoo_trees
from symloss.search.propose.proposal import Outcome, Proposal
from symloss.search.record.codec import evaluation_record, front_csv, front_json, front_of
from symloss.search.record.memory import Store
from symloss.search.record.result import Evaluation, FrontRow, Generation
from symloss.search.screen.requirements import Requirements
from symloss.search.settings import SearchSettings
from symloss.tasks import SupervisedTask, Task

__all__ = ["Engine", "task_signs"]

Watcher = Callable[[Generation], object]


def task_signs(tasks: Sequence[Task]) -> dict[str, float]:
    """By name, -1 for a task whose metric is maximised, else 1; a name that comes twice is numbered."""
    names = [task.name for task in tasks]
    unique = [f"{n}-{i + 1}" if names.count(n) > 1 else n for i, n in enumerate(names)]
    return {n: -1.0 if t.measure.greater_is_better else 1.0 for n, t in zip(unique, tasks, strict=True)}


class Engine:
    """A run in progress.

    Args:
        tasks: one, or several that are searched for one loss.
        settings, seed: what fixes the outcome.
        store: the memory of the run.
        place: where the work is done.
        given: losses that the first generation begins with.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        settings: SearchSettings,
        seed: int,
        store: Store,
        place: Executor,
        given: Sequence[Weighted] = (),
    ) -> None:
        self.tasks, self.settings, self.seed, self.store = tuple(tasks), settings, seed, store
        self.signs = task_signs(self.tasks)
        self.workers = Workers(self.tasks, store, place, settings.chunk, settings.registry)
        self.stages = Stages(settings, seed, self.workers)
        self.requirements = Requirements(settings.require, self.tasks[0].classes, store)
        neighbours = zoo_trees(self.tasks[0].kind) if rates_of(settings).neighbours else ()
        self.breeder = Breeder(settings, seed, given, self.stages.worth_it, neighbours)
        self.evaluations: list[Evaluation] = []
        self.generations: list[Generation] = []
        self.front: tuple[FrontRow, ...] = ()
        self._candidates: dict[int, Candidate] = {}
        self._known = 0
        while store.get("generation", self._known + 1) is not None:
            self._known += 1
        self._before = float(store.get("clock", "seconds") or 0.0)
        self._start = time.perf_counter()

    def run(self, watcher: Watcher | None = None, time_limit: float | None = None) -> str:
        """Every generation, then the finalists on fresh seeds; the status in which the run ends."""
        status = "finished"
        if not self.retelling:
            self._go_on()
        if self.settings.tune_training:
            self.tasks = self.workers.tasks = settle(self.workers, self.seed)
        for generation in range(self.settings.generations):
            self._generation(generation, self._slots())
            if watcher is not None:
                watcher(self.generations[-1])
            if self._slots() == 0:
                status = "max evaluations"
                break
            if self._stale():
                break
            last = generation + 1 == self.settings.generations
            if not last and time_limit is not None and self._elapsed() >= time_limit:
                status = "time limit"
                break
        self._tidy()
        notes = [*self._settled(), *audit(self.stages, self.evaluations, self.signs)]
        self._show_front(self._fresh())
        for row in self.front:
            notes += [f"required of row {row.row}: {proof}" for proof in self.requirements.proofs(row.loss)]
        self.store.put("front", "notes", notes)
        self.store.put("clock", "seconds", self._before + self._elapsed())
        self.store.status = status
        return status

    def _settled(self) -> list[str]:
        """At which learning rates and steps the search has trained, where it chose them."""
        if not self.settings.tune_training:
            return []
        return [
            f"{name}: trained at learning rate {task.settings.learning_rate:g} for {task.settings.steps} "
            "steps, at which the ordinary loss does best on validation data"
            for name, task in zip(self.signs, self.tasks, strict=True)
            if isinstance(task, SupervisedTask)
        ]

    @property
    def retelling(self) -> bool:
        """Whether all this is on record: nothing is written then, so that a kill leaves the record as it was."""
        return len(self.generations) < self._known

    def _go_on(self) -> None:
        """From here on the record is continued: what an earlier end added to it counts no more."""
        self.store.put_many("front", [("fresh", {}), ("notes", []), ("count", len(self.evaluations))])
        self.store.status = "running"
        self._show_front({})

    def candidate(self, number: int) -> Candidate | None:
        """What is known of a candidate beyond its record, if the search has come to it."""
        return self._candidates.get(number)

    def _elapsed(self) -> float:
        return time.perf_counter() - self._start

    def _stale(self) -> bool:
        """Whether the best has been the best for longer than the settings' patience."""
        scored = [
            (entry.fitness, entry.generation) for entry in self.evaluations if entry.fitness is not None
        ]
        patience = self.settings.patience
        return bool(patience and scored) and len(self.generations) - 1 - min(scored)[1] >= patience

    def _slots(self) -> int:
        limit = self.settings.max_evaluations
        left = self.settings.population if limit is None else limit - len(self.evaluations)
        return max(0, min(self.settings.population, left))

    def _generation(self, generation: int, slots: int) -> None:
        start = len(self.evaluations)
        candidates = [
            self._candidate(proposal, start + slot, generation, slot)
            for slot, proposal in enumerate(self.breeder.propose(generation, slots))
        ]
        try:
            self.stages.evaluate(candidates)
        finally:
            # After Ctrl-C as well: what is known of the candidates is kept.
            self._record(candidates)
        self.breeder.learn([self._outcome(entry) for entry in self.evaluations], slots)
        done, total = generation + 1, self.settings.generations
        known = self.store.get("generation", done)
        seconds = self._before + self._elapsed() if known is None else float(known["seconds"])
        remaining = seconds / done * (total - done)
        state = Generation(done, total, self.front, len(self.evaluations), seconds, remaining)
        self.generations.append(state)
        if known is None:
            self.store.put("generation", done, {"evaluated": state.evaluated, "seconds": seconds})
            self.store.put("clock", "seconds", seconds)
        elif not self.retelling:
            self._go_on()

    def _candidate(self, proposal: Proposal, number: int, generation: int, slot: int) -> Candidate:
        loss = proposal.loss
        if proposal.source is None:
            return Candidate(number, generation, slot, loss.program, loss, fixed=proposal.fixed)
        # Under the tree that was proposed, whatever tuning has made of it.
        source = self._candidates[proposal.source]
        candidate = Candidate(number, generation, slot, source.program, source.weighted)
        candidate.source = source.number
        candidate.stop("reused", proposal.remark)
        return candidate

    def _outcome(self, entry: Evaluation) -> Outcome:
        loss, complexity = self._candidates[entry.number].weighted, entry.complexity or 0
        return Outcome(
            entry.number, self.settings.grammar.program(entry.tokens), loss, entry.fitness, complexity
        )

    def _record(self, candidates: Sequence[Candidate]) -> None:
        """Candidates become evaluations, as far as their outcome is known, and the front is written anew."""
        start = len(self.evaluations)
        for candidate in candidates:
            self._candidates[candidate.number] = candidate
        for candidate in candidates:
            source = self._candidates.get(-1 if candidate.source is None else candidate.source)
            if candidate.on_its_way or (source is not None and source.on_its_way):
                continue
            if source is not None:
                candidate.inherit(source)
            surcharge = self.breeder.grammar.surcharge(candidate.weighted.program)
            self.evaluations.append(candidate.evaluation(self.tasks[0].kind, self.signs, surcharge))
        self.evaluations = with_fitness(self.evaluations, self.signs)
        self._enforce(lambda: [row.evaluation for row in self._front({})])
        if self.retelling:
            self.front = self._front({})
            return
        kind = self.tasks[0].kind
        # In place of whatever an earlier end of the run left under the number of one that is still on its way.
        records: dict[int, Any] = dict.fromkeys(candidate.number for candidate in candidates)
        records |= {entry.number: evaluation_record(entry, kind) for entry in self.evaluations[start:]}
        self.store.put_many("evaluation", records.items())
        self.store.put("front", "count", self.evaluations[-1].number + 1 if self.evaluations else 0)
        self._show_front({})

    def _enforce(self, shown: Callable[[], Sequence[int]]) -> None:
        """Rejects what would be shown against a requirement, until nothing is."""
        if not self.settings.require:
            return
        places = {entry.number: place for place, entry in enumerate(self.evaluations)}
        while True:
            losses = {number: self.evaluations[places[number]].loss for number in shown()}
            reasons = {number: self.requirements.refuted(loss) for number, loss in losses.items() if loss}
            if not any(reasons.values()):
                return
            for number, reason in reasons.items():
                if reason:
                    entry = self.evaluations[places[number]]
                    entry = replace(entry, outcome="rejected", reason=reason, fitness=None, scores={})
                    self.evaluations[places[number]] = entry
                    self.store.put("evaluation", number, evaluation_record(entry, self.tasks[0].kind))

    def _front(self, fresh: Mapping[int, Sequence[float]]) -> tuple[FrontRow, ...]:
        sign = next(iter(self.signs.values())) if len(self.signs) == 1 else 1.0
        hard = all(task.describe().get("hard_labels", False) for task in self.tasks)
        return front_of(
            self.evaluations, classes=self.tasks[0].classes, fresh=fresh, sign=sign, hard_labels=hard
        )

    def _show_front(self, fresh: Mapping[int, Sequence[float]]) -> None:
        self.front = self._front(fresh)
        self.store.write_text("front.csv", front_csv(self.front))
        self.store.write_text("front.json", front_json(self.front))

    def _tidy(self) -> None:
        """Losses of the front with fewer and rounder numbers, as candidates of one more generation."""
        rows = [self._candidates[row.evaluation] for row in self.front] if self.settings.tidy else []
        candidates = tidied_candidates(rows, len(self.evaluations), len(self.generations))
        try:
            self.stages.finish(candidates)
        finally:
            self._record(candidates)

    def _fresh(self) -> dict[int, list[float]]:
        """Fitnesses of the finalists on fresh training seeds, by evaluation."""

        def chosen() -> list[int]:
            return finalists(self.evaluations, self.settings.finalists)

        self._enforce(chosen)
        rows = [self._candidates[number] for number in (chosen() if self.settings.fresh_seeds else ())]
        fresh = fresh_fitnesses(self.stages, rows, self.signs)
        self.store.put("front", "fresh", {str(number): values for number, values in fresh.items()})
        return fresh

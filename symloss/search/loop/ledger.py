"""The books of a run: evaluations of its candidates and their front, in memory and in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

from symloss.search.loop.candidate import Candidate
from symloss.search.loop.field import Field
from symloss.search.record.codec import (
    evaluation_of,
    evaluation_record,
    front_csv,
    front_json,
    network_json,
    network_record,
)
from symloss.search.record.finals import Finals
from symloss.search.record.front import front_of, scored
from symloss.search.record.memory import Store
from symloss.search.record.result import Evaluation, FrontRow, Network
from symloss.search.screen.requirements import Requirements
from symloss.search.settings import SearchSettings
from symloss.tasks import Task

__all__ = ["Ledger", "task_signs"]


def task_signs(tasks: Sequence[Task]) -> dict[str, float]:
    """By name, -1 for a task whose metric is maximised, else 1; a name that comes twice is numbered."""
    names = [task.name for task in tasks]
    unique = [f"{n}-{i + 1}" if names.count(n) > 1 else n for i, n in enumerate(names)]
    return {n: -1.0 if t.measure.greater_is_better else 1.0 for n, t in zip(unique, tasks, strict=True)}


class Ledger:
    """The books of a run.

    Args:
        tasks, settings, store: of the run.

    Attributes:
        field: the candidates and their evidence.
        evaluations: those of them whose outcome is known, as they are written.
        front: of the evaluations.
        network: the one on the front, or the best there is.
        requirements: what every loss that is shown has to have.
    """

    def __init__(self, tasks: Sequence[Task], settings: SearchSettings, store: Store) -> None:
        self.tasks, self.settings, self.store = tasks, settings, store
        self.signs = task_signs(tasks)
        self.field = Field(tuple(self.signs.values()))
        self.requirements = Requirements(settings.screening.require, tasks[0].classes, store)
        self.evaluations: list[Evaluation] = []
        self.front: tuple[FrontRow, ...] = ()
        self.network: Network | None = None

    @cached_property
    def hard_labels(self) -> bool:
        """Whether every label of every task is 0 or 1."""
        return all(task.describe().get("hard_labels", False) for task in self.tasks)

    def enter(self, candidates: Sequence[Candidate]) -> None:
        """Adds candidates to the field; one that was reused takes over what is known of its source."""
        self.field.add(candidates)
        for candidate in candidates:
            if candidate.source is not None and not candidate.on_its_way:
                source = self.field.candidates[candidate.source]
                if not source.on_its_way:
                    candidate.inherit(source)

    def record(self, candidates: Sequence[Candidate], *, retelling: bool) -> None:
        """Every candidate becomes an evaluation, as far as its outcome is known, and the front is written anew.

        Args:
            candidates: that are new.
            retelling: whether all this is on record already; then nothing is written.
        """
        kind, before = self.tasks[0].kind, {entry.number: entry for entry in self.evaluations}
        entries = []
        for candidate in self.field.candidates.values():
            source = self.field.original(candidate.number)
            if candidate.on_its_way or source.on_its_way:
                continue
            surcharge = self.settings.grammar.surcharge(candidate.weighted.program)
            entries.append(evaluation_of(candidate, kind, surcharge))
        changed = [entry for entry in entries if not _same(entry, before.get(entry.number))]
        self.evaluations = scored(entries, tuple(self.signs.values()), self.field.noises)
        self.enforce(lambda: [row.evaluation for row in self._front(None)])
        if retelling:
            self.front = self._front(None)
            return
        # In place of whatever an earlier end of the run left under the number of one that is still on its way.
        records: dict[int, object] = dict.fromkeys(candidate.number for candidate in candidates)
        # Requirements may have changed what became of one.
        current = {entry.number: entry for entry in self.evaluations}
        records |= {entry.number: evaluation_record(current[entry.number]) for entry in changed}
        self.store.put_many("evaluation", records.items())
        # The store may hold more, written by an earlier end of this run: readers stop here.
        self.store.put("front", "count", self.evaluations[-1].number + 1 if self.evaluations else 0)
        self.show_front(None)

    def enforce(self, shown: Callable[[], Sequence[int]]) -> None:
        """Rejects what would be shown against a requirement, until nothing is."""
        if not self.settings.screening.require:
            return
        places = {entry.number: place for place, entry in enumerate(self.evaluations)}
        while True:
            # Anew each time: when a row leaves a front, one that it dominated may come on it.
            losses = {number: self.evaluations[places[number]].loss for number in shown()}
            reasons = {number: self.requirements.refuted(loss) for number, loss in losses.items() if loss}
            if not any(reasons.values()):
                return
            for number, reason in reasons.items():
                if reason:
                    candidate = self.field.candidates[number]
                    candidate.outcome, candidate.reason = "rejected", reason
                    entry = self.evaluations[places[number]]
                    entry = replace(
                        entry, outcome="rejected", reason=reason, validation=None, se=None, fitness=None
                    )
                    self.evaluations[places[number]] = entry
                    self.store.put("evaluation", number, evaluation_record(entry))
            self.field.changed()

    def show_front(self, held: Finals | None) -> None:
        """Works the front out, after finals by these, and writes it."""
        self.front = self._front(held)
        self._keep_network()
        self.store.write_text("front.csv", front_csv(self.front))
        self.store.write_text("front.json", front_json(self.front))

    def _front(self, held: Finals | None) -> tuple[FrontRow, ...]:
        return front_of(
            self.evaluations, classes=self.tasks[0].classes, signs=self.signs, noises=self.field.noises,
            finals=held, hard_labels=self.hard_labels,
        )  # fmt: skip

    def _keep_network(self) -> None:
        """The weights of the network on the front, or of the best there is: no formula says them."""
        fitness = {
            entry.number: entry.fitness
            for entry in self.evaluations
            if entry.neural and entry.fitness is not None
        }
        shown = [row.evaluation for row in self.front if row.neural]
        number = min(shown or fitness, key=lambda i: (fitness[i], i), default=None)
        network = None if number is None else self.field.candidates[number].network
        if number is not None and network is not None:
            self.network = Network(number, network)
            self.store.put("front", "network", network_record(self.network))
            self.store.write_text("neural.json", network_json(self.network))


def _same(entry: Evaluation, before: Evaluation | None) -> bool:
    """Whether an evaluation equals the one on record, apart from its means, which are not recorded."""
    if before is None:
        return False
    # A mean over blocks moves with every new score of any candidate; it is worked out again when a run is read.
    return replace(entry, validation=before.validation, se=before.se, fitness=before.fitness) == before

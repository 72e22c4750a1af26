"""The order of the trainings of a comparison, and the table that results."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any, Self

from symloss.compare.comparison import AS_IS, NORMALISED, RATE_ONLY, TUNED, Comparison, Row
from symloss.compare.contenders import Contender
from symloss.compare.convergence import Reported
from symloss.compare.notes import notes_of
from symloss.compare.ranks import Ranking, rank_losses, wilcoxon_p
from symloss.compare.searched import find_loss
from symloss.compare.selection import BLOCKS, Configuration, Selection
from symloss.compare.table import Draft, Tried, concluded, drafts_of
from symloss.compare.work import CHUNK, Answer, Piece, Replicate, Trial, do, fits
from symloss.errors import SymlossError
from symloss.runs import Executor, RunStore, answers
from symloss.search.loop.workers import Progress
from symloss.search.record.memory import Memory
from symloss.tasks import SupervisedTask, Task, replicates_of

__all__ = ["Protocol", "as_json", "described"]

_CURVE = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
"""Where validation is measured in a training that is reported, as shares of the task's steps."""


@dataclass
class Protocol:
    """The trainings of a comparison, in order, and what they come to.

    Attributes:
        tasks: that losses are compared on.
        contenders: the losses, the ordinary one first.
        settings: `seeds`, `splits`, `tune` and `fractions`.
        seed: of everything.
        store: remembers every answer.
        place: where trainings are done.
        progress: who watches.
    """

    tasks: Sequence[Task]
    contenders: Sequence[Contender]
    settings: Mapping[str, Any]
    seed: int
    store: Memory | RunStore
    place: Executor
    progress: Progress | None = None
    tried: dict[tuple[int, float], list[Tried]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        store: Memory | RunStore,
        tasks: Sequence[Task],
        place: Executor,
        progress: Progress | None = None,
    ) -> Self:
        """That of a run."""
        config = store.config
        contenders = [Contender.from_record(data, tasks[0].kind) for data in config["losses"]]
        return cls(tasks, contenders, config["settings"], int(config["seed"]), store, place, progress)

    def __post_init__(self) -> None:
        self.tried = {
            (t, fraction): [Tried(each, {}, {}) for each in self.contenders]
            for t in range(len(self.tasks))
            for fraction in self.settings["fractions"]
        }

    def run(self) -> None:
        """Trains everything; what is known already is not trained again."""
        self._search()
        self._report(AS_IS, self._plain(AS_IS))
        self._report(NORMALISED, self._plain(NORMALISED))
        if self.settings["tune"]:
            self._select()
            self._report(TUNED, self._chosen(TUNED))
            self._report(RATE_ONLY, self._chosen(RATE_ONLY))

    def comparison(self) -> Comparison:
        """The table of what was trained so far."""
        drafts = [draft for key in self.tried for draft in self._drafts(*key)]
        every = concluded(drafts)
        rows = [row for row in every if row.treatment != RATE_ONLY]
        rankings, wilcoxon = _across(rows, self.tasks, self._hypothesis)
        return Comparison(
            **self.made_of(rows), task=described(self.tasks), rankings=rankings, wilcoxon=wilcoxon,
            controls=tuple(row for row in every if row.treatment == RATE_ONLY),
            notes=tuple(notes_of(self.tasks, self.contenders, self.settings, rows)),
        )  # fmt: skip

    def made_of(self, rows: Sequence[Row]) -> dict[str, Any]:
        """The rows of a table, and what every table says of how they were made."""
        primary = [row.detectable for row in rows if row.primary and row.detectable]
        return {
            "path": None, "metric": ",".join(dict.fromkeys(task.metric for task in self.tasks)), "seed": self.seed,
            "seeds": self.settings["seeds"], "splits": self.settings["splits"], "rows": tuple(rows),
            "detectable": statistics.median(primary) if primary else None,
        }  # fmt: skip

    @property
    def _hypothesis(self) -> str:
        """The treatment whose rows are the table's one hypothesis: the hardest control that there is."""
        if not any(isinstance(task, SupervisedTask) for task in self.tasks):
            return AS_IS
        return TUNED if self.settings["tune"] else NORMALISED

    def _drafts(self, t: int, fraction: float) -> list[Draft]:
        # The smaller shares of the rows are another question than the table's.
        hypothesis = self._hypothesis if fraction == max(self.settings["fractions"]) else None
        if not isinstance(self.tasks[t], SupervisedTask) and hypothesis is not None:
            hypothesis = AS_IS
        return drafts_of(
            self.tasks[t], self._replicates(t, fraction)[0], self.tried[t, fraction], self.seed, hypothesis
        )

    def _replicates(self, t: int, fraction: float) -> list[Replicate]:
        splits = self.settings["splits"]
        how = replicates_of(self.tasks[t], splits)
        return [Replicate(t, how, number, splits, fraction) for number in range(splits)]

    def _places(self) -> Iterable[tuple[Replicate, list[Tried]]]:
        """Split by split, so that what is interrupted leaves whole splits."""
        for number in range(self.settings["splits"]):
            for (t, fraction), tried in self.tried.items():
                yield self._replicates(t, fraction)[number], tried

    def _plain(self, treatment: str) -> list[tuple[Replicate, Tried, Trial]]:
        """The trainings of losses that are not tuned."""
        found = []
        for where, tried in self._places():
            supervised = isinstance(self.tasks[where.task], SupervisedTask)
            for one in tried:
                if one.contender.tuned_only:
                    continue
                if treatment == NORMALISED and (not supervised or one.contender.role == "ordinary"):
                    continue  # nobody else's trainer is told a scale; that of the ordinary loss is 1
                steps = self.tasks[where.task].settings.steps
                found.append((where, one, self._trial(where, one, 0, treatment == NORMALISED, 1.0, steps)))
        return found

    def _chosen(self, treatment: str) -> list[tuple[Replicate, Tried, Trial]]:
        """The trainings of losses as tuning chose."""
        found = []
        for where, tried in self._places():
            for one in tried:
                choice = one.choices.get(treatment, {}).get(where.number)
                if choice is not None:
                    trial = self._trial(where, one, choice.variant, True, choice.rate, choice.steps)
                    found.append((where, one, trial))
        return found

    def _trial(
        self, where: Replicate, one: Tried, variant: int, normalised: bool, rate: float, steps: int
    ) -> Trial:
        task = self.tasks[where.task]
        stops: tuple[int, ...] = (steps,)
        if isinstance(task, SupervisedTask):
            seen = {round(share * task.settings.steps) for share in _CURVE}
            # The same points for every loss, so that curves can be averaged and compared; each ends at its own number
            # of steps.
            stops = tuple(sorted({stop for stop in seen if stop < steps} | {steps}))
        # None: no block, so the training is reported, see `Trial`.
        return Trial(*one.variants(where.number)[variant].graph, normalised, rate, stops, None)

    def _report(self, treatment: str, asked: Sequence[tuple[Replicate, Tried, Trial]]) -> None:
        """Trains from starts that chose nothing, and measures test rows."""
        starts = range(self.settings["seeds"])
        trials = [(where, replace(trial, start=start)) for where, _, trial in asked for start in starts]
        arriving = iter(self._answers(f"reporting, {treatment}", trials))
        for where, one, trial in asked:
            runs = [Reported(trial.stops, next(arriving)) for _ in starts]
            one.reports.setdefault(treatment, {})[where.number] = runs

    def _search(self) -> None:
        """What each split finds for itself, on its rows that are not test rows."""
        asked = [
            (where, one)
            for where, tried in self._places()
            for one in tried
            if one.contender.search is not None
        ]
        total = sum(int(one.contender.search["generations"]) for _, one in asked if one.contender.search)
        done = count(1)
        if self.progress is not None and asked:
            self.progress("searching", 0, total)

        def watch() -> None:
            if self.progress is not None:
                self.progress("searching", next(done), total)

        for where, one in asked:
            one.found[where.number] = find_loss(
                one.contender, where, self.tasks, self.seed, self.store, self.place, watch
            )

    def _select(self) -> None:
        """Learning rates, steps and parameters, on blocks of each replicate's rows that are not test rows."""
        open_ones = [
            (where, one, Selection(self.tasks[where.task], len(one.variants(where.number))))
            for where, tried in self._places()
            if isinstance(self.tasks[where.task], SupervisedTask)
            for one in tried
        ]
        # Round by round over all losses and splits: one selection alone asks for too few trainings to keep workers
        # busy.
        for number in count(1):
            asked = [
                (where, one, selection, configuration)
                for where, one, selection in open_ones
                for configuration in selection.wanted()
            ]
            if not asked:
                break
            self._train_blocks(f"tuning, round {number}", asked)
        for where, one, selection in open_ones:
            one.choices.setdefault(TUNED, {})[where.number] = selection.chosen()
            # From the same trainings, read at the last stop alone: the control costs nothing.
            one.choices.setdefault(RATE_ONLY, {})[where.number] = selection.chosen(all_steps=True)

    def _train_blocks(
        self, stage: str, asked: Sequence[tuple[Replicate, Tried, Selection, Configuration]]
    ) -> None:
        trials = []
        for where, one, selection, configuration in asked:
            graph = one.variants(where.number)[configuration.variant].graph
            trial = Trial(*graph, True, configuration.rate, selection.stops, None)
            trials += [(where, replace(trial, block=block)) for block in range(BLOCKS)]
        arriving = iter(self._answers(stage, trials))
        for _, one, selection, configuration in asked:
            found = [next(arriving) for _ in range(BLOCKS)]
            selection.record(configuration, [answer["values"] for answer in found])
            one.seconds += sum(answer["seconds"] for answer in found)
            # One training passes all stops.
            one.steps += BLOCKS * selection.stops[-1]

    def _piece(self, where: Replicate, trials: tuple[Trial, ...]) -> Piece:
        return Piece(where, trials, self.seed, where.how == "pools")

    def _answers(self, stage: str, trials: Sequence[tuple[Replicate, Trial]]) -> Iterable[Answer]:
        """One for each trial, in order: pieces hold trials of one replicate."""
        # Grouped by replicate, whose data a worker makes once; the answers are then put back into the order of the
        # trials.
        by_place: dict[Replicate, list[Trial]] = {}
        for where, trial in trials:
            by_place.setdefault(where, []).append(trial)
        pieces = [
            self._piece(where, tuple(some[low : low + CHUNK]))
            for where, some in by_place.items()
            for low in range(0, len(some), CHUNK)
        ]

        def watch(done: int, total: int) -> None:
            if self.progress is not None:
                self.progress(stage, done, total)

        arriving = answers(pieces, partial(do, tuple(self.tasks)), fits, self.store, self.place, watch)
        queues: dict[Replicate, list[Answer]] = {where: [] for where in by_place}
        sources = iter(zip(pieces, arriving, strict=True))
        for where, _ in trials:
            while not queues[where]:
                piece, found = next(sources)
                queues[piece.where] += found
            yield queues[where].pop(0)


def _across(
    rows: Sequence[Row], tasks: Sequence[Task], hypothesis: str
) -> tuple[dict[str, Ranking], dict[str, float]]:
    """Ranks of the losses over several tasks, and signed-rank tests against the ordinary loss."""
    if len(tasks) < 2:
        return {}, {}
    measures = {task.name: task.measure for task in tasks}
    largest = max((row.fraction for row in rows), default=1.0)
    table: dict[str, dict[str, float]] = {}
    for row in rows:
        # The scale of the ordinary loss is 1: normalised it is what it is.
        as_it_is = hypothesis == NORMALISED and row.treatment == AS_IS and row.role == "ordinary"
        if (row.treatment == hypothesis or as_it_is) and row.fraction == largest and row.mean is not None:
            table.setdefault(row.name, {})[row.task] = measures[row.task].fitness(row.mean)
    # Ranks need a full table: a loss that diverged on one task has no rank there.
    names = [name for name, scores in table.items() if len(scores) == len(measures)]
    if len(names) < 2:
        return {}, {}
    scores = [[table[name][task] for name in names] for task in measures]
    base = [row[0] for row in scores]
    tests = {
        name: wilcoxon_p([b - row[i] for b, row in zip(base, scores, strict=True)])
        for i, name in enumerate(names)
        if i
    }
    return {hypothesis: rank_losses(names, scores)}, tests


def described(tasks: Sequence[Task]) -> dict[str, Any]:
    """One task in words and numbers, or several under one roof.

    Raises:
        SymlossError: for two tasks of one name.
    """
    if len(tasks) == 1:
        return as_json(tasks[0].describe())
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise SymlossError(f"tasks {', '.join(names)}: one name twice; compare them one by one")
    described = [as_json(task.describe()) for task in tasks]
    return {"name": ",".join(names), "kind": tasks[0].kind, "tasks": described}


def as_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes back from a record: lists for tuples."""
    # So that a fresh run and one that goes on compare equal.
    plain: dict[str, Any] = json.loads(json.dumps(data))
    return plain

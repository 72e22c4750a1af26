"""Fair comparison of losses: nested splits, tuning at equal budget, controls, and paired tests over splits."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.compare.comparison import (
    AS_IS,
    NORMALISED,
    RATE_ONLY,
    TUNED,
    Comparison,
    Row,
)
from symloss.compare.contenders import Contender, contenders_of
from symloss.compare.latex import latex_table
from symloss.compare.notes import notes_of
from symloss.compare.ranks import Ranking, rank_losses, wilcoxon_p
from symloss.compare.reading import comparison_from
from symloss.compare.selection import BLOCKS, Configuration, Selection
from symloss.compare.table import Draft, Reported, Tried, concluded, drafts_of
from symloss.compare.work import CHUNK, Answer, Piece, Replicate, Trial, do, fits
from symloss.errors import RunError, SymlossError
from symloss.expr import Loss
from symloss.numbers import as_real, as_whole
from symloss.runs import Executor, RunStore, answers
from symloss.search.loop.workers import Progress, place_for
from symloss.search.prepare import check_same, prepare
from symloss.search.record.memory import Memory
from symloss.tasks import SupervisedTask, Task, replicates_of

if TYPE_CHECKING:
    from symloss.tasks import Metric

__all__ = ["MODEL", "VERB", "compare", "open_comparison", "resume_comparison"]

VERB = "compare"
"""What the record of a run says that it is."""
MODEL = "mlp-2x64"
"""In place of the tables' larger perceptron, as in `discover`."""
_CURVE = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
"""Where validation is measured in a training that is reported, as shares of the task's steps."""
_FILES = ("comparison.csv", "comparison.tex")

Losses = Sequence[str | Loss] | Mapping[str, str | Loss]


def compare(
    task: Task | Sequence[Task],
    losses: Losses,
    *,
    seeds: int = 3,
    splits: int = 10,
    tune: bool = True,
    fractions: Sequence[float] | None = None,
    seed: int = 0,
    model: str | None = MODEL,
    metric: str | Metric | Callable[..., float] | None = None,
    out: str | Path | None = None,
    workers: int = 1,
    executor: str = "serial",
    device: str = "auto",
    on_progress: Progress | None = None,
) -> Comparison:
    """Is a loss better than the ordinary one, and is it the shape of the loss that makes it so?

    The data are split anew `splits` times, each time with test rows, label noise and outliers of its own (where
    rows suffice, into disjoint pools with common test rows). Within a split, blocks of its other rows choose a
    learning rate, a number of steps and the loss's own parameters, as many configurations for every loss; then
    `seeds` models are trained from starts that chose nothing, and each is measured on the test rows once. Seeds are
    averaged; the splits are the units of a paired t test against the ordinary loss, corrected for their overlap. Each
    loss is trained as it is, divided by its null-epoch gradient scale, and tuned; what it gains as it is and loses when
    both are tuned is said to be explained by the learning rate (or by early stopping). The same arguments give the same
    table, bit for bit on one machine, whatever `workers` and `executor` are.

    Args:
        task: one, or several of one kind: then Holm's correction runs over rows and tasks, and ranks are compared.
        losses: names of the zoo (`"gce"`, `"gce(q=0.5)"`), formulas, rows of runs (`"runs/a#1"`), `"best-zoo"`,
            or `Loss`es; a mapping names them. The ordinary loss joins by itself.
        seeds: trainings that are averaged within a split, at least 1.
        splits: at least 1; below 10 there is no verdict.
        tune: whether losses are tuned; else they are compared as they are and with their scale taken out.
        fractions: shares of the training and validation rows, for sample efficiency; all of them unless given.
        seed: of the splits, the blocks and the starts.
        model: in place of the tables' default perceptron; None for that one.
        metric: what to compare by, unless it is the task's own.
        out: folder of the run, which `resume_comparison` goes on with; kept in memory unless given.
        workers, executor, device, on_progress: see `discover`.

    Returns:
        rows, verdicts and notes. After Ctrl-C, with the status `"interrupted"`, those of the splits that are
        finished.

    Raises:
        SymlossError: for losses of different kinds, unknown names, or numbers out of range.

    References:
        Nadeau, Bengio, Inference for the generalization error, 2003; Demsar, Statistical comparisons of classifiers
        over multiple data sets, 2006; Bouthillier et al., Accounting for variance in machine learning benchmarks, 2021.

    >>> from symloss.tasks import load_task
    >>> task = load_task("wine", model="linear").with_settings(steps=10)
    >>> found = compare(task, ["brier"], seeds=1, splits=2, tune=False)
    >>> [(row.name, row.treatment, row.verdict) for row in found.rows][1:]
    [('brier', 'as is', 'too few splits to tell'), ('brier', 'normalised', 'too few splits to tell')]
    """
    tasks = prepare(task, model, metric, device, executor)
    settings = {
        "seeds": _count("seeds", seeds), "splits": _count("splits", splits), "tune": bool(tune),
        "fractions": _shares(fractions, tasks), "model": model, "metric": metric if isinstance(metric, str) else None,
    }  # fmt: skip
    number = as_whole(seed)
    if number is None or number < 0:
        raise RunError(f"seed {seed!r}: expected a whole number of at least 0")
    contenders = contenders_of(losses, tasks[0])
    config = {
        "verb": VERB, "seed": number, "settings": settings, "task": _described(tasks),
        "device": tasks[0].device.type, "losses": [each.record() for each in contenders],
    }  # fmt: skip

    def make() -> Memory | RunStore:
        return Memory(config) if out is None else RunStore.create(out, config)

    return _run(make, tasks, executor, workers, on_progress)


def resume_comparison(
    path: str | Path,
    task: Task | Sequence[Task] | None = None,
    *,
    workers: int = 1,
    executor: str = "serial",
    device: str = "auto",
    on_progress: Progress | None = None,
) -> Comparison:
    """Goes on with a comparison that was interrupted or killed: nothing that was finished is trained again.

    Args:
        path: folder of the run.
        task: again where it came from arrays or code; its data must be those of the run.
        workers, executor, on_progress: see `discover`.
        device: another than that of the run, where its own is not to be had.

    Raises:
        RunError: when there is no such run, or another process writes it.
        TaskError: when the task is needed, or is not that of the run.
    """
    with RunStore.open(path) as reading:
        config = checked_config(reading.config, path)
        tasks = check_same(config, task, device, executor)
    return _run(partial(RunStore.open, path, write=True), tasks, executor, workers, on_progress)


def open_comparison(path: str | Path) -> Comparison:
    """A comparison as it is on disk, finished or as far as it came; nothing is trained.

    Raises:
        RunError: when there is no such run, or it is damaged.
        TaskError: when it is not finished, and its task cannot be made again.
    """
    with RunStore.open(path) as store:
        config = checked_config(store.config, path)
        record = store.get("comparison", "table")
        return comparison_from(record, config, store.path, store.status)


def checked_config(config: Mapping[str, Any], path: str | Path) -> Mapping[str, Any]:
    """What the run was made with.

    Raises:
        RunError: when it is no comparison.
    """
    if config.get("verb") != VERB:
        raise RunError(
            f"{path} is a run of 'symloss {config.get('verb', 'discover')}', not of 'symloss compare'"
        )
    return config


def _run(
    opened: Callable[[], Memory | RunStore],
    tasks: Sequence[Task],
    executor: str,
    workers: int,
    on_progress: Progress | None,
) -> Comparison:
    # The place first: where there is none, no folder is made.
    with place_for(tasks, executor, workers) as place, opened() as store:
        protocol = Protocol.of(store, tasks, place, on_progress)
        try:
            protocol.run()
            status = "finished"
        except KeyboardInterrupt:
            status = "interrupted"
        found = replace(protocol.comparison(), path=store.path, status=status)
        keep(store, found)
        store.status = status
    return found


def keep(store: Memory | RunStore, found: Comparison) -> None:
    """Writes down the table, for `open_comparison`, and its files."""
    store.put("comparison", "table", found.to_dict())
    for name, text in files_of(found).items():
        store.write_text(name, text)


def files_of(found: Comparison) -> dict[str, str]:
    """The text files of a comparison, by name."""
    return dict(zip(_FILES, (found.to_csv(), latex_table(found)), strict=True)) if found.rows else {}


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
    ) -> Protocol:
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
        primary = [row.detectable for row in rows if row.primary and row.detectable]
        rankings, wilcoxon = _across(rows, self.tasks, self._hypothesis)
        return Comparison(
            path=None, task=_described(self.tasks), metric=",".join(dict.fromkeys(t.metric for t in self.tasks)),
            seed=self.seed, seeds=self.settings["seeds"], splits=self.settings["splits"],
            detectable=statistics.median(primary) if primary else None, rows=tuple(rows),
            controls=tuple(row for row in every if row.treatment == RATE_ONLY), rankings=rankings,
            wilcoxon=wilcoxon, notes=tuple(notes_of(self.tasks, self.contenders, self.settings, rows)),
        )  # fmt: skip

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
            stops = tuple(sorted({stop for stop in seen if stop < steps} | {steps}))
        program, edges = one.contender.variants[variant].weighted.graph()
        return Trial(program.tokens, edges, normalised, rate, stops, None)

    def _report(self, treatment: str, asked: Sequence[tuple[Replicate, Tried, Trial]]) -> None:
        """Trains from starts that chose nothing, and measures test rows."""
        starts = range(self.settings["seeds"])
        trials = [(where, replace(trial, start=start)) for where, _, trial in asked for start in starts]
        arriving = iter(self._answers(f"reporting, {treatment}", trials))
        for where, one, trial in asked:
            runs = [Reported(trial.stops, next(arriving)) for _ in starts]
            one.reports.setdefault(treatment, {})[where.number] = runs

    def _select(self) -> None:
        """Learning rates, steps and parameters, on blocks of each replicate's rows that are not test rows."""
        open_ones = [
            (where, one, Selection(self.tasks[where.task], len(one.contender.variants)))
            for where, tried in self._places()
            if isinstance(self.tasks[where.task], SupervisedTask)
            for one in tried
        ]
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
            one.choices.setdefault(RATE_ONLY, {})[where.number] = selection.chosen(all_steps=True)

    def _train_blocks(
        self, stage: str, asked: Sequence[tuple[Replicate, Tried, Selection, Configuration]]
    ) -> None:
        trials = []
        for where, one, selection, configuration in asked:
            program, edges = one.contender.variants[configuration.variant].weighted.graph()
            trial = Trial(program.tokens, edges, True, configuration.rate, selection.stops, None)
            trials += [(where, replace(trial, block=block)) for block in range(BLOCKS)]
        arriving = iter(self._answers(stage, trials))
        for _, one, selection, configuration in asked:
            found = [next(arriving) for _ in range(BLOCKS)]
            selection.record(configuration, [answer["values"] for answer in found])
            one.seconds += sum(answer["seconds"] for answer in found)
            one.steps += BLOCKS * selection.stops[-1]

    def _answers(self, stage: str, trials: Sequence[tuple[Replicate, Trial]]) -> Iterable[Answer]:
        """One for each trial, in order: pieces hold trials of one replicate."""
        by_place: dict[Replicate, list[Trial]] = {}
        for where, trial in trials:
            by_place.setdefault(where, []).append(trial)
        pieces = [
            Piece(where, tuple(some[low : low + CHUNK]), self.seed, where.how == "pools")
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


def _described(tasks: Sequence[Task]) -> dict[str, Any]:
    if len(tasks) == 1:
        return _as_json(tasks[0].describe())
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise SymlossError(f"tasks {', '.join(names)}: one name twice; compare them one by one")
    described = [_as_json(task.describe()) for task in tasks]
    return {"name": ",".join(names), "kind": tasks[0].kind, "tasks": described}


def _as_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes back from a record: lists for tuples."""
    found: dict[str, Any] = json.loads(json.dumps(data))
    return found


def _count(name: str, value: int) -> int:
    number = as_whole(value)
    if number is None or number < 1:
        raise SymlossError(f"{name} {value!r}: expected a whole number of at least 1")
    return number


def _shares(fractions: Sequence[float] | None, tasks: Sequence[Task]) -> list[float]:
    """The shares of the rows, ascending."""
    if fractions is None:
        return [1.0]
    found = [as_real(value) for value in fractions]
    if not found or any(value is None or not 0 < value <= 1 for value in found):
        raise SymlossError(
            f"fractions {list(fractions)}: expected shares above 0 and at most 1, as 0.1,0.5,1"
        )
    for task in tasks:
        if replicates_of(task, 1) == "starts":
            raise SymlossError(
                f"fractions: the rows of {task.name} cannot be drawn, as its parts were given; leave them out"
            )
    return sorted({float(value) for value in found if value is not None})

"""The cells of a transfer - tasks, models, label noise, shares of rows, test inputs - and what is trained in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symloss.compare.broken import Certified, certified
from symloss.compare.comparison import AS_IS, NORMALISED, TUNED
from symloss.compare.convergence import Reported
from symloss.compare.notes import origins, repeated
from symloss.compare.protocol import Protocol
from symloss.compare.selection import BLOCKS, BUDGET
from symloss.compare.table import Draft, Tried, concluded, drafts_of
from symloss.compare.transferred import CLEAN, Transfer, TransferRow
from symloss.compare.verdicts import ENOUGH_SPLITS
from symloss.compare.work import Piece, Replicate, Trial
from symloss.errors import TaskError
from symloss.tasks import SupervisedTask, Task, read_corruption, with_label_noise
from symloss.tasks.train.models import ModelFactory

__all__ = ["Cells", "cells_of", "model_of"]

Models = Sequence[str | ModelFactory]


def model_of(task: Task) -> str:
    """The name of a task's model."""
    return str(task.describe()["model"] or "its own")


def cells_of(
    tasks: Sequence[Task], models: Models | None, label_noise: Sequence[float] | None
) -> tuple[list[Task], list[str]]:
    """Every task with every model and noise, and a remark on each pair of task and model that there is not.

    Args:
        tasks: of different names.
        models: those of the tasks unless given.
        label_noise: that of the tasks unless given.

    Raises:
        TaskError: for no task, a name twice, a model that suits no task, or noise that suits one of them not.
    """
    if not tasks:
        raise TaskError("no task: expected one or several")
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise TaskError(f"tasks {', '.join(names)}: one name twice; leave one out")
    chosen: list[tuple[Task, str | ModelFactory | None]] = []
    remarks = []
    for model in models if models is not None else [None]:
        failed: list[TaskError] = []
        for task in tasks:
            try:
                chosen.append((_with_model(task, model), model))
            except TaskError as error:
                failed.append(error)
                remarks.append(f"left out, {task.name} with {_called(model)}: {error}")
        # A model that suits some tasks leaves holes in the matrix; one that suits none is a mistake.
        if len(failed) == len(tasks):
            raise failed[0]
    found: list[Task] = []
    # Task by task, whatever the order in which models were looked at.
    for name in names:
        for task, _ in chosen:
            if task.name == name:
                found += [task] if label_noise is None else [with_label_noise(task, r) for r in label_noise]
    if len({(task.name, model_of(task), _noise(task)) for task in found}) < len(found):
        raise TaskError("a model or a label noise is named twice: leave one out")
    return found, remarks


def _called(model: str | ModelFactory | None) -> str:
    return model if isinstance(model, str) else str(getattr(model, "__qualname__", model))


def _with_model(task: Task, model: str | ModelFactory | None) -> Task:
    if model is None:
        return task
    if not isinstance(task, SupervisedTask):
        raise TaskError(f"{task.name} is trained by a function, which chooses its model: leave models out")
    return task.with_model(model)


def _noise(task: Task) -> float:
    return float((task.facts.get("modifiers") or {}).get("label_noise") or 0.0)


@dataclass
class Cells(Protocol):
    """The trainings of a transfer: those of a comparison, of tuned losses alone, in cells instead of tasks.

    Attributes:
        remarks: what to say of cells that there are not.
    """

    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.remarks = tuple(self.store.config.get("remarks", ()))

    def run(self) -> None:
        """Trains everything; what is known already is not trained again."""
        tune = self.settings["tune"]
        if tune:
            self._select()
            self._report(TUNED, self._chosen(TUNED))
        # Nobody else's trainer is told a rate; and the scale of the ordinary loss is 1.
        as_is = [
            each
            for each in self._plain(AS_IS)
            if not self._supervised(each[0]) or (each[1].contender.role == "ordinary" and not tune)
        ]
        self._report(AS_IS, as_is)
        if not tune:
            self._report(NORMALISED, self._plain(NORMALISED))

    def _supervised(self, where: Replicate) -> bool:
        return isinstance(self.tasks[where.task], SupervisedTask)

    def _piece(self, where: Replicate, trials: tuple[Trial, ...]) -> Piece:
        piece = super()._piece(where, trials)
        # A training that selects measures no test rows, and keeps the key that it has without corruptions.
        if not self._supervised(where) or any(trial.block is not None for trial in trials):
            return piece
        return replace(piece, corruptions=tuple(self.settings["corruptions"]))

    def transfer(self) -> Transfer:
        """The matrix of what was trained so far."""
        cells = [cell for key in self.tried for cell in self._cell(*key)]
        rows = concluded([draft for _, _, draft in cells])
        certificates, unproved = self._certificates() if rows else ([], [])
        # By number of classes, which is all that a certificate depends on: cells of one number share it.
        broken = {(each.name, each.classes): tuple(each.broken) for each in certificates}
        found = []
        for (t, inputs, _), row in zip(cells, rows, strict=True):
            task = self.tasks[t]
            found.append(TransferRow(
                **vars(row), model=model_of(task), label_noise=_noise(task), inputs=inputs, classes=task.classes,
                broken=broken.get((row.name, task.classes or 0), ()),
            ))  # fmt: skip
        return Transfer(
            **self.made_of(found), task=self.store.config["task"], certificates=tuple(certificates),
            notes=tuple(dict.fromkeys([*self._notes(found), *unproved])),
        )  # fmt: skip

    def _cell(self, t: int, fraction: float) -> Iterator[tuple[int, str, Draft]]:
        """The rows of one task and share, on clean test inputs and on each kind of corrupted ones."""
        task, tried = self.tasks[t], self.tried[t, fraction]
        hypothesis = TUNED if self.settings["tune"] else NORMALISED
        if not isinstance(task, SupervisedTask):
            hypothesis = AS_IS
        where = self._replicates(t, fraction)[0]
        for inputs in (CLEAN, *self.settings["corruptions"]):
            # The remark on it was made when the transfer was planned.
            if inputs != CLEAN and read_corruption(inputs).unsuited(task):
                continue
            seen = tried if inputs == CLEAN else [_on(inputs, one) for one in tried]
            for draft in drafts_of(task, where, seen, self.seed, hypothesis):
                yield t, inputs, draft

    def _certificates(self) -> tuple[list[Certified], list[str]]:
        def remembered(key: str, make: Any) -> Any:
            found = self.store.get("certificate", key)
            if found is None:
                found = make()
                self.store.put("certificate", key, found)
            return found

        if self.progress is not None:
            self.progress("certificates", 0, 1)
        return certified(self.contenders, [task.classes for task in self.tasks], remembered)

    def _notes(self, rows: Sequence[TransferRow]) -> Iterator[str]:
        yield from self.remarks
        for task in self.tasks:
            yield repeated(task, self.settings["splits"])
        if self.settings["splits"] < ENOUGH_SPLITS:
            yield f"{self.settings['splits']} splits: at least {ENOUGH_SPLITS} are needed for a verdict"
        if self.settings["tune"]:
            yield (
                f"formulas are unchanged; learning rate and steps of every loss are chosen in each cell, from "
                f"{BUDGET} configurations on {BLOCKS} blocks"
            )
        else:
            yield "not tuned: a gain may be one that a tuned learning rate has too"
        for task in self.tasks:
            if not isinstance(task, SupervisedTask):
                yield f"{task.name} is trained by a function: its losses are compared as they are"
        if self.settings["corruptions"]:
            yield "corrupted: test inputs alone; models are trained and tuned on clean ones"
        # Of each task once, however many cells it has.
        tasks = {task.name: task for task in self.tasks}
        yield from origins(list(tasks.values()), self.contenders, self.settings)
        for row in rows:
            if row.at_edge and row.inputs == CLEAN:
                yield (
                    f"{row.place}, {row.name}: the best learning rate lies at the edge of the grid on {row.at_edge} "
                    f"of {len(row.scores)} splits"
                )


def _on(inputs: str, tried: Tried) -> Tried:
    """What was trained, as it is measured on corrupted test inputs."""
    reports = {
        treatment: {number: [_seen(each, inputs) for each in runs] for number, runs in by_number.items()}
        for treatment, by_number in tried.reports.items()
    }
    return replace(tried, reports=reports)


def _seen(reported: Reported, inputs: str) -> Reported:
    return Reported(reported.stops, {**reported.answer, **reported.answer["corrupted"][inputs]})

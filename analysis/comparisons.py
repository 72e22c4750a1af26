"""What the studies share that are made of comparisons: sizes, and cells that are paid once.

A *cell* is one `symloss.compare` of one task as it is at hand: tuning, controls and statistics are the package's. While
a cell is trained, every finished piece lies in its run folder, and a stopped cell goes on there; as soon as it is
finished, its rows stand in `figures/NAME.json`, from which a later call goes on without any run folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

import symloss as sl
from analysis.judgements import TUNED, Cell
from analysis.study import FIGURES, ROOT, code
from symloss.compare import Comparison
from symloss.compare.comparison import finite
from symloss.errors import TaskError
from symloss.search import FrontRow, Result
from symloss.tasks import SupervisedTask, replicates_of

__all__ = ["MODEL", "ComparisonStudy", "Given", "Make", "Sizes"]

MODEL = "mlp-2x64"
Make = Callable[[], SupervisedTask | list[SupervisedTask]]
Given = str | sl.Searched
"""A loss of a comparison: a name, a formula, or what a search finds in each split."""
_KEPT = (
    "name", "treatment", "fraction", "loss", "mean", "difference", "difference_interval", "p", "detectable", "verdict",
    "explained_by", "learning_rate", "steps", "at_edge", "scores", "metrics", "area", "steps_to_target", "chosen",
    "note",
)  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """How large a comparison is.

    Attributes:
        splits: at least 10 for verdicts.
        seeds: trainings that are averaged within a split.
        steps: of a training; the task's own unless given.
    """

    splits: int = 10
    seeds: int = 3
    steps: int | None = None

    def of(self, task: SupervisedTask) -> SupervisedTask:
        """The task with so many steps."""
        return task if self.steps is None else task.with_settings(steps=self.steps)


@dataclass
class ComparisonStudy:
    """A study while it runs.

    Attributes:
        name: stem of the script, the figure and the data.
        out: folder of the figure and the data.
        runs: folder of the runs.
        quick: whether this is the short form.
        sizes: of its comparisons.
        only: names of tasks, where not all are wanted.
        given: a formula in place of the search's.
        ends: when no further cell is begun, in seconds of `time.monotonic`.
        cells: what is finished, by key.
        left_out: why a cell could not be had, by key.
        waiting: cells that were not begun, or not finished.
    """

    name: str
    out: Path
    runs: Path
    quick: bool = False
    sizes: Sizes = field(default_factory=Sizes)
    only: tuple[str, ...] = ()
    given: str | None = None
    ends: float = math.inf
    cells: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)

    @classmethod
    def start(
        cls, name: str, question: str | None, arguments: Sequence[str] | None, quick: Sizes
    ) -> ComparisonStudy:
        """Reads the options, and what earlier calls finished."""
        parser = argparse.ArgumentParser(
            prog=f"python -m analysis.{name}",
            description=question,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        whole = Sizes()
        parser.add_argument("--quick", action="store_true", help="a small form, for the tests")
        parser.add_argument("--tasks", help="only these tasks, separated by commas")
        parser.add_argument("--splits", type=int, default=whole.splits, help="10 or more for verdicts")
        parser.add_argument("--seeds", type=int, default=whole.seeds, help="trainings averaged in a split")
        parser.add_argument("--steps", type=int, help="of a training; the task's own unless given")
        parser.add_argument("--minutes", type=float, default=math.inf, help="after which no cell is begun")
        parser.add_argument("--loss", help="a formula in place of the one that the study searches")
        parser.add_argument("--out", type=Path, default=FIGURES, help="where figure and data go")
        parser.add_argument("--runs", type=Path, default=ROOT / "runs" / name, help="where runs are kept")
        options = parser.parse_args(arguments)
        torch.set_num_threads(1)
        study = cls(
            name, options.out, options.runs, options.quick,
            quick if options.quick else Sizes(options.splits, options.seeds, options.steps),
            tuple(options.tasks.split(",")) if options.tasks else (), options.loss,
            time.monotonic() + 60 * options.minutes,
        )  # fmt: skip
        study.out.mkdir(parents=True, exist_ok=True)
        if study._file.exists():
            study.cells = json.loads(study._file.read_text())["cells"]
        return study

    @property
    def command(self) -> str:
        """What makes the figure again."""
        found = f"python -m analysis.{self.name}"
        if self.quick:
            return f"{found} --quick"
        for name, value in asdict(self.sizes).items():
            found += "" if value is None else f" --{name} {value}"
        return found + (f' --loss "{self.given}"' if self.given else "")

    @property
    def _file(self) -> Path:
        return self.out / f"{self.name}.json"

    def wants(self, task: str) -> bool:
        """Whether a task belongs to this call."""
        return not self.only or task in self.only

    def search(self, make: Callable[[], SupervisedTask], **options: Any) -> str:
        """The formula that a search finds, or the one that was given: searched once, then read from the data.

        Where the pick is a loss of the zoo, the best of the finalists that is none: the question is what a formula
        that was found does elsewhere.

        Args:
            make: the task.
            options: of `symloss.discover`.
        """
        if self.given:
            if self.cells.get("search", {}).get("formula") != self.given:
                self._keep("search", {"asked": "given", "formula": self.given, "seconds": 0.0})
            return self.given
        asked = json.loads(json.dumps({**options, "steps": self.sizes.steps if self.quick else None}))
        if self.cells.get("search", {}).get("asked") != asked:
            start = time.process_time()
            task, folder = make(), self._folder("search", asked)
            again = (folder / "run.sqlite").exists()
            found = sl.resume(folder) if again else sl.discover(task, out=folder, **options)
            if found.status != "finished":
                raise SystemExit(f"the search was stopped; the same command goes on with it in {folder}")
            row = _found(found)
            self._keep("search", {
                "asked": asked, "code": code(), "seconds": round(time.process_time() - start, 1), "task": task.name,
                "formula": str(row.loss), "complexity": row.complexity, "validation": row.validation,
                "pick": found.picked.name or str(found.picked.loss), "candidates": len(found.evaluations),
            })  # fmt: skip
        return str(self.cells["search"]["formula"])

    def pilot(
        self, name: str, cells: Mapping[str, Callable[[], SupervisedTask]], losses: Mapping[str, Given]
    ) -> None:
        """Says what cells that are alike will take: one split of the first of them is timed, and thrown away.

        Args:
            name: of what the cells have in common.
            cells: by key, those that are wanted.
            losses: by name, beside the ordinary one.
        """
        asked = self._asked(losses)
        left = [key for key in cells if self.cells.get(key, {}).get("asked") != asked]
        if not left or time.monotonic() > self.ends:
            return
        try:
            task = cells[left[0]]()
        except TaskError:  # `compare` says so
            return
        start = time.process_time()
        sl.compare(task, losses, seeds=self.sizes.seeds, splits=1, model=None)
        seconds = time.process_time() - start
        minutes = len(left) * self.sizes.splits * seconds / 60
        print(
            f"pilot: one split of {left[0]} took {seconds:.1f} s of one core; {len(left)} cells of {name}, "
            f"{self.sizes.splits} splits each: about {minutes:.0f} minutes",
            flush=True,
        )

    def compare(self, key: str, make: Make, losses: Mapping[str, Given], **options: Any) -> None:
        """One cell, unless an earlier call finished it.

        Args:
            key: of the cell.
            make: the task; or one for each split, its rows settled, where the package cannot draw them anew.
            losses: by name, beside the ordinary one; or searches that find them inside each split.
            options: of `symloss.compare`.
        """
        asked = self._asked(losses, **options)
        if self.cells.get(key, {}).get("asked") == asked:
            return
        if self.waiting or time.monotonic() > self.ends:
            self.waiting.append(key)
            return
        try:
            made = make()
        except TaskError as error:  # its data are not here
            self.left_out[key] = str(error)
            print(f"left out, {key}: {error}", flush=True)
            return
        tasks = made if isinstance(made, list) else [made]
        splits = 1 if isinstance(made, list) else self.sizes.splits
        folder = self._folder(key, asked)
        if (folder / "run.sqlite").exists():
            found = sl.resume(folder, tasks)
        else:
            found = sl.compare(
                tasks, losses, seeds=self.sizes.seeds, splits=splits, model=None, out=folder, **options
            )
        if found.status != "finished":
            self.waiting.append(key)
            return
        self._keep(key, {
            "asked": asked, "code": code(), "seconds": _seconds(found), "metric": tasks[0].metric,
            "overlap": _overlap(tasks[0], self.sizes.splits), "rows": _rows(found),
        })  # fmt: skip

    def finish(
        self, answers: Mapping[str, Any], draw: Callable[[Mapping[str, Cell]], Figure]
    ) -> dict[str, Any]:
        """Writes `NAME.png` and `NAME.json`, prints the answers, and returns what the JSON holds."""
        every: Any = {
            **answers,
            "seconds": round(sum(cell["seconds"] for cell in self.cells.values()), 1),
            "left out": self.left_out,
            "not finished": self.waiting,
        }
        if any("rows" in cell for cell in self.cells.values()):
            draw(self.cells).savefig(self.out / f"{self.name}.png", dpi=120)
        every = finite(every)  # one split has no interval
        self._write(every)
        print(json.dumps(every, indent=1))
        data: dict[str, Any] = json.loads(self._file.read_text())
        return data

    def _asked(self, losses: Mapping[str, Given], **options: Any) -> dict[str, Any]:
        """What a cell depends on, as its record has it."""
        named = {name: str(loss) for name, loss in losses.items()}
        asked: dict[str, Any] = json.loads(json.dumps({"losses": named, **asdict(self.sizes), **options}))
        return asked

    def _folder(self, key: str, asked: Mapping[str, Any]) -> Path:
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:10]
        return self.runs / f"{re.sub(r'[^A-Za-z0-9.]+', '-', key)}-{digest}"

    def _keep(self, key: str, cell: dict[str, Any]) -> None:
        self.cells[key] = json.loads(json.dumps(cell), parse_float=lambda text: float(f"{float(text):.6g}"))
        self._write({})
        print(f"{cell['seconds']:8.1f} s  {key}", flush=True)

    def _write(self, answers: Mapping[str, Any]) -> None:
        data = {"command": self.command, "answers": answers}
        # A line for each cell: a change shows as the cells that changed.
        cells = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in self.cells.items())
        temporary = self.out / f"{self.name}.json.new"
        temporary.write_text(json.dumps(data, indent=1)[:-2] + f',\n "cells": {{\n{cells}\n }}\n}}\n')
        os.replace(temporary, self._file)


def _seconds(found: Comparison) -> float:
    """What the trainings of a cell took on one core, in however many calls, those that tuned a loss counted once."""
    rows = (*found.rows, *found.controls)
    tuned = [row.cost.selection_seconds for row in rows if row.treatment == TUNED]
    return round(math.fsum([*(row.cost.seconds for row in rows), *tuned]), 1)


def _found(result: Result) -> FrontRow:
    """The pick, or the best of the finalists that have no name."""
    if not result.picked.name:
        return result.picked
    nameless = [row for row in result.finalists if not row.name and row.finals]
    if not nameless:
        return result.picked
    return min(nameless, key=lambda row: statistics.fmean(row.finals) * result.signs[0])


def _overlap(task: SupervisedTask, splits: int) -> float:
    """Of the splits; disjoint pools have none, and what is said of them is said of their common test rows."""
    if task.pool is None or replicates_of(task, splits) != "splits":
        return 0.0
    return task.overlap


def _rows(found: Comparison) -> list[dict[str, Any]]:
    """The rows of a cell; of one task a split, with the scores of all of them and no judgement yet."""
    rows = [
        {**{name: getattr(row, name) for name in _KEPT}, "cost": asdict(row.cost)}
        for row in (*found.rows, *found.controls)
    ]
    if "tasks" not in found.task:
        return rows
    together: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["name"], row["treatment"])
        kept = ("name", "treatment", "fraction", "loss")
        one = together.setdefault(key, {**{name: row[name] for name in kept}, "scores": []})
        one["scores"] += row["scores"]
    for one in together.values():
        known = [score for score in one["scores"] if score is not None]
        one["mean"] = statistics.fmean(known) if len(known) == len(one["scores"]) else None
    return list(together.values())

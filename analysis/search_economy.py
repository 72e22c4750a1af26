"""What a search costs, what it would cost without gate, classes and race, and how often those are wrong.

One cell is one search, or a few that belong together. Cells that are finished are not computed again by the
same code. Those of 'alone' measure wall-clock time: they come first, one after the other.

    python -m analysis.search_economy --workers 2           # figures/search_economy.json and .png
    python -m analysis.search_economy --only alone          # one study; see STUDIES
    python -m analysis.search_economy --quick               # every study, one seed, tiny; fewer arms alone
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

import symloss as sl
from analysis import economy_answers
from analysis.study import Study
from symloss.runs import derive, executor
from symloss.tasks import SupervisedTask

NAME = "search_economy"
STUDIES = ("alone", "economy", "audit")
SEEDS = 10
TINY: dict[str, Any] = {
    "population": 4, "generations": 2, "tuning": {"steps": 2}, "screening": {"sample": 2},
    "blocks": {"sweep": 5, "strangers": 2, "final": 2, "finalists": 2},
}  # fmt: skip
NOISY: dict[str, dict[str, Any]] = {"digits": {"label_noise": 0.4}, "diabetes": {"outliers": 0.1}}


@dataclass(frozen=True)
class Job:
    """One cell.

    Attributes:
        study: which question it belongs to.
        arm: which answer.
        task: by name.
        seed: of the run.
        options: of `discover`, besides.
        quick: whether to make it tiny.
    """

    study: str
    arm: str
    task: str
    seed: int
    options: dict[str, Any] = field(default_factory=dict)
    quick: bool = False

    @property
    def key(self) -> str:
        """What its result is kept under."""
        return f"{self.study}/{self.arm}/{self.task}/{self.seed}"

    @property
    def limits(self) -> dict[str, Any]:
        """The options of `discover`."""
        tiny = dict(TINY) if self.quick else {}
        if self.options.get("preset") == "paper":
            tiny.pop("blocks", None)  # It has none.
        groups = {
            name: {**self.options.get(name, {}), **tiny.get(name, {})}
            for name in ("tuning", "screening", "blocks")
        }
        return {**self.options, **tiny, **groups}


def jobs(quick: bool) -> Iterator[Job]:
    """Every cell of every study."""
    seeds = range(1 if quick else SEEDS)
    two = {"workers": 2, "executor": "process"}
    paper = {"preset": "paper", "max_evaluations": 50, **({"model": "mlp-1x8"} if quick else {})}
    yield Job("alone", "paper, 50 candidates", "diabetes", 0, paper, quick=quick)
    if not quick:
        yield Job("alone", "paper, 50 candidates, 2 workers", "diabetes", 0, {**paper, **two})
        yield Job("alone", "1250 candidates", "diabetes", 0, {"generations": 50})
        yield Job("alone", "1250 candidates, 2 workers", "diabetes", 0, {"generations": 50, **two})
    for seed in range(1 if quick else 3):
        yield Job("alone", "quick preset", "diabetes", seed, quick=quick)
        yield Job("alone", "quick preset, 2 workers", "diabetes", seed, two, quick=quick)
    for seed in seeds:
        yield Job("economy", "", "diabetes", seed, quick=quick)
    for seed in range(1 if quick else 2):
        for name in NOISY:
            # Nobody is dropped, so that the race can be run again on everybody's scores.
            options = {"blocks": {"race": False}, "screening": {"sample": 100}, "method": "random"}
            yield Job("audit", "", name, seed, options, quick=quick)


def load(job: Job) -> SupervisedTask:
    """The task of a cell."""
    if job.study == "audit":
        task = sl.load_task(job.task, **NOISY[job.task])
    else:
        task = sl.load_task(job.task)
    return task.with_model("linear").with_settings(steps=10) if job.quick else task


def run(job: Job) -> dict[str, Any]:
    """A cell in numbers."""
    torch.set_num_threads(1)
    return {"economy": economy, "audit": audit}.get(job.study, plain)(job)


def plain(job: Job) -> dict[str, Any]:
    """One search, and the test metric of what it picks, trained as the search trained it."""
    return search(load(job), job.seed, job.limits)


def economy(job: Job) -> dict[str, Any]:
    """A search, and the same without gate, race and classes on as many trees: as many as the gate has seen."""
    task, limits = load(job), job.limits
    found = {"as it is": search(task, job.seed, limits)}
    trees = found["as it is"]["considered"] + found["as it is"]["turned away"]
    generations = -(-trees // limits.get("population", 25))
    screening = {**limits["screening"], "gate": False, "classes": False, "sample": 0}
    blocks = {**limits["blocks"], "race": False}
    options = {
        **limits, "screening": screening, "blocks": blocks, "generations": generations, "max_evaluations": trees,
    }  # fmt: skip
    found["without"] = search(task, job.seed, options)
    return found


def audit(job: Job) -> dict[str, Any]:
    """How often the race would drop the best loss, and how many trees the gate rejected wrongly."""
    result = sl.discover(load(job), seed=job.seed, **job.limits)
    rates = [(int(good), int(tried)) for note in result.notes for tried, good in _AUDIT.findall(note)]
    return {
        "race": {name: asdict(check) for name, check in sl.search.race_checks(result).items()},
        "false rejections": sum(good for good, _ in rates), "tried": sum(tried for _, tried in rates),
    }  # fmt: skip


_AUDIT = re.compile(r"as a check (\d+) of them were trained, and (\d+)")
_AWAY = re.compile(r"gate: (\d+) trees turned away")


def search(task: SupervisedTask, seed: int, options: dict[str, Any]) -> dict[str, Any]:
    """One search: what it cost in processor and in wall-clock seconds, and what it found."""
    load_before, cpu, wall = os.getloadavg()[0], processor(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = sl.discover(task, seed=seed, out=Path(folder) / "run", **options)
        front = (Path(folder) / "run" / "front.csv").read_text()
    wall, cpu = time.perf_counter() - wall, processor() - cpu
    best = min(result.front, key=lambda row: row.fitness, default=None)
    clock = [generation.seconds for generation in result.generations]
    return {
        "wall": wall, "cpu": cpu, "load before": load_before, "load after": os.getloadavg()[0],
        "wall of all generations but the first": clock[-1] - clock[0],
        "considered": sum(entry.generation < len(result.generations) for entry in result.evaluations),
        "trained": sum(entry.outcome == "trained" for entry in result.evaluations),
        "turned away": sum(int(count) for note in result.notes for count in _AWAY.findall(note)),
        "validation": best.validation if best else None,
        "test": test(task, result) if best else None,
        "picked": str(result.best) if best else "", "front": front,
    }  # fmt: skip


def test(task: SupervisedTask, result: sl.search.Result) -> float:
    """The mean test metric of the picked loss over three fresh seeds, trained as its finals or the task trained."""
    seeds = [derive(result.seed, "test", i) for i in range(3)]
    picked = result.picked
    if picked.steps:
        rate = task.settings.learning_rate * picked.rates[0]
        task = task.with_settings(learning_rate=rate, steps=picked.steps[0])
    return statistics.fmean(task.score(result.best, seed=s, split="test")[task.metric] for s in seeds)


def processor() -> float:
    """Processor seconds of this process and of those it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def settings(quick: bool) -> dict[str, Any]:
    """What every cell depends on."""
    return {"cells": {job.key: job.limits for job in jobs(quick)}, "quick": quick}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """The studies, as far as they are not done, and their picture."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--only", choices=STUDIES)
    parser.add_argument("--workers", type=int, default=1)
    chosen, rest = parser.parse_known_args(arguments)
    study = Study.start(NAME, __doc__, rest, settings)
    left = [
        job for job in jobs(study.quick) if job.key not in study.cells and chosen.only in (None, job.study)
    ]
    for job in left:
        if job.study == "alone":
            study.cell(job.key, run, job)
    beside = [job for job in left if job.study != "alone"]

    def keep(i: int, found: dict[str, Any]) -> None:
        study.cell(beside[i].key, lambda: found)

    with executor("process" if chosen.workers > 1 else "serial", chosen.workers) as place:
        for _ in place.map_ordered(run, beside, keep):
            pass
    return study.finish(economy_answers.answers(study.cells), economy_answers.draw(study.cells))


if __name__ == "__main__":
    main(sys.argv[1:])

"""What a search costs, what it finds, and what it would have found without what it is made of.

One cell is one search, or a few that belong together. Cells that are finished are not computed again by the
same code. Those of 'alone' measure wall-clock time: they come first, one after the other.

    python -m analysis.search_economy --workers 2           # figures/search_economy.json and .png
    python -m analysis.search_economy --only alone          # one study; see STUDIES
    python -m analysis.search_economy --quick               # every study, one seed, tiny
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import symloss as sl
from analysis import economy_answers
from analysis.study import Study
from symloss.expr.trees import Weighted, weighted_from
from symloss.meta import fit_population
from symloss.runs import derive, executor
from symloss.search.loop.race import rank_correlations
from symloss.search.screen.fingerprint import fingerprint
from symloss.search.screen.null_scale import null_scale
from symloss.tasks import SupervisedTask

NAME = "search_economy"
STUDIES = ("alone", "economy", "controls", "recovery", "sensitivity", "audit")
SEEDS = 10
TINY: dict[str, Any] = {"population": 4, "generations": 2, "tuning_steps": 2, "fresh_seeds": 2, "sample": 2}
PLANTS = {
    "regression": ("mse", "mae", "log-cosh"),
    "classification": ("ce", "brier", "focal", "gce", "sparse-lsr"),
}
ARMS: dict[str, dict[str, Any]] = {
    "evomal": {},
    "random": {"method": "random"},
    "shuffled": {"shuffled": True},
}
NOISY: dict[str, dict[str, Any]] = {"digits": {"label_noise": 0.4}, "diabetes": {"outliers": 0.1}}
PLAIN: dict[str, Any] = {"gate": False, "rungs": (), "classes": False, "max_evaluations": None}
# The distance to a training that has ended says nothing of one that is on its way, so nothing is raced; what
# is planted is not given; and coefficients are not tuned, towards the task, away from what is planted.
RECOVER: dict[str, Any] = {
    "method": "gplfl", "generations": 16, "rungs": (), "ordinary": False, "tune_training": False,
    "fresh_seeds": 0, "sample": 0, "tidy": False,
}  # fmt: skip
VARIED: dict[str, dict[str, Any]] = {
    "as it is": {},
    "population 12": {"population": 12, "generations": 20},
    "population 50": {"population": 50, "generations": 5},
    "height 5": {"max_height": 5},
    "no tuning": {"method": "gplfl"},
    "250 meta-steps": {"tuning_steps": 250, "tuning_rate": 1e-3},
    "scale kept": {"keep_scale": True},
    "training not tuned": {"tune_training": False},
}


@dataclass(frozen=True)
class Job:
    """One cell.

    Attributes:
        study: which question it belongs to.
        arm: which answer.
        task: by name.
        seed: of the run.
        options: of `discover`, besides.
        plant: the zoo's loss to be recovered.
        quick: whether to make it tiny.
    """

    study: str
    arm: str
    task: str
    seed: int
    options: dict[str, Any] = field(default_factory=dict)
    plant: str = ""
    quick: bool = False

    @property
    def key(self) -> str:
        """What its result is kept under."""
        return f"{self.study}/{self.arm}/{self.task}/{self.seed}"

    @property
    def limits(self) -> dict[str, Any]:
        """The options of `discover`."""
        return {**self.options, **(TINY if self.quick else {})}


def jobs(quick: bool) -> Iterator[Job]:
    """Every cell of every study."""
    seeds = range(1 if quick else SEEDS)
    two = {"workers": 2, "executor": "process"}
    paper = {"preset": "paper", "max_evaluations": 50, **({"model": "mlp-1x8"} if quick else {})}
    yield Job("alone", "paper, 50 candidates", "diabetes", 0, paper, quick=quick)
    yield Job("alone", "paper, 50 candidates, 2 workers", "diabetes", 0, {**paper, **two}, quick=quick)
    yield Job("alone", "1250 candidates", "diabetes", 0, {"generations": 50}, quick=quick)
    yield Job("alone", "1250 candidates, 2 workers", "diabetes", 0, {"generations": 50, **two}, quick=quick)
    for seed in range(1 if quick else 3):
        yield Job("alone", "quick preset", "diabetes", seed, quick=quick)
        yield Job("alone", "quick preset, 2 workers", "diabetes", seed, two, quick=quick)
    for seed in seeds:
        yield Job("economy", "", "diabetes", seed, quick=quick)
    for name in NOISY:
        for seed in seeds:
            for arm, options in ARMS.items():
                yield Job("controls", arm, name, seed, options, quick=quick)
    for kind, plants in PLANTS.items():
        name = "diabetes" if kind == "regression" else "wine"
        for plant in plants:
            for seed in seeds:
                yield Job("recovery", plant, name, seed, RECOVER, plant=plant, quick=quick)
    for seed in range(1 if quick else 5):
        for arm, options in VARIED.items():
            yield Job("sensitivity", arm, "diabetes", seed, options, quick=quick)
    for seed in range(1 if quick else 2):
        for name in NOISY:
            # Everything is trained to the end, so that rungs can be compared with all of the training.
            options = {"keep": 1.0, "sample": 100, "method": "random"}
            yield Job("audit", "", name, seed, options, quick=quick)


class Distance:
    """How far the predictions are from those of a model trained with the planted loss from the same start."""

    greater_is_better = False

    def __init__(self, planted: Tensor, classes: bool) -> None:
        self.planted, self.classes = planted, classes

    def __call__(self, outputs: Tensor, targets: Tensor) -> float:
        """Mean squared difference of predictions or probabilities."""
        ours, theirs = (z.softmax(1) if self.classes else z for z in (outputs, self.planted))
        return float((ours.double() - theirs.double()).square().mean())


def trained(task: SupervisedTask, loss: sl.Loss, seed: int) -> Tensor:
    """What a model predicts once the search has trained it with the loss, scale taken out and rounded."""
    start = derive(seed, "training", 0)
    tree = weighted_from(loss)
    scale = float(f"{null_scale([task], tree, start):.4g}")
    program, edges = tree.scaled(1 / scale).merged().rounded().graph()
    (model,) = fit_population([program], [torch.tensor(edges)], task, seed=start)
    with torch.no_grad():
        return torch.as_tensor(model(task.val.X))


def load(job: Job) -> SupervisedTask:
    """The task of a cell."""
    if job.study in ("controls", "audit"):
        task = sl.load_task(job.task, **NOISY[job.task])
    else:
        task = sl.load_task(job.task)
    if job.plant:
        task = task.with_settings(steps=100)
    return task.with_model("linear").with_settings(steps=10) if job.quick else task


def run(job: Job) -> dict[str, Any]:
    """A cell in numbers."""
    torch.set_num_threads(1)
    return {"economy": economy, "recovery": recovery, "audit": audit}.get(job.study, plain)(job)


def plain(job: Job) -> dict[str, Any]:
    """One search, and the test metric of what it picks, trained as the search trained it."""
    return search(load(job), job.seed, job.limits)


def economy(job: Job) -> dict[str, Any]:
    """A search, and the same without gate, race and classes on as many trees: as many as the gate has seen."""
    task, limits = load(job), job.limits
    found = {"as it is": search(task, job.seed, limits)}
    trees = found["as it is"]["considered"] + found["as it is"]["turned away"]
    generations = -(-trees // limits.get("population", 25))
    options = {**limits, **PLAIN, "generations": generations, "max_evaluations": trees, "sample": 0}
    found["without"] = search(task, job.seed, options)
    return found


def recovery(job: Job) -> dict[str, Any]:
    """Whether the front holds the planted loss or a member of its class."""
    task = load(job)
    loss = sl.named(job.plant, task.kind)
    planted = trained(task, loss, job.seed)
    metric = Distance(planted, task.kind == "classification")
    wanted = key(weighted_from(loss), task)
    result = sl.discover(task.with_metric(metric), seed=job.seed, **job.limits)
    hits = [
        entry.number
        for entry in result.evaluations
        if entry.outcome == "trained" and entry.loss and key(weighted_from(entry.loss), task) == wanted
    ]
    best = min(result.front, key=lambda row: row.fitness) if result.front else None
    return {
        "recovered": any(key(weighted_from(row.loss), task) == wanted for row in result.front),
        "first": min(hits, default=None), "considered": len(result.evaluations),
        "nearest": str(best.loss) if best else "", "distance": best.validation if best else None,
        "distance of the ordinary loss": metric(trained(task, task.base_loss(), job.seed), task.val.y),
    }  # fmt: skip


def audit(job: Job) -> dict[str, Any]:
    """How well a rung ranks losses that were all trained to the end, and how many the gate rejected wrongly."""
    result = sl.discover(load(job), seed=job.seed, **job.limits)
    rates = [(int(good), int(tried)) for note in result.notes for tried, good in _AUDIT.findall(note)]
    rungs = rank_correlations(result.evaluations)
    return {
        "rungs": {share: {"correlation": rho, "losses": count} for share, (rho, count) in rungs.items()},
        "false rejections": sum(good for good, _ in rates), "tried": sum(tried for _, tried in rates),
    }  # fmt: skip


_AUDIT = re.compile(r"of (\d+) trained all the same, (\d+) did better")
_SETTLED = re.compile(r"trained at learning rate (\S+) for (\d+) steps")
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
    """The mean test metric of the picked loss over three fresh seeds, trained as the search trained."""
    seeds = [derive(result.seed, "test", i) for i in range(3)]
    for note in result.notes:
        for rate, steps in _SETTLED.findall(note):
            task = task.with_settings(learning_rate=float(rate), steps=int(steps))
    values = [task.score(result.best, seed=s, split="test")[task.metric] for s in seeds]
    return statistics.fmean(values)


def processor() -> float:
    """Processor seconds of this process and of those it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def key(loss: Weighted, task: SupervisedTask) -> str:
    """The dynamics class of a loss on a task."""
    program, edges = loss.graph()
    return fingerprint(program, task.kind, task.classes, edges)


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

"""What the search costs and what it finds: economy, recovery, controls, sensitivity.

Every job is one search; finished jobs are kept in the JSON file and not run again.

    python -m analysis.search_economy                # figures/search_economy.json and .png
    python -m analysis.search_economy --only speed   # one study; 'speed' wants the machine for itself
    python -m analysis.search_economy --quick        # every study, one seed, tiny
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import wilcoxon
from torch import Tensor

import symloss as sl
from symloss.runs import derive, executor
from symloss.search import fingerprint
from symloss.search.seeding import weighted_from
from symloss.search.weighted import Weighted
from symloss.tasks import Task

Results = dict[str, dict[str, Any]]
ROOT = Path(__file__).parent.parent
NAME = "search_economy"
SEEDS = 10
TINY: dict[str, Any] = {"population": 4, "generations": 2, "tuning_steps": 2, "fresh_seeds": 0, "sample": 0}
PLANTS = {
    "regression": ("mse", "mae", "log-cosh"),
    "classification": ("ce", "brier", "focal", "gce", "sparse-lsr"),
}
ARMS: dict[str, dict[str, Any]] = {
    "evomal": {},
    "random": {"method": "random"},
    "shuffled": {"shuffled": True},
}
PLAIN: dict[str, Any] = {"gate": False, "rungs": (), "classes": False}
VARIED: dict[str, dict[str, Any]] = {
    "as it is": {},
    "population 12": {"population": 12, "generations": 20},
    "population 50": {"population": 50, "generations": 5},
    "height 5": {"max_height": 5},
    "no tuning": {"method": "gplfl"},
    "250 meta-steps": {"tuning_steps": 250},
    "scale kept": {"keep_scale": True},
}


@dataclass(frozen=True)
class Job:
    """One search.

    Attributes:
        study: which question it belongs to.
        arm: which answer.
        task: by name.
        seed: of the run.
        options: of `discover`, besides.
        modifiers: of `load_task`.
        plant: the zoo's loss to be recovered.
        quick: whether to make it tiny.
    """

    study: str
    arm: str
    task: str
    seed: int
    options: dict[str, Any] = field(default_factory=dict)
    modifiers: dict[str, Any] = field(default_factory=dict)
    plant: str = ""
    quick: bool = False

    @property
    def key(self) -> str:
        """What its result is kept under."""
        return f"{self.study}/{self.arm}/{self.task}/{self.seed}"


def jobs(quick: bool) -> Iterator[Job]:
    """Every search of every study."""
    seeds = range(1 if quick else SEEDS)
    paper = {"preset": "paper", "max_evaluations": 50}
    yield Job("speed", "paper, 50 candidates", "diabetes", 0, paper, quick=quick)
    yield Job("speed", "quick, 1250 candidates", "diabetes", 0, {"generations": 50}, quick=quick)
    for seed in seeds:
        for arm, options in (("as it is", {}), ("without gate, race, classes", PLAIN)):
            yield Job("economy", arm, "diabetes", seed, options, quick=quick)
    for name, modifiers in (("digits", {"label_noise": 0.4}), ("diabetes", {"outliers": 0.1})):
        for seed in seeds:
            for arm, options in ARMS.items():
                yield Job("controls", arm, name, seed, options, modifiers, quick=quick)
    for kind, plants in PLANTS.items():
        for plant in plants:
            for seed in seeds:
                search = {"method": "gplfl", "generations": 16, "fresh_seeds": 0, "sample": 0, "tidy": False}
                name = "diabetes" if kind == "regression" else "wine"
                yield Job("recovery", plant, name, seed, search, plant=plant, quick=quick)
    for seed in range(1 if quick else 3):
        for arm, options in VARIED.items():
            yield Job("sensitivity", arm, "diabetes", seed, options, quick=quick)


class Distance:
    """How far the predictions are from those of a model trained with the planted loss from the same start."""

    greater_is_better = False

    def __init__(self, planted: Tensor, classes: bool) -> None:
        self.planted, self.classes = planted, classes

    def __call__(self, outputs: Tensor, targets: Tensor) -> float:
        """Mean squared difference of predictions or probabilities."""
        ours, theirs = (z.softmax(1) if self.classes else z for z in (outputs, self.planted))
        return float((ours.double() - theirs.double()).square().mean())


def plant(task: Task, loss: sl.Loss, seed: int) -> Task:
    """The task whose metric is the distance to what training with `loss` gives, its scale taken out."""
    from symloss.search.scale import null_scale

    training = derive(seed, "training", 0)
    tree = weighted_from(loss)
    whole = Weighted(*tree.scaled(1 / null_scale([task], tree, training)).graph())
    model = task.fit(whole.to_loss(task.kind), seed=training)
    with torch.no_grad():
        planted = model(task.val.X)
    return task.with_metric(Distance(planted, task.kind == "classification"))


def run(job: Job) -> dict[str, Any]:
    """The search, in numbers."""
    torch.set_num_threads(1)
    task = sl.load_task(job.task, **job.modifiers)
    if job.quick:
        task = task.with_model("linear").with_settings(steps=10)
    options = {**job.options, **(TINY if job.quick else {})}
    loss = sl.named(job.plant, task.kind) if job.plant else None
    if loss is not None:
        task = plant(task, loss, job.seed)
    start = time.perf_counter()
    result = sl.discover(task, seed=job.seed, **options)
    seconds = time.perf_counter() - start
    front = result.front
    found: dict[str, Any] = {
        "seconds": seconds,
        "considered": sum(entry.generation < len(result.generations) for entry in result.evaluations),
        "trained": sum(entry.outcome == "trained" for entry in result.evaluations),
        "validation": min(front, key=lambda row: row.fitness).validation if front else None,
        "picked": str(result.best) if front else "",
        "fresh": list(result.picked.fresh) if front else [],
        "notes": list(result.notes),
    }
    if loss is not None:
        wanted = _key(weighted_from(loss), task)
        found["recovered"] = any(_key(weighted_from(row.loss), task) == wanted for row in front)
    return found


def _key(loss: Weighted, task: Task) -> str:
    program, edges = loss.graph()
    return fingerprint(program, task.kind, task.classes, edges)


def main(arguments: Sequence[str] | None = None) -> Results:
    """The studies, as far as they are not done, and their picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, tiny searches")
    parser.add_argument("--only", help="one study: speed, economy, controls, recovery or sensitivity")
    parser.add_argument("--hours", type=float, default=2.0, help="no job is begun after so many hours")
    parser.add_argument("--workers", type=int, default=1, help="searches at once")
    parser.add_argument("--out", type=Path, default=ROOT / "figures", help="folder of the files")
    chosen = parser.parse_args(arguments)
    path = chosen.out / f"{NAME}.json"
    results: Results = json.loads(path.read_text()) if path.exists() else {}
    left = [job for job in jobs(chosen.quick) if job.key not in results and chosen.only in (None, job.study)]
    start = time.perf_counter()
    with executor("process" if chosen.workers > 1 else "serial", chosen.workers) as place:
        for i in range(0, len(left), chosen.workers):
            if time.perf_counter() - start > 3600 * chosen.hours:
                print(f"{len(left) - i} jobs are left: run this again")
                break
            batch = left[i : i + chosen.workers]
            for job, found in zip(batch, place.map_ordered(run, batch), strict=True):
                results[job.key] = found
                print(f"{job.key}: {found['validation']} in {found['seconds']:.0f} s", flush=True)
            _write(path, json.dumps(results, indent=1, sort_keys=True) + "\n")
    draw(results, chosen.out / f"{NAME}.png")
    return results


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.replace(path)


def arms(results: Results, study: str, task: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """The results of a study, by arm, in order of the seeds."""
    found: dict[str, list[dict[str, Any]]] = {}
    for key in sorted(results, key=lambda key: int(key.rsplit("/", 1)[1])):
        name, arm, on, _ = key.split("/")
        if name == study and task in (None, on):
            found.setdefault(arm, []).append(results[key])
    return found


def draw(results: Results, path: Path) -> None:
    """Four panels: what economy costs, what is recovered, what the controls do, what the settings matter."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    panels = figure.subplots(2, 2)
    _economy(panels[0][0], results)
    _recovery(panels[0][1], results)
    _controls(panels[1][0], results)
    _sensitivity(panels[1][1], results)
    figure.savefig(path, dpi=130)


def _economy(ax: Axes, results: Results) -> None:
    for arm, found in arms(results, "economy").items():
        seen = [each for each in found if each["validation"] is not None]
        ax.plot([e["seconds"] for e in seen], [e["validation"] for e in seen], "o", label=arm)
    ax.set(xlabel="seconds", ylabel="best validation mse", title="economy: diabetes")
    if ax.has_data():
        ax.legend(frameon=False)


def _recovery(ax: Axes, results: Results) -> None:
    found = arms(results, "recovery")
    rates = [100 * statistics.fmean(e["recovered"] for e in each) for each in found.values()]
    ax.barh(list(found), rates)
    ax.set(xlabel="% of seeds", xlim=(0, 100), title="recovery of a planted loss in 400 candidates")


def _controls(ax: Axes, results: Results) -> None:
    labels, columns = [], []
    for task in ("digits", "diabetes"):
        found = {arm: _values(each) for arm, each in arms(results, "controls", task).items()}
        if not all(found.values()) or not found:
            continue
        # One axis for an accuracy and an error: each relative to the median of the search itself.
        middle = statistics.median(found.get("evomal", next(iter(found.values()))))
        for arm, values in found.items():
            columns.append([value / middle for value in values])
            labels.append(f"{task}\n{arm}{_chance(found, arm)}")
    if columns:
        ax.boxplot(columns)
        ax.set_xticks(range(1, len(labels) + 1), labels, fontsize=7)
    ax.set(ylabel="best validation, relative to evomal", title="controls at equal evaluations")


def _sensitivity(ax: Axes, results: Results) -> None:
    found = {arm: _values(each) for arm, each in arms(results, "sensitivity").items()}
    for place, values in enumerate(found.values()):
        ax.plot(values, [place] * len(values), "o")
    ax.set_yticks(range(len(found)), list(found))
    ax.set(xlabel="best validation mse", title="sensitivity: diabetes")


def _values(found: Sequence[dict[str, Any]]) -> list[float]:
    return [each["validation"] for each in found if each["validation"] is not None]


def _chance(found: dict[str, list[float]], arm: str) -> str:
    """The p of a paired Wilcoxon test against the search itself, where there are seeds enough."""
    ours, theirs = found.get("evomal", []), found[arm]
    if arm == "evomal" or len(ours) != len(theirs) or len(ours) < 6 or ours == theirs:
        return ""
    return f"\np = {wilcoxon(ours, theirs).pvalue:.3f}"


if __name__ == "__main__":
    main(sys.argv[1:])

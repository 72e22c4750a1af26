"""Whole searches with the same number of candidates: does a search find what luck does not?

On task seeds of digits with 40 % label noise and of diabetes with outliers, each with split, noise and test rows of
its own, one search by evolution, one that draws every tree anew (*random*), and one whose selection sees the fitnesses
of a generation in random order (*shuffled*). All begin with the zoo, and all end with finals and a pick; *zoo* is the
loss with a name that did best on the final blocks of the first. *before* is the pick that stood in
`figures/selection_candidates.json`, of a search of as many candidates before evidence came in blocks, with the learning
rate and steps that it trained at. Every pick is trained with its rate and steps on ten seeds and measured on the clean
test rows, once.

    python -m analysis.pipelines            # figures/pipelines.json and .png; resumable
    python -m analysis.pipelines --quick
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

import symloss as sl
from analysis.selection import TEST_SEEDS, before, summary, tested
from analysis.selection_tasks import TASKS
from analysis.study import FIGURES, Study
from symloss.tasks import SupervisedTask

ARMS: dict[str, dict[str, Any]] = {
    "evomal": {},
    "random": {"method": "random"},
    "shuffled": {"shuffled": True},
}
SEEDS = 3
OVERLAP = 0.25
"""Test rows over the others, of either task."""
SMALL: dict[str, Any] = {
    "population": 4, "generations": 1, "tuning": {"steps": 2}, "screening": {"sample": 0},
    "blocks": {"sweep": 2, "strangers": 2, "final": 2, "finalists": 2},
}  # fmt: skip


def arm(task: SupervisedTask, seed: int, options: Mapping[str, Any], tests: int) -> dict[str, Any]:
    """One search, its pick and its best loss with a name, and the clean test metric of both."""
    start = time.process_time()
    result = sl.discover(task, seed=seed, **options)
    cpu = time.process_time() - start
    named = [row for row in result.finalists if row.name]
    rows = {"pick": result.picked}
    if named:
        rows["zoo"] = min(named, key=lambda row: statistics.fmean(row.finals) * result.signs[0])
    found: dict[str, Any] = {
        "cpu": cpu,
        "candidates": len(result.evaluations),
        "trained": sum(entry.outcome == "trained" for entry in result.evaluations),
    }
    for name, row in rows.items():
        formula = result.evaluations[row.evaluation].formula
        found[name] = {
            "loss": row.name or str(row.loss), "rate": row.rates[0], "steps": row.steps[0],
            "tests": tested(task, formula, row.rates[0], row.steps[0], seed, tests),
        }  # fmt: skip
    return found


def jobs(quick: bool) -> Iterator[tuple[str, int, str]]:
    """Task, task seed and arm of every cell."""
    for seed in range(1 if quick else SEEDS):
        for name in ("digits",) if quick else ("digits", "diabetes"):
            for each in (*ARMS, "before"):
                yield name, seed, each


def compute(name: str, seed: int, each: str, quick: bool) -> dict[str, Any]:
    """One cell."""
    task = TASKS[name][1](seed)
    tests = 2 if quick else TEST_SEEDS
    if quick:
        task = task.with_model("linear").with_settings(steps=20)
    if each != "before":
        return arm(task, seed, {**ARMS[each], **(SMALL if quick else {})}, tests)
    stored = json.loads((FIGURES / "selection_candidates.json").read_text())
    (one,) = [entry for entry in stored if (entry["task"], entry["seed"]) == (name, seed)]
    (row,) = [entry for entry in one["candidates"] if entry["number"] == one["picked"]]
    return {"candidates": one["considered"], "pick": {"loss": row["formula"], "tests": before(task, one)}}


def differences(cells: Mapping[str, Any], name: str) -> dict[str, list[float]]:
    """By rival, the clean test score of the pick of the evolution minus its own, task seed by task seed, as gains."""
    sign, unit = (1.0, 100.0) if name == "digits" else (-1.0, 1.0)
    found: dict[str, list[float]] = {}
    for seed in range(SEEDS):
        mine = cells.get(f"{name}/{seed}/evomal")
        if mine is None:
            continue
        ours = statistics.fmean(mine["pick"]["tests"])
        rivals = {
            each: cells.get(f"{name}/{seed}/{each}", {}).get("pick")
            for each in ("random", "shuffled", "before")
        }
        for rival, pick in {**rivals, "zoo": mine.get("zoo")}.items():
            if pick and pick["tests"]:
                found.setdefault(rival, []).append(unit * sign * (ours - statistics.fmean(pick["tests"])))
    return found


def answers(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Mean gain, interval over the task seeds and detectable effect, by task and rival; what the arms cost."""
    names = sorted({key.split("/")[0] for key in cells})
    costs = {
        f"{name}, {each}": statistics.fmean(
            cell["cpu"] for key, cell in cells.items() if _is(key, name, each)
        )
        for name in names
        for each in ARMS
    }
    gains = {
        name: {
            rival: summary([{"gain": value, "overlap": OVERLAP} for value in values], "gain")
            for rival, values in differences(cells, name).items()
        }
        for name in names
    }
    return {"gains of the evolution's pick": gains, "CPU seconds of a search": costs}


def _is(key: str, name: str, each: str) -> bool:
    return key.startswith(f"{name}/") and key.endswith(f"/{each}")


def draw(cells: Mapping[str, Any]) -> Figure:
    """By task and rival, the gain of the evolution's pick: a dot a task seed, and the mean with its interval."""
    names = sorted({key.split("/")[0] for key in cells})
    figure = Figure(figsize=(4 * len(names), 3.2), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        rivals: Mapping[str, Sequence[float]] = differences(cells, name)
        for x, values in enumerate(rivals.values()):
            found = summary([{"gain": value, "overlap": OVERLAP} for value in values], "gain")
            low, high = found["interval"]
            axes.plot([x] * len(values), values, "o", color="0.7", markersize=4)
            error = [[found["mean"] - low], [high - found["mean"]]]
            axes.errorbar([x + 0.15], [found["mean"]], yerr=error, fmt="D", color="C0")
        axes.axhline(0, color="0.5", lw=0.8)
        axes.set_xticks(range(len(rivals)), list(rivals))
        axes.set_title(name)
        axes.set_ylabel("points of accuracy" if name == "digits" else "test MSE saved")
    figure.suptitle("Pick of the evolution minus pick of ..., clean test data", fontsize=10)
    return figure


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs what has not been run, and writes figure and data."""
    study = Study.start("pipelines", __doc__, arguments, lambda quick: {"tests": 2 if quick else TEST_SEEDS})
    for name, seed, each in jobs(study.quick):
        study.cell(f"{name}/{seed}/{each}", compute, name, seed, each, study.quick)
    return study.finish(answers(study.cells), draw(study.cells))


if __name__ == "__main__":
    main(sys.argv[1:])

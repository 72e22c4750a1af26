"""Which of its candidates should a search pick? First, what it trained, with clean test scores of each.

A selection rule is judged on candidates that are there already: two rules on the same ones differ by nothing
but the rule. This stores them: for every task seed (its own split, noise and test rows) one search as it was
before rules were compared, and for each loss that it trained the formula, the validation fitness, the
fitnesses on fresh seeds where it became a finalist, and the metric on the clean test rows over two training
seeds of their own. It reads test rows for every candidate: material for a study of the rule, never for a
search. Resumable.

    python -m analysis.selection_store            # figures/selection_candidates.json
    python -m analysis.selection_store --only digits
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import symloss as sl
from symloss.expr.trees.from_formula import weighted_from
from symloss.meta import fit_population
from symloss.runs import RunStore, derive, executor
from symloss.search.loop.settle import settle
from symloss.search.loop.workers import Workers
from symloss.search.settings import SearchSettings
from symloss.tasks import Split, SupervisedTask

ROOT = Path(__file__).parent.parent
CLEAN_SEEDS = 2
"""Training seeds of a clean test score: with thousands of test rows the model's start is what is left."""
CHUNK = 25


def _fashion(seed: int) -> SupervisedTask:
    """2,000 training rows of the official training part, another 2,000 to a seed; its test part whole."""
    task = sl.load_task("fashion-mnist", label_noise=0.4, seed=seed)
    order = torch.randperm(len(task.train), generator=torch.Generator().manual_seed(seed))
    rows, held = order[:2000], order[2000:3000]
    train, val = (Split(task.train.X[part], task.train.y[part]) for part in (rows, held))
    return replace(task, train=train, val=val, pool=None)


TASKS: dict[str, tuple[int, Callable[[int], SupervisedTask]]] = {
    "digits": (10, lambda seed: sl.load_task("digits", label_noise=0.4, seed=seed)),
    "letter": (5, lambda seed: sl.load_task("keel:letter", label_noise=0.4, seed=seed)),
    "diabetes": (5, lambda seed: sl.load_task("diabetes", outliers=0.1, seed=seed)),
    "california": (5, lambda seed: sl.load_task("california", seed=seed)),
    "fashion-mnist": (5, _fashion),
}
"""By name the number of task seeds, and the task of one; each seed draws split, noise and test rows anew."""


def clean_scores(task: SupervisedTask, formulas: Sequence[str], seed: int) -> list[list[float | None]]:
    """The test metric of a model trained with each formula, over the training seeds; None where it diverged."""
    found: list[list[float | None]] = [[] for _ in formulas]
    for i in range(CLEAN_SEEDS):
        for start in range(0, len(formulas), CHUNK):
            losses = [
                weighted_from(sl.parse(text, kind=task.kind)) for text in formulas[start : start + CHUNK]
            ]
            edges = [torch.tensor(loss.graph()[1], dtype=torch.float32) for loss in losses]
            programs = [loss.graph()[0] for loss in losses]
            models = fit_population(programs, edges, task, seed=derive(seed, "clean", i))
            for k, model in enumerate(models):
                value = task.evaluate(model, split="test")[task.metric]
                found[start + k].append(value if math.isfinite(value) else None)
    return found


def store(name: str, seed: int, task: SupervisedTask, folder: Path, size: dict[str, Any]) -> dict[str, Any]:
    """One search and the clean scores of all that it trained."""
    if (folder / "run.sqlite").exists():
        result = sl.resume(folder, task if name == "fashion-mnist" else None)
    else:
        result = sl.discover(task, seed=seed, out=folder, **size)
    with RunStore.open(folder) as kept, executor("serial") as place:
        # The settings that the search chose, from its record.
        settings = SearchSettings.from_dict(kept.config["settings"])
        model = settings.model
        placed = task.with_model(model) if model is not None and task.describe()["model"] == "mlp" else task
        (settled,) = settle(Workers((placed,), kept, place, settings.chunk), seed)
        fresh = kept.get("front", "fresh")
    assert isinstance(settled, SupervisedTask)
    trained = [entry for entry in result.evaluations if entry.outcome == "trained"]
    tests = clean_scores(settled, [entry.formula for entry in trained], seed)
    return {
        "task": name, "seed": seed, "metric": task.metric,
        "greater_is_better": task.measure.greater_is_better,
        "learning_rate": settled.settings.learning_rate, "steps": settled.settings.steps,
        "considered": len(result.evaluations), "picked": result.picked.evaluation,
        "candidates": [
            {
                "number": entry.number, "formula": entry.formula, "complexity": entry.complexity,
                "fitness": entry.fitness, "fresh": fresh.get(str(entry.number)), "tests": scores,
            }
            for entry, scores in zip(trained, tests, strict=True)
        ],
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    """Stores what is not stored yet, and writes all that is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="the tasks to do, separated by commas", default=",".join(TASKS))
    parser.add_argument("--quick", action="store_true", help="one seed of diabetes, a small search")
    parser.add_argument("--out", type=Path, default=ROOT / "figures", help="where the data go")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "selection", help="where runs are kept")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    names = ["diabetes"] if options.quick else options.only.split(",")
    size = {"population": 6, "generations": 2} if options.quick else {}
    for name in names:
        seeds, make = TASKS[name]
        for seed in range(1 if options.quick else seeds):
            kept = options.runs / f"{name}-{seed}.json"
            if kept.exists():
                continue
            found = store(name, seed, make(seed), options.runs / f"{name}-{seed}", size)
            partial = kept.with_suffix(".partial")
            partial.write_text(json.dumps(found))
            partial.replace(kept)
            print(f"{name} {seed}: {len(found['candidates'])} trained", flush=True)
    stored = [json.loads(path.read_text()) for path in sorted(options.runs.glob("*.json"))]
    options.out.mkdir(parents=True, exist_ok=True)
    rows = ",\n".join(json.dumps(each) for each in stored)
    (options.out / "selection_candidates.json").write_text(f"[\n{rows}\n]\n")
    return stored


if __name__ == "__main__":
    main(sys.argv[1:])

"""Digits with 40 % label noise: does a discovered loss beat cross-entropy and GCE that were tuned as well?

For each run seed a search on the noisy data; then every contender's learning rate and number of steps (and
GCE's q) are chosen on validation data by one procedure, and each is trained on ten fresh seeds and measured
on the clean test data, once. Finished runs are kept in `--runs` and not searched again.

    python -m analysis.noisy_digits            # figures/noisy_digits.json and .png
    python -m analysis.noisy_digits --quick    # one seed, a small search
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from scipy.stats import ttest_rel

import symloss as sl
from symloss.runs import derive
from symloss.search.baselines import TRIALS, tuned_settings
from symloss.tasks import SupervisedTask, TrainingSettings

NOISE = 0.4
QS = (0.3, 0.5, 0.7, 0.9)
ROOT = Path(__file__).parent.parent


def search(task: SupervisedTask, seed: int, folder: Path, quick: bool) -> sl.Result:
    """The search of one seed, gone on with where it was stopped."""
    if (folder / "run.sqlite").exists():
        return sl.resume(folder)
    size: dict[str, Any] = {"population": 8, "generations": 2} if quick else {}
    return sl.discover(task, seed=seed, out=folder, **size)


def best_gce(task: SupervisedTask, trials: list[int]) -> tuple[sl.Loss, TrainingSettings]:
    """GCE with q, learning rate and steps chosen on validation data."""
    found = []
    for q in QS:
        loss = sl.named("gce", q=q)
        settings = tuned_settings(task, loss, trials)
        value = statistics.fmean(task.score(loss, seed=s, settings=settings)["accuracy"] for s in trials)
        found.append((value, loss, settings))
    _, loss, settings = max(found, key=lambda each: each[0])
    return loss, settings


def compare(task: SupervisedTask, seed: int, discovered: sl.Loss, seeds: int) -> dict[str, Any]:
    """Test accuracies of the contenders, seed by seed, and paired tests against the discovered loss."""
    trials = [derive(seed, "trial", i) for i in range(TRIALS)]
    ce = task.base_loss()
    gce, gce_settings = best_gce(task, trials)
    contenders = {
        "cross-entropy as is": (ce, task.settings),
        "cross-entropy tuned": (ce, tuned_settings(task, ce, trials)),
        "gce tuned": (gce, gce_settings),
        "discovered": (discovered, task.settings),
        "discovered tuned": (discovered, tuned_settings(task, discovered, trials)),
    }
    rows: dict[str, Any] = {}
    for name, (loss, settings) in contenders.items():
        accuracies = []
        for i in range(seeds):
            model = task.fit(loss, seed=derive(seed, "test", i), settings=settings)
            accuracies.append(task.evaluate(model, split="test")["accuracy"])
        rows[name] = {
            "loss": str(loss), "learning_rate": settings.learning_rate, "steps": settings.steps,
            "accuracies": accuracies, "mean": statistics.fmean(accuracies),
        }  # fmt: skip
    for row in rows.values():
        differences = [
            a - b for a, b in zip(row["accuracies"], rows["discovered tuned"]["accuracies"], strict=True)
        ]
        row["p_value"] = None
        if len(differences) > 1 and statistics.stdev(differences) > 0:
            row["p_value"] = float(
                ttest_rel(row["accuracies"], rows["discovered tuned"]["accuracies"]).pvalue
            )
    return rows


def draw(results: dict[str, dict[str, Any]]) -> Figure:
    """Test accuracy of each contender, run seed by run seed."""
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    names = list(next(iter(results.values())))
    for i, name in enumerate(names):
        for k, rows in enumerate(results.values()):
            values = rows[name]["accuracies"]
            x = i + (k - (len(results) - 1) / 2) * 0.18
            axes.plot([x] * len(values), values, "o", color="0.7", markersize=3)
            axes.plot([x], [rows[name]["mean"]], "D", color="C0", markersize=6)
    axes.set_xticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names])
    axes.set_ylabel("test accuracy (clean labels)")
    axes.set_title(f"Digits, {NOISE:.0%} label noise: mean (diamond) and training seeds, by run seed")
    axes.grid(axis="y", alpha=0.3)
    return figure


def main(arguments: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """Runs the study and writes its figure and data."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one seed and a small search")
    parser.add_argument("--out", type=Path, default=ROOT / "figures", help="where figure and data go")
    parser.add_argument(
        "--runs", type=Path, default=ROOT / "runs" / "noisy_digits", help="where runs are kept"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    results: dict[str, dict[str, Any]] = {}
    for seed in range(1 if options.quick else 3):
        task = sl.load_task("digits", label_noise=NOISE, seed=seed)
        if options.quick:
            task = task.with_settings(steps=60)
        found = search(
            task, seed, options.runs / f"seed{seed}{'-quick' if options.quick else ''}", options.quick
        )
        results[str(seed)] = compare(task, seed, found.best, 2 if options.quick else 10)
        for name, row in results[str(seed)].items():
            print(f"seed {seed}  {name:20} {row['mean']:.4f}  {row['loss']}", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    command = "python -m analysis.noisy_digits" + (" --quick" if options.quick else "")
    (options.out / "noisy_digits.json").write_text(
        json.dumps({"command": command, "seeds": results}, indent=1)
    )
    draw(results).savefig(options.out / "noisy_digits.png", dpi=120)
    return results


if __name__ == "__main__":
    main(sys.argv[1:])

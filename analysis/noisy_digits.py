"""Digits with 40 % label noise: the pick of a search beside every loss with a name, all tuned alike.

For each run seed a search on the noisy data, which ends in a pick. Then the pick and every loss of the zoo, at its
defaults and at the values that its entry suggests, get their learning rate and number of steps by one procedure
over the same three validation blocks (a grid whose best lies at its edge is widened), and each is trained on ten
fresh seeds and measured on the clean test data, once. Finished runs are kept in `--runs` and not searched again.

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
from symloss.expr.trees import weighted_from
from symloss.runs import executor
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.sweep import zoo_candidates
from symloss.search.loop.training import Trainer, Training
from symloss.search.loop.workers import Workers
from symloss.search.record.memory import Memory
from symloss.search.settings import Blocks
from symloss.tasks import Task

NOISE = 0.4
SEEDS = 5
ROOT = Path(__file__).parent.parent


def search(task: Task, seed: int, folder: Path, quick: bool) -> sl.Result:
    """The search of one seed, gone on with where it was stopped."""
    if (folder / "run.sqlite").exists():
        return sl.resume(folder)
    size: dict[str, Any] = {}
    if quick:
        blocks = {"sweep": 2, "strangers": 2, "final": 2, "finalists": 2}
        size = {"population": 6, "generations": 1, "blocks": blocks, "screening": {"sample": 0}}
    return sl.discover(task, seed=seed, out=folder, **size)


def compare(
    task: Task, seed: int, discovered: sl.Loss, seeds: int, names: list[str] | None
) -> dict[str, Any]:
    """Test accuracies of the pick and of the zoo, seed by seed, and paired tests against the pick.

    Args:
        task: with noise.
        seed: of the run.
        discovered: the pick.
        seeds: training seeds.
        names: the losses of the zoo; all of them unless given.
    """
    tree = weighted_from(discovered)
    contenders = [Candidate(-1, 0, 0, tree.program, tree, fixed=True, as_given=True, name="discovered")]
    contenders += [each for each in zoo_candidates(task, 0) if names is None or each.name in names]
    with executor("serial") as place:
        trainer = Trainer(Workers((task,), Memory({}), place, 8), seed, Blocks())
        owns = trainer.own("compared", contenders, base=(1.0,))
        trainings = [
            Training(each, None, own.rates, tuple((steps,) for steps in own.steps), start=i)
            for each, own in zip(contenders, owns, strict=True)
            for i in range(seeds)
        ]
        curves = iter(list(trainer.curves("test", trainings, test=True)))
    rows: dict[str, Any] = {}
    for each, own in zip(contenders, owns, strict=True):
        accuracies = [next(curves)[0][-1] or 0.0 for _ in range(seeds)]  # what diverges guesses nothing
        rows[each.name] = {
            "loss": str(discovered) if each.name == "discovered" else each.weighted.formula,
            "rate": own.rates[0], "steps": own.steps[0], "edge": own.edge, "accuracies": accuracies,
            "mean": statistics.fmean(accuracies), "p_value": None,
        }  # fmt: skip
    ours = rows["discovered"]["accuracies"]
    for row in rows.values():
        differences = [a - b for a, b in zip(row["accuracies"], ours, strict=True)]
        if len(differences) > 1 and statistics.stdev(differences) > 0:
            row["p_value"] = float(ttest_rel(row["accuracies"], ours).pvalue)
    return rows


def draw(results: dict[str, dict[str, Any]]) -> Figure:
    """Test accuracy of every contender, run seed by run seed, the best on top."""
    names = sorted(
        next(iter(results.values())),
        key=lambda name: statistics.fmean(r[name]["mean"] for r in results.values()),
    )
    figure = Figure(figsize=(7.5, 0.24 * len(names) + 1.2), layout="constrained")
    axes = figure.subplots()
    for y, name in enumerate(names):
        colour = "C1" if name == "discovered" else "C0"
        for k, rows in enumerate(results.values()):
            values, shift = rows[name]["accuracies"], (k - (len(results) - 1) / 2) * 0.2
            axes.plot(values, [y + shift] * len(values), "o", color="0.8", markersize=2)
            axes.plot([rows[name]["mean"]], [y + shift], "D", color=colour, markersize=4)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    best = max(row["mean"] for rows in results.values() for row in rows.values())
    axes.set_xlim(max(0.0, best - 0.15), best + 0.015)
    axes.set_xlabel("test accuracy (clean labels)")
    axes.set_title(
        f"Digits, {NOISE:.0%} label noise, everything tuned: mean (diamond) by run seed", fontsize=9
    )
    axes.grid(axis="x", alpha=0.3)
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
    for seed in range(1 if options.quick else SEEDS):
        task = sl.load_task("digits", label_noise=NOISE, seed=seed)
        if options.quick:
            task = task.with_settings(steps=60)
        found = search(
            task, seed, options.runs / f"seed{seed}{'-quick' if options.quick else ''}", options.quick
        )
        some = ["ce", "sce(alpha=0.1)"] if options.quick else None
        results[str(seed)] = compare(task, seed, found.best, 2 if options.quick else 10, some)
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

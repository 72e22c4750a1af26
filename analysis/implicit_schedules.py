"""Does a loss that adapts while training do by itself what is otherwise tuned by hand?

The thesis asks which biases of the training procedure a learned loss carries: a learning-rate schedule, early stopping,
label smoothing. Here each is read off the path of an adapting loss (`symloss.adapt`: AdaLFL's network and smooth-ace,
barron on diabetes), and the same quantity is tuned by hand for the ordinary loss on the same rows
(`analysis.tuned_by_hand`): the best constant learning rate and one for each third of the training, the best step to
stop at, the best label smoothing and one for each third. Digits with label noise 0, 0.2, 0.4 and 0.6, and diabetes.

Hypotheses, written before the study was run, one-sided, over all replicates of a loss: (1) where the schedule tuned by
hand falls from the first third to the last, the implied rate falls too, and conversely (Kendall's tau over the
replicates above 0); (2) the smoothing that the path implies grows with the one that is best by hand (tau above 0);
(3) where it is better to stop early, the implied rate ends below a tenth of its highest (Fisher's exact test).

    python -m analysis.implicit_schedules --seeds 5      # figures/implicit_schedules.json, .png; resumable
    python -m analysis.implicit_schedules --quick
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import fisher_exact, kendalltau

import symloss as sl
from analysis.adaptive_losses import INITIAL, SYMBOLIC
from analysis.comparison_figures import grid
from analysis.study import Study
from analysis.tuned_by_hand import THIRDS, tuned
from symloss.compare.adapt import ETAS
from symloss.compare.adapt_work import ADAPTIVE, Piece, do, loss_record
from symloss.compare.work import Replicate
from symloss.errors import DomainError
from symloss.meta.adaptable import NEURAL, adaptable
from symloss.report.style import BLACK, COLOURS, GREY
from symloss.tasks import SupervisedTask, replicates_of

__all__ = ["TASKS", "answers", "implied", "main"]

TASKS = ("digits, 0", "digits, 0.2", "digits, 0.4", "digits, 0.6", "diabetes, 0")
"""Data set and label noise."""
LOOKS = 30
STOPPED = 0.1
"""An implied rate below this share of its highest has stopped the training."""
EARLY = 0.8
"""A best step before this share of the training is early."""


def task_of(name: str, seed: int, steps: int) -> SupervisedTask:
    """The data of a replicate."""
    data, noise = name.split(", ")
    scale = "minmax" if data == "diabetes" else None
    task = sl.load_task(data, seed=seed, label_noise=float(noise), model="mlp-2x64", target_scale=scale)
    return task.with_settings(steps=steps)


def losses_of(name: str) -> tuple[str, str]:
    """The network and the formula that adapt."""
    return NEURAL, SYMBOLIC["regression" if name.startswith("diabetes") else "classification"]


def adapted(name: str, loss: str, seed: int, steps: int, quick: bool) -> dict[str, Any]:
    """The path of an adapting loss on one replicate, its meta learning rate tuned; or why there is none."""
    task = task_of(name, seed, steps)
    record = loss_record(NEURAL if loss == NEURAL else adaptable(loss, task.kind, task.classes))
    looks = tuple(sorted({round(steps * place / LOOKS) for place in range(LOOKS + 1)}))
    where = Replicate(0, replicates_of(task, 1), 0, 1)
    initial = 50 if quick else INITIAL[loss == NEURAL]
    piece = Piece(where, "adapting", record, ETAS[-1:] if quick else ETAS, initial, "validation", looks, seed)
    try:
        found = do((task,), piece)
    except DomainError as error:
        return {"failed": str(error)}
    path = [{key: step[key] for key in ("step", "validation", "label_smoothing")} for step in found["path"]]
    for step, each in zip(path, found["path"], strict=True):
        rate = each["implicit_learning_rate"]
        step["implicit_learning_rate"] = None if rate is None else rate * found["speed"]
    return {
        "path": path, "eta": found["eta"], "speed": found["speed"],
        "moved": found["moved"], "test": found["rows"][ADAPTIVE]["test"],
        "diverged": found["rows"][ADAPTIVE]["diverged"],
    }  # fmt: skip


def by_hand(name: str, seed: int, steps: int, quick: bool) -> dict[str, Any]:
    """What is best by hand on the same rows."""
    return tuned(task_of(name, seed, steps), seed, trials=1 if quick else 3)


def implied(path: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a path implies: rate and smoothing of each third, whether the rate falls, whether it stops the training.

    Returns:
        `rates`: geometric means over the looks of a third, of rates above 0; None where there is none.
        `smoothings`: medians; None where there is none.
        `fall`: log of the last third's rate over the first's, `-inf` where the rate ends at 0 or below.
        `stopped`: the share of the training after which the rate stays below a tenth of its highest, or None.
    """
    last = path[-1]["step"] or 1
    rates: list[float | None] = []
    smoothings: list[float | None] = []
    for third in range(THIRDS):
        looks = [each for each in path if min(THIRDS - 1, THIRDS * each["step"] // last) == third]
        known = [each["implicit_learning_rate"] for each in looks]
        positive = [rate for rate in known if rate is not None and rate > 0]
        smooth = [each["label_smoothing"] for each in looks if each["label_smoothing"] is not None]
        rates.append(math.exp(statistics.fmean(map(math.log, positive))) if positive else None)
        smoothings.append(statistics.median(smooth) if smooth else None)
    first, end = rates[0], rates[-1]
    fall = None if first is None else -math.inf if end is None else math.log(end / first)
    every = [each["implicit_learning_rate"] or 0.0 for each in path]
    highest, stopped = max(every), None
    for each, rate in zip(reversed(path), reversed(every), strict=True):
        if rate >= STOPPED * highest:
            break
        stopped = each["step"] / last
    return {"rates": rates, "smoothings": smoothings, "fall": fall, "stopped": stopped}


def pairs(cells: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """By loss (`neural` or `formula`), what is implied and what is best by hand, of every replicate that has both."""
    found: dict[str, list[dict[str, Any]]] = {}
    for key, cell in cells.items():
        kind, name, *rest = key.split("/")
        if kind != "adapt" or "failed" in cell or cell["diverged"]:
            continue
        hand = cells.get(f"by hand/{name}/{rest[1]}")
        if hand is not None:
            group = found.setdefault(NEURAL if rest[0] == NEURAL else "formula", [])
            group.append({"task": name, "implied": implied(cell["path"]), "hand": hand, **cell})
    return found


def answers(cells: Mapping[str, Any]) -> dict[str, Any]:
    """The three hypotheses for the network and for the formula, and what was scored, JSON-ready."""
    found: dict[str, Any] = {}
    for loss, rows in pairs(cells).items():
        stop = [(row["hand"]["stop"] < EARLY, row["implied"]["stopped"] is not None) for row in rows]
        table = [[sum(pair == (a, b) for pair in stop) for b in (True, False)] for a in (True, False)]
        found[loss] = {
            "replicates": len(rows),
            "schedule": _agreement(
                [(math.log(row["hand"]["rates"][-1] / row["hand"]["rates"][0]), row["implied"]["fall"]) for row in rows]
            ),
            "implied rate falls": sum((row["implied"]["fall"] or 0) < 0 for row in rows),
            "rate falls by hand": sum(row["hand"]["rates"][-1] < row["hand"]["rates"][0] for row in rows),
            "smoothing": _agreement(
                [
                    (row["hand"]["smoothing"], row["implied"]["smoothings"][-1])
                    for row in rows
                    if "smoothing" in row["hand"]
                ]
            ),
            "stopping": {
                "early by hand": sum(table[0]), "stopped": table[0][0] + table[1][0], "both": table[0][0],
                "p": float(fisher_exact(table, alternative="greater")[1]),
            },
            "by task": {name: _by_task([row for row in rows if row["task"] == name]) for name in TASKS
                        if any(row["task"] == name for row in rows)},
        }  # fmt: skip
    return found


def _agreement(points: Sequence[tuple[float, float | None]]) -> dict[str, Any]:
    """Kendall's tau of the points that have both, one-sided."""
    known = [(a, b) for a, b in points if b is not None]
    if len(known) < 3 or len({a for a, _ in known}) < 2 or len({b for _, b in known}) < 2:
        return {"n": len(known), "tau": None, "p": None}
    test = kendalltau(*zip(*known, strict=True), alternative="greater")
    return {"n": len(known), "tau": float(test.statistic), "p": float(test.pvalue)}


def _by_task(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Medians over the replicates, and mean test scores."""

    def middle(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None and math.isfinite(value)]
        return statistics.median(known) if known else None

    said: dict[str, Any] = {"n": len(rows)}
    for name, of in (("rates", "rates"), ("smoothings", "smoothings")):
        said[f"implied {name}"] = [middle([row["implied"][of][i] for row in rows]) for i in range(THIRDS)]
        if of in rows[0]["hand"]:
            said[f"{name} by hand"] = [middle([row["hand"][of][i] for row in rows]) for i in range(THIRDS)]
    said["best step by hand"] = middle([row["hand"]["stop"] for row in rows])
    said["moved"] = middle([row["moved"] for row in rows])
    said["test"] = {"adaptive": statistics.fmean(row["test"] for row in rows)}
    for name in rows[0]["hand"]["test"]:
        scores = [row["hand"]["test"][name] for row in rows]
        said["test"][name] = None if None in scores else statistics.fmean(scores)
    return said


def draw(cells: Mapping[str, Any]) -> Figure:
    """Above, rates and smoothing by third, implied and by hand; below, replicate against replicate."""
    fig, axes = grid(4, 4.2, columns=2)
    found = pairs(cells)
    by_task = {loss: answers(cells)[loss]["by task"] for loss in found}
    for ax, what, title in ((axes[0], "rates", "learning rate by third, times the task's"),
                            (axes[1], "smoothings", "label smoothing by third")):  # fmt: skip
        _draw_thirds(ax, by_task, what)
        ax.set_title(title, fontsize=10)
    axes[0].set_yscale("log")
    _scatter(axes[2], found, lambda row: (
        math.log10(row["hand"]["rates"][-1] / row["hand"]["rates"][0]),
        None if row["implied"]["fall"] is None else max(row["implied"]["fall"], -7.0) / math.log(10)))  # fmt: skip
    axes[2].set_title("log10 of the last third's rate over the first's", fontsize=10)
    _scatter(axes[3], found, lambda row: (row["hand"].get("smoothing"), row["implied"]["smoothings"][-1]))
    axes[3].set_title("label smoothing", fontsize=10)
    for ax in axes[2:4]:
        ax.set_xlabel("best by hand", fontsize=8)
        ax.set_ylabel("implied by the path", fontsize=8)
    for ax in (axes[0], *axes[2:4]):
        if ax.get_legend_handles_labels()[1]:
            ax.legend(fontsize=7, frameon=False)
    return fig


def _draw_thirds(ax: Axes, by_task: Mapping[str, Any], what: str) -> None:
    """A colour a task; the network solid, the formula dashed, by hand black-edged squares beside them."""
    tasks = [name for name in TASKS if any(name in each for each in by_task.values())]
    for i, name in enumerate(tasks):
        for loss, style in ((NEURAL, "-"), ("formula", "--")):
            said = by_task.get(loss, {}).get(name)
            if not said:
                continue
            label = name if not ax.lines or loss == NEURAL else None
            values = [math.nan if value is None else value for value in said[f"implied {what}"]]
            ax.plot(range(1, THIRDS + 1), values, style, color=COLOURS[i % len(COLOURS)], label=label)
            hand = said.get(f"{what} by hand")
            if hand and loss == NEURAL:
                ax.plot(range(1, THIRDS + 1), hand, "s", color=COLOURS[i % len(COLOURS)], mec=BLACK, ms=5)
    ax.set_xticks(range(1, THIRDS + 1), ["first", "second", "last"])
    ax.set_xlabel("squares: by hand; dashed: the formula", fontsize=8)


def _scatter(ax: Axes, found: Mapping[str, Any], point: Any) -> None:
    rng = np.random.default_rng(0)
    for i, (loss, rows) in enumerate(sorted(found.items())):
        known = [(x, y) for x, y in map(point, rows) if x is not None and y is not None]
        if known:
            x, y = np.array(known).T
            # Values by hand lie on a grid: moved a little, so that points do not hide each other.
            spread = 0.02 * (np.ptp(x) or 1.0)
            ax.plot(x + rng.uniform(-spread, spread, len(x)), y, "o^"[i], ms=4, color=COLOURS[i], label=loss)
    ax.axline((0, 0), slope=1, color=GREY, lw=1)


def sizes(parser: argparse.ArgumentParser) -> None:
    """What can be made smaller."""
    parser.add_argument("--seeds", type=int, default=5, help="replicates of a task")
    parser.add_argument("--steps", type=int, default=500, help="of a training")


def settings(options: argparse.Namespace) -> Mapping[str, Any]:
    """What every cell depends on."""
    return {"steps": 60 if options.quick else options.steps, "quick": options.quick}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Does what has not been done, as long as there is time, and writes figure and data."""
    study, options = Study.lasting("implicit_schedules", __doc__, arguments, sizes, settings)
    names = ("digits, 0.6",) if study.quick else TASKS
    steps = int(study.settings["steps"])
    # A replicate of every task before the next: a study that is cut short has seeds too few, not tasks.
    for seed in range(1 if study.quick else options.seeds):
        for name in names:
            if study.in_time:
                study.cell(f"by hand/{name}/{seed}", by_hand, name, seed, steps, study.quick)
            for loss in losses_of(name)[1 if study.quick else 0 :]:
                if study.in_time:
                    study.cell(f"adapt/{name}/{loss}/{seed}", adapted, name, loss, seed, steps, study.quick)
    return study.finish(answers(study.cells), draw(study.cells))


if __name__ == "__main__":
    main(sys.argv[1:])

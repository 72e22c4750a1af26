"""What does each part of NPBML add, and do the parts add up?

Two tables. CIFAR-FS, 5 ways, 5 shots, 4-CONV with 16 filters, two tasks a meta-step; Omniglot, 20 ways, 1 shot, 5
queries. Every row alike but for its parts: the same pretraining, encoder, blocks that adapt (the last two and the
head), shared head, inner SGD, meta-steps and test tasks; normalisation by the support set, so that a row is inductive
unless its loss has the transductive term. Two more rows: the nearest centroid on pretrained features, without inner
loop, and MAML with transductive statistics.

Hypotheses, written before the study was run: (1) the published order, MAML < + optimiser < + loss < + both < + FiLM;
(2) the learning rate alone, or the regulariser alone, explains at least half of what the loss adds (NPBML's authors
suspect that every part learns the learning rate); (3) the parts add to less than their sum: both - optimiser - loss +
MAML is below 0 on the same tasks (published: 7.41 - 2.09 - 6.37 = -1.05). Differences are paired over the test tasks
that all rows share, averaged over training seeds; Holm's correction over a table's rows; a difference whose interval
holds 0 is a tie.

Further: the gap between tasks of training and of test classes against the number of training classes, for MAML and
+ both; and how often a task is learned worse than the nearest centroid of the same features judges it.

Omniglot and CIFAR-100 are read from the folder `SYMLOSS_DATA`; what is not there is said to be absent.

    SYMLOSS_DATA=... python -m analysis.fewshot_ablation --seeds 1   # figures/fewshot_ablation.json, .png; resumable
    python -m analysis.fewshot_ablation --quick
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from analysis.comparison_figures import grid
from analysis.study import Study
from symloss.compare import holm, paired_t
from symloss.errors import TaskError
from symloss.meta.fewshot import Learner, Training, scores, settings_for
from symloss.report.style import BLUE, COLOURS, GREY
from symloss.tasks.episodes import EpisodeSource, load_episodes

__all__ = ["ROWS", "TABLES", "answers", "main"]

MAML, RATE, OPTIMISER, LOSS = "MAML", "learning rate only", "+ optimiser", "+ loss"
REGULARISER, INDUCTIVE, BOTH, FILM = "regulariser only", "+ loss, inductive", "+ both", "+ FiLM"
CENTROID, TRANSDUCTIVE = "nearest centroid", "MAML, transductive statistics"


@dataclass(frozen=True)
class Row:
    """A learner of a table: its method, its parts, and what else differs."""

    method: str = "npbml"
    parts: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


ROWS = {
    MAML: Row(parts=("init",)),
    RATE: Row(parts=("init", "rate")),
    OPTIMISER: Row(parts=("init", "optimiser")),
    LOSS: Row(parts=("init", "loss", "regulariser")),
    REGULARISER: Row(parts=("init", "regulariser")),
    INDUCTIVE: Row(parts=("init", "loss", "regulariser"), options={"terms": ("inductive",)}),
    BOTH: Row(parts=("init", "optimiser", "loss", "regulariser")),
    FILM: Row(parts=("init", "optimiser", "loss", "regulariser", "film")),
    CENTROID: Row("centroid"),
    TRANSDUCTIVE: Row(parts=("init",), options={"statistics": "transductive"}),
}


@dataclass(frozen=True)
class Table:
    """One setting in which rows are compared."""

    source: str
    ways: int
    shots: int
    queries: int
    rows: tuple[str, ...]
    options: Mapping[str, Any]
    sizes: tuple[int, ...] = ()


TABLES = {
    "cifar-fs 5-way 5-shot": Table(
        "cifar-fs", 5, 5, 15, tuple(ROWS), {"encoder": "4conv-16", "meta_batch": 2}, (16, 32)
    ),
    "omniglot 20-way 1-shot": Table(
        "omniglot", 20, 1, 5, (MAML, RATE, LOSS, BOTH),
        {"encoder": "4conv-16-stride", "meta_batch": 2, "inner_rate": 0.1},
    ),
}  # fmt: skip
QUICK = {
    "glyphs 5-way 1-shot": Table(
        "glyphs",
        5,
        1,
        5,
        (MAML, BOTH, CENTROID),
        {"encoder": "4conv-8-stride", "meta_batch": 2, "inner_rate": 0.1},
    )
}
ALIKE: dict[str, Any] = {
    "adapted": 2, "head": "shared", "statistics": "support", "inner_steps": 5, "momentum": 0.9, "weight_decay": 5e-4,
}  # fmt: skip
GAP_TASKS = 200
"""Tasks of training classes that are set against those of test classes."""


def tables_of(quick: bool) -> Mapping[str, Table]:
    """What is compared."""
    return QUICK if quick else TABLES


def cell(
    table: Table, name: str, seed: int, classes: int | None, sizes: Mapping[str, Any], device: str
) -> dict[str, Any]:
    """One learner, trained and judged: the score of each test task without adaptation, and after it."""
    began = time.process_time()
    row = ROWS[name]
    source: EpisodeSource = load_episodes(table.source)
    if classes is not None:
        source = source.with_classes(classes)
    options = {**ALIKE, **table.options, **row.options}
    if row.method == "centroid":
        options = {key: options[key] for key in ("encoder", "statistics")}
    made = settings_for(
        source.kind, source.input_shape, row.method, ways=table.ways, shots=table.shots, queries=table.queries,
        parts=row.parts if row.parts else None, **options,
        **{**sizes, "meta_steps": 0 if row.method == "centroid" else sizes["meta_steps"]},
    )  # fmt: skip
    training = Training(source, made, seed, torch.device(device))
    state = training.run(training.begin(), keep=_unkept)
    test = training.judge(state.best, "test", made.tests.tasks)
    train = training.judge(state.best, "train", min(GAP_TASKS, made.tests.tasks))
    nearest = _nearest(training, state.best, made.tests.tasks)
    return {
        "scores": [round(score, 5) for score in test[:, -1].tolist()],
        "steps": [round(score, 5) for score in test.double().mean(0).tolist()],
        "train": float(train[:, -1].double().mean()),
        "nearest": [round(score, 5) for score in nearest],
        "history": [list(each) for each in state.history], "best step": state.best_step, "stopped": state.stopped,
        "setting": made.setting, "learned": training.learner.describe()["learned"],
        "seconds": round(time.process_time() - began, 1),
    }  # fmt: skip


def _nearest(training: Training, vector: Tensor, count: int) -> list[float]:
    """How well the nearest centroid of a learner's own features, before any adaptation, does on the test tasks."""
    made, source = training.settings, training.source
    centroid = settings_for(
        source.kind, source.input_shape, "centroid", ways=made.ways, shots=made.shots, queries=made.queries,
        encoder=made.design.encoder, statistics=made.design.statistics, pretrain_steps=0,
    )  # fmt: skip
    judge = Learner(centroid, source.kind, source.input_shape)
    phi = training.phi(vector)
    return [float(score[-1]) for score in scores(judge, phi, training.episodes("test", count))]


def _unkept(state: object) -> None:
    """A cell is done in one go."""


def jobs(quick: bool, seeds: int) -> list[tuple[str, str, int, int | None]]:
    """Table, row, training seed, and the number of training classes where it is not all."""
    found: list[tuple[str, str, int, int | None]] = []
    for seed in range(1 if quick else seeds):
        for name, table in tables_of(quick).items():
            found += [(name, row, seed, None) for row in table.rows]
            if not seed:  # the gap is measured with one training seed
                found += [(name, row, seed, size) for row in (MAML, BOTH) for size in table.sizes]
    return found


def key_of(table: str, row: str, seed: int, classes: int | None) -> str:
    """The key of a cell."""
    return f"{table}/{row}/{seed}" + ("" if classes is None else f"/{classes}")


def answers(cells: Mapping[str, Any], quick: bool) -> dict[str, Any]:
    """Both tables with their tests, whether the parts add up, the gap, and what adaptation makes worse."""
    found: dict[str, Any] = {}
    for name, table in tables_of(quick).items():
        known = {row: _seeds(cells, name, row) for row in table.rows}
        known = {row: each for row, each in known.items() if each}
        if not known:
            continue
        found[name] = {
            "rows": _rows(known),
            "order": sorted(known, key=lambda row: _mean(known[row])),
            "parts add up": _sum(known),
            "gap": _gap(cells, name, table),
        }
    return found


def _seeds(cells: Mapping[str, Any], table: str, row: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    while (key := key_of(table, row, len(found), None)) in cells:
        found.append(cells[key])
    return found


def _tasks(known: Sequence[Mapping[str, Any]]) -> np.ndarray[Any, Any]:
    """The score of each test task, averaged over the training seeds."""
    return np.mean([each["scores"] for each in known], axis=0)


def _mean(known: Sequence[Mapping[str, Any]]) -> float:
    return float(_tasks(known).mean())


def _rows(known: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """In points: mean with its interval over tasks, and over seeds; the difference from MAML, paired over tasks."""
    base = known.get(MAML)
    found: dict[str, Any] = {}
    for row, cells in known.items():
        tasks = _tasks(cells)
        test = paired_t(list(100 * tasks))
        means = [100 * float(np.mean(each["scores"])) for each in cells]
        worse = [np.mean(np.array(each["scores"]) < np.array(each["nearest"]) - 1e-9) for each in cells]
        found[row] = {
            "mean": test.mean, "interval": list(test.interval()), "seeds": means,
            "sd over seeds": statistics.stdev(means) if len(means) > 1 else None,
            "setting": cells[0]["setting"], "nearest centroid of its features": 100 * float(
                np.mean([each["nearest"] for each in cells])
            ),
            "tasks worse than that": float(np.mean(worse)), "train": 100 * statistics.fmean(c["train"] for c in cells),
            "stopped": [each["stopped"] for each in cells if each["stopped"]],
            "minutes": round(sum(each["seconds"] for each in cells) / 60, 1),
        }  # fmt: skip
    if base:
        others = [row for row in known if row != MAML]
        tests = {row: paired_t(list(100 * (_tasks(known[row]) - _tasks(base)))) for row in others}
        corrected = holm([tests[row].p_value for row in others])
        for row, p in zip(others, corrected, strict=True):
            low, high = tests[row].interval()
            found[row] |= {
                "over MAML": tests[row].mean, "interval over MAML": [low, high], "p corrected": p,
                "verdict": "tie" if low <= 0 <= high else "better" if low > 0 else "worse",
            }  # fmt: skip
    return found


def _sum(known: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any] | None:
    """Both - optimiser - loss + MAML on the same tasks, in points."""
    if not {MAML, OPTIMISER, LOSS, BOTH} <= set(known):
        return None
    both, optimiser, loss, base = (_tasks(known[row]) for row in (BOTH, OPTIMISER, LOSS, MAML))
    test = paired_t(list(100 * (both - optimiser - loss + base)))
    return {"mean": test.mean, "interval": list(test.interval()), "p": test.p_value, "tasks": len(both)}


def _gap(cells: Mapping[str, Any], name: str, table: Table) -> dict[str, dict[str, float]]:
    """By row and number of training classes, points on tasks of training classes over those of test classes."""
    found: dict[str, dict[str, float]] = {}
    for row in (MAML, BOTH):
        for size in (*table.sizes, None):
            each = cells.get(key_of(name, row, 0, size))
            if each and table.sizes:
                gap = 100 * (each["train"] - float(np.mean(each["scores"])))
                found.setdefault(row, {})["all" if size is None else str(size)] = gap
    return found


def printed(found: Mapping[str, Any]) -> str:
    """The tables as text."""
    lines = []
    for name, said in found.items():
        lines.append(name)
        for row, each in said["rows"].items():
            low, high = each["interval"]
            line = f"  {row:29} {each['mean']:6.2f} ({low:.2f} to {high:.2f})  {each['setting']:12}"
            if "over MAML" in each:
                a, b = each["interval over MAML"]
                line += f" {each['over MAML']:+6.2f} ({a:+.2f} to {b:+.2f})"
                line += f" p {each['p corrected']:.2g} {each['verdict']}"
            lines.append(
                line + f"  train {each['train']:.2f}, worse than centroid {each['tasks worse than that']:.2f}"
            )
        if said["parts add up"]:
            a, b = said["parts add up"]["interval"]
            lines.append(
                f"  both - optimiser - loss + MAML: {said['parts add up']['mean']:+.2f} ({a:+.2f} to {b:+.2f})"
            )
        for row, gaps in said["gap"].items():
            lines.append(
                f"  gap, {row}: " + ", ".join(f"{size} classes {gap:.1f}" for size, gap in gaps.items())
            )
    return "\n".join(lines)


def draw(cells: Mapping[str, Any], found: Mapping[str, Any]) -> Figure:
    """A panel for each table, and the gap against the number of training classes."""
    gaps = {name: said["gap"] for name, said in found.items() if said["gap"]}
    fig, axes = grid(max(1, len(found) + len(gaps)), 4.0, columns=3)
    for ax, (name, said) in zip(axes, found.items(), strict=False):
        _draw_rows(ax, said["rows"])
        ax.set_title(name, fontsize=10)
    for ax, (name, rows) in zip(axes[len(found) :], gaps.items(), strict=False):
        for i, (row, each) in enumerate(rows.items()):
            ax.plot(list(each), list(each.values()), "o-", color=COLOURS[i], label=row)
        ax.set_title(f"{name.split()[0]}: training over test tasks, points", fontsize=9)
        ax.set_xlabel("training classes", fontsize=8)
        ax.legend(fontsize=8, frameon=False)
    return fig


def _draw_rows(ax: Axes, rows: Mapping[str, Any]) -> None:
    for place, each in enumerate(rows.values()):
        ax.plot(each["interval"], [place] * 2, color=BLUE, lw=1.5)
        ax.plot([each["mean"]], [place], "o", color=BLUE, ms=4)
        ax.plot(each["seeds"], [place] * len(each["seeds"]), "|", color=GREY, ms=8)
    if MAML in rows:
        ax.axvline(rows[MAML]["mean"], color=GREY, lw=1, ls=":")
    ax.set_yticks(range(len(rows)), list(rows), fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("accuracy on test tasks, %; bars: 95 % over tasks; ticks: seeds", fontsize=8)


def sizes(parser: argparse.ArgumentParser) -> None:
    """What can be made smaller, and where it is computed."""
    parser.add_argument("--seeds", type=int, default=3, help="of training")
    parser.add_argument("--steps", type=int, default=1000, help="meta-steps")
    parser.add_argument("--pretrain-steps", type=int, default=1000, help="of Adam, before them")
    parser.add_argument("--test-tasks", type=int, default=600, help="episodes of the test classes")
    parser.add_argument("--tables", default="", help="only those whose name begins so")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")


def settings(options: argparse.Namespace) -> Mapping[str, Any]:
    """What every cell depends on."""
    if options.quick:
        return {"meta_steps": 12, "pretrain_steps": 60, "test_tasks": 60, "every": 12, "validation_tasks": 10}
    return {
        "meta_steps": options.steps, "pretrain_steps": options.pretrain_steps, "test_tasks": options.test_tasks,
        "every": max(1, options.steps // 4), "validation_tasks": 100,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Does what has not been done, as long as there is time, and writes figure and data."""
    study, options = Study.lasting("fewshot_ablation", __doc__, arguments, sizes, settings)
    absent = {name: why for name, table in tables_of(study.quick).items() if (why := _missing(table.source))}
    asked = jobs(study.quick, options.seeds)
    for name, row, seed, classes in asked:
        if study.in_time and name not in absent and name.startswith(options.tables):
            table = tables_of(study.quick)[name]
            study.cell(
                key_of(name, row, seed, classes),
                cell,
                table,
                row,
                seed,
                classes,
                study.settings,
                options.device,
            )
    found: dict[str, Any] = answers(study.cells, study.quick)
    print("\n".join([*(f"{name}: left out, {why}" for name, why in absent.items()), printed(found)]))
    missing = [key for job in asked if (key := key_of(*job)) not in study.cells]
    return study.save({"tables": found, "missing": missing, "absent": absent}, draw(study.cells, found))


def _missing(source: str) -> str:
    """Why a source cannot be loaded, or `""`."""
    try:
        load_episodes(source)
    except TaskError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main(sys.argv[1:])

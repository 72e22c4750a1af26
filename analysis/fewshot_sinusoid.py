"""Sine waves from ten points: the error after each inner step, of MAML and of NPBML.

An MLP 1-40-40-1, inner SGD of 0.01 with Nesterov's momentum 0.9, five steps in training, four tasks a meta-step, Adam
at 1e-3; every row sees the same tasks in the same order. Judged on 600 tasks after 0 to 10 inner steps, so that the
steps beyond those of the training are seen too. Two controls: MAML that trains as long as NPBML does (one meta-step of
NPBML takes the time of six of MAML's), and MAML with learned rates, as a learned loss may be a rate in disguise.

Hypothesis: NPBML's error is below MAML's after 1 to 5 steps, and the intervals over tasks do not meet.

python -m analysis.fewshot_sinusoid               # figures/fewshot_sinusoid.json, .png; resumable
python -m analysis.fewshot_sinusoid --quick
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analysis.study import Study
from symloss.compare import paired_t
from symloss.meta.fewshot import Training, settings_for
from symloss.report.style import COLOURS, GREY, figure, legend_outside
from symloss.tasks.episodes import load_episodes

__all__ = ["MAML", "NPBML", "answers", "main"]

MAML, LONGER, RATE, NPBML = "MAML", "MAML, six times as long", "MAML, learned rates", "NPBML"
ROWS: dict[str, tuple[str, tuple[str, ...] | None, int]] = {
    MAML: ("maml", None, 1),
    LONGER: ("maml", None, 6),
    RATE: ("maml", ("init", "rate"), 1),
    NPBML: ("npbml", None, 1),
}
"""Method, parts (its own unless given), and how many times the meta-steps."""
QUICK = (MAML, NPBML)
SHOTS, TRAINED, JUDGED = 10, 5, 10
"""Instances to learn from; inner steps in training and when judged."""


def cell(row: str, seed: int, sizes: Mapping[str, int]) -> dict[str, Any]:
    """One training, and the error of each test task after each inner step."""
    began = time.process_time()
    method, parts, times = ROWS[row]
    source = load_episodes("sinusoid")
    steps = times * sizes["meta_steps"]
    made = settings_for(
        source.kind, source.input_shape, method, shots=SHOTS, parts=parts, meta_steps=steps, inner_steps=TRAINED,
        every=steps // sizes["validations"], validation_tasks=100,
    )  # fmt: skip
    training = Training(source, made, seed)
    state = training.run(training.begin(), keep=_unkept)
    took = time.process_time() - began
    # Chosen by validation after the steps of the training, and judged beyond them.
    longer = replace(made, inner=replace(made.inner, test_steps=JUDGED))
    errors = Training(source, longer, seed).judge(state.best, "test", sizes["test_tasks"])
    return {
        "errors": [[float(f"{error:.4g}") for error in task] for task in errors.tolist()],
        "history": [list(each) for each in state.history], "best step": state.best_step, "stopped": state.stopped,
        "seconds": round(took, 1),
    }  # fmt: skip


def _unkept(state: object) -> None:
    """A cell is done in one go."""


def key_of(row: str, seed: int) -> str:
    """The key of a cell."""
    return f"{row}/{seed}"


def answers(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Mean errors with intervals over tasks and over seeds, and where NPBML is below MAML."""
    known = {row: each for row in ROWS if (each := _seeds(cells, row))}
    found: dict[str, Any] = {"rows": {row: _row(each) for row, each in known.items()}}
    if {MAML, NPBML} <= set(known):
        base, other = (_tasks(known[row]) for row in (MAML, NPBML))
        tests = [paired_t([float(gap) for gap in (other - base)[:, step]]) for step in range(1, TRAINED + 1)]
        rows = [found["rows"][row]["interval over tasks"] for row in (NPBML, MAML)]
        found["NPBML minus MAML after 1 to 5 steps"] = [
            {"mean": test.mean, "interval": list(test.interval())} for test in tests
        ]
        found["NPBML is below MAML, intervals apart, after steps"] = [
            step for step in range(JUDGED + 1) if rows[0][step][1] < rows[1][step][0]
        ]
    return found


def _seeds(cells: Mapping[str, Any], row: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    while (key := key_of(row, len(found))) in cells:
        found.append(cells[key])
    return found


def _tasks(known: Sequence[Mapping[str, Any]]) -> np.ndarray[Any, Any]:
    """The error of each task after each step, averaged over the training seeds, `[tasks, steps + 1]`."""
    return np.mean([each["errors"] for each in known], axis=0)


def _row(known: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    tasks = _tasks(known)
    over_tasks = [paired_t([float(error) for error in column]) for column in tasks.T]
    means = [np.mean(each["errors"], axis=0) for each in known]
    over_seeds = [paired_t([float(mean[step]) for mean in means]) for step in range(JUDGED + 1)]
    return {
        "mean": [round(test.mean, 4) for test in over_tasks],
        "interval over tasks": [[round(end, 4) for end in test.interval()] for test in over_tasks],
        "interval over seeds": (
            [[round(end, 4) for end in test.interval()] for test in over_seeds] if len(known) > 1 else None
        ),
        "median": [round(float(each), 4) for each in np.median(tasks, axis=0)],
        "after 5 steps over before": round(over_tasks[TRAINED].mean / over_tasks[0].mean, 3),
        "seeds": len(known), "stopped": [each["stopped"] for each in known if each["stopped"]],
        "seconds of a training": round(statistics.median(each["seconds"] for each in known), 1),
    }  # fmt: skip


def printed(found: Mapping[str, Any]) -> str:
    """The table as text."""
    lines = ["squared error after inner steps " + ", ".join(map(str, range(JUDGED + 1)))]
    for row, each in found["rows"].items():
        lines.append(f"  {row:24} " + " ".join(f"{mean:6.3f}" for mean in each["mean"]))
        halves = [(high - low) / 2 for low, high in each["interval over tasks"]]
        lines.append(f"  {'':22}+- " + " ".join(f"{half:6.3f}" for half in halves))
        lines.append(
            f"  {'':24} after 5 steps {each['after 5 steps over before']} of the error before; "
            f"{each['seeds']} seeds, {each['seconds of a training']} s each"
        )
    if len(found) > 1:
        lines.append(
            f"NPBML is below MAML after steps {found['NPBML is below MAML, intervals apart, after steps']}"
        )
    return "\n".join(lines)


def draw(cells: Mapping[str, Any], found: Mapping[str, Any]) -> Figure:
    """The error against inner steps, and against the time of training."""
    fig, axes = figure(panels=2, height=4.0)
    for colour, mark, (row, each) in zip(COLOURS, "osD^", found["rows"].items(), strict=False):
        steps = range(JUDGED + 1)
        low, high = zip(*each["interval over tasks"], strict=True)
        axes[0].plot(steps, each["mean"], f"{mark}-", color=colour, ms=4, label=row)
        axes[0].fill_between(steps, low, high, color=colour, alpha=0.2, lw=0)
        for seed in _seeds(cells, row):
            at, errors = zip(*seed["history"], strict=True)
            seconds = [max(step, 1) / at[-1] * seed["seconds"] for step in at[1:]]
            axes[1].plot(seconds, errors[1:], f"{mark}-", color=colour, ms=3, lw=1)
    axes[0].axvline(TRAINED, color=GREY, lw=1, ls=":")
    axes[0].set_xlabel("inner steps; dotted: as many as in training")
    axes[0].set_ylabel("squared error; bands: 95 % over tasks")
    axes[1].set_xlabel("CPU seconds of training; a line for each seed")
    axes[1].set_xscale("log")
    axes[1].set_ylabel("squared error on validation tasks")
    for ax in axes:
        ax.set_yscale("log")
    legend_outside(fig, axes)
    return fig


def sizes(parser: argparse.ArgumentParser) -> None:
    """What can be made smaller."""
    parser.add_argument("--seeds", type=int, default=3, help="of training")


def settings(options: argparse.Namespace) -> Mapping[str, Any]:
    """What every cell depends on."""
    if options.quick:
        return {"meta_steps": 60, "test_tasks": 100, "validations": 2}
    return {"meta_steps": 1_000, "test_tasks": 600, "validations": 10}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Does what has not been done, as long as there is time, and writes figure and data."""
    study, options = Study.lasting("fewshot_sinusoid", __doc__, arguments, sizes, settings)
    for seed in range(1 if study.quick else options.seeds):
        for row in QUICK if study.quick else ROWS:
            if study.in_time:
                study.cell(key_of(row, seed), cell, row, seed, study.settings)
    found = answers(study.cells)
    print(printed(found))
    return study.save(found, draw(study.cells, found))


if __name__ == "__main__":
    main(sys.argv[1:])

"""Outliers: does a regression loss that was discovered with outliers keep up with robust losses that have a name?

One search on diabetes with 10 % outliers, then the formula unchanged beside squared and absolute error, Huber's,
log-cosh, Cauchy's and Barron's loss, all tuned alike (`symloss.compare`: learning rate, steps and their own parameters,
on validation rows with outliers), measured on clean test rows. Data: diabetes, boston, california, communities; a share
R of 0, 0.05, 0.1 and 0.2 of the training and validation targets is shifted by five standard deviations, up or down.
Perceptron 2 x 64.

Hypothesis, written before the study was run: with outliers (R > 0) the discovered loss has a lower squared error on
clean test rows than tuned squared error (Holm's correction over these cells, diabetes apart: it was searched there),
and is not inferior to the best of the tuned losses with a name by more than 2 % of its error.

    python -m analysis.outliers --seeds 1 --steps 200      # figures/outliers.json and .png; resumable
    python -m analysis.outliers --quick
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.figure import Figure

import symloss as sl
from analysis.comparison_figures import draw_gains
from analysis.comparisons import MODEL, ComparisonStudy, Sizes
from analysis.judgements import Cell, over_both, transferred
from symloss.tasks import SupervisedTask

HOME = "diabetes"
"""Where the loss is searched."""
TASKS = ("boston", "communities", "california", HOME)
SHARES = (0.1, 0.2, 0.05, 0.0)
ORDINARY = "squared error"
ROBUST = ("mae", "huber", "log-cosh", "cauchy", "barron")


def key_of(name: str, share: float) -> str:
    """The key of a cell."""
    return f"{name}, {share:g}"


def task_of(name: str, share: float, sizes: Sizes) -> SupervisedTask:
    """The task with outliers."""
    return sizes.of(sl.load_task(name, outliers=share, model=MODEL))


def answers(found: Mapping[str, Cell]) -> dict[str, Any]:
    """The hypothesis, cell by cell, and how often it holds."""
    keys = [key_of(name, share) for share in SHARES if share for name in TASKS if name != HOME]
    return transferred(found, keys, ("mse", ORDINARY), ROBUST, "mean squared error")


def draw(found: Mapping[str, Cell]) -> Figure:
    """By share and task, what the discovered loss saves beside squared error and the hardest of the others."""
    over, hardest = over_both(answers(found), ORDINARY)
    panels: dict[str, dict[str, Any]] = {}
    for key in (key for key, cell in found.items() if "rows" in cell):
        name, share = key.split(", ")
        panels.setdefault(share, {})[name] = (over.get(key), hardest.get(key))
    ordered = {f"{float(share):.0%} outliers": panels[share] for share in sorted(panels)}
    names = (
        "beside tuned squared error, 95 %",
        "beside the hardest tuned loss with a name, lower end of 90 %",
    )
    return draw_gains(ordered, names, "clean test MSE saved")


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs what has not been run, and writes figure and data."""
    study = ComparisonStudy.start("outliers", __doc__, arguments, Sizes(splits=1, seeds=1, steps=60))
    if study.quick:
        study.given = study.given or "tanh(abs(y - p))"
    formula = study.search(partial(task_of, HOME, 0.1, Sizes()), seed=0)
    losses = {name: name for name in (("mae",) if study.quick else ROBUST)} | {"discovered": formula}
    for share in (0.2,) if study.quick else SHARES:
        for name in (HOME,) if study.quick else TASKS:
            if study.wants(name):
                study.compare(key_of(name, share), partial(task_of, name, share, study.sizes), losses)
    return study.finish(answers(study.cells), draw)


if __name__ == "__main__":
    main(sys.argv[1:])

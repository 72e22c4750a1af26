"""What does a guarantee cost, and where does it pay? The best proper, symmetric, calibrated and free loss of a search.

Four searches of one size, one of them free and three inside a theorem (`symloss discover --inside`), each begun
anew inside every split on its training and validation rows; then the four picks and cross-entropy are tuned alike
and measured on clean test rows (`symloss.compare` with `symloss.Searched`). No search knows the zoo or breeds from
it: what is compared is what can be found. Tasks: digits, the KEEL set letter and Fashion-MNIST (10,000 images to
train), at symmetric label noise 0, 0.2, 0.4 and 0.6; perceptron 2 x 64. Cells: digits first, then letter, then
images.

Hypothesis, written before the study was run. *Cost*: without noise the symmetric loss is worse than the free one,
the proper and the calibrated one are not (their grammars hold cross-entropy). *Pay*: at noise 0.4 and 0.6 the
symmetric loss is better than the proper one, and not worse than the free one: a free search has to find robustness
in noisy validation rows, a symmetric loss has it. The probabilities of a proper loss are those of the noisy labels:
negative log-likelihood and calibration error on clean test rows stand beside accuracy. Of what each search picks,
certificates say which properties it happens to have. Each pair is judged over the cells by paired t tests over
splits, corrected for their overlap, with Holm's correction; below ten splits there are intervals and no verdict.

Budget of a search: three generations of twelve candidates, 50 meta-steps each, three finalists beside the front,
six final blocks, for every arm; what it spent stands in the data.

    python -m analysis.price_of_a_property --tasks digits --splits 4 --seeds 2 --minutes 45
    python -m analysis.price_of_a_property --quick    # figures/price_of_a_property.json and .png; resumable
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.figure import Figure

import symloss as sl
from analysis.comparison_figures import grid
from analysis.comparisons import MODEL, ComparisonStudy, Sizes
from analysis.judgements import Cell, judged, row_of
from symloss.report.style import BLUE, GREEN, GREY, VERMILION, legend_outside
from symloss.runs import derive
from symloss.search import inside_of
from symloss.search.propose.inside.prove import verdict_of
from symloss.tasks import SupervisedTask, thinned

TASKS = ("digits", "keel:letter", "fashion-mnist")
NOISE = (0.0, 0.2, 0.4, 0.6)
ARMS = ("free", "proper", "symmetric", "calibrated")
PROPERTIES = ARMS[1:]
PAIRS = (("symmetric", "free"), ("proper", "free"), ("calibrated", "free"), ("symmetric", "proper"))
"""Of the hypothesis: what is gained by the first over the second."""
FASHION = 10_000
"""Images to train with: the official training part is cut into 54,000 to train and 6,000 to validate."""
SEARCH: dict[str, Any] = {
    "population": 12, "generations": 3, "headroom": False, "screening": {"sample": 0}, "rates": {"neighbours": 0.0},
    "blocks": {"zoo": False, "finalists": 3, "final": 6},
}  # fmt: skip
SMALL: dict[str, Any] = {
    **SEARCH, "population": 4, "generations": 1, "tuning": {"steps": 2, "tidy": False},
    "blocks": {"zoo": False, "settle": False, "finalists": 1, "final": 2},
}  # fmt: skip
"""Of the short form."""


def key_of(name: str, noise: float) -> str:
    """The key of a cell."""
    return f"{name}, {noise:g}"


def task_of(name: str, noise: float, model: str, sizes: Sizes) -> SupervisedTask:
    """The task with symmetric noise."""
    task = sizes.of(sl.load_task(name, label_noise=noise, model=model))
    if name == "fashion-mnist":
        thin = thinned(task, FASHION / len(task.train), derive(0, "images"))
        assert isinstance(thin, SupervisedTask)
        return thin
    return task


def searches(*, quick: bool = False, **size: int) -> dict[str, sl.Searched]:
    """The arms: the same search, free and inside a theorem.

    Args:
        quick: in the short form, which has two of them.
        size: population and generations, where they are others.
    """
    settings = {**(SMALL if quick else SEARCH), **size}
    names = ("free", "symmetric") if quick else ARMS
    return {
        name: sl.Searched("evomal", **settings, **({} if name == "free" else {"inside": name}))
        for name in names
    }


def cells(quick: bool) -> Iterator[tuple[str, float]]:
    """Task and noise."""
    if quick:
        yield "digits", 0.6
        return
    yield from ((name, noise) for name in TASKS for noise in NOISE)


def properties_of(formulas: Mapping[str, int], classes: int) -> dict[str, dict[str, int]]:
    """By property, of how many picks a certificate proves, refutes or leaves it.

    Args:
        formulas: each with the number of splits in which it was picked.
        classes: of the task.
    """
    found: dict[str, dict[str, int]] = {}
    for name in PROPERTIES:
        inside = inside_of([name], "classification")
        assert inside is not None
        counts = dict.fromkeys(("proved", "refuted", "unknown"), 0)
        for text, times in formulas.items():
            counts[verdict_of(sl.parse(text), inside, classes)] += times
        found[name] = counts
    return found


def answers(found: Mapping[str, Cell], classes: Mapping[str, int]) -> dict[str, Any]:
    """What was gained by each pair, cell by cell; scores, costs and formulas; what the picks have been proved to be."""
    compared = {key: cell for key, cell in found.items() if "rows" in cell}
    table: dict[str, Any] = {}
    for key, cell in compared.items():
        rows = {name: row_of(cell, name) for name in ("ce", *ARMS)}
        table[key] = {
            name: {
                "accuracy": row["mean"], **row["metrics"], "search steps": row["cost"]["search_steps"],
                "candidates": row["cost"]["candidates"], "formulas": row["chosen"],
            }
            for name, row in rows.items()
            if row is not None
        }  # fmt: skip
    picks: dict[str, Any] = {}
    for key in table:
        count = classes.get(key.split(", ")[0])
        for name in ARMS:
            if name in table[key] and count is not None:
                picks.setdefault(name, {})[key] = properties_of(table[key][name]["formulas"], count)
    return {
        "table": table,
        "gains": {
            f"{ours} over {theirs}": judged(compared, ours, theirs)
            for ours, theirs in (*PAIRS, *((name, "ce") for name in ARMS))
        },
        "picks by certificate": picks,
    }


def draw(found: Mapping[str, Cell]) -> Figure:
    """By task, against label noise: the gain of each tuned pick over tuned cross-entropy, with its interval."""
    compared = {key: cell for key, cell in found.items() if "rows" in cell}
    tasks = list(dict.fromkeys(key.split(", ")[0] for key in compared))
    fig, axes = grid(len(tasks), 3.6)
    colours = dict(zip(ARMS, (GREY, BLUE, VERMILION, GREEN), strict=True))
    for ax, name in zip(axes, tasks, strict=True):
        for place, arm in enumerate(ARMS):
            over = judged({k: c for k, c in compared.items() if k.startswith(f"{name}, ")}, arm, "ce")
            for key, each in over.items():
                x = float(key.split(", ")[1]) + 0.015 * (place - 1.5)
                low, high = (100 * end for end in each["interval"])
                if low == low:  # no interval from one split
                    ax.plot([x, x], [low, high], color=colours[arm], lw=1.4)
                ax.plot([x], [100 * each["gain"]], "o", color=colours[arm], ms=4, label=arm)
        ax.axhline(0, color=GREY, lw=1, zorder=0)
        ax.set(title=name.removeprefix("keel:"), xlabel="label noise", xticks=NOISE)
        ax.set_ylabel("points of clean test accuracy\nover tuned cross-entropy, 95 %")
    legend_outside(fig, axes)
    return fig


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs what has not been run, and writes figure and data."""
    study = ComparisonStudy.start(
        "price_of_a_property", __doc__, arguments, Sizes(splits=2, seeds=1, steps=80)
    )
    arms = searches(quick=study.quick)
    classes: dict[str, int] = {}
    for name, noise in cells(study.quick):
        if not study.wants(name):
            continue
        model = "linear" if study.quick else MODEL
        study.compare(key_of(name, noise), partial(task_of, name, noise, model, study.sizes), arms)
        classes.setdefault(name, {"digits": 10, "keel:letter": 26, "fashion-mnist": 10}[name])
    return study.finish(answers(study.cells, classes), draw)


if __name__ == "__main__":
    main(sys.argv[1:])

"""How much of what a loss gains is its shape, and how much a learning rate in disguise?

Losses with a name, multiples of the ordinary loss, and losses that earlier studies discovered (picks without a name in
`figures/noisy_digits.json`, `pipelines.json` and `selection.json`) are compared with the ordinary loss under four
treatments of `symloss.compare`: as they are, divided by their null-epoch gradient scale, with the learning rate alone
tuned, and with learning rate, steps and their own parameters tuned; the ordinary loss under the same. Data: diabetes,
and digits with 40 % label noise, where the discovered losses come from, which flatters them; then boston, optdigits
with 40 % label noise, and california. Convergence is the area under the validation curve and the steps to nine tenths
of the ordinary loss's way; sample efficiency the same comparison on 5 to 100 % of the rows of boston and optdigits, on
which no loss was searched.

Hypothesis, written before the study was run: of the gains that losses show as they are, more than half are explained
by the learning rate or by early stopping (`explained_by`: the gain shrinks under the control by more than chance, and
none above the margin is left).

    python -m analysis.implicit_learning_rate --seeds 1    # figures/implicit_learning_rate.json and .png; resumable
    python -m analysis.implicit_learning_rate --quick
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.figure import Figure

import symloss as sl
from analysis.comparison_figures import grid
from analysis.comparisons import MODEL, ComparisonStudy, Sizes
from analysis.judgements import Cell, gains
from analysis.study import FIGURES
from symloss.report.style import BLACK, COLOURS, GREY, legend_outside
from symloss.tasks import SupervisedTask
from symloss.zoo import names

TREATMENTS = ("as is", "normalised", "learning rate only", "tuned")
ZOO = {
    "regression": ("mae", "huber", "log-cosh", "cauchy"),
    "classification": ("brier", "focal", "lsr", "gce", "sce"),
}
MULTIPLES = {
    "regression": {"0.2 mse": "0.2*(y - p)**2", "5 mse": "5*(y - p)**2"},
    "classification": {"0.2 ce": "-0.2*y*log(p)", "5 ce": "-5*y*log(p)"},
}
NOISE = 0.4
TASKS = {
    "diabetes": "regression", "digits": "classification", "boston": "regression", "keel:optdigits": "classification",
    "california": "regression",
}  # fmt: skip
FRACTIONS = (0.05, 0.1, 0.25, 0.5, 1.0)
FEW = {"regression": ("huber", "discovered 1"), "classification": ("sce", "discovered 1")}
"""On shares of the rows, beside the ordinary loss: five times the trainings for each."""
SAMPLED = ("boston", "keel:optdigits")
DISCOVERED = 2
"""Of each kind, the first that the earlier studies hold."""


def stored(kind: str) -> dict[str, str]:
    """Losses that earlier studies discovered and that have no name, by name here."""
    found: list[str] = []
    if kind == "classification":
        noisy = json.loads((FIGURES / "noisy_digits.json").read_text())
        found += [rows["discovered"]["loss"] for rows in noisy["seeds"].values()]
    else:
        pipelines = json.loads((FIGURES / "pipelines.json").read_text())
        keys = [
            key for key in pipelines["cells"] if key.startswith("diabetes/") and not key.endswith("before")
        ]
        found += [pipelines["cells"][key]["pick"]["loss"] for key in keys]
        selection = json.loads((FIGURES / "selection.json").read_text())
        found += [row["pick_formula"] for row in selection["rows"] if row["task"] == "diabetes"]
    new = [text for text in dict.fromkeys(found) if text.partition("(")[0] not in names(kind)]
    return {f"discovered {i}": text for i, text in enumerate(new[:DISCOVERED], 1)}


def losses_of(kind: str) -> dict[str, str]:
    """The losses that are compared, by name."""
    return {**MULTIPLES[kind], **{name: name for name in ZOO[kind]}, **stored(kind)}


def task_of(name: str, sizes: Sizes) -> SupervisedTask:
    """The task, its labels noisy where it has labels."""
    noise = NOISE if TASKS[name] == "classification" else 0.0
    return sizes.of(sl.load_task(name, label_noise=noise, model=MODEL))


def controls(cell: Cell) -> dict[str, dict[str, Any]]:
    """By loss, its gain over the ordinary loss under each treatment, and what the comparison says of it."""
    ordinary = cell["rows"][0]["name"]
    rows = {(row["name"], row["treatment"]): row for row in cell["rows"] if row["fraction"] == 1}
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(name for name, _ in rows):
        if name == ordinary or (name, "as is") not in rows:
            continue
        gained = {}
        for treatment in TREATMENTS:
            # The scale of the ordinary loss is 1: normalised it is what it is.
            against = "as is" if treatment == "normalised" else treatment
            values = gains(cell, name, ordinary, treatment, against=against)
            gained[treatment] = statistics.fmean(values) if values else None
        as_is = rows[name, "as is"]
        found[name] = {
            "loss": as_is["loss"], "gains": gained, "as is": as_is["verdict"],
            "explained by": as_is["explained_by"], "tuned": rows.get((name, "tuned"), {}).get("verdict"),
            "area": {each: rows[name, each]["area"] for each in TREATMENTS if (name, each) in rows},
            "steps to target": {
                each: rows[name, each]["steps_to_target"] for each in TREATMENTS if (name, each) in rows
            },
        }  # fmt: skip
    return found


def answers(found: Mapping[str, Cell]) -> dict[str, Any]:
    """How many gains there are as is, what explains them, and what is left of them."""
    tables = {key: controls(cell) for key, cell in found.items() if key.startswith("controls")}
    every = [each for table in tables.values() for each in table.values()]
    better = [each for each in every if each["as is"] == "better"]
    kept = [each for each in better if each["tuned"] == "better"]
    shares = [
        each["gains"]["tuned"] / each["gains"]["as is"]
        for each in better
        if each["gains"]["tuned"] is not None
    ]
    return {
        "losses and tasks": len(every),
        "better as is": len(better),
        "of these explained by the learning rate": sum(e["explained by"] == "learning rate" for e in better),
        "of these explained by early stopping": sum(e["explained by"] == "early stopping" for e in better),
        "of these better tuned, too": len(kept),
        "worse as is": sum(each["as is"] == "worse" for each in every),
        "better tuned that were not as is": sum(
            each["tuned"] == "better" and each["as is"] != "better" for each in every
        ),
        "median share of the gain that is left when tuned": statistics.median(shares) if shares else None,
        "controls": tables,
        "sample efficiency, tuned": {
            key: {
                row["name"]: {
                    str(each["fraction"]): each["mean"]
                    for each in cell["rows"]
                    if (each["name"], each["treatment"]) == (row["name"], "tuned")
                }
                for row in cell["rows"]
            }
            for key, cell in found.items()
            if key.startswith("samples")
        },
    }


def draw(found: Mapping[str, Cell]) -> Figure:
    """By task, what losses gain under each treatment; and the tuned metric against the share of the rows."""
    cells = {key: cell for key, cell in found.items() if "rows" in cell}
    fig, axes = grid(len(cells), 3.6, columns=4)
    for ax, (key, cell) in zip(axes, cells.items(), strict=True):
        ax.set_title(key, fontsize=10)
        if key.startswith("samples"):
            _curves(ax, cell)
            continue
        table = controls(cell)
        for place, each in enumerate(table.values()):
            known = [(t, each["gains"][t]) for t in TREATMENTS if each["gains"][t] is not None]
            ax.plot([value for _, value in known], [place] * len(known), color=GREY, lw=0.8, zorder=0)
            for treatment, value in known:
                colour = COLOURS[TREATMENTS.index(treatment)]
                ax.plot([value], [place], "o", color=colour, ms=6, alpha=0.85, label=treatment)
        ax.axvline(0, color=BLACK, lw=1, zorder=0)
        ax.set_yticks(range(len(table)), list(table), fontsize=8)
        ax.invert_yaxis()
        what = "test MSE saved" if cell["metric"] == "mse" else f"test {cell['metric']} gained"
        ax.set_xlabel(f"{what} beside the ordinary loss", fontsize=8)
    legend_outside(fig, axes)
    return fig


def _curves(ax: Any, cell: Cell) -> None:
    rows = [row for row in cell["rows"] if row["treatment"] == "tuned" and row["mean"] is not None]
    for place, name in enumerate(dict.fromkeys(row["name"] for row in rows)):
        line = sorted((row["fraction"], row["mean"]) for row in rows if row["name"] == name)
        style = ("-", "--", ":", "-.")[place % 4]
        ax.plot(*zip(*line, strict=True), style, marker="s", ms=4, color=COLOURS[-1 - place], label=name)
    ax.set_xscale("log")
    ax.set_xlabel("share of the training and validation rows", fontsize=8)
    ax.set_ylabel(f"test {cell['metric']}, tuned", fontsize=8)


def cells(quick: bool) -> Iterator[tuple[str, str]]:
    """What is asked of which task: controls first, those that were foreseen first."""
    yield from (("controls", name) for name in (("diabetes",) if quick else TASKS))
    yield from (("samples", name) for name in (() if quick else SAMPLED))


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs what has not been run, and writes figure and data."""
    quick = Sizes(splits=10, seeds=1, steps=300)
    study = ComparisonStudy.start("implicit_learning_rate", __doc__, arguments, quick)
    for what, name in cells(study.quick):
        if not study.wants(name):
            continue
        losses = losses_of(TASKS[name])
        options: dict[str, Any] = {}
        if study.quick:
            # Untuned, the control is the null-epoch scale.
            losses, options = {"0.2 mse": MULTIPLES["regression"]["0.2 mse"]}, {"tune": False}
        if what == "samples":
            losses = {each: losses[each] for each in FEW[TASKS[name]]}
            options = {"fractions": list(FRACTIONS)}
        study.compare(f"{what}, {name}", partial(task_of, name, study.sizes), losses, **options)
    return study.finish(answers(study.cells), draw)


if __name__ == "__main__":
    main(sys.argv[1:])

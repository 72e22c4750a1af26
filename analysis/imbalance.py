"""Imbalanced classes: do losses that know the class shares (`pi`) help, and does one that a search finds help more?

KEEL's imbalanced sets, measured by balanced accuracy: cross-entropy, cross-entropy weighted by `1/pi` and by
`1/sqrt(pi)`, focal loss, weighted focal loss, GCE, and a loss that one search on page-blocks0 found with `pi` among its
symbols and weighted cross-entropy among its seeds, used unchanged on the others. All are tuned alike by balanced
accuracy (`symloss.compare`: learning rate, steps and their own parameters). Perceptron 2 x 64. The sets are the 22 of
KEEL's in which the rarest class has at least 40 rows and the largest eight times as many: first one of each origin,
then those that were cut from the same data as another and share rows with it.

Hypothesis, written before the study was run: cross-entropy weighted by `1/pi` is better than cross-entropy, both
tuned, in balanced accuracy (Holm's correction over the sets; Wilcoxon's test over the sets of different origin). Second
question, on the sets that are not the search's: is the discovered loss not inferior to the best of the others by more
than one point?

    python -m analysis.imbalance --seeds 1 --steps 200     # figures/imbalance.json and .png; resumable
    python -m analysis.imbalance --quick
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
from analysis.judgements import Cell, judged, not_inferior
from symloss.compare import wilcoxon_p
from symloss.tasks import SupervisedTask

HOME = "keel:page-blocks0"
"""Where the loss is searched."""
WEIGHTED = "weighted ce"
LOSSES = {
    WEIGHTED: "-y*log(p)/pi",
    "root-weighted ce": "-y*log(p)/sqrt(pi)",
    "focal": "focal",
    "weighted focal": "-y*(1 - p)**2*log(p)/pi",
    "gce": "gce",
}
ORIGINS = tuple(f"keel:{name}" for name in (
    "page-blocks0", "yeast3", "kr-vs-k-zero-one_vs_draw", "vowel0", "car-good", "abalone-17_vs_7-8-9-10",
    "winequality-red-4", "shuttle-c0-vs-c4", "kddcup-guess_passwd_vs_satan", "flare-F",
))  # fmt: skip
"""Sets without a row in common."""
TASKS = ORIGINS + tuple(f"keel:{name}" for name in (
    "yeast-0-2-5-7-9_vs_3-6-8", "yeast-0-2-5-6_vs_3-7-8-9", "kr-vs-k-three_vs_eleven", "kr-vs-k-one_vs_fifteen",
    "car-vgood", "yeast4", "yeast-0-5-6-7-9_vs_4", "yeast-2_vs_4", "yeast-0-3-5-9_vs_7-8", "shuttle-2_vs_5", "yeast5",
    "abalone9-18",
))  # fmt: skip
QUICK = "digits"
"""In the short form: bundled, its classes thinned out to 30 to 1."""


def task_of(name: str, sizes: Sizes, model: str = MODEL) -> SupervisedTask:
    """The task, judged by balanced accuracy."""
    ratio = 30.0 if name == QUICK else None
    return sizes.of(sl.load_task(name, imbalance=ratio, metric="balanced-accuracy", model=model))


def answers(found: Mapping[str, Cell]) -> dict[str, Any]:
    """The hypothesis, set by set and over the sets, and the second question."""
    compared = {key: cell for key, cell in found.items() if "rows" in cell}
    elsewhere = {key: cell for key, cell in compared.items() if key != HOME}
    better = judged(compared, WEIGHTED, "ce")
    verdicts = [each["verdict"] for each in better.values()]
    own = [better[key]["gain"] for key in ORIGINS if key in better]
    ours = judged(elsewhere, "discovered", "ce")
    zoo = not_inferior(elsewhere, "discovered", ["ce", *LOSSES])
    return {
        "discovered": found.get("search"),
        "sets": len(compared),
        "weighted cross-entropy better than tuned cross-entropy on": verdicts.count("better"),
        "worse on": verdicts.count("worse"),
        "Wilcoxon's p over sets of different origin": wilcoxon_p(own) if own else None,
        "sets of different origin": len(own),
        "discovered not inferior to the best of the others on": sum(each["holds"] for each in zoo.values()),
        "of": len(zoo),
        "weighted cross-entropy against cross-entropy": better,
        "exploratory, discovered against cross-entropy": ours,
        "discovered against the best of the others": zoo,
        "mean balanced accuracy, tuned": {
            key: {row["name"]: row["mean"] for row in cell["rows"] if row["treatment"] == "tuned"}
            for key, cell in compared.items()
        },
    }


def draw(found: Mapping[str, Cell]) -> Figure:
    """By set, the gain of weighted cross-entropy over cross-entropy, and of the discovered loss over the others."""
    said = answers(found)
    keys = [key for key, cell in found.items() if "rows" in cell]
    weighted = said["weighted cross-entropy against cross-entropy"]
    over, hardest = (
        said[key]
        for key in (
            "exploratory, discovered against cross-entropy",
            "discovered against the best of the others",
        )
    )
    panels = {
        "weighted cross-entropy": {key.removeprefix("keel:"): (weighted.get(key), None) for key in keys},
        "the discovered loss": {key.removeprefix("keel:"): (over.get(key), hardest.get(key)) for key in keys},
    }
    names = ("over tuned cross-entropy, 95 %", "over the hardest of the others, lower end of 90 %")
    return draw_gains(panels, names, "points of balanced accuracy", unit=100)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs what has not been run, and writes figure and data."""
    study = ComparisonStudy.start("imbalance", __doc__, arguments, Sizes(splits=1, seeds=1, steps=30))
    if study.quick:
        # Its search is that of analysis.label_noise with two options more.
        study.given = study.given or "-y*log(p)/pi - p*(1 - y)"
    try:
        formula = study.search(
            partial(task_of, HOME, Sizes()), seed=0, extra_symbols=["pi"], seed_losses=[LOSSES[WEIGHTED]]
        )
    except sl.SymlossError as error:  # without KEEL's sets there is nothing to do
        raise SystemExit(f"imbalance: {error}") from None
    losses = {WEIGHTED: LOSSES[WEIGHTED]} if study.quick else dict(LOSSES)
    for name in (QUICK,) if study.quick else TASKS:
        if study.wants(name):
            study.compare(name, partial(task_of, name, study.sizes), {**losses, "discovered": formula})
    return study.finish(answers(study.cells), draw)


if __name__ == "__main__":
    main(sys.argv[1:])

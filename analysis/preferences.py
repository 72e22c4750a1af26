"""Preferences: which loss of a margin learns best from pairs, some of them flipped, and which finding goes with it?

Pairs of rows of diabetes, digits and california, the one with the higher target preferred, a share of 0, 0.2 and 0.4 of
the training and validation pairs flipped; measured by the share of clean pairs of unseen rows that are ranked right.
Logistic (DPO's loss), hinge (SLiC), IPO, Savage, DiscoPOP, conservative and robust DPO with their own parameters, and a
loss that a search finds anew inside every split, all tuned alike (`symloss.compare`: learning rate, steps, parameters,
on flipped validation pairs). Splits and bootstraps are of rows, since pairs that share a row are dependent. Perceptron
2 x 64.

Hypotheses, written before the study was run:

1. With pairs that nobody flipped no loss is better than tuned logistic.
2. With 40 % flipped some loss is (Holm's correction over all losses and cells): one that forgets pairs that are badly
   wrong (certificate `redescending`), or one that knows the rate (rdpo, cdpo).
3. The searched loss is not inferior to the best loss with a name by more than a point.

    python -m analysis.preferences --steps 30 --seeds 1   # the reduced form, an hour and a half of one core; resumable
    python -m analysis.preferences                        # 500 steps, three starts
    python -m analysis.preferences --quick
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

from matplotlib.figure import Figure

import symloss as sl
from analysis.comparison_figures import grid
from analysis.comparisons import MODEL, ComparisonStudy, Sizes
from analysis.judgements import Cell, judged, not_inferior, row_of
from symloss.compare import holm
from symloss.report.style import BLUE, GREEN, GREY, VERMILION, legend_outside
from symloss.tasks import SupervisedTask

TASKS = ("diabetes", "digits", "california")
FLIPS = (0.0, 0.2, 0.4)
ORDINARY = "logistic"
RIVALS = ("hinge", "ipo", "savage", "discopop", "cdpo", "rdpo")
SEARCHED = "searched"
SEARCH = sl.Searched("evomal", population=10, generations=3, tuning={"steps": 20}, blocks={"final": 4})
FINDINGS = (
    "trainable_at_start", "convex", "decreasing", "bounded_above", "lipschitz", "symmetric_noise_robust",
    "redescending", "link",
)  # fmt: skip
"""What may go with a gain."""
_COLOURS = dict(zip(FLIPS, (BLUE, GREEN, VERMILION), strict=True))


def key_of(name: str, flips: float) -> str:
    """The key of a cell."""
    return f"{name}, {flips:g}"


def task_of(name: str, flips: float, sizes: Sizes) -> SupervisedTask:
    """The pairs of a table."""
    return sizes.of(sl.load_task(f"pairs:{name}", label_noise=flips, model=MODEL))


@cache
def verdicts_of(text: str) -> dict[str, str]:
    """What is proved and refuted of a loss of the zoo, or a formula."""
    loss = sl.named(text) if text in sl.names("margin") else sl.parse(text, kind="margin")
    findings = sl.analyze(loss, only=FINDINGS).findings
    return {key: finding.verdict for key, finding in findings.items()}


def against_logistic(cells: Mapping[str, Cell]) -> dict[str, dict[str, Any]]:
    """By loss and cell, the gain of a tuned loss over tuned logistic; one correction over all of them."""
    found = {name: judged(cells, name, ORDINARY) for name in (*RIVALS, SEARCHED)}
    every = [each for of_loss in found.values() for each in of_loss.values()]
    for each, p in zip(every, holm([each["p"] for each in every]), strict=True):
        each["p over all"] = p
    return found


def beyond_chance(found: Mapping[str, Mapping[str, Any]], sign: int) -> Iterator[str]:
    """Losses and cells with a gain (or loss) that the correction over all of them leaves."""
    for name, of_loss in found.items():
        for key, each in of_loss.items():
            if each["p over all"] < 0.05 and sign * each["gain"] > 0:
                yield f"{name} on {key}"


def by_finding(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By share of flips and finding, the mean gain of the losses that have it and of those that have not."""
    said: dict[str, dict[str, Any]] = {}
    for flips in FLIPS:
        gains = [
            (verdicts_of(name), each["gain"])
            for name in RIVALS
            for key, each in found[name].items()
            if key.endswith(f", {flips:g}")
        ]
        if gains:
            said[f"{flips:g}"] = {
                key: {
                    verdict: statistics.fmean(values)
                    for verdict in ("proved", "refuted")
                    if (values := [gain for verdicts, gain in gains if verdicts[key] == verdict])
                }
                for key in FINDINGS
            }
    return said


def searched(cells: Mapping[str, Cell]) -> dict[str, Any]:
    """By cell, what the searches picked, and of how many splits' picks a finding is proved."""
    said = {}
    for key, cell in cells.items():
        row = row_of(cell, SEARCHED)
        if row is None:
            continue
        picks = dict(row["chosen"]) or {row["loss"]: 1}
        proved = {
            finding: sum(count for text, count in picks.items() if verdicts_of(text)[finding] == "proved")
            for finding in FINDINGS
        }
        said[key] = {"picks": picks, "splits": sum(picks.values()), "proved of": proved}
    return said


def answers(found: Mapping[str, Cell]) -> dict[str, Any]:
    """The hypotheses, loss by loss and cell by cell, and which findings go with a gain."""
    cells = {key: cell for key, cell in found.items() if "rows" in cell}
    over = against_logistic(cells)
    hardest = not_inferior(cells, SEARCHED, [ORDINARY, *RIVALS])
    return {
        "cells": len(cells),
        "better than tuned logistic": list(beyond_chance(over, 1)),
        "worse": list(beyond_chance(over, -1)),
        "searched not inferior to the best loss with a name on": sum(
            each["holds"] for each in hardest.values()
        ),
        "verdicts": {
            name: verdicts_of(name) for name in (ORDINARY, *RIVALS) if name == ORDINARY or over[name]
        },
        "mean gain over tuned logistic by finding": by_finding(over),
        "searched": searched(cells),
        "against tuned logistic": over,
        "searched against the best loss with a name": hardest,
        "mean pair accuracy, tuned": {
            key: {row["name"]: row["mean"] for row in cell["rows"] if row["treatment"] == "tuned"}
            for key, cell in cells.items()
        },
    }


def draw(found: Mapping[str, Cell]) -> Figure:
    """By data set and loss, the gain over tuned logistic at every share of flips."""
    over = against_logistic({key: cell for key, cell in found.items() if "rows" in cell})
    names = [name for name in TASKS if any(f"{name}, " in key for each in over.values() for key in each)]
    fig, axes = grid(len(names), 3.6, len(TASKS))
    losses = [name for name in over if over[name]]
    for ax, name in zip(axes, names, strict=True):
        for place, loss in enumerate(losses):
            for step, flips in enumerate(FLIPS):
                each = over[loss].get(key_of(name, flips))
                if each is None:
                    continue
                at, (low, high) = place + 0.22 * (step - 1), (100 * end for end in each["interval"])
                if low == low:  # no interval from one split
                    ax.plot([low, high], [at, at], color=_COLOURS[flips], lw=1.6)
                ax.plot(
                    [100 * each["gain"]],
                    [at],
                    "osD"[step],
                    color=_COLOURS[flips],
                    ms=4,
                    label=f"{flips:.0%} flipped",
                )
        ax.axvline(0, color=GREY, lw=1, zorder=0)
        ax.set_yticks(range(len(losses)), losses if ax is axes[0] else [""] * len(losses), fontsize=8)
        ax.set_ylim(len(losses) - 0.5, -0.5)
        ax.set_title(f"pairs of {name}", fontsize=10)
        ax.set_xlabel("points of pair accuracy over tuned logistic, 95 %", fontsize=8)
    legend_outside(fig, axes)
    return fig


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs what has not been run, and writes figure and data."""
    study = ComparisonStudy.start("preferences", __doc__, arguments, Sizes(splits=1, seeds=1, steps=10))
    losses: dict[str, str | sl.Searched] = {name: name for name in RIVALS} | {SEARCHED: SEARCH}
    wanted = [name for name in TASKS if study.wants(name)]
    if study.quick:
        losses = {
            "savage": "savage",
            SEARCHED: sl.Searched("random", population=2, generations=1, blocks={"zoo": False, "final": 2}),
        }
        study.compare(key_of("diabetes", 0.4), partial(task_of, "diabetes", 0.4, study.sizes), losses)
        return study.finish(answers(study.cells), draw)
    for name in wanted:  # the cheaper ones first
        cells = {key_of(name, flips): partial(task_of, name, flips, study.sizes) for flips in (0.4, 0.0, 0.2)}
        study.pilot(name, cells, losses)
        for key, make in cells.items():
            study.compare(key, make, losses)
    return study.finish(answers(study.cells), draw)


if __name__ == "__main__":
    main(sys.argv[1:])

"""How often does a certificate decide on losses that a search would keep?

Trees of the first generation with coefficients drawn about 1, as tuning leaves them, that the gate lets
through; one certificate each, and what stays open. Alone on the machine for the times.

    python -m analysis.certificate_rates            # figures/certificate_rates.json and .png
    python -m analysis.certificate_rates --quick    # three trees of each kind
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import symloss as sl
from analysis.study import Study
from symloss.errors import SymlossError
from symloss.expr.trees import Weighted
from symloss.search.propose.gp import Rates, initial_program
from symloss.search.propose.grammar import Grammar
from symloss.search.screen.gate import gate

KINDS = {"classification": 10, "regression": None}
ALWAYS_OPEN = {"regression": ("converges_to",)}
"""Named statistics only: open by definition for any other loss."""


def settings(quick: bool) -> Mapping[str, Any]:
    """How many trees of each kind."""
    return {"trees": {"classification": 3 if quick else 200, "regression": 3 if quick else 100}}


def evolved(kind: str, classes: int | None = None) -> Iterator[tuple[int, int, sl.Loss]]:
    """Seed, nodes and loss of one tree after the other that the gate lets through, oriented.

    Args:
        kind: of the losses.
        classes: that the gate is told of; those of `KINDS` unless given.
    """
    for seed in itertools.count():
        program = initial_program(Grammar(), Rates(), seed)
        edges = [round(float(e), 3) for e in np.random.default_rng(seed).normal(1, 0.3, program.size - 1)]
        found = gate(program, kind, classes or KINDS[kind], edges)
        if not found.passed:
            continue
        try:
            yield seed, program.size, Weighted(program, tuple(edges), found.sign).to_loss(kind)
        except SymlossError:  # the formula is a constant once its coefficients are put in
            continue


def certified(loss: sl.Loss, nodes: int) -> dict[str, Any]:
    """The verdict of every finding, why those that are open are, and the seconds that it took."""
    start = time.perf_counter()
    certificate = sl.analyze(loss, classes=KINDS[loss.kind])
    seconds = time.perf_counter() - start
    return {
        "loss": str(loss), "nodes": nodes, "seconds": seconds,
        "verdicts": {key: finding.verdict for key, finding in certificate.findings.items()},
        "open": {key: f.reason for key, f in certificate.findings.items() if f.verdict == "unknown"},
    }  # fmt: skip


def answers(kind: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Share of decided findings, in all and by key, and how long it took."""
    keys = [key for key in rows[0]["verdicts"] if key not in ALWAYS_OPEN.get(kind, ())]
    counts = {key: Counter(row["verdicts"][key] for row in rows) for key in keys}
    seconds = sorted(row["seconds"] for row in rows)
    return {
        "trees": len(rows),
        "decided": 1 - sum(each["unknown"] for each in counts.values()) / (len(rows) * len(keys)),
        "all decided": sum(not set(row["open"]) & set(keys) for row in rows),
        "by key": {key: {v: each[v] for v in ("proved", "refuted", "unknown")} for key, each in counts.items()},
        "seconds": {
            "median": statistics.median(seconds),
            "90 %": seconds[int(0.9 * len(seconds))],
            "most": seconds[-1],
        },
    }  # fmt: skip


def draw(found: Mapping[str, Mapping[str, Any]]) -> Figure:
    """For each kind the verdicts by key."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    colours = {"proved": "tab:green", "refuted": "tab:red", "unknown": "lightgrey"}
    for ax, (kind, each) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        names = list(each["by key"])[::-1]
        left = np.zeros(len(names))
        for verdict, colour in colours.items():
            shares = np.array([100 * each["by key"][name][verdict] / each["trees"] for name in names])
            ax.barh(names, shares, left=left, color=colour, label=verdict)
            left += shares
        ax.set(
            xlabel="% of trees",
            xlim=(0, 100),
            title=f"{kind}: {each['decided']:.1%} of findings decided, {each['trees']} trees",
        )
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    return figure


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Certifies the trees and writes figure and data."""
    study = Study.start("certificate_rates", __doc__, arguments, settings)
    found = {}
    for kind, count in study.settings["trees"].items():
        rows = [
            study.cell(f"{kind}/{seed}", partial(certified, loss, nodes))
            for seed, nodes, loss in itertools.islice(evolved(kind), count)
        ]
        found[kind] = answers(kind, rows)
    return study.finish(found, draw(found))


if __name__ == "__main__":
    main(sys.argv[1:])

"""What a search inside a theorem can find: which losses with a name, and do certificates agree with the grammars?

A grammar's members have its property by construction, whatever their numbers. Two questions are left. Which losses with
a name does it reach? They are read by algebra: from `M1` and `M0` the theorem's form says what its function must be,
which is taken apart by the rules and put together again exactly. And does the certificate, which knows nothing of
grammars, prove the property of random members with random numbers, at 2, 3 and 10 classes? It may leave some open (that
is counted); it must refute none. (The pass rate of the grammar itself is 1 by construction, and is not reported.)

    python -m analysis.inside_theorems --members 100 --minutes 30    # figures/inside_theorems.json and .png; resumable
    python -m analysis.inside_theorems --quick
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from analysis.study import Study
from symloss.search import Inside, coverage, inside_of
from symloss.search.propose.inside.prove import verdicts_of
from symloss.search.propose.inside.sample import random_members

CLASSES = (2, 3, 10)
GRAMMARS = (
    "proper classification", "proper,bounded classification", "symmetric classification",
    "calibrated classification", "calibrated,bounded classification", "smoothing=0.1 classification",
    "bounded classification", "proper multilabel", "bounded multilabel", "mean regression",
)  # fmt: skip
QUICK = ("symmetric classification", "proper multilabel")
CHUNK = 10
VERDICTS = ("proved", "refuted", "unknown")
STATES = ("reached", "has it, not reached", "open", "refuted")


def sizes(parser: argparse.ArgumentParser) -> None:
    """How many members of each grammar."""
    parser.add_argument("--members", type=int, default=300, help="of each grammar")


def settings(options: argparse.Namespace) -> Mapping[str, Any]:
    """What every cell depends on."""
    return {"depth": 2 if options.quick else 3}


def grammar(name: str) -> Inside:
    """The grammar of a key."""
    asked, kind = name.split(" ")
    found = inside_of(asked.split(","), kind)
    assert found is not None
    return found


def reached(name: str) -> list[dict[str, Any]]:
    """Every loss with a name of the grammar's kind, and whether it is a member."""
    return [
        {"name": row.name, "state": state_of(row.reached, row.holds), "formula": row.formula, "why": row.why}
        for row in coverage(grammar(name))
    ]


def state_of(is_member: bool, holds: str) -> str:
    """In words."""
    if is_member:
        return "reached"
    return {"proved": "has it, not reached", "unknown": "open", "refuted": "refuted"}[holds]


def certified(name: str, chunk: int, count: int, depth: int) -> dict[str, Any]:
    """The verdicts on some random members, by finding, and those that are not proofs."""
    inside = grammar(name)
    counts = CLASSES if inside.kind.exclusive else (2,)
    verdicts: dict[str, Counter[str]] = {}
    left, seconds = [], []
    for loss in islice(random_members(inside, count, seed=chunk, depth=depth), count):
        for classes in counts:
            start = time.process_time()
            found = verdicts_of(loss.to_loss(inside.kind.name), inside, classes)
            seconds.append(round(time.process_time() - start, 3))
            for key, (verdict, why) in found.items():
                verdicts.setdefault(key, Counter())[verdict] += 1
                if verdict != "proved":
                    left.append([key, classes, verdict, loss.formula, why])
    return {"verdicts": verdicts, "left": left, "seconds": seconds}


def answers(cells: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """By grammar: losses with a name that it reaches, and what certificates say of its members."""
    found: dict[str, Any] = {}
    for name in names:
        chunks = [value for key, value in cells.items() if key.startswith(f"rates/{name}/")]
        total: dict[str, Counter[str]] = {}
        for chunk in chunks:
            for key, each in chunk["verdicts"].items():
                total.setdefault(key, Counter()).update(each)
        seconds = [second for chunk in chunks for second in chunk["seconds"]]
        found[name] = {
            "certificates": len(seconds),
            "verdicts": {key: {v: each[v] for v in VERDICTS} for key, each in total.items()},
            "seconds": {"median": statistics.median(seconds), "most": max(seconds)} if seconds else {},
        }
        rows = cells.get(f"reach/{name}")
        if rows is not None:
            found[name] |= {state: [row["name"] for row in rows if row["state"] == state] for state in STATES}
    refuted = sum(each["refuted"] for one in found.values() for each in one["verdicts"].values())
    return {"refuted": refuted, "grammars": found}


def draw(cells: Mapping[str, Any], found: Mapping[str, Any]) -> Figure:
    """Left the losses of classification that each grammar reaches; right the share of findings that are proved."""
    rows = {
        name.removesuffix(" classification"): cells[f"reach/{name}"]
        for name in found["grammars"]
        if name.endswith(" classification") and f"reach/{name}" in cells
    }
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    losses = [row["name"] for row in next(iter(rows.values()))]
    grid = np.array([[STATES.index(row["state"]) for row in each] for each in rows.values()])
    colours = ["tab:green", "tab:orange", "lightgrey", "white"]
    left.pcolormesh(grid, cmap=ListedColormap(colours), vmin=0, vmax=3, edgecolors="0.8", linewidth=0.8)
    left.set_xticks(np.arange(len(losses)) + 0.5, losses, rotation=60, ha="right")
    left.set_yticks(np.arange(len(rows)) + 0.5, list(rows))
    left.invert_yaxis()
    for state, colour in zip(STATES, colours, strict=True):
        left.plot([], [], "s", color=colour, markeredgecolor="0.6", label=state)
    left.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=4, frameon=False, fontsize=8)
    bars = [
        (f"{name}: {key}", each)
        for name, one in found["grammars"].items()
        for key, each in one["verdicts"].items()
    ]
    base = np.zeros(len(bars))
    for verdict, colour in zip(VERDICTS, ("tab:green", "tab:red", "lightgrey"), strict=True):
        shares = np.array([100 * each[verdict] / max(sum(each.values()), 1) for _, each in bars])
        right.barh(range(len(bars)), shares, left=base, color=colour, label=verdict)
        base += shares
    right.set_yticks(range(len(bars)), [label for label, _ in bars], fontsize=7)
    right.invert_yaxis()
    right.set(xlim=(0, 100), xlabel="% of random members, certificates at 2, 3 and 10 classes")
    right.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, frameon=False, fontsize=8)
    return figure


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Does what has not been done, as long as there is time, and writes figure and data."""
    study, options = Study.lasting("inside_theorems", __doc__, arguments, sizes, settings)
    names = QUICK if options.quick else GRAMMARS
    members = 4 if options.quick else options.members
    for name in names:
        study.cell(f"reach/{name}", reached, name)
    # Chunk by chunk over all grammars: a study that is stopped has something to say of each.
    for chunk in range(-(-members // CHUNK)):
        for name in names:
            if study.in_time:
                size = min(CHUNK, members)
                study.cell(f"rates/{name}/{chunk}", certified, name, chunk, size, study.settings["depth"])
    found = answers(study.cells, names)
    return study.finish(found, draw(study.cells, found))


if __name__ == "__main__":
    main(sys.argv[1:])

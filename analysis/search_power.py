"""How many losses must a search look at until it finds the one that was planted?

Nothing is trained. The fitness of a loss is the distance of its normalised gradient from that of a planted loss on
128 fixed points, once its coefficients have been fitted to it: what distillation minimises. The planted loss, and
every loss with a name that can be fitted to it, is taken out of the first generation and of the neighbourhood. One
run is one cell, and ends when the planted loss is recovered.

    python -m analysis.search_power           # figures/search_power.json and .png
    python -m analysis.search_power --quick   # two plants, two arms
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import symloss as sl
from analysis.study import Study
from symloss.expr import KINDS
from symloss.expr.trees import Weighted, weighted_from
from symloss.meta.gradient_distance import Array, Points, fit, fixed_points, unit_gradient
from symloss.report.style import COLOURS, figure, legend_outside
from symloss.search.loop.by_gradient import Screen, gated, search_by_gradient
from symloss.search.propose.breeding import zoo_trees
from symloss.search.propose.gp import Rates
from symloss.search.settings import PRESETS

NAME = "search_power"
SEEDS, LIMIT = 3, 4000
ABLATION_SEEDS, ABLATED = 2, 1000
QUICK = ("poly1", "log-cosh")
NEAR, LARGER = 1e-3, 2.0
"""Recovered: at its best scale the gradient differs by less than a thousandth, and the tree has at most twice the
nodes of the planted one. No training would tell the two apart, and no two families of the zoo come as near to each
other by their coefficients (the nearest, barron and log-cosh, to 2.6e-3) unless one holds the other. Without a limit
in size anything is approximated, by trees that nobody would call the planted loss."""
CLASSES = 10
PLANTS = {
    "focal": "classification",
    "gce": "classification",
    "sce": "classification",
    "sparse-lsr": "classification",
    "poly1": "classification",
    "smooth-ace": "classification",
    "log-cosh": "regression",
    "huber": "regression",
}
LIMITS = {"poly1": ("sparse-lsr",), "sce": ("sparse-lsr",)}
"""Losses that a plant is a limit of, to which fitting comes slowly: `log(1 - c*p)/c` for small `c` is `-p`."""


@dataclass(frozen=True)
class Plant:
    """A loss to be found.

    Attributes:
        name, kind: of the zoo.
        target: its gradient at the points, of norm 1.
        points: where.
        size: nodes of its tree.
        others: losses with names that cannot be fitted to it.
    """

    name: str
    kind: str
    target: Array
    points: Points
    size: int
    others: tuple[Weighted, ...]


@cache
def planted(name: str) -> Plant:
    """A loss of the zoo as a plant, and what is left of the zoo without its family."""
    kind = PLANTS[name]
    points = fixed_points(kind, CLASSES)
    # With the number of classes put in: a tree that says 1 - 1/C by four nodes is larger than it need be.
    loss = weighted_from(sl.parse(str(sl.named(name, kind)).replace("C", str(CLASSES)), kind=kind))
    target = unit_gradient(loss, points)
    fitted = fit(zoo_trees(kind), target, points, steps=40, starts=8)
    others = [
        tree
        for other, tree, found in zip(sl.names(kind), zoo_trees(kind), fitted, strict=True)
        if found.distance > NEAR and other not in LIMITS.get(name, ())
    ]
    return Plant(name, kind, target, points, loss.program.size, tuple(others))


@dataclass(frozen=True)
class Arm:
    """A way to propose.

    Attributes:
        rates: of the variation.
        method: of the search settings.
        zoo: whether the first generation holds the other losses with names.
        selected: whether parents are chosen by what became of them; else every child is one of the zoo's.
    """

    rates: Rates
    method: str = "evomal"
    zoo: bool = False
    selected: bool = True


BEFORE = Rates(crossover=0.5, mutation=0.25, hoist=0.2, attempts=20)
INHERIT = replace(BEFORE, inherit=True)
KEPT = replace(INHERIT, exponent=0.2, neighbours=0.2)
ARMS = {
    "evomal": Arm(KEPT),
    "random": Arm(KEPT, method="random"),
    "mutation only": Arm(replace(KEPT, crossover=0.0)),
    "zoo mutated": Arm(replace(KEPT, crossover=0.0, neighbours=1.0), selected=False),
}
"""Of each the language is the same: random trees have free exponents too."""
VARIANTS = {
    "as before": Arm(BEFORE),
    "+ inherited coefficients": Arm(INHERIT),
    "+ neighbours": Arm(replace(BEFORE, neighbours=0.2)),
    "+ inherited, exponents": Arm(replace(INHERIT, exponent=0.2)),
    "+ point mutations": Arm(replace(BEFORE, point=0.2)),
    "kept + points, numbers": Arm(replace(KEPT, point=0.2, number=0.1)),
}
"""The proposer with one thing changed, and what was kept with more; what was kept is `evomal`."""


def search(name: str, arm: Arm, seed: int, limit: int) -> dict[str, Any]:
    """One run: how many losses it has looked at when it holds the planted one, or None; the best ones on the way."""
    plant = planted(name)
    settings = replace(PRESETS["quick"], rates=arm.rates, method=arm.method)
    found: dict[str, Any] = {"found": None, "limit": limit, "formula": "", "distances": {}, "of any size": {}}
    best = {"distances": math.inf, "of any size": math.inf}
    outcomes = search_by_gradient(
        settings, seed, plant.target, plant.points, Screen(plant.kind, CLASSES, gated(plant.kind, CLASSES)),
        limit=limit, given=start(plant, arm), neighbours=plant.others, selected=arm.selected,
    )  # fmt: skip
    for outcome in outcomes:
        if outcome.fitness is None:
            continue
        looked_at = outcome.number + 1
        small = outcome.loss.program.size <= LARGER * plant.size
        for trace in ("distances", "of any size") if small else ("of any size",):
            if outcome.fitness < best[trace]:
                best[trace] = outcome.fitness
                found[trace][looked_at] = float(f"{outcome.fitness:.3g}")
                if trace == "distances":
                    found["formula"] = outcome.loss.formula
        if best["distances"] < NEAR:
            return {**found, "found": looked_at}
    return found


def start(plant: Plant, arm: Arm) -> list[Weighted]:
    """The losses that the first generation begins with: none that is the planted one in disguise."""
    given = [weighted_from(sl.parse(KINDS[plant.kind].ordinary, kind=plant.kind))]
    if arm.zoo:
        given += plant.others
    found = fit(given, plant.target, plant.points, steps=40)
    return [loss for loss, other in zip(given, found, strict=True) if other.distance > NEAR]


@dataclass(frozen=True)
class Job:
    """One cell: one run of one arm."""

    arm: str
    plant: str
    seed: int
    limit: int

    @property
    def key(self) -> str:
        """What its result is kept under."""
        return f"{self.arm}/{self.plant}/{self.seed}/{self.limit}"

    def run(self) -> dict[str, Any]:
        """See `search`."""
        return search(self.plant, {**ARMS, **VARIANTS}[self.arm], self.seed, self.limit)


def jobs(quick: bool) -> list[Job]:
    """Every run; seed after seed, so that a study that was stopped is a smaller study."""
    if quick:
        return [
            Job(arm, plant, seed, 150) for seed in range(2) for plant in QUICK for arm in ("evomal", "random")
        ]
    power = [Job(arm, plant, seed, LIMIT) for seed in range(SEEDS) for plant in PLANTS for arm in ARMS]
    ablation = [
        Job(arm, plant, seed, ABLATED)
        for seed in range(ABLATION_SEEDS)
        for arm in VARIANTS
        for plant in PLANTS
    ]
    return power + ablation


Cells = Mapping[str, Mapping[str, Any]]


def arrival(cell: Mapping[str, Any], trace: str = "distances") -> int | None:
    """How many losses a run had looked at when its best, small or of any size, was near enough."""
    return next((int(n) for n, reached in cell[trace].items() if reached < NEAR), None)


def median(times: Sequence[int | None], limits: Sequence[int]) -> int | None:
    """The median of times of which None is known only to exceed its limit (Kaplan, Meier 1958).

    >>> median([100, 300, None], [4000, 4000, 4000]), median([100, None, None], [4000, 4000, 4000])
    (300, None)
    """
    surviving, at_risk = 1.0, len(times)
    # A run that ends at the time of another's recovery is still at risk there.
    events = sorted(
        (limit if time is None else time, time is None) for time, limit in zip(times, limits, strict=True)
    )
    for moment, censored in events:
        if not censored:
            surviving *= 1 - 1 / at_risk
            if surviving <= 0.5 + 1e-9:
                return moment
        at_risk -= 1
    return None


def told(cells: Sequence[Mapping[str, Any]], limit: int) -> dict[str, Any]:
    """What some runs say, each as far as a limit."""
    found: dict[str, Any] = {"runs": len(cells)}
    for word, trace in (("recovered", "distances"), ("near", "of any size")):
        times = [arrival(cell, trace) for cell in cells]
        times = [None if time is None or time > limit else time for time in times]
        for reading in sorted({min(400, limit), limit}):
            found[f"{word} at {reading}"] = sum(time is not None and time <= reading for time in times)
        found[f"median to {word}"] = median(times, [limit] * len(cells))
        logs = [math.log(limit if time is None else time) for time in times]
        found[f"mean to {word}, geometric, at least"] = round(math.exp(sum(logs) / len(logs)))
    return found


def answer(cells: Cells) -> dict[str, Any]:
    """Everything that the README says, from the cells that are there."""
    jobs_of = {key: Job(a, p, int(s), int(n)) for key in cells for a, p, s, n in [key.split("/")]}

    def chosen(arm: str, plants: Sequence[str], limit: int) -> list[Mapping[str, Any]]:
        return [
            cells[key]
            for key, job in jobs_of.items()
            if job.arm == arm and job.plant in plants and job.limit == limit
        ]

    def ablated_evomal() -> list[Mapping[str, Any]]:
        return [
            cells[key]
            for key, job in jobs_of.items()
            if job.arm == "evomal" and job.limit == LIMIT and job.seed < ABLATION_SEEDS
        ]

    limit = min(job.limit for job in jobs_of.values() if job.arm in ARMS)
    plants = [plant for plant in PLANTS if any(job.plant == plant for job in jobs_of.values())]
    power = {
        plant: {arm: told(runs, limit) for arm in ARMS if (runs := chosen(arm, [plant], limit))}
        for plant in plants
    }
    half = [
        plant for plant, arms in power.items() if {"evomal", "random"} <= set(arms) and _half(arms, limit)
    ]
    most = [
        plant for plant, arms in power.items()
        if "evomal" in arms and 2 * arms["evomal"][f"recovered at {limit}"] >= arms["evomal"]["runs"]
    ]  # fmt: skip
    return {
        "power": power,
        "median at most half of random's": half,
        "recovered by evomal in at least half of the runs": most,
        "ablation": {
            **{arm: told(runs, ABLATED) for arm in VARIANTS if (runs := chosen(arm, plants, ABLATED))},
            **({"kept": told(kept, ABLATED)} if (kept := ablated_evomal()) else {}),
        },
    }


def _half(arms: Mapping[str, Mapping[str, Any]], limit: int) -> bool:
    """Whether evolution needs at most half of what random search does; a median beyond the limit counts as that."""
    ours, random = (arms[arm]["median to recovered"] for arm in ("evomal", "random"))
    return ours is not None and 2 * ours <= (limit if random is None else random)


def draw(cells: Cells) -> Figure:
    """The share of runs that have recovered each plant against the losses looked at."""
    fig, _ = figure(height=6.2)
    fig.clear()
    fig.set_figwidth(12)
    plants = [plant for plant in PLANTS if any(f"/{plant}/" in key for key in cells)]
    axes = fig.subplots(2, -(-len(plants) // 2), sharex=True, sharey=True, squeeze=False).ravel()
    limit = min(int(key.split("/")[3]) for key in cells if key.split("/")[0] in ARMS)
    for ax, plant in zip(axes, plants, strict=False):
        for colour, arm in zip(COLOURS, ARMS, strict=False):
            runs = [
                cell
                for key, cell in cells.items()
                if key.startswith(f"{arm}/{plant}/") and key.endswith(f"/{limit}")
            ]
            if not runs:
                continue
            for trace, style in (("distances", "-"), ("of any size", ":")):
                times = sorted(t for run in runs if (t := arrival(run, trace)) is not None)
                shares = np.arange(len(times) + 1) / len(runs)
                label = arm if style == "-" else None
                ax.step(
                    [1, *times, limit], [*shares, shares[-1]], style, where="post", color=colour, label=label
                )
        ax.set(title=plant, xscale="log", xlim=(10, limit), ylim=(-0.02, 1.02))
    for ax in axes[-(-len(plants) // 2) :]:
        ax.set_xlabel("losses looked at")
    for ax in axes[:: -(-len(plants) // 2)]:
        ax.set_ylabel("share of runs")
    fig.suptitle("Runs that have recovered the planted loss (dotted: by a tree of any size)", fontsize=11)
    legend_outside(fig, list(axes[:1]))
    return fig


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the study and writes its figure and data."""
    study = Study.start(NAME, __doc__, arguments, lambda quick: {"near": NEAR, "larger": LARGER})
    for job in jobs(study.quick):
        study.cell(job.key, job.run)
    return study.finish(answer(study.cells), draw(study.cells))


if __name__ == "__main__":
    main(sys.argv[1:])

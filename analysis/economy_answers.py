"""What the cells of `search_economy` say: medians, paired tests and intervals, and the picture of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import wilcoxon

__all__ = ["answers", "draw"]

Cells = Mapping[str, Any]
DRAWS = 10_000


def arms(cells: Cells, study: str, task: str | None = None) -> dict[str, list[Any]]:
    """The cells of a study by arm, in order of the seeds."""
    found: dict[str, list[Any]] = {}
    for key in sorted(cells, key=lambda key: int(key.rsplit("/", 1)[1])):
        name, arm, on, _ = key.split("/")
        if name == study and task in (None, on):
            found.setdefault(arm, []).append(cells[key])
    return found


def interval(values: Sequence[float]) -> dict[str, Any]:
    """The median and its 95 % bootstrap interval."""
    draws = np.random.default_rng(0).choice(values, (DRAWS, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return {"median": statistics.median(values), "interval": [float(low), float(high)], "n": len(values)}


def paired(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """The differences, seed by seed, and the p of a two-sided Wilcoxon test that their median is zero."""
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    p = 1.0 if not any(differences) else float(wilcoxon(differences).pvalue)
    return {**interval(differences), "p": p, "differences": differences}


def answers(cells: Cells) -> dict[str, Any]:
    """Every figure of the studies that have cells."""
    found: dict[str, Callable[[Cells], Any]] = {
        "alone": _alone, "economy": _economy, "audit": _audit,
    }  # fmt: skip
    return {name: answer(cells) for name, answer in found.items() if arms(cells, name)}


def _alone(cells: Cells) -> dict[str, Any]:
    found: dict[str, Any] = {}
    columns = ("wall", "validation", "considered", "trained", "load before")
    seen = arms(cells, "alone")
    for arm, runs in seen.items():
        found[arm] = {name: statistics.median(each[name] for each in runs) for name in columns}
    one, two = seen.get("quick preset", []), seen.get("quick preset, 2 workers", [])
    for name, clock in (
        ("", "wall"),
        (" after the first generation", "wall of all generations but the first"),
    ):
        shares = [a[clock] / (2 * b[clock]) for a, b in zip(one, two, strict=False) if b[clock]]
        if shares:
            found[f"share of the ideal at 2 workers{name}"] = statistics.median(shares)
    if two:
        found["same front at 1 and 2 workers"] = [
            a["front"] == b["front"] for a, b in zip(one, two, strict=False)
        ]
    return found


def _economy(cells: Cells) -> dict[str, Any]:
    (runs,) = arms(cells, "economy").values()
    ours, theirs = ([run[arm] for run in runs] for arm in ("as it is", "without"))
    both = [
        (a, b) for a, b in zip(ours, theirs, strict=True) if None not in (a["validation"], b["validation"])
    ]
    return {
        "processor time without, over with": interval([b["cpu"] / a["cpu"] for a, b in both]),
        "best validation with, over without": interval([a["validation"] / b["validation"] for a, b in both]),
        "best validation": paired([a["validation"] for a, _ in both], [b["validation"] for _, b in both]),
        "trees looked at": statistics.median(run["considered"] for run in theirs),
        "trained with and without": [statistics.median(e["trained"] for e in each) for each in (ours, theirs)],
    }  # fmt: skip


def _audit(cells: Cells) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for task in ("digits", "diabetes"):
        for runs in arms(cells, "audit", task).values():
            found[task] = {
                "race": [run["race"] for run in runs],
                "false rejections": sum(run["false rejections"] for run in runs),
                "of rejected trees trained all the same": sum(run["tried"] for run in runs),
            }
    return found


def draw(cells: Cells) -> Figure:
    """What economy saves."""
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    _draw_economy(figure.subplots(), cells)
    return figure


def _draw_economy(ax: Axes, cells: Cells) -> None:
    for runs in arms(cells, "economy").values():
        for arm, label in (("as it is", "as it is"), ("without", "without gate, race, classes")):
            ax.plot(
                [run[arm]["cpu"] for run in runs], [run[arm]["validation"] for run in runs], "o", label=label
            )
        ax.legend(frameon=False)
    ax.set(
        xlabel="processor seconds",
        xlim=(0, None),
        ylabel="best validation mse",
        title="Economy: diabetes, trees alike in number",
    )

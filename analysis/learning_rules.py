"""How does each loss of the zoo pull at the start of training, and when it is almost right?

No training: everything is read off the formula. For classification the pull on the target's logit, -dL/dz_t
with the non-targets spread evenly, is compared with cross-entropy's pull 1 - p_t at every confidence from the
null epoch (p_t = 1/C) to nearly 1. Multilabel losses start at p = 1/2. For regression the pull dM/dr at the
residual r = y - p is compared with that of squared error. Near zero error the pull behaves as c * error**k.

    python -m analysis.learning_rules            # figures/learning_rules.json and .png
    python -m analysis.learning_rules --quick    # on a coarser grid, with fewer certificates
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sympy import Abs, DiracDelta, Expr, Integer, diff, lambdify, sign

import symloss as sl
from analysis.study import Study
from symloss.expr import P, Y
from symloss.report.style import figure

CLASSES = 10
STRONG = 2.0
"""Pulls beyond this many times the reference share one colour."""
SMALL = (1e-5, 1e-6)
"""Errors between which the exponent k near zero error is fitted."""

Array = NDArray[np.float64]
MODULES: list[Any] = [{"DiracDelta": np.zeros_like}, "numpy"]


def settings(quick: bool) -> dict[str, Any]:
    """How finely the pulls are drawn, and which losses are certified as well."""
    certified = ["ce", "focal", "lsr", "ace", "baikal"] if quick else list(sl.names("classification"))
    return {"classes": CLASSES, "points": 60 if quick else 200, "certified": certified}


def pull(loss: sl.Loss) -> Any:
    """The pull of a loss towards less error, as a function of the error `1 - p_t` (regression: of `r`).

    Classification: `-dL/dz_t = p_t (1 - p_t) (M0'((1 - p_t)/(C - 1)) - M1'(p_t))`. Multilabel, for `y = 1`:
    `-p (1 - p) M1'(p)`. Regression, at `y = 0` and `p = -r`: `-dM/dp`.
    """
    expr = loss.at_classes(CLASSES)
    if loss.kind == "regression":
        residual = _function(diff(expr.subs(Y, 0), P))
        return lambda r: -residual(-r)
    m1 = _function(diff(expr.subs(Y, 1), P))
    m0 = _function(diff(expr.subs(Y, 0), P))
    if loss.kind == "multilabel":
        return lambda error: -(1 - error) * error * m1(1 - error)
    return lambda error: (1 - error) * error * (m0(error / (CLASSES - 1)) - m1(1 - error))


def _function(slope: Expr) -> Any:
    """A derivative as a function of an array; at the kinks themselves, which have no slope, any will do."""
    smooth = slope.replace(DiracDelta, lambda *_: Integer(0)).replace(
        lambda e: e.is_Derivative, lambda e: sign(e.expr.args[0]) if isinstance(e.expr, Abs) else e
    )
    found = lambdify(P, smooth, MODULES)
    return lambda p: np.broadcast_to(np.asarray(found(p), dtype=np.float64), np.shape(p))


def rule(loss: sl.Loss, errors: Array) -> dict[str, Any]:
    """One loss: its pull over that of the reference, its start, its exponent near zero error."""
    pulls = pull(loss)
    reference = errors if loss.kind != "regression" else 2 * errors
    # A residual is measured in standard deviations of the targets: training starts at about 1.
    start = {"classification": 1 - 1 / CLASSES, "multilabel": 0.5, "regression": 1.0}[loss.kind]
    at_start = float(pulls(np.array([start]))[0]) / (start if loss.kind != "regression" else 2 * start)
    near = pulls(np.array(SMALL))
    flat = abs(near).max() == 0
    exponent = None if flat else float(np.log(abs(near[0] / near[1])) / np.log(SMALL[0] / SMALL[1]))
    return {
        "start": at_start,
        "direction": 0 if flat else int(np.sign(near[1])),
        "exponent": None if exponent is None else round(exponent, 3) + 0.0,  # no minus zero
        "ratio": [round(float(x), 4) for x in pulls(errors) / reference / abs(at_start)],
    }


def behaviour(row: Mapping[str, Any], kind: str) -> str:
    """What a loss does near zero error, in a few words."""
    if row["direction"] == 0:
        return "stops"
    error = "r" if kind == "regression" else "(1-p)"
    exponent = f"{row['exponent']:.2g}"
    power = {"0": "constant", "1": f"as {error}"}.get(exponent, f"as {error}$^{{{exponent}}}$")
    return power if row["direction"] > 0 else f"pushes back, {power}"


def draw(rows: Mapping[str, Mapping[str, Any]], errors: Mapping[str, Array]) -> Figure:
    """The pulls as two heat maps, with the numbers of both ends beside them."""
    fig, _ = figure(height=8.6)
    fig.clear()
    fig.set_figwidth(11.5)
    kinds = (("classification", "multilabel"), ("regression",))
    groups = [{k: r for k, r in rows.items() if r["kind"] in chosen} for chosen in kinds]
    above, below = fig.subplots(2, 1, height_ratios=[len(group) for group in groups])
    image = _heat(above, groups[0], errors["classification"])
    _heat(below, groups[1], errors["regression"])
    above.set_xlabel("error $1 - p_t$: training goes from left (null epoch) to right (right and sure)")
    below.set_xlabel("residual $|r| = |y - p|$ in standard deviations: training goes from left to right")
    above.set_title(
        "Pull on the target's logit, relative to cross-entropy's $1 - p_t$ and to its own start", fontsize=11
    )
    below.set_title(
        "Pull on the prediction, relative to squared error's $2r$ and to its own at $r = 1$", fontsize=11
    )
    bar = fig.colorbar(image, ax=[above, below], location="bottom", shrink=0.5, aspect=40, extend="both")
    bar.set_label("blue: pulls towards the target (1: as the reference does), white: stops, red: pushes away")
    return fig


def _heat(ax: Axes, rows: Mapping[str, Mapping[str, Any]], errors: Array) -> Any:
    ratios = np.array([row["ratio"] for row in rows.values()])
    edges = np.geomspace(errors[0], errors[-1], len(errors) + 1)
    image = ax.pcolormesh(
        edges, np.arange(len(rows) + 1), ratios, cmap="RdBu", vmin=-STRONG, vmax=STRONG, rasterized=True
    )
    ax.set(xscale="log", ylim=(len(rows), 0), xlim=(edges[0], edges[-1]))
    ax.set_yticks(np.arange(len(rows)) + 0.5)
    names = [name.removesuffix(" (regression)") for name in rows]
    ax.set_yticklabels(
        [f"{name}   {row['start']:.3g}" for name, row in zip(names, rows.values(), strict=True)]
    )
    twin = ax.twinx()
    twin.set(ylim=ax.get_ylim())
    twin.set_yticks(np.arange(len(rows)) + 0.5)
    twin.set_yticklabels([behaviour(row, row["kind"]) for row in rows.values()])
    for axes in (ax, twin):
        axes.tick_params(axis="y", length=0)
    for x, words, side in ((0, "loss, and its pull at the start", "right"), (1, "near zero error", "left")):
        ax.text(x, 1.01, words, transform=ax.transAxes, ha=side, fontsize=9, style="italic")
    for height in range(1, len(rows)):
        ax.axhline(height, color="white", lw=1.5)
    return image


def summarise(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Which losses start uphill, which push back near zero error, which stop early."""
    classification = {name: row for name, row in rows.items() if row["kind"] == "classification"}
    return {
        "start": {name: round(row["start"], 4) for name, row in rows.items()},
        "exponent": {name: row["exponent"] for name, row in rows.items()},
        "push_away_at_the_start": [name for name, row in rows.items() if row["start"] <= 0],
        "push_back_near_zero_error": [n for n, row in classification.items() if row["direction"] < 0],
        "smoothing_by_certificate": [
            n for n, row in classification.items() if row["attractor"] is not None and row["attractor"] < 1
        ],
    }


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the study and writes its figure and data."""
    study = Study.start("learning_rules", __doc__, arguments, settings)
    points = study.settings["points"]
    errors = {
        "classification": np.geomspace(1 - 1 / CLASSES, 1e-4, points),
        "regression": np.geomspace(30, 1e-3, points),
    }
    rows: dict[str, dict[str, Any]] = {}
    for kind in ("classification", "multilabel", "regression"):
        for name in sl.names(kind):
            loss = sl.named(name, kind=kind)
            grid = errors["regression" if kind == "regression" else "classification"]
            label = name if kind == "classification" or name not in rows else f"{name} ({kind})"
            row = study.cell(f"{kind}/{name}", rule, loss, grid)
            attractor = None
            if kind == "classification" and name in study.settings["certified"]:
                attractor = study.cell(f"attractor/{name}", _attractor, loss)
            rows[label] = {**row, "kind": kind, "attractor": attractor}
    return study.finish(summarise(rows), draw(rows, errors))


def _attractor(loss: sl.Loss) -> float | None:
    return sl.analyze(loss, classes=CLASSES).findings["attractor"].numeric


if __name__ == "__main__":
    main(sys.argv[1:])

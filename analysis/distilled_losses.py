"""Does distillation find the loss that a network was trained to reproduce?

Networks of AdaLFL's form are fitted to the gradients of losses with names, where training with these takes it and at
outputs drawn beside it, and then distilled as if nothing were known of them: with the zoo in the search, and without
any loss with a name. Nothing of the plant but the network's gradient reaches the search.

    python -m analysis.distilled_losses           # figures/distilled_losses.json and .png
    python -m analysis.distilled_losses --quick   # two plants on small tasks
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

import symloss as sl
from analysis.study import Study
from symloss.meta import FormulaLoss, SmoothNeuralLoss
from symloss.meta.learned_loss import packed
from symloss.report.style import COLOURS, GREY, figure, legend_outside
from symloss.runs import derive
from symloss.search.distill import ENOUGH
from symloss.search.distilling.visits import drawn, visited
from symloss.tasks import SupervisedTask

NAME = "distilled_losses"
FULL = {"ce": "digits", "focal": "digits", "gce": "digits", "huber": "diabetes"}
QUICK = {"gce": "wine", "huber": "diabetes"}
ARMS = {"with the zoo": True, "without names": False}
"""By what the search begins with, whether that is the zoo."""
NODES = 15
"""Symbols within which a planted loss should be explained."""


FLOOR = 1e-7
"""What is left unexplained below this is drawn here."""


def settings(quick: bool) -> dict[str, Any]:
    """What every cell depends on."""
    small = {
        "plants": QUICK, "networks": 1, "trainings": 1, "drawn": 1, "hidden": [20, 20], "iterations": 40, "steps": 40,
    }  # fmt: skip
    full = {
        "plants": FULL, "networks": 1, "trainings": 4, "drawn": 2, "hidden": [40, 40], "iterations": 250, "steps": 500,
    }  # fmt: skip
    search = {"population": 20, "generations": 2, "seeds": 1} if quick else {"generations": 10, "seeds": 5}
    return {**(small if quick else full), "search": search, "model": "linear" if quick else "mlp-2x64"}


@cache
def task_of(name: str, model: str, steps: int) -> SupervisedTask:
    """The task on which a loss is planted and distilled."""
    return sl.load_task(name, model=model).with_settings(steps=steps)


def planted(plant: str, task: SupervisedTask, seed: int, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """A network fitted to the gradient of a loss, by L-BFGS, and the share of it that it reproduces elsewhere."""
    loss = FormulaLoss(sl.named(plant, task.kind))
    held, *seen = (
        visited(loss, loss.coefficients, task, derive(seed, "plant", i))
        for i in range(chosen["trainings"] + 1)
    )
    for i in range(chosen["drawn"]):
        # Instances that are badly wrong are rare in a training and weigh much: without more of them the network
        # is flat where the loss is steep.
        outputs, targets = drawn(task.kind, task.classes or 1, derive(seed, "drawn", i))
        seen.append((outputs / 2 if task.classes else outputs, targets))
    outputs, targets = (
        torch.cat([each.double() if each.is_floating_point() else each for each in parts])
        for parts in zip(*seen, strict=True)
    )
    network = SmoothNeuralLoss.drawn(task.kind, derive(seed, "network"), tuple(chosen["hidden"]))
    phi = {name: each.double().requires_grad_() for name, each in network.coefficients.items()}
    optimiser = torch.optim.LBFGS(
        list(phi.values()), max_iter=chosen["iterations"], history_size=30, line_search_fn="strong_wolfe",
        tolerance_grad=1e-12, tolerance_change=1e-12,
    )  # fmt: skip
    wanted = gradient(loss, loss.coefficients, outputs, targets).detach()

    def missed() -> Tensor:
        optimiser.zero_grad()
        found = gradient(network, phi, outputs, targets)
        value = (found - wanted).square().sum() / wanted.square().sum()
        value.backward()
        return value

    optimiser.step(missed)
    fitted = network.with_weights(packed({name: each.detach() for name, each in phi.items()}).tolist())
    aimed, reached = (gradient(each, each.coefficients, *held).detach().flatten() for each in (loss, fitted))
    share = 1 - float((reached - aimed).square().sum() / (aimed - aimed.mean()).square().sum())
    return {"network": fitted.to_dict(), "r2": share}


def gradient(loss: Any, coefficients: Mapping[str, Tensor], outputs: Tensor, targets: Tensor) -> Tensor:
    """`dL/dz` in double precision, differentiable in the coefficients."""
    leaf = outputs.double().requires_grad_()
    labels = targets.double() if targets.is_floating_point() else targets
    phi = {name: each.double() for name, each in coefficients.items()}
    (slope,) = torch.autograd.grad(loss(phi, leaf, labels), leaf, create_graph=True)
    return slope


def distilled(
    network: Mapping[str, Any], task: SupervisedTask, zoo: bool, seed: int, search: Mapping[str, Any]
) -> dict[str, Any]:
    """What distillation says of a network."""
    return sl.distill(SmoothNeuralLoss.from_dict(network), task=task, zoo=zoo, seed=seed, **search).to_dict()


def answer(
    cells: Mapping[str, Any], plants: Sequence[str], networks: int, arms: Sequence[str]
) -> dict[str, Any]:
    """Plant by plant and network by network: how well it was planted, and what was found."""
    table = []
    for plant in plants:
        for seed in range(networks):
            for arm in arms:
                found = cells[f"{plant}/{seed}/{arm}"]
                row = found["rows"][found["picked"] - 1]
                short = [each for each in found["rows"] if each["complexity"] <= NODES]
                table.append(
                    {
                        "plant": plant, "network": seed, "arm": arm, "planted": cells[f"{plant}/{seed}"]["r2"],
                        "loss": row["loss"], "nodes": row["complexity"], "r2": row["r2"],
                        "known_as": row["known_as"], "named on the front": [r["known_as"] for r in found["rows"]],
                        f"r2 within {NODES} nodes": max((each["r2"] for each in short), default=None),
                        "nearest": found["nearest"], "fidelity": found["fidelity"],
                    }
                )  # fmt: skip
    within = [row[f"r2 within {NODES} nodes"] or 0.0 for row in table]
    return {
        "table": table,
        f"explained to {ENOUGH} within {NODES} nodes": _share(each >= ENOUGH for each in within),
        "picked by the name of the plant": {
            arm: _share(_is(row["known_as"], row["plant"]) for row in rows)
            for arm in arms
            if (rows := [row for row in table if row["arm"] == arm])
        },
        "nearest loss with a name is the plant": _share(
            _is(row["nearest"]["known_as"], row["plant"]) for row in table
        ),
    }  # fmt: skip


def _share(hits: Iterable[bool]) -> str:
    found = list(hits)
    return f"{sum(found)} of {len(found)}"


def _is(known_as: str | None, plant: str) -> bool:
    """Whether a name with its coefficients is that of the plant."""
    return known_as is not None and known_as.partition("(")[0] == plant


def draw(cells: Mapping[str, Any], plants: Sequence[str], networks: int, arms: Sequence[str]) -> Figure:
    """What the front leaves unexplained against the length of its formulas; what is picked, and its name."""
    fig, _ = figure(height=7.0)
    fig.clear()
    fig.set_figwidth(11)
    axes = fig.subplots(-(-len(plants) // 2), 2, sharex=True, sharey=True, squeeze=False)
    for ax, plant in zip(axes.ravel(), plants, strict=True):
        for seed in range(networks):
            for arm, colour, up in zip(arms, COLOURS, (14, -20), strict=False):
                found = cells[f"{plant}/{seed}/{arm}"]
                rows, marker = found["rows"], "os"[seed % 2]
                x, y = [r["complexity"] for r in rows], [max(1 - r["r2"], FLOOR) for r in rows]
                ax.plot(x, y, marker + "-", color=colour, mfc="none", ms=5, lw=1, label=arm)
                i = found["picked"] - 1
                ax.plot(x[i], y[i], marker, color=colour, ms=8, label=f"{arm}: picked")
                ax.annotate(
                    rows[i]["known_as"] or "no loss with a name", (x[i], y[i]), xytext=(8, up), color=colour,
                    textcoords="offset points", fontsize=9,
                )  # fmt: skip
        ax.axhline(1 - ENOUGH, color=GREY, lw=0.8, ls=":", label=f"R2 = {ENOUGH}")
        ax.axvline(NODES, color=GREY, lw=0.8, ls="--", label=f"{NODES} symbols")
        ax.grid(alpha=0.25, linewidth=0.6)
        quality = min(cells[f"{plant}/{seed}"]["r2"] for seed in range(networks))
        ax.set(
            title=f"{plant} (the network reproduces {quality:.4f} of it)",
            yscale="log",
            xlim=(2, 31),
            ylim=(FLOOR, 2),
        )
    for ax in axes[-1]:
        ax.set_xlabel("symbols of the formula")
    for ax in axes[:, 0]:
        ax.set_ylabel("unexplained, 1 - R2")
    legend_outside(fig, list(axes.ravel()))
    return fig


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the study and writes its figure and data."""
    study = Study.start(NAME, __doc__, arguments, settings)
    chosen, arms = study.settings, list(ARMS)[:1] if study.quick else list(ARMS)
    for seed in range(chosen["networks"]):
        for plant, name in chosen["plants"].items():
            task = task_of(name, chosen["model"], chosen["steps"])
            network = study.cell(f"{plant}/{seed}", planted, plant, task, seed, chosen)["network"]
            for arm in arms:
                study.cell(
                    f"{plant}/{seed}/{arm}", distilled, network, task, ARMS[arm], seed, chosen["search"]
                )
    shown = list(chosen["plants"]), int(chosen["networks"]), arms
    return study.finish(answer(study.cells, *shown), draw(study.cells, *shown))


if __name__ == "__main__":
    main(sys.argv[1:])

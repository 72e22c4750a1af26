"""What does sparse label smoothing drop, and does it matter?

Exactly, LSR = SparseLSR + b KL(uniform || q), where q are the shares of the non-targets. Cross-entropy, LSR
and SparseLSR train the same networks from the same starts on the same batches: accuracy and calibration on
test data, the remainder b KL(uniform || q) on the training data while they train, and the t-SNE of the
penultimate layer.

    python -m analysis.sparse_lsr            # figures/sparse_lsr.json and .png
    python -m analysis.sparse_lsr --quick    # one task, one seed, fewer steps
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from torch import Tensor, nn

import symloss as sl
from analysis.study import Study
from symloss.report.style import COLOURS, GREEN, VERMILION, figure
from symloss.tasks import SupervisedTask
from symloss.tasks.train.loop import predict

XI = 0.2
CLASSES = 10
LOSSES = {"ce": sl.named("ce"), "lsr": sl.named("lsr", xi=XI), "sparse-lsr": sl.named("sparse-lsr", xi=XI)}
MODELS = {"digits": "mlp", "mnist-5k": "lenet5"}
STYLE = {"ce": (COLOURS[-1], "-"), "lsr": (GREEN, "-"), "sparse-lsr": (VERMILION, "--")}
METRICS = ("accuracy", "ece", "nll")


def settings(quick: bool) -> dict[str, Any]:
    """What is trained, and how."""
    return {
        "tasks": ["digits"] if quick else list(MODELS),
        "seeds": 1 if quick else 5,
        "learning_rate": 0.05,
        "steps": 100 if quick else 400,
        "every": 20,
        "xi": XI,
        "tsne": 200 if quick else 1000,
    }


def remainder(logits: Tensor, targets: Tensor) -> Tensor:
    """`b KL(uniform || q)` of each instance, `b = xi (C - 1)/C`, `q_j = p_j/(1 - p_t)` over the others."""
    hidden = torch.zeros_like(logits).scatter_(1, targets[:, None], -math.inf)
    shares = (logits + hidden).log_softmax(1)
    others = shares.scatter(1, targets[:, None], 0.0).sum(1) / (CLASSES - 1)
    return XI * (CLASSES - 1) / CLASSES * (-math.log(CLASSES - 1) - others)


def trained(task: SupervisedTask, name: str, seed: int, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """One trained model: its test metrics, the remainder while it trained, and how exact the identity was."""
    path: list[float] = []
    gap = 0.0
    parts = [LOSSES[each].to_torch(reduction="none").double() for each in ("lsr", "sparse-lsr")]

    def look(step: int, model: nn.Module) -> None:
        nonlocal gap
        if step % chosen["every"] and step != 1:
            return
        logits = predict(model, task.train.X).double()
        kept = remainder(logits, task.train.y)
        whole, sparse = (part(logits, task.train.y) for part in parts)
        gap = max(gap, float((whole - sparse - kept).abs().max()))
        path.append(float(kept.mean()))

    settled = task.with_settings(learning_rate=chosen["learning_rate"], batch_size=64, steps=chosen["steps"])
    model = settled.fit(LOSSES[name], seed=seed, on_step=look)
    found: dict[str, Any] = dict(task.evaluate(model, "test", METRICS))
    found.update(remainder=path, identity_gap=gap)
    if seed == 0:
        found["map"] = embedded(task, model, chosen["tsne"])
    return found


def embedded(task: SupervisedTask, model: nn.Module, count: int) -> dict[str, Any]:
    """t-SNE of the penultimate layer on validation data, and how well its classes lie apart."""
    rows, labels = task.val.X[:count], task.val.y[:count].numpy()
    assert isinstance(model, nn.Sequential)
    features = predict(model[:-1], rows).numpy()
    points = TSNE(init="pca", random_state=0, n_jobs=1).fit_transform(features)
    return {
        "points": np.round(points, 1).tolist(),
        "labels": labels.tolist(),
        "silhouette": round(float(silhouette_score(features, labels)), 4),
    }


def summarise(rows: Mapping[tuple[str, str], list[dict[str, Any]]]) -> dict[str, Any]:
    """Means over the seeds, by task and loss."""
    answers: dict[str, Any] = {}
    for (task, name), cells in rows.items():
        answers.setdefault(task, {})[name] = {
            **{key: round(statistics.fmean(cell[key] for cell in cells), 4) for key in METRICS},
            "remainder_first": round(statistics.fmean(cell["remainder"][0] for cell in cells), 5),
            "remainder_last": round(statistics.fmean(cell["remainder"][-1] for cell in cells), 5),
            "silhouette": cells[0]["map"]["silhouette"],
        }
    answers["largest_gap_of_the_identity"] = max(
        cell["identity_gap"] for cells in rows.values() for cell in cells
    )
    return answers


def draw(rows: Mapping[tuple[str, str], list[dict[str, Any]]], chosen: Mapping[str, Any]) -> Figure:
    """Test metrics and remainder above, a task each two panels; t-SNE of the last task below."""
    tasks, names = list(dict.fromkeys(task for task, _ in rows)), list(LOSSES)
    fig, _ = figure(height=9.0)
    fig.clear()
    fig.set_figwidth(12.5)
    above, below = fig.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.15))[:, 0]
    panels = above.subplots(1, 1 + len(tasks), squeeze=False)[0]
    for k, task in enumerate(tasks):
        ax = panels[k]
        for name in names:
            paths = np.array([cell["remainder"] for cell in rows[task, name]])
            steps = np.array([1, *range(chosen["every"], chosen["steps"] + 1, chosen["every"])])
            colour, line = STYLE[name]
            ax.plot(steps, paths.mean(0), line, color=colour, label=name)
            ax.fill_between(steps, paths.min(0), paths.max(0), color=colour, alpha=0.15, lw=0)
        ax.set(xlabel="training step", yscale="log", title=f"{task}, {MODELS[task]}")
        ax.set_ylabel(r"$b\,$KL(uniform||$q$) on the training data")
        ax.legend(frameon=False)
    _metrics(panels[-1], rows, tasks, names)
    maps = below.subplots(1, len(names))
    for ax, name in zip(maps, names, strict=True):
        found = rows[tasks[-1], name][0]["map"]
        ax.scatter(*np.array(found["points"]).T, c=found["labels"], s=6, cmap="tab10")
        ax.set(xticks=[], yticks=[], title=f"{name}: silhouette {found['silhouette']:.2f}")
    below.suptitle(f"t-SNE of the penultimate layer, validation data of {tasks[-1]}, seed 0", fontsize=11)
    above.suptitle(rf"LSR = SparseLSR + $b\,$KL(uniform||$q$), $\xi$ = {XI}: what the sparse form drops",
                   fontsize=11)  # fmt: skip
    return fig


def _metrics(ax: Any, rows: Mapping[tuple[str, str], list[dict[str, Any]]], tasks: Sequence[str],
             names: Sequence[str]) -> None:  # fmt: skip
    """Test error and calibration error of each loss, seed by seed."""
    for k, task in enumerate(tasks):
        for i, name in enumerate(names):
            cells = rows[task, name]
            errors, calibration = ([1 - c["accuracy"] for c in cells], [c["ece"] for c in cells])
            ax.plot(
                errors, calibration, "o^"[k], color=STYLE[name][0], alpha=0.35, ms=5, mew=0, label="_seed"
            )
            ax.plot(
                statistics.fmean(errors), statistics.fmean(calibration), "o^"[k], color=STYLE[name][0], ms=10,
                mec="black", mfc=STYLE[name][0] if i < 2 else "white", label=f"{name}, {task}",
            )  # fmt: skip
    ax.set(xlabel="test error", ylabel="expected calibration error, 15 bins", title="test data (large: mean)")
    ax.legend(frameon=False, fontsize=8)
    ax.grid(alpha=0.25, linewidth=0.6)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the study and writes its figure and data."""
    study = Study.start("sparse_lsr", __doc__, arguments, settings)
    chosen = study.settings
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for task_name in chosen["tasks"]:
        task = sl.load_task(task_name).with_model(MODELS[task_name])
        for name in LOSSES:
            rows[task_name, name] = [
                study.cell(f"{task_name}/{name}/{seed}", trained, task, name, seed, chosen)
                for seed in range(chosen["seeds"])
            ]
    return study.finish(summarise(rows), draw(rows, chosen))


if __name__ == "__main__":
    main(sys.argv[1:])

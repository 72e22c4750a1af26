"""How far does a prediction made from the formula alone hold in training?

The certificate says to which confidence a loss drives the target (`attractor`), and what the prediction of
least expected loss is when labels are wrong with probability 0.2 (the posterior map at q = 0.8). Both are
held against the confidences of trained models: three architectures, two tasks, five seeds. Each learning
rate is divided by the loss's implicit one, which the certificate states as well: all losses start alike. Where the
attractor is missed by more than 0.05, the model is trained again at a tenth of the learning rate.

    python -m analysis.implicit_smoothing            # figures/implicit_smoothing.json and .png
    python -m analysis.implicit_smoothing --quick    # one task, one seed, three losses
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import nn

import symloss as sl
from analysis.study import Study
from symloss.report.style import BLACK, COLOURS, GREY, figure
from symloss.tasks import SupervisedTask, TrainingSettings
from symloss.tasks.train.models import Architecture

CLASSES = 10
NOISE = 0.2
PHI1 = (1.1, 1.3, 2.0)
MATCHED = (1.3, 2.0)
"""Of these values of ACE's phi1, label smoothing with the same attractor is trained too."""
CLOSE = 0.05
MARKERS = {"digits": "o", "mnist-5k": "^"}


def settings(quick: bool) -> dict[str, Any]:
    """What is trained, and how."""
    return {
        "tasks": ["digits"] if quick else ["digits", "mnist-5k"],
        "models": ["linear", "mlp"] if quick else ["linear", "mlp", "lenet5"],
        "losses": ["ce", "ace 1.3", "lsr 1.3"] if quick else list(losses()),
        "seeds": 1 if quick else 5,
        "learning_rate": 0.05,
        "steps": 120 if quick else 300,
        "batch_size": 64,
        "noise": NOISE,
    }


def losses() -> dict[str, sl.Loss]:
    """The losses by the names that the figure uses; numbers are ACE's phi1, matched or its own."""
    found = {name: sl.named(name) for name in ("ce", "focal", "gce", "baikal", "ngl")}
    found.update({f"ace {phi1}": sl.named("ace", phi1=phi1) for phi1 in PHI1})
    for phi1 in MATCHED:
        xi = (1 - 1 / phi1) * CLASSES / (CLASSES - 1)
        for name in ("lsr", "sparse-lsr"):
            found[f"{name} {phi1}"] = sl.named(name, xi=xi)
    return found


def predict(loss: sl.Loss) -> dict[str, float]:
    """What the formula says: implicit learning rate, attractor, and confidence under label noise."""
    findings = sl.analyze(loss, classes=CLASSES).findings
    rate, attractor = findings["implicit_learning_rate"].numeric, findings["attractor"].numeric
    if rate is None or attractor is None:
        raise SystemExit(f"no attractor or implicit learning rate is established of {loss}")
    posterior = np.full(CLASSES, NOISE / (CLASSES - 1))
    posterior[0] = 1 - NOISE
    return {"rate": rate, "clean": attractor, "noisy": float(mapped(loss, posterior)[0])}


def mapped(loss: sl.Loss, posterior: NDArray[np.float64]) -> NDArray[np.float64]:
    """The prediction of least expected loss for a posterior whose entries but the first are equal.

    It is sought where the others are equal as well, and no prediction drawn at random may have less.
    """
    closed = sl.posterior_map(loss, CLASSES)
    if closed.closed is not None:
        return closed(posterior)
    entry = sl.Loss(loss.at_classes(CLASSES)).lambdify("numpy")

    def risk(p: NDArray[np.float64]) -> NDArray[np.float64]:
        target, other = (np.broadcast_to(entry(np.full_like(p, y), p), p.shape) for y in (1.0, 0.0))
        return ((target - other) @ posterior) + other.sum(axis=-1)

    first = np.linspace(1e-6, 1 - 1e-6, 200_001)
    even = np.repeat(((1 - first) / (CLASSES - 1))[:, None], CLASSES, axis=1)
    even[:, 0] = first
    risks = risk(even)
    best: NDArray[np.float64] = even[np.argmin(risks)]
    draw = np.random.default_rng(0)
    drawn = np.concatenate([draw.dirichlet(scale * best, 20_000) for scale in (1, 10, 100)])
    drawn = drawn.clip(1e-6, None) / drawn.clip(1e-6, None).sum(axis=1, keepdims=True)
    if risk(drawn).min() < risks.min() - 1e-3:
        raise SystemExit(f"the even spread is not the prediction of least expected loss of {loss}")
    return best


def with_model(task: SupervisedTask, name: str) -> SupervisedTask:
    """The task with one of the three architectures; LeNet-5 sees the 8 x 8 digits enlarged to 16 x 16."""
    if name != "lenet5" or task.inputs != (64,):
        return task.with_model(name)

    def enlarged() -> nn.Module:
        lenet = Architecture("lenet5", (1, 16, 16), CLASSES)()
        return nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Upsample(scale_factor=2), *lenet)

    return task.with_model(enlarged)


def trained(
    task: SupervisedTask, loss: sl.Loss, rate: float, seed: int, chosen: Mapping[str, Any]
) -> dict[str, float | None]:
    """One trained model: its confidence in the training labels and, on test data, in the true ones.

    None where it diverged.
    """
    steps = chosen["steps"]
    training = TrainingSettings(
        learning_rate=chosen["learning_rate"] / rate,
        batch_size=chosen["batch_size"],
        steps=steps,
        # ACE has a kink at its attractor, about which a fixed step size chatters.
        milestones=(3 * steps // 4,),
    )
    model = task.fit(loss, seed=seed, settings=training)
    found: dict[str, float | None] = {}
    for split in ("train", "test"):
        measured = task.evaluate(model, split, ["accuracy", median_confidence, mean_confidence])
        for name, value in measured.items():
            found[f"{split}_{name}"] = value if math.isfinite(value) else None
    return found


def _confidence(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return outputs.double().softmax(1).gather(1, targets[:, None])


def median_confidence(outputs: torch.Tensor, targets: torch.Tensor) -> float:
    """Median over the instances of the target's probability."""
    return float(_confidence(outputs, targets).median())


def mean_confidence(outputs: torch.Tensor, targets: torch.Tensor) -> float:
    """Mean over the instances of the target's probability."""
    return float(_confidence(outputs, targets).mean())


# Under noise the posterior map speaks of the true class, which the clean test labels show.
MEASURED = {"clean": "train_median-confidence", "noisy": "test_median-confidence"}


@dataclass(frozen=True)
class Row:
    """Measured and predicted confidence of one loss, architecture and task.

    Attributes:
        labels: "clean", "noisy", or "slow": clean ones, trained again at a tenth of the learning rate.
        seeds: measured, seed by seed; those that diverged are left out.
        diverged: how many did.
    """

    labels: str
    task: str
    model: str
    loss: str
    predicted: float
    seeds: tuple[float, ...]
    diverged: int

    @property
    def measured(self) -> float:
        """Mean over the seeds; NaN when all diverged."""
        return statistics.fmean(self.seeds) if self.seeds else math.nan

    @property
    def distance(self) -> float:
        """Of measured and predicted confidence; infinite when all seeds diverged."""
        return abs(self.measured - self.predicted) if self.seeds else math.inf

    @property
    def holds(self) -> bool:
        """Whether the prediction does."""
        return self.distance <= CLOSE and not self.diverged

    def __str__(self) -> str:
        lost = f", {self.diverged} diverged" if self.diverged else ""
        where = f"{self.loss}, {self.model} on {self.task}"
        return f"{where}: {self.predicted:.3f} predicted, {self.measured:.3f} measured{lost}"


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """How far measurement and prediction lie apart, overall and by architecture and task."""
    answers: dict[str, Any] = {}
    for labels in dict.fromkeys(row.labels for row in rows):
        here = [row for row in rows if row.labels == labels]
        groups = {"all": here}
        for row in here:
            groups.setdefault(f"{row.model} on {row.task}", []).append(row)
        answers[labels] = {name: _agreement(group) for name, group in groups.items()}
        fails = sorted((row for row in here if not row.holds), key=lambda row: -row.distance)
        answers[labels]["fails"] = [str(row) for row in fails]
    return answers


def _agreement(rows: Sequence[Row]) -> dict[str, float]:
    found = [row for row in rows if row.seeds]
    pairs = [[row.predicted for row in found], [row.measured for row in found]]
    return {
        "losses": len(rows),
        f"within_{CLOSE}": sum(row.holds for row in rows),
        "median_distance": round(statistics.median(row.distance for row in found), 4),
        "rank_correlation": round(float(spearmanr(*pairs)[0]), 3) if len(set(pairs[0])) > 1 else 1.0,
    }


def draw(rows: Sequence[Row]) -> Figure:
    """Measured against predicted confidence: clean labels above, noisy ones below, a model a column."""
    models = list(dict.fromkeys(row.model for row in rows))
    names = list(dict.fromkeys(row.loss for row in rows))
    families = list(dict.fromkeys(name.split()[0] for name in names))
    colours = dict(zip(families, (BLACK, *COLOURS[:-1], GREY), strict=False))
    fig, _ = figure(height=8.0)
    fig.clear()
    fig.set_figwidth(4.2 * len(models) + 1.4)
    grid = fig.subplots(2, len(models), sharex=True, sharey=True, squeeze=False)
    for axes, labels in zip(grid, MEASURED, strict=True):
        for ax, model in zip(axes, models, strict=True):
            ax.plot([0, 1], [0, 1], ":", color=GREY, lw=1.2)
            ax.grid(alpha=0.25, linewidth=0.6)
            ax.spines[["top", "right"]].set_visible(False)
            for row in rows:
                slow = row.labels == "slow"
                if row.model != model or not row.seeds or labels != ("clean" if slow else row.labels):
                    continue
                family = row.loss.split()[0]
                error = [[row.measured - min(row.seeds)], [max(row.seeds) - row.measured]]
                ax.errorbar(
                    row.predicted, row.measured, yerr=error, fmt=MARKERS[row.task], ms=7, alpha=0.8,
                    color=colours[family], mfc="none" if slow else colours[family], elinewidth=1,
                    mec=colours[family] if slow else "white", mew=1.2 if slow else 0.6,
                    label="_again" if slow else family,
                )  # fmt: skip
            ax.set(xlim=(0.25, 1.03), ylim=(0.25, 1.03))
            if labels == "clean":
                ax.set_title(model)
    grid[0, 0].set_ylabel("clean labels:\nmedian $p_t$ on the training data")
    grid[1, 0].set_ylabel(f"{NOISE:.0%} label noise:\nmedian $p$ of the true class on test data")
    for ax in grid[0]:
        ax.set_xlabel("attractor $p^*$, from the formula")
    for ax in grid[1]:
        ax.set_xlabel(f"posterior map $p^*(q)$ at $q = {1 - NOISE:g}$, from the formula")
    handles = {
        label: handle
        for ax in grid.flat
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    fig.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=len(handles), frameon=False
    )
    fig.suptitle("Confidence of trained models against the prediction made from the formula alone\n"
                 "circles: digits, triangles: mnist-5k; bars: range over the seeds; "
                 "open: again at a tenth of the learning rate", fontsize=11)  # fmt: skip
    return fig


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the study and writes its figure and data."""
    study = Study.start("implicit_smoothing", __doc__, arguments, settings)
    chosen = study.settings
    formulas = {name: loss for name, loss in losses().items() if name in chosen["losses"]}
    predictions = {name: study.cell(f"predict/{name}", predict, loss) for name, loss in formulas.items()}
    rows = []

    def row(labels: str, task: SupervisedTask, model: str, name: str) -> Row:
        slower = {"learning_rate": chosen["learning_rate"] / 10} if labels == "slow" else {}
        rate, of = predictions[name]["rate"], "noisy" if labels == "noisy" else "clean"
        values = [
            study.cell(
                f"{labels}/{task.name}/{model}/{name}/{seed}",
                *(trained, task, formulas[name], rate, seed, {**chosen, **slower}),
            )[MEASURED[of]]
            for seed in range(chosen["seeds"])
        ]
        kept = tuple(value for value in values if value is not None)
        return Row(labels, task.name, model, name, predictions[name][of], kept, len(values) - len(kept))

    for labels in MEASURED:
        for task_name in chosen["tasks"]:
            loaded = sl.load_task(task_name, label_noise=NOISE if labels == "noisy" else 0.0)
            for model in chosen["models"]:
                task = with_model(loaded, model)
                for name in formulas:
                    rows.append(row(labels, task, model, name))
                    # Is it the formula that fails, or the step size?
                    if labels == "clean" and not rows[-1].holds:
                        rows.append(row("slow", task, model, name))
    return study.finish(summarise(rows), draw(rows))


if __name__ == "__main__":
    main(sys.argv[1:])

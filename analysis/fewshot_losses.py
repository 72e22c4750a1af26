"""What does NPBML learn? Its loss before and after modulation, its regulariser, its preconditioner.

Two learners with every part, on sine waves (10 shots) and on glyphs (5 ways, 1 shot, 4-CONV with 16 filters), each
modulated as published, on the activations before, and on the mean of the support set. The loss is ordinary loss plus
inductive network; the network is drawn over the error (sine waves) and over the target's probability, all else even
(glyphs). On activations FiLM is one more layer: the loss is the same for all tasks. On the support set it is another
for each.

Hypothesis (NPBML's authors suspect it): a learned loss, and the regulariser above all, is a learning rate in
disguise. Then its gradient would be parallel to the ordinary one, tensor by tensor, and cutting it down to that part
would cost nothing. [fewshot_gradients.py](fewshot_gradients.py) says what explains which share of a gradient.

python -m analysis.fewshot_losses                 # figures/fewshot_losses.json, .png; resumable
python -m analysis.fewshot_losses --quick
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from analysis.comparison_figures import grid
from analysis.fewshot_gradients import (
    ORDINARY,
    TERMS,
    Change,
    InductiveLoss,
    Task,
    adapted,
    as_rates,
    explained,
    losses_along,
    without,
)
from analysis.study import Study
from symloss.compare import paired_t
from symloss.meta.fewshot import InnerLoop, Learner, Training, settings_for
from symloss.report.style import BLACK, COLOURS, GREY
from symloss.search import distill
from symloss.tasks.episodes import load_episodes

__all__ = ["CASES", "answers", "main"]

_WAVES: dict[str, Any] = {"shots": 10}
_GLYPHS: dict[str, Any] = {"ways": 5, "shots": 1, "queries": 5, "encoder": "4conv-16-stride"}
_ON_SUPPORT = ", modulated on the support set"
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "sinusoid": ("sinusoid", _WAVES),
    f"sinusoid{_ON_SUPPORT}": ("sinusoid", {**_WAVES, "film_on": "support"}),
    "glyphs": ("glyphs", _GLYPHS),
    f"glyphs{_ON_SUPPORT}": ("glyphs", {**_GLYPHS, "film_on": "support"}),
}
QUICK = tuple(CASES)[:2]
CHANGES: dict[str, Change] = {
    "as learned": without(),
    **{f"without {term}": without(term) for term in TERMS},
    "without all three": without(*TERMS),
    "regulariser cut down to rates": as_rates(TERMS[2]),
    "all three cut down to rates": as_rates(*TERMS),
}
"""What an inner step goes by in place of the learned loss."""
DRAWN = 4
"""Tasks whose loss is drawn."""


def cell(case: str, sizes: Mapping[str, int]) -> dict[str, Any]:
    """One training, and what came of it."""
    began = time.process_time()
    name, options = CASES[case]
    source = load_episodes(name)
    steps = sizes["meta_steps"]
    if source.kind == "classification":
        options = {**options, "pretrain_steps": steps}
    made = settings_for(
        source.kind, source.input_shape, "npbml", meta_steps=steps, every=steps, validation_tasks=sizes["test_tasks"],
        **options,
    )  # fmt: skip
    training = Training(source, made, seed=0)
    state = training.run(training.begin(), keep=_unkept)
    took = time.process_time() - began
    learner, phi = training.learner, training.phi(state.best)
    tasks = [Task(learner, phi, each) for each in training.episodes("test", sizes["test_tasks"])]
    paths = [adapted(task, without(), made.inner.steps) for task in tasks]
    found = {
        "kind": source.kind, "validation": state.history[-1][1], "stopped": state.stopped,
        "curves": curves(learner, phi, tasks[:DRAWN], paths),
        "explained": explained(tasks, [path[:-1] for path in paths]),
        "left out": left_out(tasks), "preconditioner": preconditioner(phi),
        "seconds of training": round(took, 1),
    }  # fmt: skip
    if made.design.film_on == "activations":  # else it is no one function of output and target
        found["distilled"] = distilled(learner, phi, tasks, paths, sizes)
    return found


def _unkept(state: object) -> None:
    """A cell is done in one go."""


def curves(
    learner: Learner,
    phi: Mapping[str, Tensor],
    tasks: Sequence[Task],
    paths: Sequence[Sequence[Mapping[str, Tensor]]],
) -> dict[str, Any]:
    """The loss along a line of outputs, less its value at the end where the target is met."""
    at, outputs, targets = _line(learner)
    plain = InductiveLoss.of(learner, phi, modulated=False)
    modulated = InductiveLoss.of(learner, phi)
    found: dict[str, Any] = {"at": _rounded(at)}
    with torch.no_grad():
        found["before modulation"] = _rounded(_at_zero(plain.rows(plain.weights, outputs, targets), at))
        if learner.settings.design.film_on == "activations":
            found["after"] = [_rounded(_at_zero(modulated.rows(modulated.weights, outputs, targets), at))]
            return found
        found["after"] = []
        for task, path in zip(tasks, paths, strict=False):
            seen, known = losses_along([task], [path[:1]])
            both = torch.cat([seen, outputs]), torch.cat([known, targets])
            rows = modulated.rows(modulated.weights, *both, support=len(seen))[len(seen) :]
            found["after"].append(_rounded(_at_zero(rows, at)))
    return found


def _line(learner: Learner) -> tuple[Tensor, Tensor, Tensor]:
    """Errors around a target of 1, or the target's probability, others even: where, outputs, targets."""
    if learner.kind == "regression":
        at = torch.linspace(-3, 3, 61)
        return at, 1 + at[:, None], torch.ones(len(at), 1)
    at = torch.linspace(0.02, 0.98, 49)
    logits = torch.zeros(len(at), learner.outputs)
    logits[:, 0] = (at / (1 - at)).log() + math.log(learner.outputs - 1)
    return at, logits - logits.mean(1, keepdim=True), torch.zeros(len(at), dtype=torch.int64)


def _at_zero(values: Tensor, at: Tensor) -> Tensor:
    """Less the value where the target is met: an error of 0, or the largest probability."""
    return values - values[at.abs().argmin() if float(at[0]) < 0 else -1]


def _rounded(values: Tensor) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


def left_out(tasks: Sequence[Task]) -> dict[str, Any]:
    """The score of each changed inner loop, and what it loses to the learned one, paired over tasks."""
    steps = tasks[0].learner.settings.inner.steps
    found: dict[str, list[float]] = {}
    for name, change in CHANGES.items():
        found[name] = [_score(task, adapted(task, change, steps)[-1]) for task in tasks]
    learner, phi = tasks[0].learner, tasks[0].phi
    start = learner.start(0)
    for name, changed in {
        "without modulation": {key: each for key, each in phi.items() if not key.startswith("film.")},
        "preconditioner as it started": {
            key: start[key] if key.startswith("warp.") else each for key, each in phi.items()
        },
    }.items():
        others = [Task(learner, changed, task.episode) for task in tasks]
        found[name] = [_score(task, adapted(task, without(), steps)[-1]) for task in others]
    base = found["as learned"]
    answer = {}
    for name, scores in found.items():
        test = paired_t([a - b for a, b in zip(scores, base, strict=True)])
        answer[name] = {
            "mean": sum(scores) / len(scores),
            "difference": test.mean,
            "interval": list(test.interval()),
        }
    return answer


def _score(task: Task, theta: Mapping[str, Tensor]) -> float:
    """Accuracy, or squared error, on the queries."""
    with torch.no_grad():
        loop = InnerLoop(task.learner, task.phi, task.episode)
        outputs, targets = loop.query_outputs(theta, loop.begin()), task.episode.query_targets
        if task.learner.kind == "regression":
            return float((outputs - targets).square().mean())
        return float((outputs.argmax(-1) == targets).double().mean())


def preconditioner(phi: Mapping[str, Tensor]) -> dict[str, Any]:
    """Of each warp layer, a matrix of channels (the centre of a convolution): its singular values, and how far it is
    from a multiple of the identity, which would be a learning rate."""
    found = {}
    for name, weight in phi.items():
        if not (name.startswith("warp.") and name.endswith(".weight")):
            continue
        middle = weight if weight.dim() == 2 else weight[:, :, weight.shape[2] // 2, weight.shape[3] // 2]
        scale = middle.diagonal().mean()
        whole = weight.square().sum()
        found[name] = {
            "scale": float(scale), "singular values": _rounded(torch.linalg.svdvals(middle)),
            "not a scale": float(1 - len(middle) * scale.square() / whole),
            "off the centre": float(1 - middle.square().sum() / whole),
        }  # fmt: skip
    return found


def distilled(
    learner: Learner, phi: Mapping[str, Tensor], tasks: Sequence[Task], paths: Sequence[Sequence[Mapping[str, Tensor]]],
    sizes: Mapping[str, int],
) -> dict[str, Any]:  # fmt: skip
    """Formulas for the loss where the inner loop sees it."""
    outputs, targets = losses_along(tasks, [path[:-1] for path in paths])
    order = torch.randperm(len(outputs), generator=torch.Generator().manual_seed(0))[: sizes["instances"]]
    outputs, targets = outputs[order], targets[order]
    if learner.kind == "regression":
        outputs, targets = outputs.squeeze(1), targets.squeeze(1)
    found = distill(
        InductiveLoss.of(learner, phi), at=(outputs, targets), seeds=0,
        classes=None if learner.kind == "regression" else learner.outputs,
        population=sizes["population"], generations=sizes["generations"],
    )  # fmt: skip
    rows = [
        {
            "formula": str(row.loss),
            "complexity": row.complexity,
            "r2": row.r2,
            "scale": row.scale,
            "picked": row.picked,
        }
        for row in found.rows
    ]
    return {"rows": rows, "nearest": found.nearest, "nearest r2": found.nearest_r2}


def answers(cells: Mapping[str, Any]) -> dict[str, Any]:
    """All but the curves."""
    return {
        case: {key: value for key, value in cells[case].items() if key not in ("curves", "kind")}
        for case in CASES if case in cells
    }  # fmt: skip


def printed(found: Mapping[str, Any]) -> str:
    """The answers as text."""
    lines = []
    for case, each in found.items():
        lines.append(f"{case} ({each['seconds of training']} s of training)")
        for term, shares in each["explained"].items():
            said = ", ".join(f"{name} {value:.3f}" for name, value in shares.items())
            lines.append(f"  {term:14} {said}")
        for name, score in each["left out"].items():
            low, high = score["interval"]
            lines.append(
                f"  {name:30} {score['mean']:.4f}, {score['difference']:+.4f} ({low:+.4f} to {high:+.4f})"
            )
        for name, layer in each["preconditioner"].items():
            values = layer["singular values"]
            lines.append(
                f"  {name}: scale {layer['scale']:.2f}, not a scale {layer['not a scale']:.2f}, off the centre "
                f"{layer['off the centre']:.2f}, singular values {values[0]:.2f} to {values[-1]:.3f}"
            )
        for row in each.get("distilled", {}).get("rows", []):
            lines.append(f"  r2 {row['r2']:.4f}  {row['scale']:.3g} * {row['formula']}{' <' * row['picked']}")
        if "distilled" in each:
            lines.append(
                f"  nearest with a name {each['distilled']['nearest']}, r2 {each['distilled']['nearest r2']:.4f}"
            )
    return "\n".join(lines)


def draw(cells: Mapping[str, Any]) -> Figure:
    """The loss in each case, what explains the gradients of its terms, and the preconditioner."""
    cases = [case for case in CASES if case in cells]
    fig, axes = grid(len(cases) + 2, 3.6, columns=3 if len(cases) == 4 else 2)
    # Both of a kind in one column, the two summaries in the last.
    places = [0, 1, 3, 4] if len(cases) == 4 else list(range(len(cases)))
    for place, case in zip(places, cases, strict=True):
        _draw_loss(axes[place], case, cells[case])
    left = [ax for i, ax in enumerate(axes) if i not in places]
    published = [case for case in cases if not case.endswith(_ON_SUPPORT)]
    _draw_explained(left[0], {case: cells[case]["explained"] for case in published})
    _draw_preconditioner(left[1], {case: cells[case]["preconditioner"] for case in published})
    return fig


def _draw_loss(ax: Axes, case: str, cell: Mapping[str, Any]) -> None:
    found, regression = cell["curves"], cell["kind"] == "regression"
    at = torch.tensor(found["at"])
    base = at.square() if regression else at[-1].log() - at.log()
    before = torch.tensor(found["before modulation"]) - base
    ax.plot(found["at"], before.tolist(), "--", color=BLACK, label="before modulation")
    for i, curve in enumerate(found["after"]):
        name = "after" if len(found["after"]) == 1 else f"after, task {i + 1}"
        ax.plot(found["at"], (torch.tensor(curve) - base).tolist(), color=COLOURS[i], label=name)
    ax.axhline(0, color=GREY, lw=1, ls=":")
    ax.set_title(case, fontsize=9)
    ax.set_xlabel(
        "prediction - target, target 1" if regression else "target's probability, others even", fontsize=8
    )
    ax.set_ylabel("loss, less the ordinary one", fontsize=8)
    ax.legend(fontsize=7, frameon=False)


def _draw_explained(ax: Axes, cases: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    labels, place = [], 0.0
    for case, terms in cases.items():
        for term in (ORDINARY, *TERMS):
            for i, (name, share) in enumerate(list(terms[term].items())[1:]):
                if term != ORDINARY or name == "a schedule":
                    ax.barh(
                        place + 0.2 * (i - 1.5), share, 0.2, color=COLOURS[i],
                        label=name if place == 1 else None,
                    )  # fmt: skip
            labels.append(f"{case}: {term}")
            place += 1
    ax.set_yticks(range(len(labels)), labels, fontsize=7)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_title("share of a gradient that is explained by", fontsize=9)
    ax.legend(fontsize=7, frameon=False)


def _draw_preconditioner(ax: Axes, cases: Mapping[str, Mapping[str, Any]]) -> None:
    for i, (case, layers) in enumerate(cases.items()):
        for style, (name, layer) in zip(("-", "--"), layers.items(), strict=False):
            values = layer["singular values"]
            ax.plot(
                [j / (len(values) - 1) for j in range(len(values))], values, style, color=COLOURS[i],
                label=f"{case}, after block {int(name.split('.')[1]) + 1}",
            )  # fmt: skip
    ax.axhline(1, color=GREY, lw=1, ls=":")
    ax.set_title("preconditioner: singular values, from 1", fontsize=9)
    ax.set_xlabel("largest to smallest", fontsize=8)
    ax.legend(fontsize=7, frameon=False)


def sizes(parser: argparse.ArgumentParser) -> None:
    """What can be made smaller."""
    parser.add_argument("--cases", type=int, default=len(CASES), help="the first so many")


def settings(options: argparse.Namespace) -> Mapping[str, Any]:
    """What every cell depends on."""
    if options.quick:
        return {"meta_steps": 12, "test_tasks": 4, "instances": 90, "population": 10, "generations": 1}
    return {"meta_steps": 500, "test_tasks": 100, "instances": 3_000, "population": 50, "generations": 20}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Does what has not been done, as long as there is time, and writes figure and data."""
    study, options = Study.lasting("fewshot_losses", __doc__, arguments, sizes, settings)
    for case in QUICK if study.quick else list(CASES)[: options.cases]:
        if study.in_time:
            study.cell(case, cell, case, study.settings)
    found = answers(study.cells)
    print(printed(found))
    return study.save(found, draw(study.cells))


if __name__ == "__main__":
    main(sys.argv[1:])

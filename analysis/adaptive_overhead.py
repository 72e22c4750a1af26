"""What does it cost that a loss adapts? Time and peak memory of an online step, against the same loss held fixed.

A step of training is one forward and one backward pass, 3 units of arithmetic. An adaptive step has both a second time,
on the validation batch, and one forward-mode pass: 8 units where the first forward pass could be kept, 9 as it is
repeated, to hold no activations in the meantime. Beside it the same meta-gradient by unrolling the step with autograd,
here and, where it is installed, through `higher` (Grefenstette et al., 2019).

python -m analysis.adaptive_overhead                  # figures/adaptive_overhead.png, .json
python -m analysis.adaptive_overhead --device cuda
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from analysis.study import Study
from symloss.meta import AdaptiveLoss
from symloss.meta.inner import SGD
from symloss.meta.learned_loss import unpacked
from symloss.meta.passes import Passes, gradients
from symloss.report.style import COLOURS, figure, legend_outside
from symloss.tasks.train.models import architecture

MODELS: dict[str, tuple[tuple[int, ...], str]] = {
    "mlp-2x64": ((64,), "mlp-2x64"),
    "mlp-2x1000": ((64,), "mlp-2x1000"),
    "lenet5": ((1, 28, 28), "lenet5"),
    "resnet18": ((3, 32, 32), "resnet18"),
}
LOSSES = ("neural", "smooth-ace")
METHODS = ("fixed", "adaptive", "unrolled", "higher")
CASES = [(model, 128) for model in MODELS if model != "resnet18"] + [
    ("mlp-2x1000", 32),
    ("mlp-2x1000", 512),
    ("resnet18", 16),
]
QUICK = [("mlp-2x64", 32)]
RATE, CLASSES = 0.01, 10


class Bench:
    """One model, loss and batch, and a step by every method."""

    def __init__(self, model: str, loss: str, batch: int, device: str) -> None:
        shape, name = MODELS[model]
        torch.manual_seed(0)
        self.model = architecture(name, shape, CLASSES)().to(device).train()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=RATE, momentum=0.9, nesterov=True)
        self.adaptive = AdaptiveLoss(loss, classes=CLASSES if loss == "neural" else None, eta=1e-3)
        self.train, self.val = (
            (torch.randn(batch, *shape, device=device), torch.randint(CLASSES, (batch,), device=device))
            for _ in range(2)
        )
        self.phi = torch.tensor(self.adaptive.values, device=device, requires_grad=True)

    def fixed(self) -> None:
        """A plain step with the loss as it is."""
        self.optimizer.zero_grad(set_to_none=True)
        self.adaptive(self.model(self.train[0]), self.train[1]).backward()
        self.optimizer.step()

    def adapting(self) -> Tensor:
        """An adaptive step."""
        return self.adaptive.step(self.model, self.optimizer, self.train, self.val).gradient

    def loss(self, outputs: Tensor) -> Tensor:
        """The loss of the training batch, differentiable in its coefficients."""
        phi = unpacked(self.phi.to(outputs), self.adaptive.learned.coefficients)
        return self.adaptive.learned(phi, outputs, self.train[1])

    def unrolled(self) -> Tensor:
        """The step as part of the graph, then reverse mode through all of it."""
        rule, call = SGD(RATE, momentum=0.9, nesterov=True), Passes(self.model)
        weights = {name: weight.detach().requires_grad_() for name, weight in self.model.named_parameters()}
        slopes = gradients(self.loss(call(weights, self.train[0])), weights, create_graph=True)
        moved = {name: rule.step(weight, slopes[name], {})[0] for name, weight in weights.items()}
        value = F.cross_entropy(call(moved, self.val[0]), self.val[1])
        (found,) = torch.autograd.grad(value, self.phi)
        return found

    def higher(self) -> Tensor:
        """The same through the package of that name."""
        import higher  # type: ignore[import-not-found, import-untyped, unused-ignore]

        inner = torch.optim.SGD(self.model.parameters(), lr=RATE, momentum=0.9, nesterov=True)
        with higher.innerloop_ctx(self.model, inner, copy_initial_weights=True) as (model, optimizer):
            optimizer.step(self.loss(model(self.train[0])))
            value = F.cross_entropy(model(self.val[0]), self.val[1])
            (found,) = torch.autograd.grad(value, self.phi)
        return found

    def steps(self) -> dict[str, Callable[[], Any]]:
        """By method."""
        known = {
            "fixed": self.fixed,
            "adaptive": self.adapting,
            "unrolled": self.unrolled,
            "higher": self.higher,
        }
        return {name: known[name] for name in METHODS if name != "higher" or has_higher()}


def has_higher() -> bool:
    """Whether the package that is compared with is installed."""
    from importlib.util import find_spec

    return find_spec("higher") is not None


def measure_time(model: str, loss: str, batch: int, device: str, repeats: int) -> dict[str, Any]:
    """Seconds of a step by method, and ratios to the fixed loss; methods take turns: all are disturbed alike."""
    bench = Bench(model, loss, batch, device)
    # Of the one thread on the CPU its own time: other programs disturb the clock on the wall more.
    clock = time.process_time if device == "cpu" else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in bench.steps()}
    for i in range(repeats + 2):
        for name, step in bench.steps().items():
            _wait(device)
            start = clock()
            step()
            _wait(device)
            if i > 1:
                times[name].append(clock() - start)
    ratios = {
        name: statistics.median(a / b for a, b in zip(values, times["fixed"], strict=True))
        for name, values in times.items()
    }
    return {"seconds": {name: min(values) for name, values in times.items()}, "ratios": ratios}


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def measure_memory(model: str, loss: str, batch: int, device: str) -> dict[str, float]:
    """Bytes that a step holds at its peak beyond what there was before it, by method: what torch has allocated."""
    bench = Bench(model, loss, batch, device)
    found = {}
    for name, step in bench.steps().items():
        bench.fixed()
        step()
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            step()
            found[name] = float(torch.cuda.max_memory_allocated() - before)
            continue
        with torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
        ) as seen:
            step()
        events = seen.profiler.kineto_results.events()
        changes = sorted((each.start_ns(), each.nbytes()) for each in events if each.name() == "[memory]")
        found[name] = float(max(accumulate((size for _, size in changes), initial=0)))
    return found


def agreement(device: str) -> float:
    """Largest relative difference between the adaptive and the unrolled meta-gradient, from the same weights."""
    bench = Bench("mlp-2x64", "smooth-ace", 32, device)
    by_hand = bench.unrolled()
    found = bench.adapting().to(by_hand)
    return float((found - by_hand).abs().max() / by_hand.abs().max())


def draw(cells: Mapping[str, Any], cases: Sequence[tuple[str, int]]) -> Figure:
    """Ratios to the fixed loss: of time and of peak memory, for every case and loss."""
    fig, axes = figure(panels=2, height=2.4 + 0.35 * len(cases))
    rows = [(model, batch, loss) for model, batch in cases for loss in LOSSES]
    for ax, what, title in (
        (axes[0], "time", "time of a step"), (axes[1], "memory", "peak memory of a step beyond the model"),
    ):  # fmt: skip
        for place, (model, batch, loss) in enumerate(rows):
            cell = cells[f"{what}/{model}/{batch}/{loss}"]
            ratios = (
                cell["ratios"]
                if what == "time"
                else {name: value / max(cell["fixed"], 1.0) for name, value in cell.items()}
            )
            for i, name in enumerate(METHODS):
                if name in ratios:
                    ax.plot(ratios[name], place, "os^D"[i], color=COLOURS[i], label=name, ms=5)
        ax.axvline(3, color=COLOURS[1], lw=1, ls=":")
        ax.set_yticks(
            range(len(rows)), [f"{model}, {batch}, {loss}" for model, batch, loss in rows], fontsize=8
        )
        ax.invert_yaxis()
        ax.set_xscale("log")
        ax.set_xticks([1, 2, 3, 4, 6], ["1", "2", "3", "4", "6"])
        ax.minorticks_off()
        ax.set_xlabel("over a step with the same loss held fixed", fontsize=8)
        ax.set_title(title, fontsize=10)
    legend_outside(fig, axes)
    return fig


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the study; returns what its JSON holds."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options, rest = parser.parse_known_args(arguments)
    device = options.device
    study = Study.start(
        "adaptive_overhead", __doc__, rest,
        lambda quick: {
            "device": device, "cases": QUICK if quick else CASES, "losses": LOSSES, "repeats": 3 if quick else 15,
        },
    )  # fmt: skip
    warnings.filterwarnings("ignore", module="higher")
    cases = [(str(model), int(batch)) for model, batch in study.settings["cases"]]
    for model, batch in cases:
        for loss in LOSSES:
            repeats = 3 if model == "resnet18" else int(study.settings["repeats"])
            study.cell(f"time/{model}/{batch}/{loss}", measure_time, model, loss, batch, device, repeats)
            study.cell(f"memory/{model}/{batch}/{loss}", measure_memory, model, loss, batch, device)
    study.cell("agreement", agreement, device)
    times = {key[5:]: cell["ratios"] for key, cell in study.cells.items() if key.startswith("time/")}
    memory = {key[7:]: cell for key, cell in study.cells.items() if key.startswith("memory/")}
    answers = {
        "agreement": study.cells["agreement"],
        "time over the fixed loss": {
            key: {name: round(value, 2) for name, value in row.items()} for key, row in times.items()
        },
        "peak memory, MB": {
            key: {name: round(value / 1e6, 1) for name, value in row.items()} for key, row in memory.items()
        },
    }
    return study.finish(answers, draw(study.cells, cases))


if __name__ == "__main__":
    main()

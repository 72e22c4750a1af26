"""What does a meta-step cost? Time and peak memory of MAML's and NPBML's meta-gradient, beside a loop through `higher`.

A meta-step is the meta-gradient of a batch of four tasks: through the inner loop, on the queries. Here tasks go one
after the other, or together (one larger computation), or one after the other with inner steps that are worked out again
rather than kept. MAML's is also taken by a loop over tasks through `higher` (Grefenstette et al., 2019), where that is
installed. Inputs are random numbers: neither time nor memory depends on them.

python -m analysis.fewshot_speed                  # figures/fewshot_speed.png, .json
python -m analysis.fewshot_speed --device cuda
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from itertools import accumulate
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

from analysis.adaptive_overhead import has_higher
from analysis.study import Study
from symloss.meta.fewshot import Learner, meta_gradient, settings_for
from symloss.report.style import COLOURS, figure, legend_outside
from symloss.tasks.episodes import Episode

_WAVES: dict[str, Any] = {"shots": 10}
_LETTERS: dict[str, Any] = {"ways": 5, "shots": 1, "queries": 15}
CASES: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "sinusoid, MAML": ("regression", (1,), {"method": "maml", **_WAVES}),
    "sinusoid, NPBML": ("regression", (1,), {"method": "npbml", **_WAVES}),
    "omniglot, MAML, strides, 1 step": ("classification", (1, 28, 28), {"method": "maml", **_LETTERS}),
    "omniglot, MAML, pooled, 5 steps": (
        "classification", (1, 28, 28),
        {"method": "maml", "encoder": "4conv-64", "inner_steps": 5, "inner_rate": 0.01, "momentum": 0.9, **_LETTERS},
    ),
    "omniglot, NPBML, strides": ("classification", (1, 28, 28), {"method": "npbml", "pretrain_steps": 0, **_LETTERS}),
}  # fmt: skip
QUICK = ["sinusoid, MAML"]
WAYS = ("higher", "one by one", "together", "worked out again")
BATCH = 4


class Bench:
    """One kind of task and learner, and a meta-step in every way."""

    def __init__(self, case: str, device: str, double: bool = False) -> None:
        kind, shape, options = CASES[case]
        settings = settings_for(kind, shape, meta_batch=BATCH, **options)
        self.learner = Learner(settings, kind, shape)
        again = replace(settings, inner=replace(settings.inner, checkpointed=True))
        self.again = Learner(again, kind, shape)
        self.maml = settings.method == "maml"
        dtype = torch.float64 if double else torch.float32
        self.phi = {name: each.to(device, dtype) for name, each in self.learner.start(0).items()}
        torch.manual_seed(0)
        self.episodes = [self._episode(device, dtype) for _ in range(BATCH)]
        if self.maml:
            self.model = _module(self.learner, self.phi)

    def _episode(self, device: str, dtype: torch.dtype) -> Episode:
        settings, learner = self.learner.settings, self.learner
        parts: list[Tensor] = []
        for each in (settings.shots, settings.queries):
            inputs = torch.randn(settings.ways * each, *learner.input_shape, device=device, dtype=dtype)
            targets = torch.arange(settings.ways, device=device).repeat_interleave(each)
            parts += [inputs, torch.sin(inputs) if learner.kind == "regression" else targets]
        return Episode(*parts)

    def higher(self) -> dict[str, Tensor]:
        """A loop over tasks, each in a copy of the model that `higher` can differentiate through."""
        higher = import_module("higher")  # of a benchmark alone; it has no types

        inner = self.learner.settings.inner
        loss = F.mse_loss if self.learner.kind == "regression" else F.cross_entropy
        optimizer = torch.optim.SGD(
            self.model.parameters(), lr=inner.rate, momentum=inner.momentum, nesterov=inner.momentum > 0,
            weight_decay=inner.weight_decay,
        )  # fmt: skip
        self.model.zero_grad()
        for episode in self.episodes:
            with higher.innerloop_ctx(self.model, optimizer, copy_initial_weights=False) as (model, steps):
                for _ in range(inner.steps):
                    steps.step(loss(model(episode.support_inputs), episode.support_targets))
                (loss(model(episode.query_inputs), episode.query_targets) / BATCH).backward()
        slopes = [each.grad for each in self.model.parameters()]
        return dict(zip(self.phi, (each for each in slopes if each is not None), strict=True))

    def steps(self) -> dict[str, Callable[[], dict[str, Tensor]]]:
        """By way."""

        def ours(learner: Learner, together: bool) -> dict[str, Tensor]:
            return meta_gradient(learner, self.phi, self.episodes, together=together)[1]

        found: dict[str, Callable[[], dict[str, Tensor]]] = {
            "one by one": partial(ours, self.learner, False),
            "together": partial(ours, self.learner, True),
            "worked out again": partial(ours, self.again, False),
        }
        return {"higher": self.higher, **found} if self.maml and has_higher() else found


def _module(learner: Learner, phi: Mapping[str, Tensor]) -> nn.Module:
    """The same network as a module, as one would write it for `higher`; its weights in the order of their names."""
    layers: list[nn.Module] = []
    stride = learner.settings.design.encoder.endswith("stride")
    for i in range(learner.encoder.blocks):
        if learner.kind == "regression":
            out, into = phi[f"encoder.{i}.weight"].shape
            layers += [nn.Linear(into, out), nn.ReLU()]
            continue
        out, into = phi[f"encoder.{i}.conv"].shape[:2]
        layers += [
            nn.Conv2d(into, out, 3, 2 if stride else 1, 1, bias=False),
            nn.BatchNorm2d(out, track_running_stats=False),
            nn.ReLU(),
            *([] if stride else [nn.MaxPool2d(2)]),
        ]
    if stride:
        layers.append(nn.AdaptiveAvgPool2d(1))
    head = phi["head.weight"]
    made = nn.Sequential(*layers, nn.Flatten(), nn.Linear(head.shape[1], head.shape[0])).to(head)
    with torch.no_grad():
        for weight, value in zip(made.parameters(), phi.values(), strict=True):
            weight.copy_(value)
    return made


def measure_time(case: str, device: str, repeats: int) -> dict[str, Any]:
    """Seconds of a meta-step by way, and ratios to tasks one by one; ways take turns: all are disturbed alike."""
    bench = Bench(case, device)
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
    base = times["higher"] if "higher" in times else times["one by one"]
    ratios = {
        name: statistics.median(a / b for a, b in zip(values, base, strict=True))
        for name, values in times.items()
    }
    return {"seconds": {name: min(values) for name, values in times.items()}, "ratios": ratios}


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def measure_memory(case: str, device: str) -> dict[str, float]:
    """Bytes that a meta-step holds at its peak beyond what there was before it, by way: what torch has allocated."""
    bench, found = Bench(case, device), {}
    for name, step in bench.steps().items():
        step()
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            step()
            found[name] = float(torch.cuda.max_memory_allocated() - before)
            continue
        activities = [torch.profiler.ProfilerActivity.CPU]
        with torch.profiler.profile(activities=activities, profile_memory=True) as seen:
            step()
        events = seen.profiler.kineto_results.events()
        changes = sorted((each.start_ns(), each.nbytes()) for each in events if each.name() == "[memory]")
        found[name] = float(max(accumulate((size for _, size in changes), initial=0)))
    return found


def agreement(case: str, device: str) -> dict[str, float]:
    """Largest difference of each way's meta-gradient from that of tasks one by one, over its largest entry; float64."""
    bench = Bench(case, device, double=True)
    made = {name: step() for name, step in bench.steps().items()}
    base = made.pop("one by one")
    scale = max(float(each.abs().max()) for each in base.values())
    return {
        name: max(float((slopes[key] - each).abs().max()) for key, each in base.items()) / scale
        for name, slopes in made.items()
    }


def draw(cells: Mapping[str, Any], cases: Sequence[str]) -> Figure:
    """Time and memory of every case, by way."""
    fig, axes = figure(panels=2, height=2.0 + 0.5 * len(cases))
    for ax, what, title in (
        (axes[0], "time", "CPU milliseconds of a meta-step"), (axes[1], "memory", "peak memory of a meta-step, MB"),
    ):  # fmt: skip
        for place, case in enumerate(cases):
            cell = cells[f"{what}/{case}"]
            values = cell["seconds"] if what == "time" else cell
            for i, name in enumerate(WAYS):
                if name in values:
                    shown = values[name] * (1e3 if what == "time" else 1e-6)
                    ax.plot(shown, place, "os^D"[i], color=COLOURS[i], label=name, ms=6)
        ax.set_yticks(range(len(cases)), cases, fontsize=8)
        ax.invert_yaxis()
        ax.set_xscale("log")
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
        "fewshot_speed", __doc__, rest,
        lambda quick: {"device": device, "cases": QUICK if quick else list(CASES), "repeats": 3 if quick else 11},
    )  # fmt: skip
    warnings.filterwarnings("ignore", module="higher")
    cases = [str(case) for case in study.settings["cases"]]
    for case in cases:
        study.cell(f"agreement/{case}", agreement, case, device)
        study.cell(f"memory/{case}", measure_memory, case, device)
        study.cell(f"time/{case}", measure_time, case, device, int(study.settings["repeats"]))
    answers = {
        "milliseconds of a meta-step": {
            case: {
                name: round(1e3 * value, 1) for name, value in study.cells[f"time/{case}"]["seconds"].items()
            }
            for case in cases
        },
        "time over higher, where it is there, else over one by one": {
            case: {name: round(value, 2) for name, value in study.cells[f"time/{case}"]["ratios"].items()}
            for case in cases
        },
        "peak memory, MB": {
            case: {name: round(value / 1e6, 2) for name, value in study.cells[f"memory/{case}"].items()}
            for case in cases
        },
        "largest difference of meta-gradients": {case: study.cells[f"agreement/{case}"] for case in cases},
    }
    return study.finish(answers, draw(study.cells, cases))


if __name__ == "__main__":
    main()

"""Is a compiled formula as fast as the loss a person would write?

Forward and backward of symloss against torch's own loss, the best eager version (log_softmax and gather),
and the same formula evaluated on a dense one-hot tensor; the peak memory that each adds; the time to compile.
Medians of rounds in shuffled order; `again` is the reference a second time: its ratio shows the noise. Wants
the machine for itself.

    python -m analysis.bench_losses            # figures/bench_losses.json and .png
    python -m analysis.bench_losses --quick    # tiny sizes, two rounds
"""

from __future__ import annotations

import gc
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

import symloss as sl
from analysis.study import Study
from symloss.codegen import compile_loss, export_python, plan

Contender = Callable[[Tensor, Tensor], Tensor]
TREES = {
    "target-only tree": "y*abs(plog(1.3*p) + tanh(p*p - 0.5)*aq(p, 0.7) + psqrt(p + 0.1)) + y*min(p, 0.6)",
    "dense tree": "tanh(p*p - 0.5*y)*aq(p, 0.7) + psqrt(p + 0.1*y) - y*plog(p) + max(p*y, 0.3)",
}
TARGETS = {
    "ce": (1.05, 1.05, 0.95), "lsr": (1.0, 0.75, 0.75), "sparse-lsr": (1.0, 0.75, 0.75),
    **dict.fromkeys(("ace", "focal", "gce", "poly1", "sce"), (1.0, 1.0, 0.85)),
    "target-only tree": (0.8, 0.3, 0.15), "dense tree": (1.0, 0.6, 0.6),
    **dict.fromkeys(("huber", "log-cosh", "cauchy"), (1.0,)),
}  # fmt: skip
"""The ratios to reach at the three sizes; regression has one size."""
REGRESSION = ("huber", "log-cosh", "cauchy")


def settings(quick: bool) -> Mapping[str, Any]:
    """Sizes and rounds; `threads` are torch threads."""
    if quick:
        return {
            "sizes": [[4, 3]], "rounds": [2, 2], "elements": 100, "threads": [1], "formulas": 2, "backend": "eager",
            "curve_classes": [3], "curve_instances": [4], "curve_rounds": 2,
        }  # fmt: skip
    return {
        "sizes": [[128, 10], [128, 1000], [512, 32000]], "rounds": [2000, 400, 15], "elements": 1_000_000,
        "threads": [1, 2], "formulas": 30, "backend": "inductor",
        "curve_classes": [10, 32, 100, 320, 1000, 3200, 10000, 32000],
        "curve_instances": [16, 32, 64, 128, 256, 512, 1024], "curve_rounds": 25,
    }  # fmt: skip


def log_p(z: Tensor, t: Tensor) -> Tensor:
    """The target's log-probability, as a person would write it."""
    return torch.log_softmax(z, 1).gather(1, t[:, None]).squeeze(1)


def eager_focal(z: Tensor, t: Tensor) -> Tensor:
    """Focal loss with gamma 2 by hand."""
    u = log_p(z, t)
    return -((1 - u.exp()) ** 2 * u).mean()


def eager_poly1(z: Tensor, t: Tensor) -> Tensor:
    """Poly-1 by hand."""
    u = log_p(z, t)
    return (1 - u.exp() - u).mean()


def eager_sce(z: Tensor, t: Tensor) -> Tensor:
    """Symmetric cross-entropy by hand."""
    u = log_p(z, t)
    return (4 * (1 - u.exp()) - 0.1 * u).mean()


def eager_log_cosh(p: Tensor, y: Tensor) -> Tensor:
    """Log-cosh by hand, stable at both ends."""
    r = (y - p).abs()
    return (r + F.softplus(-2 * r)).mean() - math.log(2)


def dense(text: str) -> Contender:
    """A formula as it stands on a one-hot tensor."""
    formula = sl.parse(text).lambdify("torch")

    def loss(z: Tensor, t: Tensor) -> Tensor:
        entries = formula(F.one_hot(t, z.shape[1]).to(z.dtype), torch.softmax(z, 1))
        return entries.sum(1).mean()

    return loss


REFERENCES: dict[str, tuple[str, Contender]] = {
    "ce": ("F.cross_entropy", F.cross_entropy),
    "lsr": ("F.cross_entropy, label_smoothing", lambda z, t: F.cross_entropy(z, t, label_smoothing=0.1)),
    "sparse-lsr": (
        "F.cross_entropy, label_smoothing",
        lambda z, t: F.cross_entropy(z, t, label_smoothing=0.1),
    ),
    "ace": ("eager", lambda z, t: (log_p(z, t) + 0.26236426446749106).abs().mean()),
    "focal": ("eager", eager_focal),
    "gce": ("eager", lambda z, t: ((1 - (0.7 * log_p(z, t)).exp()) / 0.7).mean()),
    "poly1": ("eager", eager_poly1),
    "sce": ("eager", eager_sce),
    "huber": ("F.huber_loss", F.huber_loss),
    "log-cosh": ("eager", eager_log_cosh),
    "cauchy": ("eager", lambda p, y: 0.5 * torch.log1p((y - p) ** 2).mean()),
    **{name: ("dense", dense(text)) for name, text in TREES.items()},
}
"""What each formula is measured against."""


def loss_of(name: str) -> sl.Loss:
    """The loss that a row is about."""
    if name in TREES:
        return sl.parse(TREES[name])
    return sl.named(name, kind="regression" if name in REGRESSION else "classification")


def batch(shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Outputs that want a gradient, and targets; one number in the shape makes a regression batch."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(*shape, generator=generator).requires_grad_()
    if len(shape) == 1:
        return outputs, torch.randn(*shape, generator=generator)
    return outputs, torch.randint(shape[1], (shape[0],), generator=generator)


def step(loss: Contender, outputs: Tensor, targets: Tensor) -> None:
    """One forward and backward pass."""
    outputs.grad = None
    loss(outputs, targets).backward()


def seconds(contenders: Mapping[str, Contender], shape: Sequence[int], rounds: int) -> dict[str, float]:
    """The median time of a step of each, over interleaved rounds in shuffled order."""
    outputs, targets = batch(shape)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    order, shuffle = list(contenders), random.Random(0)
    for turn in range(rounds + 2):
        shuffle.shuffle(order)
        for name in order:
            start = time.perf_counter()
            step(contenders[name], outputs, targets)
            if turn >= 2:  # the first two turns fill caches
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def peak_bytes(loss: Contender, shape: Sequence[int]) -> int:
    """What a step adds to the allocated memory at its peak, from the allocator's own events."""
    outputs, targets = batch(shape)
    step(loss, outputs, targets)
    outputs.grad = None
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        step(loss, outputs, targets)
    assert recorded.profiler is not None
    events = [e for e in recorded.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


def exported(loss: sl.Loss) -> Contender:
    """The loss of an exported file."""
    namespace: dict[str, Any] = {}
    exec(compile(export_python(loss), "exported.py", "exec"), namespace)
    module: Contender = namespace["SymbolicLoss"]()
    return module


def measured(name: str, shape: Sequence[int], rounds: int, threads: int, backend: str) -> dict[str, Any]:
    """One row of the table; `backend` is that of `torch.compile`, which is tried as well."""
    torch.set_num_threads(threads)
    torch.compiler.reset()
    loss, (against, reference) = loss_of(name), REFERENCES[name]
    compiled = compile_loss(loss)
    contenders: dict[str, Contender] = {
        "symloss": compiled, "exported": exported(loss), "reference": reference, "again": reference,
        "torch.compile": torch.compile(compiled, backend=backend, dynamic=False),
    }  # fmt: skip
    found = seconds(contenders, shape, rounds)
    memory = {each: peak_bytes(contenders[each], shape) for each in ("symloss", "reference")}
    torch.set_num_threads(1)
    return {
        "formula": name, "against": against, "shape": list(shape), "threads": threads,
        "path": plan(loss).path, "seconds": found, "peak_bytes": memory,
        "ratio": found["symloss"] / found["reference"], "a_a": found["again"] / found["reference"],
        "exported_ratio": found["exported"] / found["reference"],
        "torch_compile_ratio": found["torch.compile"] / found["reference"],
    }  # fmt: skip


def compile_times(formulas: int) -> dict[str, float]:
    """Seconds from text to the first gradient of a new formula, and of one compiled before; medians."""
    outputs, targets = batch((8, 4))
    new: list[float] = []
    cached: list[float] = []
    for i in range(formulas):
        text = TREES["target-only tree"].replace("0.7", f"0.7{i + 1:03}").replace("0.1", f"0.1{i + 1:03}")
        for times in (new, cached):
            loss = sl.parse(text)
            start = time.perf_counter()
            module = compile_loss(loss)
            if times is new:
                step(module, outputs, targets)
            times.append(time.perf_counter() - start)
    return {"new": statistics.median(new), "cached": statistics.median(cached)}


def curve_point(shape: Sequence[int], rounds: int) -> dict[str, Any]:
    """Time and memory of ACE in its four forms."""
    text = str(sl.named("ace"))
    contenders: dict[str, Contender] = {
        "symloss": compile_loss(sl.named("ace")), "torch": F.cross_entropy, "eager": REFERENCES["ace"][1],
        "dense": dense(text),
    }  # fmt: skip
    found = seconds(contenders, shape, rounds)
    return {
        name: {"seconds": found[name], "bytes": peak_bytes(contenders[name], shape)} for name in contenders
    }


def draw(curves: Mapping[str, Mapping[int, Any]], rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Time and memory against C and N, and the ratios of the table beside what is to be reached."""
    figure = Figure(figsize=(12, 10), layout="constrained")
    axes = figure.subplots(3, 2)
    labels = {
        "torch": "F.cross_entropy",
        "eager": "ACE, eager",
        "dense": "ACE, dense",
        "symloss": "ACE, symloss",
    }
    for column, (what, points) in enumerate(curves.items()):
        for row, (key, unit, scale) in enumerate((("seconds", "ms", 1e3), ("bytes", "MB", 1e-6))):
            for name, label in labels.items():
                values = [points[n][name][key] * scale for n in points]
                axes[row][column].plot(list(points), values, marker="o", label=label)
            axes[row][column].set(
                xscale="log",
                yscale="log",
                xlabel=what,
                ylabel=f"{key.replace('bytes', 'peak memory')} [{unit}]",
            )
            axes[row][column].grid(alpha=0.3)
    axes[0][0].legend()
    single = [row for row in rows if row["threads"] == 1]
    names = list(dict.fromkeys(row["formula"] for row in single))
    for axis, key, title in (
        (axes[2][0], "ratio", "symloss"),
        (axes[2][1], "exported_ratio", "exported file"),
    ):
        shapes = list(dict.fromkeys(tuple(row["shape"]) for row in single))
        for shape in shapes:
            chosen = [row for row in single if tuple(row["shape"]) == shape]
            label = "x".join(map(str, shape))
            places = [names.index(row["formula"]) for row in chosen]
            axis.plot(places, [row[key] for row in chosen], "o", label=label)
            if key == "ratio":
                axis.plot(places, [row["target"] for row in chosen], "k_", markersize=12)
        axis.axhline(1, color="black", linewidth=0.5)
        axis.set(yscale="log", ylabel=f"time of {title} / reference", title="")
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axis.legend()
    axes[2][0].set_title("black dashes: the ratio to reach")
    return figure


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rows as text."""
    return [
        f"{row['formula']:17} {'x'.join(map(str, row['shape'])):>10} {row['threads']} thread(s): "
        f"{row['seconds']['symloss'] * 1e6:9.1f} us, {row['ratio']:.2f} of {row['against']} "
        f"(to reach {row['target']:.2f}; A/A {row['a_a']:.2f}; exported {row['exported_ratio']:.2f}; "
        f"torch.compile {row['torch_compile_ratio']:.2f}; "
        f"memory {row['peak_bytes']['symloss'] / max(row['peak_bytes']['reference'], 1):.2f})"
        for row in rows
    ]


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the benchmark and writes its figure and data."""
    study = Study.start("bench_losses", __doc__, arguments, settings)
    chosen = study.settings
    rows = []
    for threads in chosen["threads"]:
        for name, targets in TARGETS.items():
            shapes = [[chosen["elements"]]] if name in REGRESSION else chosen["sizes"]
            rounds = [chosen["rounds"][1]] if name in REGRESSION else chosen["rounds"]
            for shape, turns, target in zip(shapes, rounds, targets, strict=False):
                key = f"{name}/{'x'.join(map(str, shape))}/{threads}"
                row = study.cell(key, partial(measured, name, shape, turns, threads, chosen["backend"]))
                rows.append({**row, "target": target})
    curves: dict[str, dict[int, Any]] = {"classes (128 instances)": {}, "instances (1000 classes)": {}}
    for axis, sizes in zip(curves, (chosen["curve_classes"], chosen["curve_instances"]), strict=True):
        for n in sizes:
            shape = [128, n] if axis.startswith("classes") else [n, 1000]
            shape = [min(size, 16) if study.quick else size for size in shape]
            key = f"curve/{'x'.join(map(str, shape))}"
            curves[axis][n] = study.cell(key, partial(curve_point, shape, chosen["curve_rounds"]))
    times = study.cell("compile", lambda: compile_times(chosen["formulas"]))
    answers = {
        "compile_milliseconds": {name: 1e3 * value for name, value in times.items()},
        "missed": [line for row, line in zip(rows, table(rows), strict=True) if row["ratio"] > row["target"]],
        "table": table(rows),
    }
    return study.finish(answers, draw(curves, rows))


if __name__ == "__main__":
    main(sys.argv[1:])

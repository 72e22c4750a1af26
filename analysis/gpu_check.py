"""Do compiled losses, tuning and search do on an accelerator what they do on the CPU, and how fast?

One script, a few minutes, that needs torch, SymPy, NumPy and this package alone; what else is missing is said to be
skipped. The same code runs on the CPU.

- *parity*: value and gradient of every loss of the zoo and of fifty evolved trees against float64 on the
  CPU: float32, bfloat16 and float16 under autocast, logits of 1e4, empty batches;
- *repeats*: two runs under `torch.use_deterministic_algorithms` agree to the last bit;
- *no waiting*: a step, forward and backward, never makes the host wait for the device (`torch.profiler`);
- *first use*: the seconds until a formula that was never seen has its loss and gradient;
- *speed*: a step against `F.cross_entropy` and against the best eager formula, compiled by `torch.compile`, from 128x10
  to 8192x128256 in float32 and bfloat16, and losses of 1e6 and 6.7e7 predictions against `F.mse_loss`, with the bytes
  that each moves a second;
- *tuning*: hypergradients of coefficients, and *search*: a small one, whose front must be that of the CPU.

    python -m analysis.gpu_check --device cuda     # figures/gpu_check.json; --draw makes gpu_check.png of it
    python -m analysis.gpu_check --quick           # tiny sizes, on the CPU
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

import symloss as sl
from analysis.gpu_trees import TREES
from symloss.codegen.accelerator import MANY

__all__ = ["draw", "main"]

FIGURES = Path(__file__).parent.parent / "figures"
CLASSES = 10
TOLERANCE = {"float32": 1e-4, "bfloat16": 3e-2, "float16": 5e-3}
"""Of the largest entry of what is compared: a few times the rounding of the type."""
WAITS = ("aten::_local_scalar_dense", "aten::nonzero", "cudaStreamSynchronize", "cudaEventSynchronize")
"""What makes the host wait: a number read back, a size that depends on values."""
SIZES = ((128, 10), (512, 1000), (512, 32000), (8192, 32000), (8192, 128256))
FUSED = ("ce", "lsr", "sparse-lsr", "ace", "focal", "gce", "poly1", "sce")
DENSE = ("brier", "baikal", "tree 1", "tree 19")
"""Losses in which every class counts."""
DRAWN = ("ce", "lsr", "focal", "brier", "tree 1", "tree 19")
ROBUST = ("mse", "huber", "log-cosh", "cauchy")
COUNTS = (1_048_576, 67_108_864)
COMPILED = ("ce", "lsr", "focal", "brier", "tree 1", "huber", "log-cosh")
"""What `torch.compile` is tried on: each takes it seconds."""
FOR_COMPILE = (128 * 10, 512 * 32000, 8192 * 32000, *COUNTS)
"""The sizes that it is tried on."""
FRESH = 3
"""Formulas whose first use is timed."""
SHARES = 12
"""Processes that build kernels at the same time."""
Step = Callable[[Tensor, Tensor], Tensor]


def losses() -> Iterator[tuple[str, sl.Loss]]:
    """By name, every classification loss of the zoo, and the trees by number."""
    for name in sl.names(kind="classification"):
        yield name, sl.named(name)
    for number, text in enumerate(TREES):
        yield f"tree {number + 1}", sl.parse(text)


def entry_losses() -> Iterator[tuple[str, sl.Loss]]:
    """By name, every loss of the zoo for numbers and labels."""
    for kind in ("regression", "multilabel"):
        for name in sl.names(kind=kind):
            yield f"{name} of {kind}", sl.named(name, kind=kind)


def batch_for(
    loss: sl.Loss, shape: Sequence[int], device: str, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """`batch`, with targets of the loss's kind: of numbers and labels in the shape of the outputs."""
    outputs, labels = batch(shape, device, dtype)
    if loss.kind == "classification":
        return outputs, labels
    draw = torch.Generator().manual_seed(1)
    targets = torch.randn(*shape, generator=draw)
    return outputs, (targets > 0).to(device, dtype) if loss.kind == "multilabel" else targets.to(
        device, dtype
    )


def batch(shape: Sequence[int], device: str, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Logits that want a gradient, drawn on the CPU so that every device sees the same, and labels."""
    draw = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(*shape, generator=draw)
    labels = torch.randint(shape[1], (shape[0],), generator=draw)
    return logits.to(device, dtype).requires_grad_(), labels.to(device)


def gradient(loss: Step, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The value and its gradient, in float64 on the CPU."""
    logits.grad = None
    value = loss(logits, labels)
    value.backward()
    assert logits.grad is not None
    return value.detach().double().cpu(), logits.grad.double().cpu()


def spread(check: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What a check of a share of the losses gives, share by share: kernels are built in several processes."""
    if arguments[0] == "cpu":
        return [check(*arguments, 0, 1)]
    with ProcessPoolExecutor(SHARES, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(partial(check, *arguments), range(SHARES), [SHARES] * SHARES))


def parity(device: str, rows: int) -> dict[str, Any]:
    """The largest relative errors by type, and what is not finite where it should be."""
    shares = spread(parity_of, device, rows)
    worst = {dtype: max(share[1][dtype] for share in shares) for dtype in TOLERANCE}
    return {
        "losses": sum(1 for _ in chain(losses(), entry_losses())),
        "failed": [each for share in shares for each in share[0]],
        "largest relative error": {name: {"error": off, "where": where} for name, (off, where) in worst.items()},
    }  # fmt: skip


def parity_of(
    device: str, rows: int, share: int, shares: int
) -> tuple[list[str], dict[str, tuple[float, str]]]:
    """What failed of a share of the losses, and the largest errors with where they are."""
    kind = torch.device(device).type
    worst = dict.fromkeys(TOLERANCE, (0.0, ""))
    failed: list[str] = []
    for name, loss in islice(chain(losses(), entry_losses()), share, None, shares):
        try:
            priors = torch.full((CLASSES,), 1 / CLASSES) if "pi" in loss.formula else None
            module = loss.to_torch(priors=priors, kernels=True)
        except sl.SymlossError as error:
            failed.append(f"{name}: {error}")
            continue
        for dtype in TOLERANCE:
            logits, labels = batch_for(loss, (rows, CLASSES), device, getattr(torch, dtype))
            exact = logits.detach().double().cpu().requires_grad_()
            its_labels = labels.double() if labels.is_floating_point() else labels
            expected = gradient(loss_on_cpu(module), exact, its_labels.cpu())
            moved = module.to(device)
            with torch.autocast(kind, getattr(torch, dtype), enabled=dtype != "float32"):
                found = gradient(moved, logits, labels)
            for part, (ours, theirs) in zip(
                ("value", "gradient"), zip(found, expected, strict=True), strict=True
            ):
                size = float(theirs.abs().max())
                off = float((ours - theirs).abs().max()) / (size or 1.0)
                if not math.isfinite(off) and math.isfinite(size):
                    failed.append(f"{name}: {part} in {dtype} is not finite")
                elif math.isfinite(off):
                    worst[dtype] = max(worst[dtype], (off, f"{name}, {part}"))
                    if off > TOLERANCE[dtype]:
                        failed.append(f"{name}: {part} in {dtype} is off by {off:.2g}")
        extreme, labels = batch_for(loss, (rows, CLASSES), device)
        on_cpu = gradient(loss_on_cpu(module), (1e4 * extreme.detach().cpu()).requires_grad_(), labels.cpu())[
            1
        ]
        found_there = gradient(module.to(device), (1e4 * extreme.detach()).requires_grad_(), labels)[1]
        if bool(torch.isfinite(on_cpu).all()) and not bool(torch.isfinite(found_there).all()):
            failed.append(f"{name}: the gradient at logits of 1e4 is not finite")
        empty = torch.zeros(0, CLASSES, device=device, requires_grad=True)
        module(empty, labels[:0])
    return failed, worst


def loss_on_cpu(module: torch.nn.Module) -> Step:
    """The module, moved to where the reference is computed."""
    return module.cpu()


def repeats(device: str, rows: int) -> list[str]:
    """The losses whose gradient differs between two runs in deterministic mode."""
    return [name for share in spread(repeats_of, device, rows) for name in share]


def repeats_of(device: str, rows: int, share: int, shares: int) -> list[str]:
    """Those of a share of the losses."""
    differing = []
    torch.use_deterministic_algorithms(True)
    try:
        for name, loss in islice(losses(), share, None, shares):
            if "pi" in loss.formula:
                continue
            module = loss.to_torch(kernels=True).to(device)
            runs = [gradient(module, *batch((rows, 1000), device)) for _ in range(2)]
            if not all(torch.equal(a, b) for a, b in zip(*runs, strict=True)):
                differing.append(name)
    finally:
        torch.use_deterministic_algorithms(False)
    return differing


def waits(device: str, rows: int) -> dict[str, list[str]]:
    """By loss, with kernels of its own and without, what made the host wait in a step."""
    activities = [ProfilerActivity.CPU]
    if torch.device(device).type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    found = {}
    for name, loss in losses():
        if "pi" in loss.formula:
            continue
        for kernels in (True, False):
            module = loss.to_torch(kernels=kernels).to(device)
            logits, labels = batch((rows, CLASSES), device)
            gradient(module, logits, labels)
            with profile(activities=activities) as recorded:
                module(logits, labels).backward()
            seen = {event.key for event in recorded.key_averages()} & set(WAITS)
            if seen:
                found[name + ", with kernels" * kernels] = sorted(seen)
    return found


def seconds(step: Step, logits: Tensor, labels: Tensor, rounds: int) -> float:
    """The median time of a step, forward and backward, the device waited for."""
    times = []
    for turn in range(rounds + 3):
        logits.grad = None
        synchronise(logits.device)
        start = time.perf_counter()
        step(logits, labels).backward()
        synchronise(logits.device)
        if turn >= 3:  # the first fill caches, and compile
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def synchronise(device: torch.device) -> None:
    """Waits for what was started on a device."""
    if device.type in ("cuda", "mps"):
        getattr(torch, device.type).synchronize()


def loss_called(name: str, kind: str = "classification") -> sl.Loss:
    """A loss of the zoo, or a tree by number."""
    return sl.parse(TREES[int(name.split()[1]) - 1]) if name.startswith("tree") else sl.named(name, kind=kind)


def eager(name: str) -> Step:
    """The formula as a person would write it: by the target alone where that is enough, else on one-hot targets."""
    if name in ("ce", "lsr"):
        return partial(F.cross_entropy, label_smoothing=0.1 if name == "lsr" else 0.0)
    if name in ROBUST:
        of_both = sl.named(name, kind="regression").lambdify("torch")
        return lambda outputs, targets: of_both(targets, outputs).mean()
    loss = loss_called(name)
    by_target = loss.lambdify("torch")
    if name in FUSED:
        return lambda logits, labels: by_target(
            1.0, logits.log_softmax(1).gather(1, labels[:, None]).exp()
        ).mean()

    def dense(logits: Tensor, labels: Tensor) -> Tensor:
        entries = by_target(F.one_hot(labels, logits.shape[1]).to(logits.dtype), logits.softmax(1))
        return entries.sum(1).mean()

    return dense


def first_use(device: str, count: int, kernels: bool) -> dict[str, float]:
    """The median seconds of the first loss and gradient of formulas that were never seen, with kernels and without."""
    logits, labels = batch((128, 10), device)
    times: dict[str, list[float]] = {"target": [], "dense": []}
    gradient(sl.named("focal").to_torch(kernels=kernels).to(device), logits, labels)
    for number in range(count):
        for way, formula in (
            ("target", "y*abs(log({0}*p))**1.5"),
            ("dense", "(y - {0}*p)**2 - y*log(p)/{0}"),
        ):
            start = time.perf_counter()
            loss = sl.parse(formula.format(1.01 + 0.37 * number + 0.1 * kernels))
            gradient(loss.to_torch(kernels=kernels).to(device), logits, labels)
            times[way].append(time.perf_counter() - start)
    return {way: statistics.median(taken) for way, taken in times.items()}


def rows_of(
    names: Sequence[str], shape: Sequence[int], device: str, dtype: torch.dtype, rounds: int, compiled: bool
) -> Iterator[dict[str, Any]]:
    """A row a loss, each beside torch's own on the same batch; drawn on the device, as some take a minute elsewhere."""
    kind, own = ("regression", F.mse_loss) if names == ROBUST else ("classification", F.cross_entropy)
    draw = torch.Generator(device).manual_seed(0)
    outputs = (3 * torch.randn(*shape, generator=draw, device=device, dtype=dtype)).requires_grad_()
    targets = torch.randn(*shape, generator=draw, device=device)
    if names != ROBUST:
        targets = torch.randint(shape[1], (shape[0],), generator=draw, device=device)
    for name in names:
        row: dict[str, Any] = {"loss": name, "shape": list(shape), "dtype": str(dtype).split(".")[1]}
        try:
            loss = loss_called(name, kind)
            module = loss.to_torch().to(device)
            row["seconds"] = seconds(module, outputs, targets, rounds)
            row["reference"] = seconds(own, outputs, targets, rounds)
            row["ratio"] = row["seconds"] / row["reference"]
            if outputs.numel() < MANY:
                row["kernels"] = seconds(loss.to_torch(kernels=True).to(device), outputs, targets, rounds)
            if peak := peak_memory(module, outputs, targets):
                row["memory"] = peak / peak_memory(own, outputs, targets)
            # At the least the outputs are read and their gradient is written; of predictions the targets are read too.
            least = (3 if names == ROBUST else 2) * outputs.numel() * outputs.element_size()
            row["gigabytes a second"] = least / row["seconds"] / 1e9
            if compiled and name in COMPILED and outputs.numel() in FOR_COMPILE and dtype is torch.float32:
                torch._dynamo.reset()
                row["compiled eager"] = seconds(torch.compile(eager(name)), outputs, targets, rounds)
                row["over compiled eager"] = row["seconds"] / row["compiled eager"]
        except (RuntimeError, torch.OutOfMemoryError) as error:
            row["skipped"] = str(error).splitlines()[0][:120]
        yield row


def peak_memory(step: Step, logits: Tensor, labels: Tensor) -> int:
    """The bytes that a step allocates at most; 0 where the device does not count them."""
    if logits.device.type != "cuda":
        return 0
    logits.grad = None
    step(logits, labels).backward()
    logits.grad = None
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step(logits, labels).backward()
    return torch.cuda.max_memory_allocated() - before


def speed(
    device: str, sizes: Sequence[Sequence[int]], counts: Sequence[int], rounds: int, compiled: bool
) -> list[dict[str, Any]]:
    """Rows of every size; what does not fit into memory is left out and said."""
    names = (*FUSED, *DENSE)
    found = [row for shape in sizes for row in rows_of(names, shape, device, torch.float32, rounds, compiled)]
    found += [
        row for shape in sizes[-2:] for row in rows_of(names, shape, device, torch.bfloat16, rounds, False)
    ]
    return found + [
        row for n in counts for row in rows_of(ROBUST, (n,), device, torch.float32, rounds, compiled)
    ]


def blobs(seed: int = 0) -> tuple[Any, Any]:
    """Three classes of noisy points."""
    draw = np.random.default_rng(seed)
    labels = np.arange(240) % 3
    return (draw.normal(size=(240, 6)) + 1.2 * np.eye(3, 6)[labels]).astype("float32"), labels


def missing(*packages: str) -> str:
    """Which of them is not installed, or `""`."""
    return next((name for name in packages if importlib.util.find_spec(name) is None), "")


def tuning(device: str) -> dict[str, Any] | str:
    """The largest relative difference of a population's tuned coefficients from those that the CPU finds."""
    if absent := missing("sklearn", "scipy"):
        return f"skipped: {absent} missing"
    from symloss.expr.trees import Program
    from symloss.meta import TreeLoss, learn

    trees = (("mul", "y", "plog", "p"), ("mul", "y", "square", "sub", "y", "p"))
    found = {}
    for place in dict.fromkeys(("cpu", device)):
        task = sl.Task.from_arrays(*blobs(), kind="classification", model="mlp-1x16", metric="accuracy")
        placed = task.to(place)
        members = [TreeLoss("classification", Program(tokens)) for tokens in trees]
        found[place] = torch.cat(
            [
                each.coefficients.cpu().double()
                for each in learn(members, [placed] * 2, seed=0, steps=20, eta=1e-2)
            ]
        )
    difference = (found[device] - found["cpu"]).abs().max() / found["cpu"].abs().max()
    return {"difference": float(difference), "holds": float(difference) < 1e-3}


def search(device: str) -> dict[str, Any] | str:
    """Whether a small search finds the CPU's front."""
    if absent := missing("deap", "sklearn", "scipy"):
        return f"skipped: {absent} missing"
    fronts = {}
    for place in dict.fromkeys(("cpu", device)):
        task = sl.Task.from_arrays(*blobs(), kind="classification", model="mlp-1x16", metric="accuracy")
        began = time.perf_counter()
        found = sl.discover(
            task.with_settings(steps=30), seed=0, population=6, generations=1, headroom=False, device=place,
            blocks={"zoo": False, "final": 2, "finalists": 2, "strangers": 1}, tuning={"steps": 5},
        )  # fmt: skip
        fronts[place] = [str(row.loss) for row in found.front], round(time.perf_counter() - began, 1)
    return {
        "front": fronts[device][0], "same as on the CPU": fronts[device][0] == fronts["cpu"][0],
        "seconds": {place: spent for place, (_, spent) in fronts.items()},
    }  # fmt: skip


def versions(device: str) -> dict[str, str]:
    """Where this ran."""
    kind = torch.device(device).type
    name = torch.cuda.get_device_name() if kind == "cuda" else kind
    return {"device": name, "torch": torch.__version__, "python": sys.version.split()[0]}


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The speeds as text."""
    said = []
    for row in rows:
        size = "x".join(map(str, row["shape"]))
        if "ratio" not in row:
            said.append(f"{row['loss']:11} {size:>12}  skipped: {row['skipped']}")
            continue
        own = "F.mse_loss" if row["loss"] in ROBUST else "F.cross_entropy"
        other = f", {row['over compiled eager']:.2f} of torch.compile" if "over compiled eager" in row else ""
        memory = f", {row['memory']:.2f} of its memory" if "memory" in row else ""
        other += f", with kernels=True {row['kernels'] / row['reference']:.2f}" if "kernels" in row else ""
        said.append(
            f"{row['loss']:11} {size:>12} {row['dtype']:8}  {1e6 * row['seconds']:9.1f} us  {row['ratio']:.2f} of {own}"
            f"{memory}{other}  {row['gigabytes a second']:.0f} GB/s"
        )
    return said


def draw(data: dict[str, Any]) -> Any:
    """Ratios to `F.cross_entropy` by size; needs matplotlib."""
    from symloss.report.style import COLOURS, figure, legend_outside

    fig, axes = figure(panels=1, height=4.2)
    for i, name in enumerate(DRAWN):
        colour = COLOURS[i % len(COLOURS)]
        rows = [
            row
            for row in data["speed"]
            if row["loss"] == name and "ratio" in row and row["dtype"] == "float32"
        ]
        sizes = ["x".join(map(str, row["shape"])) for row in rows]
        axes[0].plot(sizes, [row["ratio"] for row in rows], "o-", color=colour, label=name)
        asked = [row["kernels"] / row["reference"] if "kernels" in row else math.nan for row in rows]
        axes[0].plot(sizes, asked, "x", color=colour)
    axes[0].axhline(1.0, color="black", lw=0.8)
    axes[0].set_yscale("log", base=2)
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].margins(x=0.1)
    axes[0].set_xlabel("batch and classes (float32); crosses: with kernels=True")
    axes[0].set_ylabel("time of a step over F.cross_entropy's")
    axes[0].set_title(f"{data['versions']['device']}, torch {data['versions']['torch']}", fontsize=10)
    legend_outside(fig, axes)
    return fig


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs every check, prints what holds, and writes the data; the exit status is that of the checks."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.gpu_check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cuda, mps or cpu"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, for the tests")
    parser.add_argument("--out", type=Path, default=FIGURES, help="where the data go")
    parser.add_argument("--draw", action="store_true", help="draw what is stored, and run nothing")
    options = parser.parse_args(arguments)
    where = options.out / "gpu_check.json"
    if options.draw:
        data: dict[str, Any] = json.loads(where.read_text())
        draw(data).savefig(options.out / "gpu_check.png", dpi=130)
        return data
    device, rows = options.device, 8 if options.quick else 256
    quick_sizes = ((8, 5), (4, 50))
    checks: dict[str, Callable[[], Any]] = {
        "parity": lambda: parity(device, rows),
        "differ between runs": lambda: repeats(device, rows),
        "wait": lambda: waits(device, rows),
        "tuning": lambda: tuning(device),
        "search": lambda: search(device),
        "first use": lambda: {
            "kernels": first_use(device, 1 if options.quick else FRESH, True),
            "torch": first_use(device, 1 if options.quick else FRESH, False),
        },
        "speed": lambda: speed(
            device,
            quick_sizes if options.quick else SIZES,
            (1000,) if options.quick else COUNTS,
            3 if options.quick else 20,
            not options.quick,
        ),
    }
    data = {
        "command": f"python -m analysis.gpu_check --device {device}" + " --quick" * options.quick,
        "versions": versions(device),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for name, check in checks.items():
        began = time.perf_counter()
        data[name] = check()
        print(f"{name}: {time.perf_counter() - began:.1f} s", flush=True)
        where.write_text(json.dumps(data, indent=1) + "\n")  # as far as it came
    print(json.dumps({name: data[name] for name in data if name != "speed"}, indent=1))
    print("\n".join(table(data["speed"])))
    return data


if __name__ == "__main__":
    main(sys.argv[1:])

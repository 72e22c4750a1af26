"""The kernels under Triton's interpreter, which runs them on the CPU; printed as JSON for `test_kernels.py`.

A program of its own, run with `TRITON_INTERPRET=1`: Triton decides when the kernels are defined.
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

import symloss as sl
from analysis.gpu_trees import TREES
from symloss.codegen import accelerator
from symloss.codegen.accelerator.written import kernels_of
from symloss.codegen.formula import formula_of
from symloss.codegen.module import SymbolicLoss
from symloss.expr import OPERATORS

SAMPLE = (1, 11, 19, 27, 36, 41)
"""Trees, of both ways."""


def losses() -> Iterator[tuple[str, sl.Loss]]:
    """Those of the zoo, and some trees, that kernels are made for."""
    for name in sl.names(kind="classification"):
        if has_kernels(sl.named(name)):
            yield name, sl.named(name)
    for number in SAMPLE:
        yield f"tree {number}", sl.parse(TREES[number - 1])


def has_kernels(loss: sl.Loss) -> bool:
    """Whether a loss is neither computed in float64 nor mended afterwards, and has no priors."""
    if "pi" in loss.formula or kernels_of(formula_of(loss.value_expr, loss.kind)) is None:
        return False
    module = loss.to_torch()
    return isinstance(module, SymbolicLoss) and module._bare


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest, relative to the largest expected; equal infinities and NaN differ by nothing."""
    found, expected = found.double(), expected.double()
    same = (found == expected) | (found.isnan() & expected.isnan())
    size = float(expected[expected.isfinite()].abs().max()) if bool(expected.isfinite().any()) else 1.0
    off = float(torch.where(same, 0.0, (found - expected).abs()).max())
    return off / (size or 1.0) if math.isfinite(off) else 1e9


def step(
    module: SymbolicLoss, outputs: Tensor, targets: Tensor, weights: Tensor | None, kernels: bool
) -> Any:
    """The loss and its gradient."""
    outputs = outputs.detach().clone().requires_grad_()
    loss = module._on_device(outputs, targets) if kernels else module(outputs, targets)
    assert loss is not None, f"the kernels do not take {module.loss}"
    weighed = loss if weights is None else loss * weights.to(loss)
    weighed.sum().backward()
    return loss.detach(), outputs.grad


def compared(loss: sl.Loss, outputs: Tensor, targets: Tensor, **options: Any) -> dict[str, float]:
    """Differences of the kernels, and of the CPU's float32, from float64."""
    module = loss.to_torch(kernels=True, **options)
    assert isinstance(module, SymbolicLoss)
    weights = (
        torch.rand(outputs.shape[:1])
        if options.get("reduction") == "none" and loss.kind == "classification"
        else None
    )
    exact = targets.double() if targets.is_floating_point() else targets
    expected = step(module, outputs.double(), exact, weights, kernels=False)
    narrow = step(module, outputs.float(), targets, weights, kernels=False)
    found = step(module, outputs, targets, weights, kernels=True)
    return {
        "loss": difference(found[0], expected[0]), "gradient": difference(found[1], expected[1]),
        "loss on the CPU": difference(narrow[0], expected[0]),
        "gradient on the CPU": difference(narrow[1], expected[1]),
    }  # fmt: skip


def situations(loss: sl.Loss) -> Iterator[tuple[str, dict[str, float]]]:
    """Batches of class indices."""
    draw = torch.Generator().manual_seed(0)
    z = 3 * torch.randn(70, 10, generator=draw)
    t = torch.randint(10, (70,), generator=draw)
    some = torch.where(torch.arange(70) % 3 == 0, 4, t)
    yield "plain", compared(loss, z, t)
    yield "ignored", compared(loss, z, some, ignore_index=4)
    yield "none", compared(loss, z, some, reduction="none", ignore_index=4)
    yield "sum", compared(loss, z, t, reduction="sum")
    yield "certain", compared(loss, z.scatter_add(1, t[:, None], torch.full((70, 1), 12.0)), t)
    masked = z.index_fill(1, torch.tensor([7]), -math.inf)
    yield "masked", compared(loss, masked, torch.where(t == 7, 0, t))
    yield "bfloat16", compared(loss, z.bfloat16(), t)
    long = 3 * torch.randn(3, 5000, generator=draw)
    yield "long rows", compared(loss, long, torch.tensor([0, 4999, 77]))
    yield "strided", compared(loss, torch.cat([z, z], 1)[:, :10], t)


def of_entries() -> Iterator[tuple[str, dict[str, float]]]:
    """Losses of numbers and labels."""
    draw = torch.Generator().manual_seed(0)
    outputs, targets = 3 * torch.randn(2, 50, 4, generator=draw)
    for kind in ("regression", "multilabel"):
        for name in sl.names(kind=kind):
            loss = sl.named(name, kind=kind)
            if not has_kernels(loss):
                continue
            yield name, compared(loss, outputs, (targets > 0).float() if kind == "multilabel" else targets)
    yield "none", compared(sl.named("cauchy", kind="regression"), outputs, targets, reduction="none")


def operators() -> Iterator[tuple[str, list[float]]]:
    """By name, how much farther from float64 an operator and its derivative are than the CPU's float32, relatively."""
    p = torch.tensor([-90.0, -3.0, -0.5, -1e-4, 1e-6, 1e-3, 0.3, 0.99, 1.75, 12.0, 80.0, math.nan])
    for name, row in OPERATORS.items():
        if row.infix or name == "atan":
            continue
        inside = p if row.domain is None or row.domain.contains(-1) == True else p[(p > 0) | p.isnan()]  # noqa: E712
        text = f"{name}(p)" if row.arity == 1 else f"{name}(p, y)"
        loss = sl.parse(text, kind="regression")
        module = loss.to_torch(kernels=True, reduction="none")
        if not has_kernels(loss) or not isinstance(module, SymbolicLoss):
            continue
        targets = torch.full_like(inside, 0.7)
        expected = step(module, inside.double(), targets.double(), None, kernels=False)
        found = step(module, inside, targets, None, kernels=True)
        narrow = step(module, inside, targets, None, kernels=False)
        errors = zip(found, narrow, expected, strict=True)
        yield name, [relative(ours, exact) - relative(theirs, exact) for ours, theirs, exact in errors]


def relative(found: Tensor, expected: Tensor) -> float:
    """The largest relative difference, entry by entry; what float32 cannot hold counts as equal."""
    narrow = expected.float()
    same = (found == narrow) | (found.isnan() & narrow.isnan())
    off = (found - narrow).abs() / narrow.abs().clamp(min=1e-30)
    return float(torch.where(same, 0.0, off).max())


def second_derivative() -> float:
    """How far that of the kernels' loss is from that of the composed one."""
    z, t = torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 0])
    found = []
    for kernels in (True, False):
        module = sl.named("focal").to_torch(kernels=True)
        assert isinstance(module, SymbolicLoss)
        logits = z.clone().requires_grad_()
        loss = module._on_device(logits, t) if kernels else module(logits, t)
        assert loss is not None
        (gradient,) = torch.autograd.grad(loss, logits, create_graph=True)
        (curvature,) = torch.autograd.grad(gradient.square().sum(), logits)
        found.append(curvature)
    return difference(*found)


def special() -> dict[str, float]:
    """Formulas whose numbers need care, by how far their kernels are from float64, relatively."""
    z, t = torch.randn(6, 5, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 2, 3, 4, 0])
    sure = z.scatter_add(1, t[:, None], torch.full((6, 1), 40.0))
    found = {}
    for text, logits in (
        ("-y*log(p)*2**(-p)", z), ("y*2**(-p)", z), ("y/(1/3 + p)**(2/3)", z),
        ("-(y*(1 - 1e-6) + 1e-6/C)*log(p)", sure),
        ("-y*log(p)*log(C)/C**2", z), ("y*p**3/(-2) - 1/(1 + y + p)**2", z),
    ):  # fmt: skip
        off = compared(sl.parse(text), logits, t)
        found[text] = max(off["loss"], off["gradient"])
    return found


def other_derivatives() -> dict[str, float]:
    """Jacobians of outputs that are not contiguous, and many gradients at once."""
    found = {}
    outputs, targets = torch.randn(4, 3, generator=torch.Generator().manual_seed(2)), torch.randn(3, 4)
    for name, kernels in (("kernels", True), ("torch", False)):
        module = sl.named("cauchy", kind="regression").to_torch(kernels=True, reduction="none")
        assert isinstance(module, SymbolicLoss)
        z = outputs.clone().requires_grad_()
        losses = module._on_device(z.t(), targets) if kernels else module(z.t(), targets)
        assert losses is not None
        (gradient,) = torch.autograd.grad(losses.sum(), z, create_graph=True)
        (curvature,) = torch.autograd.grad(gradient.sum(), z, retain_graph=True)
        every = torch.eye(12).reshape(12, 3, 4)
        (rows,) = torch.autograd.grad(losses, z, every, is_grads_batched=True)
        found[name] = [curvature, rows]
    pairs = zip(("curvature", "batched"), found["kernels"], found["torch"], strict=True)
    return {name: difference(ours, theirs) for name, ours, theirs in pairs}


def wrong_index() -> list[bool]:
    """Whether loss and gradient say that an index is no class."""
    module = sl.named("focal").to_torch(kernels=True)
    assert isinstance(module, SymbolicLoss)
    loss, gradient = step(module, torch.randn(3, 4), torch.tensor([0, 9, 1]), None, kernels=True)
    return [bool(loss.isnan()), bool(gradient[1].isnan().all()), bool(gradient[0].isfinite().all())]


def main() -> None:
    """Everything."""
    warnings.filterwarnings(
        "ignore", category=RuntimeWarning
    )  # of NumPy, which the interpreter computes with
    accelerator.works_on = lambda device: True  # type: ignore[assignment]
    found = {
        "classes": {name: dict(situations(loss)) for name, loss in losses()},
        "entries": dict(of_entries()),
        "operators": dict(operators()),
        "second derivative": second_derivative(),
        "special": special(),
        "other derivatives": other_derivatives(),
        "wrong index": wrong_index(),
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()

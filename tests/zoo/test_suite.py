"""The one suite that every loss of the zoo passes, compiled."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

import symloss as sl
from symloss.expr import KINDS

ZOO = [(name, kind) for kind in KINDS for name in sl.names(kind)]
every_loss = pytest.mark.parametrize(("name", "kind"), ZOO)


def batch(kind: str, dtype: torch.dtype = torch.float64, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """Six instances: outputs and targets."""
    generator = torch.Generator().manual_seed(7)
    if kind == "regression":
        outputs, targets = (torch.randn(6, generator=generator, dtype=torch.float64) for _ in range(2))
        return (scale * outputs).to(dtype), targets.to(dtype)
    if kind == "margin":
        scores = torch.randn(6, generator=generator, dtype=torch.float64)
        return (scale * scores).to(dtype), torch.tensor([0, 1, 1, 0, 1, 1])
    outputs = scale * torch.randn(6, 5, generator=generator, dtype=torch.float64)
    if kind == "multilabel":
        return outputs.to(dtype), (torch.rand(6, 5, generator=generator) < 0.5).to(dtype)
    return outputs.to(dtype), torch.randint(5, (6,), generator=generator)


@every_loss
def test_a_batch_is_its_instances(name: str, kind: str) -> None:
    outputs, targets = batch(kind)
    criterion = sl.named(name, kind).to_torch()
    alone = torch.stack([criterion(outputs[i : i + 1], targets[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(criterion(outputs, targets), alone.mean())


@every_loss
def test_value_is_the_formula_s(name: str, kind: str) -> None:
    """Against the plain function of entries: another path through other code."""
    loss, (outputs, targets) = sl.named(name, kind), batch(kind)
    p = outputs
    if KINDS[kind].probabilities:
        p = outputs.softmax(1) if kind == "classification" else outputs.sigmoid()
    y = F.one_hot(targets, 5).double() if kind == "classification" else targets
    arguments = ((2 * targets - 1) * outputs,) if kind == "margin" else (y, p)
    entry = sl.Loss(loss.at_classes(5), kind).lambdify("numpy")
    entries = torch.as_tensor(entry(*(argument.numpy() for argument in arguments)))
    expected = entries.sum(1).mean() if kind == "classification" else entries.mean()
    torch.testing.assert_close(loss.to_torch()(outputs, targets), expected)


@every_loss
def test_single_precision(name: str, kind: str) -> None:
    criterion, values = sl.named(name, kind).to_torch(), []
    for dtype in (torch.float64, torch.float32):
        outputs, targets = batch(kind, dtype)
        outputs.requires_grad_()
        value = criterion(outputs, targets)
        assert value.dtype == dtype
        (gradient,) = torch.autograd.grad(value, outputs)
        values.append((value.detach().double(), gradient.double()))
    for exact, single in zip(*values, strict=True):
        torch.testing.assert_close(single, exact, rtol=1e-4, atol=1e-5)


@every_loss
def test_gradient_by_finite_differences(name: str, kind: str) -> None:
    outputs, targets = batch(kind)
    criterion = sl.named(name, kind).to_torch()
    assert torch.autograd.gradcheck(lambda z: criterion(z, targets), outputs.requires_grad_())


@every_loss
@pytest.mark.parametrize("scale", [30.0, 1e4])
def test_no_nan_at_either_end(name: str, kind: str, scale: float) -> None:
    outputs, targets = batch(kind, scale=scale)
    outputs.requires_grad_()
    value = sl.named(name, kind).to_torch(reduction="none")(outputs, targets)
    assert not value.isnan().any()
    (gradient,) = torch.autograd.grad(value.sum(), outputs)
    if not value.isinf().any():
        assert not gradient.isnan().any()


@pytest.mark.parametrize("name", sl.names("classification"))
def test_one_hot_targets_are_indices(name: str) -> None:
    outputs, targets = batch("classification")
    criterion = sl.named(name).to_torch()
    torch.testing.assert_close(
        criterion(outputs, F.one_hot(targets, 5).double()), criterion(outputs, targets), rtol=1e-9, atol=1e-12
    )


@every_loss
def test_a_step_against_the_gradient_goes_down(name: str, kind: str) -> None:
    """Value and gradient belong together."""
    outputs, targets = batch(kind)
    criterion = sl.named(name, kind).to_torch()
    outputs.requires_grad_()
    value = criterion(outputs, targets)
    (gradient,) = torch.autograd.grad(value, outputs)
    with torch.no_grad():
        assert float(criterion(outputs - 1e-4 * gradient / gradient.norm(), targets)) < float(value)


@every_loss
def test_coefficients_can_be_trained(name: str, kind: str) -> None:
    outputs, targets = batch(kind)
    loss = sl.named(name, kind)
    criterion = loss.to_torch(trainable=True)
    parameters = list(criterion.parameters())
    assert bool(parameters) == bool(loss.coefficients)
    if parameters:
        criterion(outputs, targets).backward()
        assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in parameters)


REFERENCES: list[tuple[str, str, dict[str, float], Any]] = [
    ("ce", "classification", {}, F.cross_entropy),
    ("lsr", "classification", {"xi": 0.3}, lambda z, y: F.cross_entropy(z, y, label_smoothing=0.3)),
    ("bce", "multilabel", {}, F.binary_cross_entropy_with_logits),
    ("focal-bce", "multilabel", {}, lambda z, y: sigmoid_focal_loss(z, y, reduction="mean")),
    ("mse", "regression", {}, F.mse_loss),
    ("mae", "regression", {}, F.l1_loss),
    ("huber", "regression", {"delta": 0.5}, lambda z, y: F.huber_loss(z, y, delta=0.5)),
    ("brier", "classification", {}, lambda z, y: ((z.softmax(1) - F.one_hot(y, 5)) ** 2).sum(1).mean()),
    (
        "log-cosh", "regression", {},
        lambda z, y: (F.softplus(2 * (z - y)) - (z - y) - math.log(2)).mean(),
    ),
    ("logistic", "margin", {}, lambda f, t: F.binary_cross_entropy_with_logits(f, t.to(f.dtype))),
    ("logistic", "margin", {}, lambda f, t: F.soft_margin_loss(f, 2.0 * t - 1)),
    ("hinge", "margin", {}, lambda f, t: F.margin_ranking_loss(f, torch.zeros_like(f), 2.0 * t - 1, margin=1.0)),
    ("hinge", "margin", {}, lambda f, t: F.hinge_embedding_loss((2 * t - 1) * f, -torch.ones_like(f))),
    ("sigmoid", "margin", {}, lambda f, t: torch.sigmoid((1 - 2 * t) * f).mean()),
    ("cdpo", "margin", {"epsilon": 0.2}, lambda f, t: F.binary_cross_entropy_with_logits(f, 0.2 + 0.6 * t.to(f.dtype))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "coefficients", "reference"), REFERENCES)
def test_against_torch(name: str, kind: str, coefficients: dict[str, float], reference: Any) -> None:
    found = []
    for function in (sl.named(name, kind, **coefficients).to_torch(), reference):
        outputs, targets = batch(kind, scale=3.0)
        value = function(outputs.requires_grad_(), targets)
        (gradient,) = torch.autograd.grad(value, outputs)
        found.append((value.detach(), gradient))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)

"""Sharpness: against the exact Hessian, and against quadratics."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from symloss.meta.sharpness import rise, top_eigenvalue


def test_the_eigenvalue_is_that_of_the_exact_hessian() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    inputs, targets = torch.randn(20, 3).double(), torch.randint(2, (20,))
    names = [name for name, _ in model.named_parameters()]

    def value(*weights: torch.Tensor) -> torch.Tensor:
        outputs = torch.func.functional_call(model, dict(zip(names, weights, strict=True)), (inputs,))
        return nn.functional.cross_entropy(outputs, targets)

    weights = tuple(model.parameters())
    blocks = torch.autograd.functional.hessian(value, weights)
    sizes = [weight.numel() for weight in weights]
    rows = [
        torch.cat([block.reshape(size, -1) for block in row], 1)
        for row, size in zip(blocks, sizes, strict=True)
    ]
    exact = torch.linalg.eigvalsh(torch.cat(rows))
    largest = float(exact[exact.abs().argmax()])
    assert top_eigenvalue(value(*weights), weights, iterations=300, tolerance=1e-10) == pytest.approx(
        largest, rel=1e-5
    )


def test_a_linear_objective_has_no_curvature_and_one_without_weights_neither() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    assert top_eigenvalue((3 * w).sum(), [w]) == 0.0
    assert rise(lambda: (0 * w).sum(), [w]) == 0.0


def test_the_rise_is_that_of_one_step_up_and_the_weights_are_put_back() -> None:
    w = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    # |w|^2 at |w| = 5: the gradient points away from 0, and 5.5^2 - 25 = 5.25.
    assert rise(lambda: (w**2).sum(), [w], radius=0.5) == pytest.approx(5.25, rel=1e-12)
    assert w.tolist() == [3.0, 4.0]
    bad = torch.tensor([0.0], requires_grad=True)
    assert rise(lambda: (bad / 0).sum(), [bad]) != rise(lambda: (w**2).sum(), [w])

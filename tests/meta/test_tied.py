"""Tied coefficients: the same function as the tree with those edges, and gradients that agree with autograd's."""

from __future__ import annotations

import pytest
import torch

from symloss.expr import Program
from symloss.meta.learned_loss import LearnedLoss, TreeLoss
from symloss.meta.tied import TiedLoss

PROGRAM = Program(("add", "mul", "y", "log", "p", "pow", "sub", "1", "p", "1"))
TIES = ((0, 1.0), (-1, 1.0), (-1, -1.0), (1, 1.0), (2, 0.5), (-1, 1.0), (-1, 1.0), (1, 1.0), (0, 2.0))
LOSS = TiedLoss("classification", PROGRAM, TIES, ("exp", "sigmoid", "identity"), (0.3, -0.2, 1.5))


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    outputs, direction = (torch.randn(6, 3, generator=draw, dtype=torch.float64) for _ in range(2))
    return outputs, torch.tensor([0, 1, 2, 0, 1, 2]), direction


def test_it_is_the_tree_with_its_edges(batch: tuple[torch.Tensor, ...]) -> None:
    outputs, targets, _ = batch
    raw = LOSS.coefficients["numbers"].double()
    edges = LOSS.edges(raw)
    a, b = float(raw[0].exp()), float(raw[1].sigmoid())
    assert edges.tolist() == pytest.approx([a, 1, -1, b, 0.75, 1, 1, b, 2 * a])
    tree = TreeLoss("classification", PROGRAM)
    assert float(LOSS({"numbers": raw}, outputs, targets)) == float(tree({"edges": edges}, outputs, targets))


def test_gradients_by_hand_are_those_of_autograd(batch: tuple[torch.Tensor, ...]) -> None:
    outputs, targets, direction = batch
    phi = {"numbers": LOSS.coefficients["numbers"].double()}
    ours = LOSS.output_gradient(phi, outputs, targets)
    assert torch.allclose(ours, LearnedLoss.output_gradient(LOSS, phi, outputs, targets), atol=1e-12)
    mixed = LOSS.coefficient_gradient(phi, outputs, targets, direction)["numbers"]
    known = LearnedLoss.coefficient_gradient(LOSS, phi, outputs, targets, direction)["numbers"]
    assert torch.allclose(mixed, known, atol=1e-12)
    assert known.abs().min() > 1e-3, "every number matters here"

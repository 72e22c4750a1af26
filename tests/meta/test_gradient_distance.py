"""The distance sees shape and nothing else, and fitting brings a loss to one of its own family."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import symloss as sl
from symloss.expr import Program
from symloss.expr.trees import Weighted, weighted_from
from symloss.meta.gradient_distance import fit, fixed_points, free_edges, gradient_distance, unit_gradient
from symloss.search.propose.gp import Rates, initial_program
from symloss.search.propose.grammar import Grammar


def unit(text: str, kind: str = "classification") -> np.ndarray:
    return unit_gradient(weighted_from(sl.parse(text, kind=kind)), fixed_points(kind))


def test_the_factor_of_the_softmax_keeps_lengths_and_angles() -> None:
    """Against torch's autograd through log_softmax, on the same instances in full."""
    blocks = fixed_points("classification").p.reshape(16, 18)
    # Of each block the probabilities of ten classes, and of eight targets among them.
    instances = [(row[:10], int(np.flatnonzero(row[:10] == q)[0])) for row in blocks for q in row[10:]]
    p = torch.tensor(np.array([row for row, _ in instances]))
    targets = torch.tensor([target for _, target in instances])

    def gradient(loss: str) -> torch.Tensor:
        z = p.log().requires_grad_()
        value = (
            F.cross_entropy(z, targets)
            if loss == "ce"
            else (z.softmax(1) - F.one_hot(targets)).square().sum()
        )
        return torch.autograd.grad(value, z)[0].flatten()

    ours = float(unit("-y*log(p)") @ unit("(y - p)**2"))
    assert ours == pytest.approx(
        float(F.cosine_similarity(gradient("ce"), gradient("brier"), dim=0)), abs=1e-9
    )


@pytest.mark.parametrize(
    ("kind", "a", "b"),
    [
        ("classification", "-y*log(p)", "-7*y*log(p) + 3"),
        ("classification", "abs(y - p)", "-y*p"),
        ("classification", "-y*log(p)", "y*log(p)"),
        ("multilabel", "-y*log(p) - (1 - y)*log(1 - p)", "-2*y*log(p) - 2*(1 - y)*log(1 - p)"),
        ("regression", "log(cosh(y - p))", "softplus(2*y - 2*p) - y + p"),
    ],
)
def test_one_way_of_training_is_no_distance(kind: str, a: str, b: str) -> None:
    assert gradient_distance(unit(a, kind), unit(b, kind)) < 1e-7


def test_what_is_flat_or_not_finite_is_infinitely_far() -> None:
    target = unit("-y*log(p)")
    for tokens in (("mul", "y", "1"), ("div", "y", "sub", "p", "p")):
        loss = Weighted.plain(Program(tokens))
        assert gradient_distance(unit_gradient(loss, fixed_points("classification")), target) == np.inf
        (found,) = fit([loss], target, fixed_points("classification"))
        assert found.distance == np.inf


FAMILIES = [
    ("classification", ("mul", "y", "abs", "plog", "p"), "y*abs(log(1.3*p))"),
    (
        "classification",
        ("mul", "y", "add", "plog", "p", "plog", "sub", "1", "p"),
        "-y*(0.9*log(p) + 0.2*log(1 - p))",
    ),
    ("classification", ("mul", "y", "pow", "p", "1"), "-y*p**0.7"),
    ("regression", ("tanh", "square", "sub", "y", "p"), "tanh(0.3*(y - p)**2)"),
    ("regression", ("psqrt", "add", "1", "square", "sub", "y", "p"), "sqrt((y - p)**2 + 0.04)"),
]


@pytest.mark.parametrize(("kind", "tokens", "text"), FAMILIES)
def test_a_member_of_the_family_is_found(kind: str, tokens: tuple[str, ...], text: str) -> None:
    loss, target, points = Weighted.plain(Program(tokens)), unit(text, kind), fixed_points(kind)
    before = gradient_distance(unit_gradient(loss, points), target)
    (found,) = fit([loss], target, points, starts=2)
    assert before > 0.02
    assert found.distance < 1e-6
    # What is said of the fitted loss is true of it.
    assert gradient_distance(unit_gradient(found.loss, points), target) == pytest.approx(
        found.distance, abs=1e-9
    )


def test_fitting_never_makes_it_worse_and_depends_on_the_loss_alone() -> None:
    points, target = fixed_points("classification"), unit("-y*(1 - p)**2*log(p)")
    losses = [Weighted.plain(initial_program(Grammar(), Rates(), seed)) for seed in range(40)]
    found = fit(losses, target, points)
    for loss, each in zip(losses, found, strict=True):
        assert each.distance <= gradient_distance(unit_gradient(loss, points), target)
    assert fit(losses[7:8], target, points) == found[7:8]


def test_the_edges_left_out_change_nothing_but_the_scale() -> None:
    points = fixed_points("classification")
    changed = 0
    for seed in range(60):
        program = initial_program(
            Grammar(("add", "sub", "mul", "square", "abs", "plog", "tanh", "aq")), Rates(), seed
        )
        free = free_edges(program)
        edges = np.random.default_rng(seed).uniform(0.5, 2, program.size - 1)
        target = unit_gradient(Weighted(program, tuple(edges)), points)
        if not np.isfinite(target).all():
            continue
        kept = [1.0 if i not in free else float(edge) for i, edge in enumerate(edges)]
        (found,) = fit([Weighted(program, tuple(kept))], target, points, steps=60, starts=4)
        changed += found.distance > 1e-4
    assert changed <= 6, "local minima aside, the free coefficients reach what all of them say"

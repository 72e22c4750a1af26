"""Tuning of many candidates at once: each as it would be alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from symloss.codegen.trees.interpret import program_loss
from symloss.expr import Program
from symloss.meta import TreeLoss, initial_coefficients, one_step_hypergradient, tune
from symloss.meta.dense import dense_layers, weights_of
from symloss.meta.tune import _shared_forward
from symloss.tasks import Task, load_task

SQUARE = Program(("square", "sub", "y", "p"))
CAUCHY = Program(("plog", "add", "1", "square", "sub", "y", "p"))
EXPLODES = Program(("square", "square", "square", "square", "square", "square", "sub", "y", "p"))


@pytest.fixture(scope="module", params=["diabetes", "digits"])
def task(request: pytest.FixtureRequest) -> Task:
    return load_task(request.param).with_model("mlp-2x16")


@pytest.mark.parametrize("rows", [40, 5])
def test_shared_forward_is_the_exact_hypergradient(task: Task, rows: int) -> None:
    """Five rows against sixteen units: changes are kept as factors."""
    model = task.build_model(3).double()
    train = (task.train.X[:rows].double(), task.train.y[:rows])
    val = (task.val.X[: rows - 1].double(), task.val.y[: rows - 1])
    if task.kind == "regression":
        train, val = (train[0], train[1].double()), (val[0], val[1].double())
    programs = [SQUARE, CAUCHY]
    coefs = [torch.linspace(0.7, 1.2, p.size - 1, dtype=torch.float64) for p in programs]
    layers = dense_layers(model)
    assert layers is not None
    losses = [TreeLoss(task.kind, program) for program in programs]
    found = _shared_forward(losses, coefs, weights_of(layers), task, train, val, {})
    for program, phi, gradient in zip(programs, coefs, found, strict=True):

        def loss(c: Tensor, outputs: Tensor, targets: Tensor, program: Program = program) -> Tensor:
            return program_loss(program, task.kind, outputs, targets, c)

        alone = one_step_hypergradient(model, loss, phi, train, val, task.meta_loss, task.settings)
        torch.testing.assert_close(gradient, alone.gradient, rtol=1e-8, atol=1e-12)


def test_tuning_moves_and_repeats(task: Task) -> None:
    first = tune([SQUARE, CAUCHY], task, seed=1, steps=5)
    again = tune([SQUARE, CAUCHY], task, seed=1, steps=5)
    for program, a, b in zip((SQUARE, CAUCHY), first, again, strict=True):
        assert torch.equal(a.coefficients, b.coefficients)
        assert a.finite
        assert a.method == "batched"
        start = initial_coefficients(program, 1)
        assert 1e-3 < float((a.coefficients - start).abs().max()) < 6e-3, "Adam moves by eta a step"
    other = tune([SQUARE], task, seed=2, steps=5)
    assert not torch.equal(other[0].coefficients, first[0].coefficients)


def test_no_candidate_disturbs_another() -> None:
    task = load_task("diabetes").with_model("mlp-2x16")
    task = replace(task, train=replace(task.train, y=task.train.y * 1e4))
    found = tune([SQUARE, EXPLODES], task, seed=0, steps=4)
    alone = tune([SQUARE], task, seed=0, steps=4)
    assert not found[1].finite
    assert "not finite at step 1" in found[1].reason
    assert torch.equal(found[1].coefficients, initial_coefficients(EXPLODES, 0).to(found[1].coefficients))
    torch.testing.assert_close(found[0].coefficients, alone[0].coefficients, rtol=1e-5, atol=1e-6)


def test_a_tree_of_one_node_has_nothing_to_tune() -> None:
    (found,) = tune([Program(("p",))], load_task("diabetes"), seed=0, steps=2)
    assert found.coefficients.shape == (0,)
    assert found.finite


def test_other_models_are_tuned_one_by_one() -> None:
    task = load_task("diabetes").with_model(
        lambda: nn.Sequential(nn.Linear(10, 4), nn.Dropout(0.2), nn.Tanh(), nn.Linear(4, 1))
    )
    first, second = (tune([SQUARE], task, seed=0, steps=3)[0] for _ in range(2))
    assert first.method == "forward mode"
    assert torch.equal(first.coefficients, second.coefficients)


def test_black_boxes_are_not_tuned() -> None:
    task = Task.from_function(lambda loss, seed, budget: {"mse": 0.0}, kind="regression", metric="mse")
    (found,) = tune([SQUARE], task, seed=0)
    assert found.coefficients.tolist() == [1.0, 1.0, 1.0]
    assert found.method == "none"


def test_dense_layers_knows_what_it_does_not_know() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.body(x)

    shared = nn.Linear(3, 3)
    assert dense_layers(Skip()) is None
    assert dense_layers(nn.Sequential(shared, nn.ReLU(), shared)) is None
    relu = nn.ReLU()
    assert dense_layers(nn.Sequential(nn.Linear(3, 3), relu, shared, relu, shared)) is None
    assert len(dense_layers(nn.Sequential(nn.Linear(3, 3), relu, shared, relu, nn.Linear(3, 1))) or []) == 3

    class Twice(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(super().forward(x))

    assert dense_layers(Twice(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))) is None
    assert dense_layers(nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1))) is None
    assert dense_layers(nn.Sequential(nn.Linear(3, 3, bias=False))) is None
    assert dense_layers(nn.Sequential(nn.Linear(3, 3), nn.LeakyReLU(), nn.Linear(3, 1))) is None
    assert len(dense_layers(nn.Sequential(nn.Flatten(), nn.Linear(3, 3))) or []) == 1


def test_instance_weights_reach_tuning() -> None:
    weighted = Program(("mul", "w", "square", "sub", "y", "p"))
    plain = load_task("diabetes").with_model("mlp-2x8")
    halves = torch.where(torch.arange(len(plain.train)) % 2 == 0, 0.0, 2.0)
    task = replace(plain, train=replace(plain.train, w=halves))
    assert not torch.equal(
        tune([weighted], task, seed=0, steps=2)[0].coefficients,
        tune([weighted], plain, seed=0, steps=2)[0].coefficients,
    )

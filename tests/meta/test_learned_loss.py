"""Losses that can be learned: one protocol, and every meta-gradient against central differences in float64."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import symloss as sl
from symloss.errors import DomainError
from symloss.expr import KINDS, Program
from symloss.meta import (
    FormulaLoss,
    LearnedLoss,
    NeuralLoss,
    TreeLoss,
    learn,
    one_step_hypergradient,
    unrolled_hypergradient,
)
from symloss.meta.dense import dense_layers, weights_of
from symloss.meta.learned_loss import packed, unpacked
from symloss.meta.tune import _shared_forward
from symloss.tasks import SupervisedTask, TrainingSettings, load_task
from symloss.tasks.train.objectives import ordinary

SETTINGS = TrainingSettings(momentum=0.9, nesterov=True, weight_decay=0.1, learning_rate=0.3)
Batch = tuple[Tensor, Tensor]


def losses_of(kind: str) -> list[LearnedLoss]:
    formulas = {
        "classification": sl.named("gce", q=0.6),
        "multilabel": sl.named("focal-bce"),
        "regression": sl.named("cauchy"),
        "margin": sl.named("discopop", tau=2.0),
    }
    tree = Program(("mul", "sub", "p", "y", "tanh", "mul", "sub", "p", "y", "aq", "p", "y"))
    if kind == "margin":
        tree = Program(("mul", "sub", "m", "1", "tanh", "mul", "sub", "m", "1", "aq", "m", "1"))
    return [TreeLoss(kind, tree), FormulaLoss(formulas[kind]), NeuralLoss.drawn(kind, 3, (5, 4))]


def batch_of(kind: str, seed: int, rows: int = 9) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, 4, generator=draw, dtype=torch.float64)
    targets = {
        "classification": torch.randint(3, (rows,), generator=draw),
        "multilabel": torch.randint(2, (rows, 3), generator=draw).double(),
        "regression": torch.randn(rows, generator=draw, dtype=torch.float64),
        "margin": torch.randint(2, (rows,), generator=draw).double(),
    }
    return inputs, targets[kind]


def model_of(kind: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        last = [nn.Linear(6, 1), nn.Flatten(0)] if not KINDS[kind].probabilities else [nn.Linear(6, 3)]
        return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), *last).double()


def double(loss: LearnedLoss) -> dict[str, Tensor]:
    return {name: each.double() for name, each in loss.coefficients.items()}


def after_training(
    model: nn.Module, loss: LearnedLoss, phi: dict[str, Tensor], train: list[Batch], val: Batch
) -> float:
    """torch's own SGD, the reference: no code shared with the room."""
    weights = {name: w.detach().clone().requires_grad_() for name, w in model.named_parameters()}
    optimiser = torch.optim.SGD(
        weights.values(), lr=SETTINGS.learning_rate, momentum=SETTINGS.momentum, nesterov=True,
        weight_decay=SETTINGS.weight_decay,
    )  # fmt: skip
    for inputs, targets in train:
        optimiser.zero_grad()
        loss(phi, torch.func.functional_call(model, weights, (inputs,)), targets).backward()
        optimiser.step()
    with torch.no_grad():
        return float(ordinary(loss.kind, torch.func.functional_call(model, weights, (val[0],)), val[1]))


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_hypergradients_against_finite_differences(kind: str, steps: int) -> None:
    model, val = model_of(kind), batch_of(kind, 99)
    train = [batch_of(kind, i + 1) for i in range(steps)]
    for loss in losses_of(kind):
        start = double(loss)

        def measure(vector: Tensor, loss: LearnedLoss = loss, like: Any = start) -> float:
            return after_training(model, loss, unpacked(vector, like), train, val)

        def function(
            vector: Tensor, outputs: Tensor, targets: Tensor, loss: LearnedLoss = loss, like: Any = start
        ) -> Tensor:
            return loss(unpacked(vector, like), outputs, targets)

        vector = packed(start)
        places = range(0, len(vector), max(1, len(vector) // 12))
        expected = []
        for i in places:
            step = torch.zeros_like(vector)
            step[i] = 1e-6
            expected.append((measure(vector + step) - measure(vector - step)) / 2e-6)
        wanted = torch.tensor(expected, dtype=torch.float64)
        assert float(wanted.abs().max()) > 1e-6
        rest = (val, lambda z, t: ordinary(kind, z, t), SETTINGS)
        unrolled = unrolled_hypergradient(model, function, vector, train, *rest)
        torch.testing.assert_close(unrolled.gradient[list(places)], wanted, rtol=1e-6, atol=1e-9)
        if steps == 1:
            found = one_step_hypergradient(model, function, vector, train[0], *rest)
            assert found.method == "forward mode"
            torch.testing.assert_close(found.gradient, unrolled.gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["diabetes", "digits", "digits-attributes"])
def test_the_batched_hypergradient_is_the_same(name: str) -> None:
    task = load_task(name).with_model("mlp-2x16")
    assert isinstance(task, SupervisedTask)
    model = task.build_model(3).double()

    def batch(part: Any, rows: int) -> Batch:
        y = part.y[:rows]
        return part.X[:rows].double(), y.double() if y.is_floating_point() else y

    train, val = batch(task.train, 40), batch(task.val, 30)
    losses = losses_of(task.kind)
    vectors = [packed(double(loss)) for loss in losses]
    layers = dense_layers(model)
    assert layers is not None
    found = _shared_forward(losses, vectors, weights_of(layers), task, train, val, {})
    for loss, vector, gradient in zip(losses, vectors, found, strict=True):

        def function(c: Tensor, z: Tensor, t: Tensor, loss: LearnedLoss = loss) -> Tensor:
            return loss(unpacked(c, loss.coefficients), z, t)

        alone = one_step_hypergradient(model, function, vector, train, val, task.meta_loss, task.settings)
        torch.testing.assert_close(gradient, alone.gradient, rtol=1e-7, atol=1e-11)


def test_a_tree_and_its_formula_are_one_loss() -> None:
    tree = TreeLoss("classification", Program(("mul", "y", "abs", "plog", "p")), (2.0, 1.0, 1.0, 0.8))
    formula = FormulaLoss(sl.parse("a*y*abs(log(b*p))", coefficients={"a": 2.0, "b": 0.8}))
    outputs, targets = torch.randn(7, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 1, 0, 2, 1])
    ours, theirs = (each(double(each), outputs, targets) for each in (tree, formula))
    torch.testing.assert_close(ours, theirs)
    slopes = [each.output_gradient(double(each), outputs, targets) for each in (tree, formula)]
    torch.testing.assert_close(*slopes)
    direction = torch.randn(7, 3, dtype=torch.float64)
    by_tree = tree.coefficient_gradient(double(tree), outputs, targets, direction)["edges"]
    by_name = formula.coefficient_gradient(double(formula), outputs, targets, direction)
    torch.testing.assert_close(by_tree[0], by_name["a"].squeeze())
    assert str(formula.to_loss({"a": torch.tensor(3.0), "b": torch.tensor(0.5)})) == "3*y*abs(log(p/2))"


def test_weights_and_priors_reach_a_formula() -> None:
    weighted = FormulaLoss(sl.parse("-w*y*log(p)/pi"))
    outputs, targets = torch.zeros(2, 2), torch.tensor([0, 1])
    context = {"w": torch.tensor([1.0, 3.0]), "pi": torch.tensor([0.25, 0.75])}
    found = weighted(weighted.coefficients, outputs, targets, context)
    assert float(found) == pytest.approx((1 / 0.25 + 3 / 0.75) / 2 * 0.6931472)


def test_a_network_is_what_its_definition_says() -> None:
    loss = NeuralLoss.drawn("regression", 1, (3, 2)).scaled(2.0)
    one, two, three = (each.double() for each in loss.coefficients.values())
    assert [tuple(each.shape) for each in (one, two, three)] == [(3, 2), (2, 3), (1, 2)]
    p, y = torch.tensor([0.3, -1.0]), torch.tensor([1.0, 0.5])
    for i in range(2):
        h = torch.tensor([p[i], y[i]]).double()
        h = (two @ (one @ h).relu()).relu()
        expected = 2 * torch.log1p(torch.exp((three @ h)[0]))
        found = loss(double(loss), p[i : i + 1].double(), y[i : i + 1].double())
        torch.testing.assert_close(found, expected)
    assert loss.complexity == 14
    assert NeuralLoss.drawn("regression", 1, (3, 2)) != NeuralLoss.drawn("regression", 2, (3, 2))


def test_a_network_is_kept_as_json() -> None:
    loss = NeuralLoss.drawn("classification", 5).scaled(0.3)
    again = NeuralLoss.from_dict(json.loads(json.dumps(loss.to_dict())))
    assert again == loss
    for a, b in zip(loss.coefficients.values(), again.coefficients.values(), strict=True):
        assert torch.equal(a, b)
    moved = loss.with_weights(packed(loss.coefficients).tolist())
    assert moved == loss, "single precision to the last bit"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [1.0]}, "1 weights: expected 2650"),
        ({"weights": [float("nan")] * 2650}, "not finite"),
        ({"hidden": None}, "no neural loss can be read"),
        ({"kind": "margins"}, "unknown kind 'margins'"),
    ],
)
def test_what_is_no_network_is_refused(change: dict[str, Any], message: str) -> None:
    data = NeuralLoss.drawn("classification", 0).to_dict()
    with pytest.raises(DomainError, match=message):
        NeuralLoss.from_dict({**data, **change})


def test_a_network_learns_to_be_a_loss() -> None:
    task = load_task("digits", model="linear").with_settings(steps=60, learning_rate=0.3)
    assert isinstance(task, SupervisedTask)
    loss = NeuralLoss.drawn("classification", 0)
    (tuned,) = learn([loss], [task], seed=0, steps=120, eta=3e-3)
    learned = loss.with_weights(tuned.coefficients.tolist())

    def score(network: NeuralLoss) -> float:
        phi = network.coefficients
        model = task.fit(lambda outputs, targets: network(phi, outputs, targets), seed=1)
        return task.evaluate(model)["accuracy"]

    assert score(loss) < 0.5 < 0.8 < score(learned)

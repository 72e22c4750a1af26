"""Every meta-gradient against central differences in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from symloss.codegen.trees.interpret import program_loss
from symloss.expr import Program
from symloss.meta import one_step_hypergradient, unrolled_hypergradient
from symloss.tasks import TrainingSettings

CUBIC = Program(("mul", "sub", "p", "y", "tanh", "mul", "sub", "p", "y", "aq", "p", "y"))
ENTROPY = Program(("mul", "y", "square", "plog", "p"))
SETTINGS = [
    TrainingSettings(momentum=0.0, nesterov=False, weight_decay=0.0),
    TrainingSettings(momentum=0.9, nesterov=False, weight_decay=0.0),
    TrainingSettings(momentum=0.9, nesterov=True, weight_decay=0.0),
    TrainingSettings(momentum=0.9, nesterov=True, weight_decay=0.1, learning_rate=0.3),
]
Batch = tuple[Tensor, Tensor]


def _batch(seed: int, regression: bool) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(9, 4, generator=generator, dtype=torch.float64)
    if regression:
        return inputs, torch.randn(9, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(3, (9,), generator=generator)


def _model(regression: bool, middle: nn.Module | None = None) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Linear(4, 6), middle or nn.Tanh(), nn.Linear(6, 1 if regression else 3)]
        return nn.Sequential(*layers, nn.Flatten(0) if regression else nn.Identity()).double()


def _after_training(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    coefs: Tensor,
    train: Sequence[Batch],
    val: Batch,
    meta: Callable[[Tensor, Tensor], Tensor],
    settings: TrainingSettings,
) -> float:
    """torch's own SGD, the reference: no code shared with the room."""
    weights = {name: w.detach().clone().requires_grad_() for name, w in model.named_parameters()}
    optimiser = torch.optim.SGD(
        weights.values(), lr=settings.learning_rate, momentum=settings.momentum,
        nesterov=settings.nesterov, weight_decay=settings.weight_decay,
    )  # fmt: skip
    state = torch.random.get_rng_state()

    def call(inputs: Tensor) -> Tensor:
        torch.random.set_rng_state(state)
        buffers = {name: b.clone() for name, b in model.named_buffers()}
        outputs: Tensor = torch.func.functional_call(model, {**weights, **buffers}, (inputs,))
        return outputs

    for inputs, targets in train:
        optimiser.zero_grad()
        loss(coefs, call(inputs), targets).backward()
        optimiser.step()
    value = float(meta(call(val[0]), val[1]).detach())
    torch.random.set_rng_state(state)
    return value


def _differences(measure: Callable[[Tensor], float], coefs: Tensor, h: float = 1e-5) -> Tensor:
    found = []
    for e in torch.eye(len(coefs), dtype=torch.float64):
        found.append((measure(coefs + h * e) - measure(coefs - h * e)) / (2 * h))
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize("settings", SETTINGS, ids=["sgd", "momentum", "nesterov", "decay"])
@pytest.mark.parametrize("regression", [True, False])
@pytest.mark.parametrize("steps", [1, 3])
def test_against_finite_differences(settings: TrainingSettings, regression: bool, steps: int) -> None:
    program, kind = (CUBIC, "regression") if regression else (ENTROPY, "classification")
    meta = F.mse_loss if regression else F.cross_entropy
    model = _model(regression)
    train = [_batch(i + 1, regression) for i in range(steps)]
    val = _batch(99, regression)
    coefs = torch.linspace(0.8, 1.3, program.size - 1, dtype=torch.float64)

    def loss(c: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        return program_loss(program, kind, outputs, targets, c)

    expected = _differences(lambda c: _after_training(model, loss, c, train, val, meta, settings), coefs)
    before = [w.clone() for w in model.parameters()]
    if steps == 1:
        found = one_step_hypergradient(model, loss, coefs, train[0], val, meta, settings)
        assert found.method == "forward mode"
        torch.testing.assert_close(found.gradient, expected, rtol=1e-6, atol=1e-10)
    for checkpointed in (False, True):
        found = unrolled_hypergradient(
            model, loss, coefs, train, val, meta, settings, checkpointed=checkpointed
        )
        torch.testing.assert_close(found.gradient, expected, rtol=1e-6, atol=1e-10)
    value = _after_training(model, loss, coefs, train, val, meta, settings)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_a_wrong_factor_is_noticed() -> None:
    """The check above fails when Nesterov's factor is left out."""
    settings, model, coefs = SETTINGS[2], _model(True), torch.linspace(0.8, 1.3, 11, dtype=torch.float64)
    assert len(coefs) == CUBIC.size - 1

    def loss(c: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        return program_loss(CUBIC, "regression", outputs, targets, c)

    plain = replace(settings, nesterov=False)
    right, wrong = (
        one_step_hypergradient(model, loss, coefs, _batch(1, True), _batch(2, True), F.mse_loss, s).gradient
        for s in (settings, plain)
    )
    assert float((right - wrong).abs().max() / right.abs().max()) > 0.1


def test_truncation_keeps_the_last_steps() -> None:
    model, settings = _model(True), SETTINGS[2]
    train, val = [_batch(i, True) for i in (1, 2, 3)], _batch(9, True)
    coefs = torch.ones(CUBIC.size - 1, dtype=torch.float64)

    def loss(c: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        return program_loss(CUBIC, "regression", outputs, targets, c)

    def gradient(horizon: int | None) -> Tensor:
        return unrolled_hypergradient(
            model, loss, coefs, train, val, F.mse_loss, settings, horizon=horizon
        ).gradient

    torch.testing.assert_close(gradient(3), gradient(None))
    torch.testing.assert_close(gradient(7), gradient(None))
    assert not torch.allclose(gradient(1), gradient(None))
    assert float(gradient(1).abs().sum()) > 0


@pytest.mark.parametrize("middle", [nn.BatchNorm1d(6), nn.Dropout(0.5)])
def test_buffers_and_masks_never_leak(middle: nn.Module) -> None:
    model = _model(True, middle).train()
    settings, coefs = SETTINGS[2], torch.ones(CUBIC.size - 1, dtype=torch.float64)
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}

    def loss(c: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        return program_loss(CUBIC, "regression", outputs, targets, c)

    def gradient() -> Tensor:
        train, val = _batch(1, True), _batch(2, True)
        return one_step_hypergradient(model, loss, coefs, train, val, F.mse_loss, settings).gradient

    state = torch.random.get_rng_state()
    first, second = gradient(), gradient()
    assert torch.equal(first, second)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in model.named_buffers())
    expected = _differences(
        lambda c: _after_training(model, loss, c, [_batch(1, True)], _batch(2, True), F.mse_loss, settings),
        coefs,
    )
    torch.testing.assert_close(first, expected, rtol=1e-6, atol=1e-10)


class _NoForwardMode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: object, g: Tensor) -> Tensor:
        return g * 2


class _Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return _NoForwardMode.apply(x)


def test_a_model_without_forward_mode_is_unrolled() -> None:
    model = nn.Sequential(_model(True), _Doubled())
    coefs = torch.ones(CUBIC.size - 1, dtype=torch.float64)

    def loss(c: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        return program_loss(CUBIC, "regression", outputs, targets, c)

    found = one_step_hypergradient(
        model, loss, coefs, _batch(1, True), _batch(2, True), F.mse_loss, SETTINGS[2]
    )
    assert found.method == "unrolled"
    expected = _differences(
        lambda c: _after_training(
            model, loss, c, [_batch(1, True)], _batch(2, True), F.mse_loss, SETTINGS[2]
        ),
        coefs,
    )
    torch.testing.assert_close(found.gradient, expected, rtol=1e-6, atol=1e-10)

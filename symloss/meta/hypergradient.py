r"""How a loss's coefficients should change so that a model trained with it does better.

One inner step, exactly: with `v = dL_task/dtheta'` at the updated weights and `pdot` the change of the
outputs along `v`, `dL_task/dphi = -alpha k d/dphi <dL_phi/df, pdot>`. The second derivative is of the formula
alone, never of the network. `k` is 1, or `1 + momentum` for Nesterov's first step; weight decay adds nothing
that depends on `phi`. Several steps are unrolled by autograd.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

from symloss.tasks import TrainingSettings

__all__ = ["Hypergradient", "inner_factor", "one_step_hypergradient", "unrolled_hypergradient"]

CoefficientLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""`(coefficients, outputs, targets) -> scalar`."""
Batch = tuple[Tensor, Tensor]
State = dict[str, Tensor]


@dataclass(frozen=True)
class Hypergradient:
    """A meta-gradient.

    Attributes:
        gradient: in the coefficients, `[E]`.
        value: the task's loss after the inner steps.
        method: `"forward mode"`, or `"unrolled"`: several steps, or a model that does not support it.
    """

    gradient: Tensor
    value: float
    method: str


def inner_factor(settings: TrainingSettings) -> float:
    """What the first step of SGD from zero state multiplies the gradient by, besides the learning rate.

    Nesterov's look-ahead makes it `1 + momentum`; plain momentum has no effect yet.
    """
    return 1 + settings.momentum if settings.nesterov and settings.momentum else 1.0


def one_step_hypergradient(
    model: nn.Module,
    loss: CoefficientLoss,
    coefs: Tensor,
    train: Batch,
    val: Batch,
    meta_loss: Callable[[Tensor, Tensor], Tensor],
    settings: TrainingSettings,
) -> Hypergradient:
    """The exact hypergradient through one step of SGD from the model's weights; the model is not changed.

    Args:
        model: its parameters are the start; buffers are copied, dropout draws the same masks in each pass.
        loss: the loss to be tuned, differentiable in its coefficients and, twice, in the outputs.
        coefs: `[E]`.
        train: the batch of the inner step, `(inputs, targets)`.
        val: the batch on which the task's loss is measured.
        meta_loss: the task's loss, `(outputs, targets) -> scalar`.
        settings: of the inner step.
    """
    try:
        return _forward_mode(model, loss, coefs, train, val, meta_loss, settings)
    except (RuntimeError, NotImplementedError):
        # No forward-mode derivative of some operation, or a buffer written inside the pass (BatchNorm).
        return unrolled_hypergradient(model, loss, coefs, [train], val, meta_loss, settings)


def _forward_mode(
    model: nn.Module,
    loss: CoefficientLoss,
    coefs: Tensor,
    train: Batch,
    val: Batch,
    meta_loss: Callable[[Tensor, Tensor], Tensor],
    settings: TrainingSettings,
) -> Hypergradient:
    start = {name: weight.detach() for name, weight in model.named_parameters()}
    call = _Caller(model)
    leaves = {name: weight.clone().requires_grad_() for name, weight in start.items()}
    value = loss(coefs.detach(), call(leaves, train[0]), train[1])
    step = settings.learning_rate * inner_factor(settings)
    gradients = _gradients(value, leaves)
    moved = {
        name: (weight - step * (gradients[name] + settings.weight_decay * weight)).requires_grad_()
        for name, weight in start.items()
    }
    measured = meta_loss(call(moved, val[0]), val[1])
    v = _gradients(measured, moved)
    with warnings.catch_warnings(), forward_ad.dual_level():
        # torch fills its forward-mode table with torch.jit.script, which it has itself deprecated.
        warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
        duals = {name: forward_ad.make_dual(weight, v[name]) for name, weight in start.items()}
        primal, tangent = forward_ad.unpack_dual(call(duals, train[0]))
    leaf = primal.detach().requires_grad_()
    pdot = torch.zeros_like(leaf) if tangent is None else tangent.detach()
    phi = coefs.detach().clone().requires_grad_()
    inner = loss(phi, leaf, train[1])
    if not inner.requires_grad:
        return Hypergradient(torch.zeros_like(phi), float(measured.detach()), "forward mode")
    (slope,) = torch.autograd.grad(inner, leaf, create_graph=True, allow_unused=True, materialize_grads=True)
    product = (slope * pdot).sum()
    gradient = torch.zeros_like(phi)
    if product.requires_grad:
        (found,) = torch.autograd.grad(product, phi, allow_unused=True)
        gradient = gradient if found is None else -step * found
    return Hypergradient(gradient, float(measured.detach()), "forward mode")


def unrolled_hypergradient(
    model: nn.Module,
    loss: CoefficientLoss,
    coefs: Tensor,
    train: Sequence[Batch],
    val: Batch,
    meta_loss: Callable[[Tensor, Tensor], Tensor],
    settings: TrainingSettings,
    *,
    horizon: int | None = None,
    checkpointed: bool = False,
) -> Hypergradient:
    """The hypergradient through as many steps of SGD as there are batches, momentum carried along.

    Args:
        train: one batch a step.
        horizon: the gradient flows through the last so many steps alone (truncated); all unless given.
        checkpointed: forward passes are computed again on the way back: memory of one step rather than all.

    The other arguments are those of `one_step_hypergradient`.
    """
    call = _Caller(model)
    phi = coefs.detach().clone().requires_grad_()
    weights = {name: weight.detach().clone().requires_grad_() for name, weight in model.named_parameters()}
    velocity: State = {}
    detached = 0 if horizon is None else max(len(train) - horizon, 0)

    def step(weights: State, velocity: State, inputs: Tensor, targets: Tensor) -> tuple[State, State]:
        gradients = _gradients(loss(phi, call(weights, inputs), targets), weights, create_graph=True)
        return _sgd(weights, velocity, gradients, settings)

    for number, (inputs, targets) in enumerate(train):
        if number < detached:
            weights, velocity = step(weights, velocity, inputs, targets)
            weights = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
            velocity = {name: speed.detach() for name, speed in velocity.items()}
        elif checkpointed:
            weights, velocity = checkpoint(
                step, weights, velocity, inputs, targets, use_reentrant=False, preserve_rng_state=False
            )
        else:
            weights, velocity = step(weights, velocity, inputs, targets)
    measured = meta_loss(call(weights, val[0]), val[1])
    gradient = torch.zeros_like(phi)
    if measured.requires_grad:
        (found,) = torch.autograd.grad(measured, phi, allow_unused=True)
        gradient = gradient if found is None else found
    return Hypergradient(gradient, float(measured.detach()), "unrolled")


def _sgd(
    weights: State, velocity: State, gradients: Mapping[str, Tensor], settings: TrainingSettings
) -> tuple[State, State]:
    """torch's SGD as a function: decay into the gradient, momentum, Nesterov's look-ahead."""
    moved: State = {}
    speeds: State = {}
    for name, weight in weights.items():
        gradient = gradients[name] + settings.weight_decay * weight
        speed = gradient if name not in velocity else settings.momentum * velocity[name] + gradient
        ahead = gradient + settings.momentum * speed if settings.nesterov else speed
        moved[name] = weight - settings.learning_rate * (ahead if settings.momentum else gradient)
        speeds[name] = speed
    return moved, speeds


class _Caller:
    """The model as a function of its weights: buffers are copied, and dropout repeats its masks."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.state = torch.random.get_rng_state()
        self.gpus = {w.device: torch.cuda.get_rng_state(w.device) for w in model.parameters() if w.is_cuda}

    def __call__(self, weights: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        with torch.random.fork_rng(devices=list(self.gpus)):
            torch.random.set_rng_state(self.state)
            for gpu, state in self.gpus.items():
                torch.cuda.set_rng_state(state, gpu)
            outputs: Tensor = torch.func.functional_call(self.model, {**weights, **buffers}, (inputs,))
        return outputs


def _gradients(value: Tensor, weights: Mapping[str, Tensor], create_graph: bool = False) -> State:
    names = list(weights)
    if not value.requires_grad:
        return {name: torch.zeros_like(weight) for name, weight in weights.items()}
    found = torch.autograd.grad(
        value,
        [weights[name] for name in names],
        create_graph=create_graph,
        allow_unused=True,
        materialize_grads=True,
    )
    return dict(zip(names, found, strict=True))

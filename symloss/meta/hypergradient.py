r"""How a loss's coefficients should change so that a model trained with it does better.

One inner step, exactly: with `v = dL_task/dtheta'` at the updated weights and `pdot` the change of the
outputs along `v`, `dL_task/dphi = -alpha k d/dphi <dL_phi/df, pdot>`. The second derivative is of the formula
alone, never of the network. `k` is 1, or `1 + momentum` for Nesterov's first step; weight decay adds nothing
that depends on `phi`. Several steps are unrolled by autograd.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from symloss.meta.inner import SGD
from symloss.meta.passes import Passes, Tensors
from symloss.meta.passes import gradients as gradients_of
from symloss.tasks import TrainingSettings

__all__ = ["Hypergradient", "inner_factor", "one_step_hypergradient", "unrolled_hypergradient"]

CoefficientLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""`(coefficients, outputs, targets) -> scalar`."""
Batch = tuple[Tensor, Tensor]
States = dict[str, dict[str, Tensor]]


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
    start = {name: weight.detach() for name, weight in model.named_parameters()}
    call = Passes(model)
    leaves = {name: weight.clone().requires_grad_() for name, weight in start.items()}
    outputs = call(leaves, train[0])
    value = loss(coefs.detach(), outputs, train[1])
    step = settings.learning_rate * inner_factor(settings)
    gradients = gradients_of(value, leaves)
    moved = {
        # Detached from phi: how the new weights depend on it is put back by hand, as -step <d/dphi dL_phi/df,
        # pdot>.
        name: (weight - step * (gradients[name] + settings.weight_decay * weight)).requires_grad_()
        for name, weight in start.items()
    }
    measured = meta_loss(call(moved, val[0]), val[1])
    v = gradients_of(measured, moved)
    pdot, method = call.tangent(start, v, train[0])
    leaf = outputs.detach().requires_grad_()
    phi = coefs.detach().clone().requires_grad_()
    inner = loss(phi, leaf, train[1])
    # A loss that uses neither outputs nor coefficients differentiably (a step function): nothing to learn from.
    if not inner.requires_grad:
        return Hypergradient(torch.zeros_like(phi), float(measured.detach()), method)
    (slope,) = torch.autograd.grad(inner, leaf, create_graph=True, allow_unused=True, materialize_grads=True)
    # pdot is a constant here: differentiated again is the loss alone, never the network.
    product = (slope * pdot).sum()
    gradient = torch.zeros_like(phi)
    if product.requires_grad:
        (found,) = torch.autograd.grad(product, phi, allow_unused=True)
        gradient = gradient if found is None else -step * found
    return Hypergradient(gradient, float(measured.detach()), method)


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
    call = Passes(model)
    phi = coefs.detach().clone().requires_grad_()
    weights = {name: weight.detach().clone().requires_grad_() for name, weight in model.named_parameters()}
    states: States = {name: {} for name in weights}
    rule = SGD(
        settings.learning_rate,
        settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
    )
    detached = 0 if horizon is None else max(len(train) - horizon, 0)

    def step(weights: Tensors, states: States, inputs: Tensor, targets: Tensor) -> tuple[Tensors, States]:
        gradients = gradients_of(loss(phi, call(weights, inputs), targets), weights, create_graph=True)
        moved = {name: rule.step(weight, gradients[name], states[name]) for name, weight in weights.items()}
        return {name: each[0] for name, each in moved.items()}, {
            name: each[1] for name, each in moved.items()
        }

    for number, (inputs, targets) in enumerate(train):
        if number < detached:
            weights, states = step(weights, states, inputs, targets)
            # Cut here: the step is taken, and its graph freed.
            weights = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
            states = {
                name: {part: each.detach() for part, each in state.items()} for name, state in states.items()
            }
        elif checkpointed:
            # `Passes` puts the random state back itself, so the repeated pass draws the same masks.
            weights, states = checkpoint(
                step, weights, states, inputs, targets, use_reentrant=False, preserve_rng_state=False
            )
        else:
            weights, states = step(weights, states, inputs, targets)
    measured = meta_loss(call(weights, val[0]), val[1])
    gradient = torch.zeros_like(phi)
    if measured.requires_grad:
        (found,) = torch.autograd.grad(measured, phi, allow_unused=True)
        gradient = gradient if found is None else found
    return Hypergradient(gradient, float(measured.detach()), "unrolled")

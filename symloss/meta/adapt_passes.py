"""The parts of an adaptive step: which weights move, and how the meta-objective changes with them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from symloss.errors import DomainError
from symloss.meta.inner import Rule
from symloss.meta.passes import Passes, called
from symloss.tasks.train.loop import InstanceLoss

__all__ = [
    "AdaptiveStep", "Divergence", "ModelPasses", "Moved", "differentiable", "finite", "full", "moving", "put_back",
    "responses_of",
]  # fmt: skip


@dataclass(frozen=True)
class Divergence:
    """When training stopped being finite, and what first was not.

    Attributes:
        step: from 1.
        reason: in words.
    """

    step: int
    reason: str


@dataclass(frozen=True)
class AdaptiveStep:
    """What one step came to.

    Attributes:
        step: its number, from 1.
        loss: of the training batch, before the step.
        validation: the meta-objective of the validation batch, after it.
        gradient: the meta-gradient, all coefficients in one vector, float64 `[E]`.
        method: how `pdot` was found: `"forward mode"`, or `"unrolled"` for a model without.
        diverged: why nothing was moved, or `""`.
    """

    step: int
    loss: float
    validation: float
    gradient: Tensor
    method: str
    diverged: str = ""


@dataclass(frozen=True)
class Moved:
    """A weight that a step moves.

    Attributes:
        name: in its model.
        weight: itself; its `grad` is that of the step.
        rule: by which it moves.
        before: its value before the step.
        first: whether the optimiser remembers nothing of it yet.
    """

    name: str
    weight: nn.Parameter
    rule: Rule
    before: Tensor
    first: bool


def moving(
    model: nn.Module, optimizer: torch.optim.Optimizer, rules: Mapping[nn.Parameter, Rule]
) -> list[Moved]:
    """The weights that the optimiser's next step moves.

    Raises:
        DomainError: where there are none.
    """
    weights = dict(model.named_parameters())
    if not weights:
        raise DomainError("the model has no parameters: there is nothing that a loss could train")
    found = []
    for name, weight in weights.items():
        if weight in rules and weight.grad is not None:
            known = optimizer.state.get(weight, {}).values()
            first = all(each is None for each in known)
            found.append(Moved(name, weight, rules[weight], weight.detach().clone(), first))
    if not found:
        raise DomainError(
            "the optimiser moves no parameter of this model, or the loss does not depend on any: give it "
            "model.parameters(), and outputs with a gradient"
        )
    return found


class ModelPasses:
    """The passes of one step through any model: autograd, and one pass in forward mode.

    Args:
        model: its weights, buffers and torch's random state are those before the step.
        inputs: of the training batch.
        forward_mode: whether to try it; see `Passes.tangent`.
    """

    def __init__(self, model: nn.Module, inputs: Any, forward_mode: bool = True) -> None:
        self.model, self.inputs, self._forward_mode = model, inputs, forward_mode
        self._passes = Passes(model)
        self._rises: list[Tensor] = []

    def outputs(self) -> Tensor:
        """Of the training batch; a loss of them can be differentiated."""
        return full(called(self.model, self.inputs))

    def backward(self, value: Tensor) -> None:
        """The gradient of the training loss, into the weights' `grad`."""
        if value.requires_grad:
            value.backward()

    def measure(self, moved: Sequence[Moved], objective: InstanceLoss, batch: tuple[Any, ...]) -> Tensor:
        """The meta-objective at the new weights; not finite where its gradient is not. Buffers stay as they are."""
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        value = differentiable(objective(full(called(self.model, batch[0])), batch[1]))
        weights = [each.weight for each in moved]
        self._rises = list(torch.autograd.grad(value, weights, allow_unused=True, materialize_grads=True))
        # Only now: until then the graph of batch normalisation holds its statistics.
        with torch.no_grad():
            for name, buffer in self.model.named_buffers():
                buffer.copy_(buffers[name])
        return value.detach() if finite(self._rises) else value.detach() * math.nan

    def tangent(self, moved: Sequence[Moved], responses: Sequence[float | Tensor]) -> tuple[Tensor, str]:
        """How the training outputs change along `D v`: the objective's gradient as the step's gradient sees it."""
        weights = {name: weight.detach() for name, weight in self.model.named_parameters()}
        directions = {}
        for each, rise, response in zip(moved, self._rises, responses, strict=True):
            weights[each.name] = each.before
            # <v, dtheta'/dphi> = <D v, dg/dphi> as D is diagonal, and g = J^T dL_phi/df: so J D v is all that is
            # needed of the network.
            directions[each.name] = rise * response
        return self._passes.tangent(weights, directions, self.inputs, forward_mode=self._forward_mode)


def differentiable(value: Any) -> Tensor:
    """A meta-objective, if it is one.

    Raises:
        DomainError: for one that is not a differentiable scalar.
    """
    if not isinstance(value, Tensor) or not value.requires_grad or value.numel() != 1:
        raise DomainError(
            "the meta-objective is not a differentiable scalar of the outputs: give a loss such as cross-entropy, "
            "not a metric such as accuracy"
        )
    return value


def responses_of(optimizer: torch.optim.Optimizer, moved: Sequence[Moved]) -> list[float | Tensor]:
    """`D`, weight by weight, after the optimiser's step."""
    found = []
    for each in moved:
        assert each.weight.grad is not None
        state = optimizer.state.get(each.weight, {})
        found.append(each.rule.response(each.before, each.weight.grad, state, first=each.first))
    return found


def put_back(moved: Iterable[Moved]) -> None:
    """The weights as they were before the step."""
    with torch.no_grad():
        for each in moved:
            each.weight.copy_(each.before)


def finite(tensors: Iterable[Tensor | None]) -> bool:
    """Whether every entry of all of them is finite, with one transfer from the device.

    A sum keeps what is not finite. One that overflows counts as not finite too: in single precision that takes entries
    of some 1e38, which no step survives.
    """
    sums = [each.sum() for each in tensors if each is not None]
    return bool(torch.isfinite(torch.stack(sums).sum()))


def full(outputs: Tensor) -> Tensor:
    """Outputs that autocast has left in half precision, in single precision: a loss needs its digits."""
    return outputs.float() if outputs.dtype in (torch.float16, torch.bfloat16) else outputs

"""What an adaptive step comes to, and its parts: which weights move, how the objective rises with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from symloss.errors import DomainError
from symloss.meta.inner import Rule
from symloss.meta.passes import called
from symloss.tasks.train.loop import InstanceLoss
from symloss.tasks.train.objectives import ordinary

__all__ = [
    "AdaptiveStep",
    "Divergence",
    "Moved",
    "finite",
    "full",
    "measure",
    "moving",
    "pulled_back",
    "put_back",
]


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


def measure(
    model: nn.Module,
    moved: Sequence[Moved],
    kind: str,
    objective: InstanceLoss | None,
    batch: tuple[Any, ...],
) -> tuple[Tensor, list[Tensor]]:
    """The meta-objective of a batch and its gradient in the moved weights; buffers stay as they are.

    Raises:
        DomainError: for an objective that is not differentiable.
    """
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    outputs = full(called(model, batch[0]))
    value = ordinary(kind, outputs, batch[1]) if objective is None else objective(outputs, batch[1])
    if not isinstance(value, Tensor) or not value.requires_grad or value.numel() != 1:
        raise DomainError(
            "the meta-objective is not a differentiable scalar of the outputs: give a loss such as cross-entropy, "
            "not a metric such as accuracy"
        )
    rises = torch.autograd.grad(
        value, [each.weight for each in moved], allow_unused=True, materialize_grads=True
    )
    # Only now: until then the graph of batch normalisation holds its statistics.
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
    return value.detach(), list(rises)


def pulled_back(
    model: nn.Module, optimizer: torch.optim.Optimizer, moved: Sequence[Moved], rises: Sequence[Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights before a step, and `D v`: the objective's gradient `v` as the step's gradient sees it."""
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    directions = {}
    for each, rise in zip(moved, rises, strict=True):
        weights[each.name] = each.before
        assert each.weight.grad is not None
        state = optimizer.state.get(each.weight, {})
        response = each.rule.response(each.before, each.weight.grad, state, first=each.first)
        directions[each.name] = rise * response
    return weights, directions


def put_back(moved: Iterable[Moved]) -> None:
    """The weights as they were before the step."""
    with torch.no_grad():
        for each in moved:
            each.weight.copy_(each.before)


def finite(tensors: Iterable[Tensor | None]) -> bool:
    """Whether every entry of all of them is, with one look at the device: a sum keeps what is not finite."""
    sums = [each.sum() for each in tensors if each is not None]
    return bool(torch.isfinite(torch.stack(sums).sum()))


def full(outputs: Tensor) -> Tensor:
    """Outputs that autocast has left in half precision, in single precision: a loss needs its digits."""
    return outputs.float() if outputs.dtype in (torch.float16, torch.bfloat16) else outputs

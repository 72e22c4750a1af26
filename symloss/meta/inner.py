r"""One step of torch's optimisers as a function, and how it responds to the gradient.

An optimiser moves every weight by itself: `theta' = U(theta, g, state)`, elementwise. What a meta-gradient needs of it
is the diagonal `dtheta'/dg`; to unroll several steps, `U` itself, differentiable in weights, gradient and state.

With `d = g + lambda theta` (SGD's and Adam's weight decay; AdamW's shrinks the weight instead) and `t` from 1:

    SGD      s' = mu s + (1 - tau) d (s' = d at the first step),   theta' = theta - alpha s'
    Nesterov                                                       theta' = theta - alpha (d + mu s')
    Adam     m' = b1 m + (1 - b1) d,   v' = b2 v + (1 - b2) d^2,
             theta' = theta - alpha (m' / (1 - b1^t)) / (sqrt(v' / (1 - b2^t)) + eps)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from symloss.errors import DomainError

__all__ = ["SGD", "Adam", "Rule", "State", "rules_of"]

State = Mapping[str, Tensor]
"""What an optimiser remembers of one weight, by torch's names; empty before its first step."""


class Rule(ABC):
    """How an optimiser moves one tensor of weights."""

    @abstractmethod
    def step(self, weight: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, dict[str, Tensor]]:
        """The weight after a step, and the state; nothing is changed in place.

        Args:
            weight: any shape.
            gradient: of the weight's shape.
            state: as the last step returned it, or `{}`.
        """

    @abstractmethod
    def response(self, weight: Tensor, gradient: Tensor, state: State, *, first: bool) -> float | Tensor:
        """`dtheta'/dg` elementwise: a number where it is the same for all, else of the weight's shape.

        Args:
            weight: before the step; Adam with weight decay depends on it.
            gradient: of the step.
            state: *after* the step, as torch leaves it.
            first: whether the step was the first, from no state.
        """


@dataclass(frozen=True)
class SGD(Rule):
    """`torch.optim.SGD`.

    Attributes:
        learning_rate: `alpha`.
        momentum: `mu`.
        dampening: `tau`.
        nesterov: whether the momentum looks ahead.
        weight_decay: `lambda`.
        maximize: whether the loss is climbed.

    References:
        Sutskever et al., On the importance of initialization and momentum in deep learning, 2013, as torch has it.

    >>> rule = SGD(0.1, momentum=0.9, nesterov=True)
    >>> weight, state = rule.step(torch.ones(1), torch.ones(1), {})
    >>> round(float(weight), 4), round(rule.response(weight, weight, state, first=True), 4)
    (0.81, -0.19)
    """

    learning_rate: float
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    maximize: bool = False

    def step(self, weight: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Rule`."""
        d = -gradient if self.maximize else gradient
        # Factors are given to the addition, as torch's optimiser does: the same rounding, and no product is stored.
        if self.weight_decay:
            d = torch.add(d, weight, alpha=self.weight_decay)
        if not self.momentum:
            return self._down(weight, d), {}
        before = state.get("momentum_buffer")
        # torch does not dampen the first step: its buffer starts as d itself.
        speed = d if before is None else torch.add(self.momentum * before, d, alpha=1 - self.dampening)
        ahead = torch.add(d, speed, alpha=self.momentum) if self.nesterov else speed
        return self._down(weight, ahead), {"momentum_buffer": speed}

    def _down(self, weight: Tensor, step: Tensor) -> Tensor:
        rate: float | Tensor = self.learning_rate  # a tensor where it is learned
        return weight - rate * step if isinstance(rate, Tensor) else torch.sub(weight, step, alpha=rate)

    def response(self, weight: Tensor, gradient: Tensor, state: State, *, first: bool) -> float:
        """See `Rule`."""
        factor = 1.0
        if self.momentum:
            # ds'/dd by the module's equations; then d(d + mu s')/dd = 1 + mu ds'/dd.
            factor = 1.0 if first else 1 - self.dampening
            factor = 1 + self.momentum * factor if self.nesterov else factor
        return (self.learning_rate if self.maximize else -self.learning_rate) * factor


@dataclass(frozen=True)
class Adam(Rule):
    """`torch.optim.Adam` and, with the decay decoupled, `torch.optim.AdamW`.

    A first step is `alpha g / (|g| + eps)`: its response, `-alpha eps / (|g| + eps)^2`, is nothing but `eps`. With
    state carried along it is of the size of `alpha (1 - b1) / sqrt(v)`.

    Attributes:
        learning_rate: `alpha`.
        betas: `b1, b2`.
        epsilon: `eps`.
        weight_decay: `lambda`.
        decoupled: whether the weight shrinks by `alpha lambda` instead (AdamW).
        maximize: whether the loss is climbed.

    References:
        Kingma, Ba, Adam, 2015, algorithm 1; Loshchilov, Hutter, Decoupled weight decay regularization, 2019.

    >>> rule = Adam(0.1)
    >>> weight, state = rule.step(torch.zeros(1), torch.ones(1), {})
    >>> round(float(weight), 4), f"{float(rule.response(torch.zeros(1), torch.ones(1), state, first=True)):.1e}"
    (-0.1, '-1.0e-09')
    """

    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    decoupled: bool = False
    maximize: bool = False

    def step(self, weight: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Rule`."""
        b1, b2 = self.betas
        d = self._decayed(weight, gradient)
        if self.decoupled and self.weight_decay:
            weight = weight * (1 - self.learning_rate * self.weight_decay)
        zero = torch.zeros_like(weight)
        # A tensor, as in torch's own state, which this may be given.
        t = state.get("step", torch.zeros(())) + 1
        mean = b1 * state.get("exp_avg", zero) + (1 - b1) * d
        square = b2 * state.get("exp_avg_sq", zero) + (1 - b2) * d**2
        slope, spread = mean / (1 - b1 ** float(t)), square / (1 - b2 ** float(t))
        moved = weight - self.learning_rate * slope / (spread.sqrt() + self.epsilon)
        return moved, {"step": t, "exp_avg": mean, "exp_avg_sq": square}

    def response(self, weight: Tensor, gradient: Tensor, state: State, *, first: bool) -> Tensor:
        """See `Rule`."""
        b1, b2 = self.betas
        t, mean, square = float(state["step"]), state["exp_avg"], state["exp_avg_sq"]
        d = self._decayed(weight, gradient)
        c1, c2 = 1 - b1**t, 1 - b2**t
        root = (square / c2).sqrt()
        denominator = root + self.epsilon
        if first:
            # m' = c1 d and root = |d|: d/dd [d/(|d| + eps)] = eps/(|d| + eps)^2. The two terms below would leave it as
            # the difference of two numbers that agree in all their digits.
            change = self.epsilon / denominator**2
        else:
            # d root/dd = (1 - b2) d / (c2 root). Where root is 0 there was never a gradient, and the mean is 0 too.
            turn = torch.where(root > 0, (1 - b2) * d / (c2 * root), 0.0)
            change = (1 - b1) / (c1 * denominator) - mean / c1 * turn / denominator**2
        return (self.learning_rate if self.maximize else -self.learning_rate) * change

    def _decayed(self, weight: Tensor, gradient: Tensor) -> Tensor:
        d = -gradient if self.maximize else gradient
        return d if self.decoupled or not self.weight_decay else d + self.weight_decay * weight


def _sgd(group: Mapping[str, Any]) -> Rule:
    return SGD(
        float(group["lr"]), group["momentum"], group["dampening"], group["nesterov"], group["weight_decay"],
        group["maximize"],
    )  # fmt: skip


def _adam(group: Mapping[str, Any], decoupled: bool = False) -> Rule:
    if group["amsgrad"]:
        raise DomainError("Adam with amsgrad cannot be differentiated here: set amsgrad=False, or use SGD")
    b1, b2 = (float(beta) for beta in group["betas"])
    # From 2.9 on torch's Adam has AdamW's decay on demand.
    decoupled = decoupled or bool(group.get("decoupled_weight_decay", False))
    return Adam(
        float(group["lr"]), (b1, b2), group["eps"], group["weight_decay"], decoupled, group["maximize"]
    )


_RULES = {
    torch.optim.SGD: _sgd,
    torch.optim.Adam: _adam,
    torch.optim.AdamW: lambda group: _adam(group, decoupled=True),
}
"""By the very class: a subclass may step otherwise."""


def rules_of(optimizer: torch.optim.Optimizer) -> dict[nn.Parameter, Rule]:
    """For each weight of an optimiser the rule by which its next step moves it: of its group, as it stands now.

    Args:
        optimizer: `torch.optim.SGD`, `Adam` or `AdamW`, whatever schedules change its groups.

    Raises:
        DomainError: for any other, whose step cannot be differentiated.

    >>> list(rules_of(torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=0.5)).values())[0].learning_rate
    0.5
    """
    made = _RULES.get(type(optimizer))
    if made is None:
        known = ", ".join(each.__name__ for each in _RULES)
        raise DomainError(
            f"the step of {type(optimizer).__name__} cannot be differentiated: use one of {known} of torch.optim"
        )
    return {
        weight: rule
        for group in optimizer.param_groups
        for rule in [made(group)]
        for weight in group["params"]
    }

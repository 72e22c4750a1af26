"""The step of every optimiser against torch's own, and its response against autograd through the step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from symloss.errors import DomainError
from symloss.meta import rules_of

OPTIMISERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "sgd": (torch.optim.SGD, {}),
    "sgd-decay": (torch.optim.SGD, {"weight_decay": 0.1}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "dampened": (torch.optim.SGD, {"momentum": 0.9, "dampening": 0.3}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "climbing": (torch.optim.SGD, {"momentum": 0.9, "maximize": True, "weight_decay": 0.1}),
    "adam": (torch.optim.Adam, {}),
    "adam-decay": (torch.optim.Adam, {"weight_decay": 0.1, "betas": (0.8, 0.95), "eps": 1e-3}),
    "adam-climbing": (torch.optim.Adam, {"maximize": True}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.1}),
}


def gradients(count: int) -> Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_steps_are_those_of_torch(name: str) -> None:
    made, options = OPTIMISERS[name]
    weight = nn.Parameter(torch.linspace(-1, 1, 5, dtype=torch.float64))
    optimizer = made([weight], lr=0.1, **options)
    ours, state = weight.detach().clone(), dict[str, Tensor]()
    for i, gradient in enumerate(gradients(4)):
        optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)  # as a schedule has it
        rule = rules_of(optimizer)[weight]
        ours, state = rule.step(ours, gradient, state)
        weight.grad = gradient
        optimizer.step()
        torch.testing.assert_close(ours, weight.detach(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("before", [0, 1, 5])
def test_responses_are_derivatives_of_the_step(name: str, before: int) -> None:
    made, options = OPTIMISERS[name]
    weight = nn.Parameter(torch.linspace(-1, 1, 5, dtype=torch.float64))
    optimizer = made([weight], lr=0.1, **options)
    *earlier, last = gradients(before + 1)
    for gradient in earlier:
        weight.grad = gradient
        optimizer.step()
    rule, start = rules_of(optimizer)[weight], weight.detach().clone()
    state = {name: each.clone() for name, each in optimizer.state.get(weight, {}).items()}
    leaf = last.clone().requires_grad_()
    moved, after = rule.step(start, leaf, state)
    (expected,) = torch.autograd.grad(moved.sum(), leaf)
    found = rule.response(start, last, {k: v.detach() for k, v in after.items()}, first=not state)
    # At a fresh Adam's step autograd subtracts numbers that agree in nearly all digits.
    loose = before == 0 and name in ("adam", "adam-climbing", "adamw")
    torch.testing.assert_close(
        torch.as_tensor(found, dtype=torch.float64).expand(5),
        expected,
        rtol=1e-2 if loose else 1e-9,
        atol=1e-16,
    )


def test_a_weight_that_never_had_a_gradient_has_a_finite_response() -> None:
    weight = nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.Adam([weight], lr=0.1)
    for _ in range(2):
        weight.grad = torch.tensor([0.0, 1.0])
        optimizer.step()
    rule = rules_of(optimizer)[weight]
    found = rule.response(weight.detach(), weight.grad, optimizer.state[weight], first=False)
    assert isinstance(found, Tensor)
    assert bool(torch.isfinite(found).all())


def test_each_group_has_its_own_rule() -> None:
    one, two = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    rules = rules_of(torch.optim.SGD([{"params": [one], "lr": 0.5}, {"params": [two]}], lr=0.1))
    assert (vars(rules[one])["learning_rate"], vars(rules[two])["learning_rate"]) == (0.5, 0.1)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            lambda w: torch.optim.RMSprop(w),
            "step of RMSprop cannot be differentiated: use one of SGD, Adam, AdamW",
        ),
        (lambda w: torch.optim.Adam(w, amsgrad=True), "set amsgrad=False, or use SGD"),
        (lambda w: type("Mine", (torch.optim.SGD,), {})(w, lr=0.1), "step of Mine cannot be differentiated"),
    ],
)
def test_what_cannot_be_differentiated_is_refused(made: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        rules_of(made([nn.Parameter(torch.zeros(1))]))

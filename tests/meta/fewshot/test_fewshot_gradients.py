"""Meta-gradients against float64 finite differences, one tensor after the other: every part, every choice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from small import SOURCES, episodes_of, learner_of, stirred
from torch import Tensor

from symloss.meta.adaptable import adaptable, learned_to_dict
from symloss.meta.fewshot import InnerLoop, Learner, meta_gradient, query_loss
from symloss.meta.fewshot.inner_loss import instance_losses, statistics
from symloss.meta.fewshot.learner import PART_OF

GCE = learned_to_dict(adaptable("gce", "classification", 3))
EVERYTHING = ("init", "rate", "optimiser", "loss", "regulariser", "film")
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "waves, maml": ("waves", {"method": "maml"}),
    "waves, everything": ("waves", {"parts": EVERYTHING, "momentum": 0.9, "weight_decay": 0.01}),
    "waves, film on support": ("waves", {"film_on": "support"}),
    "waves, together": ("waves", {"parts": EVERYTHING, "together": True}),
    "images, maml": ("images", {"method": "maml"}),
    "images, everything": ("images", {"parts": EVERYTHING, "momentum": 0.9, "weight_decay": 0.01}),
    "images, support statistics": ("images", {"statistics": "support", "film_on": "support"}),
    "images, instance statistics": ("images", {"statistics": "instance", "terms": ("inductive",)}),
    "images, relation network": ("images", {"parts": ("loss",), "scores": "relation"}),
    "images, one rate, separate head": ("images", {"parts": ("init", "rate"), "rates": "one", "head": "separate"}),
    "images, last warp": ("images", {"parts": ("optimiser",), "warp": "last", "adapted": 2}),
    "images, formula": ("images", {"parts": ("loss", "film"), "formula": GCE, "formula_scale": 1.5}),
    "images, resnet12": ("images", {"encoder": "resnet12-1", "adapted": 1, "inner_steps": 1, "shots": 2}),
    "images, strides": ("images", {"method": "maml", "encoder": "4conv-4-stride"}),
    "images, together": ("images", {"parts": EVERYTHING, "together": True, "inner_steps": 1}),
}  # fmt: skip


def _case(name: str, **more: Any) -> tuple[Learner, dict[str, Tensor], Any]:
    source, options = CASES[name]
    learner = learner_of(SOURCES[source], **{**options, **more})
    return learner, stirred(learner), episodes_of(SOURCES[source], learner, 2)


def _difference(
    learner: Learner, phi: dict[str, Tensor], episodes: Any, way: dict[str, Tensor], h: float
) -> float:
    """The derivative along a direction."""

    def value(shift: float) -> float:
        moved = {**phi, **{name: phi[name] + shift * each for name, each in way.items()}}
        return sum(float(query_loss(learner, moved, each).detach()) for each in episodes) / len(episodes)

    return (value(h) - value(-h)) / (2 * h)


def _holds(
    learner: Learner, phi: dict[str, Tensor], episodes: Any, way: dict[str, Tensor], expected: float
) -> bool:
    # A kink of a ReLU is a jump of the inner gradient, so of the value: it must not lie between the two points.
    steps = (1e-6, 1e-7, 1e-5)
    return any(
        _difference(learner, phi, episodes, way, h) == pytest.approx(expected, rel=1e-5, abs=1e-9)
        for h in steps
    )


@pytest.mark.parametrize("name", CASES)
def test_meta_gradients_are_finite_differences(name: str) -> None:
    learner, phi, episodes = _case(name)
    value, found = meta_gradient(learner, phi, episodes, together=learner.settings.outer.together)
    assert value == pytest.approx(
        sum(float(query_loss(learner, phi, each).detach()) for each in episodes) / 2
    )
    draw = torch.Generator().manual_seed(1)
    ways: dict[str, dict[str, Tensor]] = {}
    for each, slope in found.items():
        if not learner.learns(each):
            assert not slope.any(), each
            continue
        assert slope.norm() > 1e-9, f"{each} gets no meta-gradient"
        # Along the gradient, unevenly: no entry cancels another, and no tensor hides behind a larger one.
        way = slope * (1 + torch.rand(slope.shape, generator=draw, dtype=slope.dtype))
        group = each if name == "waves, everything" else PART_OF[each.split(".")[0]]
        ways.setdefault(group, {})[each] = way / way.norm()
    for group, way in ways.items():
        expected = sum(float((found[each] * slope).sum()) for each, slope in way.items())
        assert _holds(learner, phi, episodes, way, expected), group


def test_the_check_tells_a_wrong_gradient() -> None:
    learner, phi, episodes = _case("waves, maml")
    _, found = meta_gradient(learner, phi, episodes)
    way = {"head.weight": found["head.weight"] / found["head.weight"].norm()}
    expected = float(found["head.weight"].norm())
    assert _holds(learner, phi, episodes, way, expected)
    assert not _holds(learner, phi, episodes, way, expected * (1 + 3e-5))


def test_the_shared_vector_of_the_head_gets_the_sum_over_its_copies() -> None:
    learner, phi, (episode, _) = _case("images, everything")
    _, shared = meta_gradient(learner, phi, [episode])
    apart, _, _ = _case("images, everything", head="separate")
    copies = {
        **phi,
        **{each: phi[each].expand(3, *phi[each].shape[1:]) for each in ("head.weight", "head.bias")},
    }
    _, separate = meta_gradient(apart, copies, [episode])
    for each in ("head.weight", "head.bias"):
        assert shared[each].norm() > 1e-6
        torch.testing.assert_close(shared[each], separate[each].sum(0, keepdim=True))


def test_cross_entropy_alone_does_not_see_what_classes_share() -> None:
    # A vector that all classes have moves all logits alike: MAML's shared head is a head that starts at zero.
    learner, phi, (episode, _) = _case("images, maml", head="shared")
    _, found = meta_gradient(learner, phi, [episode])
    assert found["head.weight"].norm() < 1e-12


@pytest.mark.parametrize("name", ["waves, everything", "images, everything"])
def test_inner_steps_done_again_give_the_same_meta_gradient(name: str) -> None:
    learner, phi, episodes = _case(name)
    again, _, _ = _case(name, checkpointed=True)
    one, other = (meta_gradient(each, phi, episodes) for each in (learner, again))
    assert one[0] == other[0]
    for each in phi:
        torch.testing.assert_close(one[1][each], other[1][each], rtol=1e-12, atol=1e-14)


def test_first_order_is_the_gradient_where_the_task_ended() -> None:
    learner, phi, (episode, _) = _case("images, maml", first_order=True)
    _, found = meta_gradient(learner, phi, [episode])
    loop = InnerLoop(learner, phi, episode)
    known = loop.begin()
    theta = {
        each: value.detach().requires_grad_() for each, value in loop.adapt(known, 2, graph=False).items()
    }
    value = instance_losses("classification", loop.query_outputs(theta, known), episode.query_targets).mean()
    for each, slope in zip(theta, torch.autograd.grad(value, list(theta.values())), strict=True):
        torch.testing.assert_close(found[each], slope)
    _, second = meta_gradient(replace_order(learner), phi, [episode])
    assert not torch.allclose(second["encoder.0.conv"], found["encoder.0.conv"])


def replace_order(learner: Learner) -> Learner:
    """The same learner with the second-order meta-gradient."""
    settings = learner.settings
    return replace(learner, settings=replace(settings, inner=replace(settings.inner, first_order=False)))


def _statistics(weight: Tensor) -> Tensor:
    return statistics(weight, [len(weight)], torch.zeros(len(weight), dtype=torch.long))[0]


def test_weights_of_zero_have_finite_second_derivatives() -> None:
    weight = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(_statistics(weight).sum(), weight, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), weight)
    assert torch.isfinite(curvature).all()
    norm = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(norm.norm(), norm, create_graph=True)
    assert not torch.isfinite(torch.autograd.grad(slope.sum(), norm)[0]).all(), (
        "what a plain norm would have given"
    )


def test_l1_is_not_l2() -> None:
    weight = torch.tensor([3.0, -4.0, 0.0, 0.0])
    mean, spread, l1, l2 = _statistics(weight).tolist()
    assert mean == pytest.approx(-0.25)
    assert spread == pytest.approx(float(weight.std(correction=0)), rel=1e-5)
    assert l1 == pytest.approx(7 / 2, rel=1e-3)
    assert l2 == pytest.approx(5.0, rel=1e-5)

"""Every switch does what it says: a part that is there is alive, a choice changes what it should and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from small import SOURCES, episodes_of, images, learner_of, stirred
from torch import Tensor

from symloss.errors import DomainError
from symloss.meta.adaptable import adaptable, learned_to_dict
from symloss.meta.fewshot import FewShotModel, InnerLoop, Learner, adapted_outputs, meta_gradient
from symloss.meta.fewshot.inner_loss import class_scores, prototypes
from symloss.meta.fewshot.learner import PART_OF
from symloss.tasks.episodes import Episode

PARTS = ("init", "rate", "optimiser", "loss", "regulariser", "film")


def _adapted(learner: Learner, phi: dict[str, Tensor], episode: Episode) -> Tensor:
    return adapted_outputs(learner, phi, episode)[-1]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("part", PARTS)
def test_every_part_changes_how_a_task_is_learned(source: str, part: str) -> None:
    learner = learner_of(SOURCES[source], parts=PARTS)
    phi, (episode,) = stirred(learner), episodes_of(SOURCES[source], learner)
    before = _adapted(learner, phi, episode)
    names = [name for name in phi if PART_OF[name.split(".")[0]] == part]
    assert names
    for name in names:
        after = _adapted(learner, {**phi, name: phi[name] + 0.3}, episode)
        assert not torch.equal(before, after), f"{name} is dead"


@pytest.mark.parametrize("part", PARTS)
def test_parts_that_are_not_named_are_not_there(part: str) -> None:
    learner = learner_of(SOURCES["images"], parts=(part,))
    phi, episodes = stirred(learner), episodes_of(SOURCES["images"], learner)
    _, found = meta_gradient(learner, phi, episodes)
    alive = {PART_OF[name.split(".")[0]] for name, slope in found.items() if slope.any()}
    assert alive == {part}
    assert {PART_OF[name.split(".")[0]] for name in phi} == {"init", part}


@pytest.mark.parametrize("source", SOURCES)
def test_at_the_start_a_learned_loss_is_nearly_the_ordinary_one(source: str) -> None:
    plain, full = (
        learner_of(SOURCES[source], parts=parts)
        for parts in (("init",), ("init", "rate", "loss", "regulariser"))
    )
    (episode,) = episodes_of(SOURCES[source], plain)
    one, other = (
        _adapted(each, {name: value.double() for name, value in each.start(0).items()}, episode)
        for each in (plain, full)
    )
    torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-3)


def test_the_preconditioner_of_an_mlp_starts_as_the_identity() -> None:
    plain, warped = (
        learner_of(SOURCES["waves"], parts=parts) for parts in (("init",), ("init", "optimiser"))
    )
    (episode,) = episodes_of(SOURCES["waves"], plain, double=False)
    torch.testing.assert_close(
        _adapted(plain, plain.start(0), episode), _adapted(warped, warped.start(0), episode)
    )


CHOICES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "warp": ("images", {"warp": "every"}, {"warp": "last"}),
    "statistics": ("images", {"statistics": "transductive"}, {"statistics": "support"}),
    "instance": ("images", {"statistics": "support"}, {"statistics": "instance"}),
    "terms": ("images", {"terms": ("inductive",)}, {"terms": ("transductive",)}),
    "scores": ("images", {"scores": "prototypes"}, {"scores": "relation"}),
    "film on": ("images", {"film_on": "activations"}, {"film_on": "support"}),
    "film on, waves": ("waves", {"film_on": "activations"}, {"film_on": "support"}),
    "adapted": ("images", {"adapted": 4}, {"adapted": 1}),
    "momentum": ("waves", {"momentum": 0.0}, {"momentum": 0.9}),
    "weight decay": ("waves", {"weight_decay": 0.0}, {"weight_decay": 0.1}),
    "inner steps": ("waves", {"test_steps": 1}, {"test_steps": 2}),
    "rates": ("waves", {"parts": PARTS, "rates": "one"}, {"parts": PARTS, "rates": "tensor"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_changes_the_result(name: str) -> None:
    source, one, other = CHOICES[name]
    found = []
    for options in (one, other):
        learner = learner_of(SOURCES[source], **options)
        (episode,) = episodes_of(SOURCES[source], learner)
        found.append(_adapted(learner, stirred(learner), episode))
    assert not torch.allclose(*found)


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"statistics": "support", "terms": ("inductive",)}, "inductive"),
        ({"statistics": "instance", "terms": ("inductive",)}, "inductive"),
        ({"statistics": "support", "terms": ("inductive",), "film_on": "support"}, "inductive"),
        ({"statistics": "transductive", "terms": ("inductive",)}, "transductive"),
        ({"statistics": "support", "terms": ("transductive",)}, "transductive"),
    ],
)
def test_inductive_means_that_queries_do_not_see_each_other(options: dict[str, Any], setting: str) -> None:
    learner = learner_of(SOURCES["images"], parts=PARTS, **options)
    assert learner.settings.setting == setting
    phi, (episode,) = stirred(learner), episodes_of(SOURCES["images"], learner)
    together = _adapted(learner, phi, episode)
    alone = _adapted(learner, phi, replace(episode, query_inputs=episode.query_inputs[:2]))
    assert torch.allclose(together[:2], alone) == (setting == "inductive")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("statistics", ["transductive", "support", "instance"])
def test_tasks_together_are_tasks_one_by_one(source: str, statistics: str) -> None:
    learner = learner_of(SOURCES[source], parts=PARTS, statistics=statistics, momentum=0.9)
    phi, episodes = stirred(learner), episodes_of(SOURCES[source], learner, 3)
    one, other = (meta_gradient(learner, phi, episodes, together=together) for together in (False, True))
    assert one[0] == pytest.approx(other[0], rel=1e-12)
    for name in phi:
        torch.testing.assert_close(one[1][name], other[1][name], rtol=1e-8, atol=1e-10)


def test_blocks_that_do_not_adapt_keep_their_weights_and_learn_slowly() -> None:
    learner = learner_of(SOURCES["images"], "maml", adapted=2)
    assert {name.split(".")[1] for name in learner.adapted if name.startswith("encoder")} == {"2", "3"}
    phi, (episode,) = stirred(learner), episodes_of(SOURCES["images"], learner)
    loop = InnerLoop(learner, phi, episode)
    theta = loop.adapt(loop.begin(), 2, graph=False)
    assert set(theta) == set(learner.adapted)
    assert all(not torch.equal(theta[name], phi[name]) for name in theta)
    _, found = meta_gradient(learner, phi, [episode])
    assert found["encoder.0.conv"].any(), "they are meta-learned"


def test_the_inner_loop_is_torch_sgd() -> None:
    learner = learner_of(
        SOURCES["waves"], "maml", momentum=0.9, weight_decay=0.1, inner_rate=0.05, test_steps=3
    )
    phi, (episode,) = stirred(learner), episodes_of(SOURCES["waves"], learner)
    weights = {name: each.clone().requires_grad_() for name, each in phi.items()}
    optimizer = torch.optim.SGD(weights.values(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1)

    def model(x: Tensor) -> Tensor:
        for i in range(2):
            x = (x @ weights[f"encoder.{i}.weight"].T + weights[f"encoder.{i}.bias"]).relu()
        return x @ weights["head.weight"].T + weights["head.bias"]

    for _ in range(3):
        optimizer.zero_grad()
        (model(episode.support_inputs) - episode.support_targets).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(_adapted(learner, phi, episode), model(episode.query_inputs).detach())


def test_a_formula_takes_the_place_of_the_ordinary_loss() -> None:
    record = learned_to_dict(adaptable("ce", "classification", 3))
    formula = learner_of(SOURCES["images"], parts=("init", "loss"), formula=record)
    assert not formula.networks
    (episode,) = episodes_of(SOURCES["images"], formula)
    phi = {name: each.double() for name, each in formula.start(0).items()}
    ordinary = learner_of(SOURCES["images"], parts=("init",))
    torch.testing.assert_close(_adapted(formula, phi, episode), _adapted(ordinary, phi, episode))


def test_a_formula_is_modulated_task_by_task() -> None:
    record = learned_to_dict(adaptable("gce", "classification", 3))
    learner = learner_of(SOURCES["images"], parts=("init", "loss", "film"), formula=record)
    phi = stirred(learner)
    assert phi["film.formula.weight"].shape == (2, learner.features)
    for episode in episodes_of(SOURCES["images"], learner, 2):
        still = {**phi, "film.formula.weight": torch.zeros_like(phi["film.formula.weight"])}
        assert not torch.equal(_adapted(learner, phi, episode), _adapted(learner, still, episode))
    model = FewShotModel(learner, learner.start(0))
    assert str(model.formula).startswith("y*(1 - p**0.7)") or "0.7" in str(model.formula)


def test_prototypes_and_scores() -> None:
    learner = learner_of(SOURCES["images"], parts=("loss",))
    features = torch.tensor([[0.0, 0], [2, 0], [0, 4], [1, 0], [0, 4]], dtype=torch.float64)
    targets = torch.tensor([0, 0, 1])
    learner = replace(learner, settings=replace(learner.settings, ways=2))
    centres = prototypes(features[:3], targets, 2)
    assert centres.tolist() == [[1, 0], [0, 4]]
    scores = class_scores(learner, features, targets, {})
    torch.testing.assert_close(scores * 2**0.5, torch.tensor([[-0.0, -17], [-17, 0]], dtype=torch.float64))


def test_scores_of_a_regression_are_a_weighted_mean() -> None:
    learner = learner_of(SOURCES["waves"], parts=("loss",))
    features = torch.tensor([[0.0], [100.0], [0.0]], dtype=torch.float64)
    targets = torch.tensor([[3.0], [5.0]], dtype=torch.float64)
    assert class_scores(learner, features, targets, {}).item() == pytest.approx(3.0)
    with pytest.raises(DomainError, match="a relation network tells classes apart"):
        learner_of(SOURCES["waves"], scores="relation").start(0)


def test_a_trained_learner_answers_tasks_of_ones_own() -> None:
    learner = learner_of(SOURCES["images"])
    model = FewShotModel(learner, learner.start(0))
    (episode,) = episodes_of(images(), learner, double=False)
    logits = model.predict(episode.support_inputs, episode.support_targets, episode.query_inputs)
    assert logits.shape == (6, 3)
    assert model.rates["head.weight"] == pytest.approx(0.1)
    with pytest.raises(DomainError, match="expected each of the classes 0 to 2"):
        model.predict(episode.support_inputs, torch.zeros(3, dtype=torch.long), episode.query_inputs)

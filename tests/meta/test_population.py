"""Many models trained at once: each as it would be alone, whoever is trained beside it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from symloss.codegen.trees.interpret import program_loss
from symloss.errors import SymlossError
from symloss.expr import Program
from symloss.expr.trees import Weighted
from symloss.meta import Member, fit_population, train_members
from symloss.runs import derive
from symloss.tasks import SupervisedTask, load_task

SQUARE = Program(("square", "sub", "y", "p"))
CAUCHY = Program(("plog", "add", "1", "square", "sub", "y", "p"))
EXPLODES = Program(("square", "square", "square", "square", "sub", "y", "p"))
ENTROPY = Program(("mul", "y", "abs", "plog", "p"))


@pytest.fixture(scope="module", params=["diabetes", "digits"])
def task(request: pytest.FixtureRequest) -> SupervisedTask:
    return load_task(request.param).with_model("mlp-2x16")


def unit(program: Program, value: float = 1.0) -> tuple[float, ...]:
    return (value,) * (program.size - 1)


def mixed(task: SupervisedTask) -> list[Member]:
    """Members that differ in all that they may differ in."""
    smooth = task.with_metric("mse" if task.kind == "regression" else "nll").with_settings(steps=12)
    first, second = (smooth.block(0, number).task for number in (1, 2))
    slower = second.with_settings(milestones=(4, 8))
    return [
        Member(SQUARE, unit(SQUARE, 1.1), first, seed=3),
        Member(SQUARE, unit(SQUARE, 0.9), second, seed=3, rate=3.0, stops=(4, 8, 12)),
        Member(CAUCHY, unit(CAUCHY), first, seed=3, rate=0.3, stops=(0, 6)),
        Member(CAUCHY, unit(CAUCHY, 1.2), slower, seed=5, stops=(10, 20)),
        Member(SQUARE, unit(SQUARE), slower.with_settings(momentum=0.5, nesterov=False), seed=5),
        Member(SQUARE, unit(SQUARE), first.with_settings(momentum=0.0).with_model("mlp-1x8"), seed=4),
    ]


def alone(member: Member) -> list[float]:
    """What `fit` of the task makes of it."""
    task, stops = member.task, member.looks
    settings = replace(
        task.settings, learning_rate=task.settings.learning_rate * member.rate, steps=max(stops)
    )
    loss = Weighted(member.program, member.edges).to_loss(task.kind)
    found = task.score_steps(loss, [stop for stop in stops if stop], seed=member.seed, settings=settings)
    return [task.evaluate(task.build_model(member.seed))[task.metric]] * (0 in stops) + found


def test_every_member_is_trained_as_alone(task: SupervisedTask) -> None:
    members = mixed(task)
    for member, found in zip(members, train_members(members), strict=True):
        assert len(found["val"]) == len(member.looks)
        assert found["val"] == pytest.approx(alone(member), rel=1e-4)


def test_no_bit_depends_on_who_is_trained_beside(task: SupervisedTask) -> None:
    members = mixed(task)
    together = train_members(members)
    assert together == [train_members([member])[0] for member in members]
    assert together == train_members(members[::-1])[::-1]


def test_one_that_diverges_is_nan_from_there_and_disturbs_nobody() -> None:
    task = load_task("diabetes").with_model("mlp-2x8")
    good = Member(SQUARE, unit(SQUARE), task, seed=0, stops=(1, 10, 20))
    bad = replace(good, program=EXPLODES, edges=unit(EXPLODES), rate=100.0)
    worse = replace(bad, stops=(0, 9, 15))
    first, second, third = train_members([good, bad, worse], splits=("val", "test"))
    assert first == train_members([good], splits=("val", "test"))[0]
    assert all(math.isnan(value) for split in second.values() for value in split[1:])
    assert math.isfinite(third["val"][0])
    assert all(math.isnan(value) for value in third["val"][1:])


def test_parts_are_measured_on_one_model_and_test_looks_counted() -> None:
    task = load_task("wine").with_model("mlp-1x8").with_settings(steps=15)
    members = [Member(ENTROPY, unit(ENTROPY), task, seed=seed, stops=(5, 15)) for seed in (0, 1)]
    found = train_members(members, splits=("train", "val", "test"))
    assert task.test_evaluations == 4
    loss = Weighted(ENTROPY, unit(ENTROPY)).to_loss(task.kind)
    for seed, each in enumerate(found):
        model = task.fit(loss, seed=seed)
        for split, values in each.items():
            assert values[-1] == pytest.approx(task.evaluate(model, split)["accuracy"])


def test_other_models_are_trained_alone_by_the_same_rules() -> None:
    task = load_task("diabetes").with_model(
        lambda: nn.Sequential(nn.Linear(10, 4), nn.Dropout(0.2), nn.Tanh(), nn.Linear(4, 1))
    )
    member = Member(CAUCHY, unit(CAUCHY), task, seed=2, rate=2.0, stops=(0, 3, 7))
    bad = replace(member, program=EXPLODES, edges=unit(EXPLODES), rate=1e4)
    first, second = train_members([member, bad])
    assert first["val"] == pytest.approx(alone(member), rel=1e-4)
    assert [math.isnan(value) for value in second["val"]] == [False, True, True]


def test_members_out_of_order_are_refused() -> None:
    task = load_task("wine")
    with pytest.raises(SymlossError, match="2 edges: expected 3"):
        Member(SQUARE, (1.0, 1.0), task, seed=0)
    for stops in ((), (5, 3), (2, 2), (-1,)):
        with pytest.raises(SymlossError, match="expected ascending numbers of steps"):
            Member(SQUARE, unit(SQUARE), task, seed=0, stops=stops)
    with pytest.raises(SymlossError, match=r"learning_rate is -0\.01: expected a number above 0"):
        train_members([Member(SQUARE, unit(SQUARE), task, seed=0, rate=-1.0)])
    with pytest.raises(SymlossError, match="expected train, val or test"):
        train_members([Member(SQUARE, unit(SQUARE), task, seed=0, stops=(1,))], splits=["holdout"])
    assert train_members([]) == []


def test_class_priors_and_instance_weights_of_each() -> None:
    """Half of the rows teach nothing; each member has the shares of its own training labels."""
    tree = Program(("mul", "w", "mul", "pi", "mul", "y", "abs", "plog", "p"))
    plain = load_task("wine").with_metric("nll").with_model("mlp-1x8").with_settings(steps=8)
    halves = torch.where(torch.arange(len(plain.train)) % 2 == 0, 0.0, 2.0)
    weighted = replace(plain, train=replace(plain.train, w=halves))
    others = replace(weighted, priors=torch.tensor([0.1, 0.1, 0.8]))
    members = [Member(tree, unit(tree), each, seed=1) for each in (plain, weighted, others)]
    found = [each["val"] for each in train_members(members)]
    assert len({values[0] for values in found}) == 3
    for member, values in zip(members, found, strict=True):
        assert values == pytest.approx(alone(member), rel=1e-4)


@pytest.mark.parametrize(
    "changes", [{}, {"momentum": 0.5, "nesterov": False}, {"momentum": 0.0}, {"milestones": (7,)}]
)
def test_population_trains_as_each_alone(task: SupervisedTask, changes: dict[str, object]) -> None:
    task = task.with_settings(steps=12, **changes)
    programs, coefs = [SQUARE, CAUCHY], [torch.full((3,), 1.1), torch.full((6,), 0.9)]
    models = fit_population(programs, coefs, task, seed=5)
    for program, phi, model in zip(programs, coefs, models, strict=True):

        def loss(outputs: Tensor, targets: Tensor, program: Program = program, phi: Tensor = phi) -> Tensor:
            return program_loss(program, task.kind, outputs, targets, phi)

        alone = task.fit(loss, seed=5)
        for a, b in zip(model.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_population_of_other_models_and_of_none() -> None:
    task = load_task("diabetes").with_model(
        lambda: nn.Sequential(nn.Linear(10, 2), nn.Tanh(), nn.Linear(2, 1))
    )
    assert fit_population([], [], task, seed=0) == []
    (model,) = fit_population([SQUARE], [torch.ones(3)], task.with_settings(steps=2), seed=derive(0, "a"))
    assert sum(p.numel() for p in model.parameters()) == 25

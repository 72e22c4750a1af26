"""Tasks trained by losses that adapt, replays of their paths, and what is read off a path."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import symloss as sl
from symloss.errors import DomainError, TaskError
from symloss.meta import AdaptiveLoss, FormulaLoss, ScaledLoss
from symloss.meta.adapt_path import rates_along, read, sharpness, shift
from symloss.meta.adapt_training import adapt_model, differentiable, offline, train_along
from symloss.meta.learned_loss import packed
from symloss.tasks import SupervisedTask, load_task


def task_of(name: str = "wine", **settings: Any) -> SupervisedTask:
    task = load_task(name, model="mlp-1x8").with_settings(**{"steps": 12, "milestones": (6,), **settings})
    assert isinstance(task, SupervisedTask)
    return task


def weights(model: nn.Module) -> list[Tensor]:
    return [weight.detach().clone() for weight in model.parameters()]


def test_a_loss_that_cannot_move_trains_as_fit_does() -> None:
    task = task_of()
    adaptive = AdaptiveLoss("gce", eta=0.0, objective=task.meta_loss)
    found = adapt_model(task, adaptive, seed=3)
    fitted = task.fit(adaptive, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(weights(found.model), weights(fitted), strict=True))
    assert found.diverged == ""
    assert found.path.shape == (12, 1)


@pytest.mark.parametrize("rows", ["validation", "training"])
def test_a_path_replayed_on_its_own_start_is_the_same_training(rows: str) -> None:
    task = task_of()
    adaptive = AdaptiveLoss("neural", classes=3, eta=0.01)
    found = adapt_model(task, adaptive, seed=3, meta_rows=rows)
    again = train_along(task, adaptive.learned, found.path, seed=3)
    assert not torch.equal(found.path[0], found.path[-1])
    assert all(torch.equal(a, b) for a, b in zip(weights(found.model), weights(again.model), strict=True))
    other = train_along(task, adaptive.learned, found.path, seed=4)
    assert not torch.equal(weights(other.model)[0], weights(found.model)[0])


def test_rows_of_the_meta_batches_matter() -> None:
    task = task_of()
    ends = []
    for rows in ("validation", "training"):
        ends.append(adapt_model(task, AdaptiveLoss("gce", eta=0.1), seed=0, meta_rows=rows).end)
    assert not torch.equal(*ends)
    with pytest.raises(DomainError, match="meta rows 'test': expected validation or training"):
        adapt_model(task, AdaptiveLoss("gce"), seed=0, meta_rows="test")


def test_looks_on_the_way() -> None:
    task = task_of()
    seen: list[tuple[int, float]] = []

    def look(step: int, model: nn.Module, phi: Tensor) -> None:
        seen.append((step, float(phi[0])))

    found = adapt_model(task, AdaptiveLoss("gce", eta=0.1), seed=0, looks=(0, 5, 12), look=look)
    assert [step for step, _ in seen] == [0, 5, 12]
    assert seen[-1][1] == float(found.end[0])
    assert seen[1][1] == pytest.approx(float(found.path[5][0]), rel=1e-6)


def test_divergence_is_reported_with_its_step() -> None:
    task = task_of("diabetes", learning_rate=1e8)
    found = adapt_model(task, AdaptiveLoss("mse", kind="regression", eta=1e-3), seed=0)
    assert found.diverged.startswith("step ")
    along = train_along(task, ScaledLoss("regression"), torch.zeros(1, 1), seed=0)
    assert along.diverged.startswith("step ")


def test_offline_initialisation_makes_a_timid_loss_bolder() -> None:
    task = task_of("diabetes")
    timid = ScaledLoss("regression", log_scale=-3.0)
    assert float(offline(timid, task, seed=0, steps=0)) == -3.0
    assert float(offline(timid, task, seed=0, steps=30, eta=0.05)) > -2.5


def test_a_cosine_ends_at_rest() -> None:
    task = task_of(steps=10)
    last: list[Tensor] = []
    train_along(
        task, ScaledLoss("classification"), torch.zeros(1, 1), seed=0, cosine=True, looks=(1, 2, 9, 10),
        look=lambda step, model, phi: last.append(weights(model)[0]),
    )  # fmt: skip
    assert float((last[3] - last[2]).norm()) < 0.2 * float((last[1] - last[0]).norm())


def test_tasks_without_gradients_or_validation_rows_are_refused() -> None:
    box = sl.Task.from_function(lambda loss, seed, budget: {"mse": 1.0}, kind="regression", metric="mse")
    with pytest.raises(TaskError, match="trained by a function, through which no gradient passes"):
        differentiable(box)
    from dataclasses import replace

    from symloss.tasks.data.parts import Split

    task = task_of()
    empty = replace(task, val=Split(task.val.X[:0], task.val.y[:0]))
    with pytest.raises(TaskError, match="no validation rows for a loss to adapt by"):
        differentiable(empty)


@pytest.mark.parametrize(
    ("text", "point", "rate"),
    [
        ("ce", 1.0, 1.0),
        ("brier", 1.0, 0.2),
        ("lsr", 0.91, 0.9),
        ("baikal", 10**-0.5, 10.0),
        ("taylorglo", 0.60625, 0.036),
        ("y*abs(log(1.3*p))", 1 / 1.3, 1.0),
        ("y*abs(log(12*p))", 1 / 12, -1.0),  # it pushes the target below chance from the start
    ],
)
def test_readings_are_those_of_the_certificate(text: str, point: float, rate: float) -> None:
    """The expected numbers are what `sl.analyze` proves at ten classes; the last it leaves open."""
    adaptive = AdaptiveLoss(text)
    found = read(adaptive.learned, adaptive.coefficients, 10, torch.arange(10))
    assert found.attractor == pytest.approx(point, abs=1e-7)
    assert found.implicit_learning_rate == pytest.approx(rate, abs=1e-9)
    assert found.label_smoothing == pytest.approx((1 - point) * 10 / 9, abs=1e-7)


def test_readings_of_other_kinds() -> None:
    targets = torch.randn(50)
    regression = read(ScaledLoss("regression"), {"log_scale": torch.tensor(0.5)}, None, targets)
    assert regression.implicit_learning_rate == pytest.approx(1.6487, abs=1e-4)
    assert regression.attractor is None
    doubled = FormulaLoss(sl.parse("log(1 + exp(-2*m))", kind="margin"))
    margins = read(doubled, doubled.coefficients, None, torch.tensor([0.0, 1.0, 1.0]))
    assert margins.implicit_learning_rate == pytest.approx(2, rel=1e-6)
    labels = read(ScaledLoss("multilabel"), {"log_scale": torch.tensor(0.0)}, 4, targets)
    assert labels.implicit_learning_rate == pytest.approx(1.0)
    assert labels.label_smoothing is None


def test_rates_along_a_path_are_linear_between_measurements() -> None:
    loss = ScaledLoss("regression")
    path = torch.linspace(0, 1, 101)[:, None]
    rates = rates_along(loss, path, None, torch.randn(20), points=101)
    assert rates[100] == pytest.approx(2.71828, abs=1e-4)
    few = rates_along(loss, path, None, torch.randn(20), points=3)
    assert few[25] == pytest.approx((few[0] + few[50]) / 2)
    assert len(rates_along(loss, path[:1], None, torch.randn(20))) == 1


def test_shift_tells_scale_from_shape() -> None:
    loss = FormulaLoss(sl.named("gce", q=0.6))
    near = packed(loss.coefficients)
    moved = shift(loss, loss.coefficients, {"q": near + 1.0}, 10)
    assert moved.distance > moved.shape > 0.05
    assert shift(loss, loss.coefficients, loss.coefficients, 10).distance == 0.0


def test_sharpness_is_the_largest_eigenvalue() -> None:
    task = load_task("diabetes", model="linear")
    assert isinstance(task, SupervisedTask)
    model = task.build_model(0)
    inputs = torch.cat([task.train.X[:512], torch.ones(min(512, len(task.train)), 1)], 1)
    # Of the mean squared error of a linear model: 2 X'X / N.
    exact = float(torch.linalg.eigvalsh(2 * inputs.T @ inputs / len(inputs))[-1])
    assert sharpness(model, task, iterations=60) == pytest.approx(exact, rel=1e-3)

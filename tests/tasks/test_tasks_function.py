"""Worked examples: any trainer as a black box, a hand-written one and Lightning's."""

from __future__ import annotations

import gc
import math
import pickle
import time
import warnings

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from symloss import discover
from symloss.errors import TaskError
from symloss.tasks import BlackBoxTask, SupervisedTask, Task

X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([1.0, -2.0, 0.5, 0.0])


def train_eval(loss_module, seed, budget):
    """A trainer of one's own: it makes the model, trains it and reports."""
    torch.manual_seed(seed)
    model = nn.Linear(4, 1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(budget):
        optimiser.zero_grad()
        loss_module(model(X[:48]).squeeze(1), Y[:48]).backward()
        optimiser.step()
    with torch.no_grad():
        errors = (model(X).squeeze(1) - Y).square()
    return {
        "metric": float(errors[48:56].mean()),
        "mae": float(errors[48:56].sqrt().mean()),
        "test": float(errors[56:].mean()),
    }


def test_any_trainer():
    task = Task.from_function(train_eval, kind="regression").with_settings(steps=100)
    assert isinstance(task, Task)
    assert not isinstance(task, SupervisedTask)
    assert task.score(nn.functional.mse_loss, seed=0)["metric"] < 0.01
    assert task.score(nn.functional.mse_loss, seed=0, metrics=["mae", "r2"])["mae"] < 0.1
    assert math.isnan(task.score(nn.functional.mse_loss, seed=0, metrics=["r2"])["r2"])
    assert task.test_evaluations == 0
    assert task.score(nn.functional.mse_loss, seed=0, split="test")["metric"] < 0.01
    assert task.test_evaluations == 1
    assert task.describe()["source"].endswith(":train_eval")
    assert pickle.loads(pickle.dumps(task)).fingerprint == task.fingerprint
    assert "trained by a function" in repr(task)


def test_directions_and_classes():
    def accurate(loss_module, seed, budget):
        return {"accuracy": 0.75}

    task = Task.from_function(accurate, kind="classification", metric="accuracy", classes=5)
    assert task.measure.greater_is_better
    assert (task.classes, task.metric) == (5, "accuracy")
    assert task.score(nn.functional.cross_entropy, seed=0) == {"accuracy": 0.75}
    assert not Task.from_function(accurate, kind="regression").measure.greater_is_better
    assert "2 assumed" in Task.from_function(accurate, kind="classification").describe()["notes"][1]


def test_a_black_box_has_nothing_that_would_only_raise():
    task = Task.from_function(train_eval, kind="regression")
    assert isinstance(task, BlackBoxTask)
    for name in ("fit", "evaluate", "build_model", "minibatches", "with_model", "with_metric", "train"):
        assert not hasattr(task, name)
    assert task.to("meta") is task
    description = task.describe()
    assert (description["sizes"], description["model"]) == (None, None)
    with pytest.raises(TaskError, match="reports a metric of its own: name it in from_function"):
        discover(task, metric="mae", population=2, generations=1)


def test_one_training_reports_both_parts():
    calls = []

    def counting(loss, seed, budget):
        calls.append(budget)
        return {"metric": float(budget), "test": 2.0}

    task = Task.from_function(counting, kind="regression").with_settings(steps=7)
    assert task.score_parts(task.base_loss(), seed=0) == (7.0, 2.0)
    assert task.test_evaluations == 1
    assert task.score_steps(task.base_loss(), [2, 4], seed=0) == [2.0, 4.0]
    assert calls == [7, 2, 4]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda: 0.5, "returned float"),
        (lambda: {"loss": 0.5}, r"returned \['loss'\]"),
        (lambda: {"metric": "high"}, "reported 'high': expected a number"),
        (lambda: 1 / 0, "failed with ZeroDivisionError: division by zero"),
    ],
)
def test_trainers_that_fail(answer, message):
    task = Task.from_function(lambda loss, seed, budget: answer(), kind="regression")
    with pytest.raises(TaskError, match=message):
        task.score(nn.functional.mse_loss, seed=0)


def test_functions_that_do_not_fit():
    with pytest.raises(TaskError, match="unknown kind 'ranking'"):
        Task.from_function(train_eval, kind="ranking")
    with pytest.raises(TaskError, match="train_eval is a int"):
        Task.from_function(3, kind="regression")


def test_a_result_that_is_not_finite_is_worst():
    task = Task.from_function(lambda loss, seed, budget: {"metric": math.nan}, kind="regression")
    assert task.measure.fitness(task.score(nn.functional.mse_loss, seed=0)["metric"]) == math.inf


def lightning_train_eval(loss_module, seed, budget):
    """The same with Lightning: the module takes the loss, the trainer the budget."""
    lightning = pytest.importorskip("lightning")

    class Regressor(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = nn.Linear(4, 1)

        def training_step(self, batch, index):
            inputs, targets = batch
            return loss_module(self.model(inputs).squeeze(1), targets)

        def validation_step(self, batch, index):
            inputs, targets = batch
            self.log("metric", nn.functional.mse_loss(self.model(inputs).squeeze(1), targets))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning advises on workers, logging and Python itself
        lightning.seed_everything(seed, verbose=False)
        trainer = lightning.Trainer(
            max_steps=budget, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        )  # fmt: skip
        model = Regressor()
        trainer.fit(model, DataLoader(TensorDataset(X[:48], Y[:48]), batch_size=16, shuffle=True))
        reported = trainer.validate(
            model, DataLoader(TensorDataset(X[48:], Y[48:]), batch_size=16), verbose=False
        )
    return {"metric": reported[0]["metric"]}


def test_lightning():
    pytest.importorskip("lightning")
    task = Task.from_function(lightning_train_eval, kind="regression").with_settings(steps=60)
    first = task.score(nn.functional.mse_loss, seed=0)["metric"]
    assert first < 0.1
    assert task.score(nn.functional.mse_loss, seed=0)["metric"] == first


def test_a_trainer_that_takes_too_long_is_stopped():
    def slow(loss: object, seed: int, budget: int) -> dict[str, float]:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pass
        return {"metric": 0.0}

    task = Task.from_function(slow, kind="regression", time_limit=0.05)
    with pytest.raises(TaskError, match=r"slow took longer than its limit of 0\.05 s"):
        task.score(task.base_loss(), seed=0)
    with pytest.raises(TaskError, match="expected a positive number of seconds"):
        Task.from_function(slow, kind="regression", time_limit=0)


def test_a_slow_candidate_is_an_outcome_with_a_reason():
    def picky(loss: torch.nn.Module, seed: int, budget: int) -> dict[str, float]:
        steep = float(loss(torch.tensor([3.0]), torch.tensor([0.0]))) > 5
        end = time.monotonic() + (20 if steep else 0)
        while time.monotonic() < end:
            pass
        return {"metric": 1.0}

    gc.collect()  # the finalisers of other tests' trainers shall not meet the limit
    task = Task.from_function(picky, kind="regression", time_limit=0.2)
    found = discover(task, seed=0, population=4, generations=1)
    slow = [e for e in found.evaluations if "took longer than its limit" in e.reason]
    assert slow
    assert all(e.outcome == "failed" for e in slow)
    assert found.front

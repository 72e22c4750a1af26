"""Worked examples: any trainer as a black box, a hand-written one and Lightning's."""

from __future__ import annotations

import faulthandler
import math
import os
import pickle
import signal
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
    assert math.isnan(task.score(nn.functional.mse_loss, seed=0, split="train")["metric"]), "not reported"
    with pytest.raises(TaskError, match="split 'tset': expected train, val or test"):
        task.score(nn.functional.mse_loss, seed=0, split="tset")
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
        (lambda: {"metric": "high"}, "reported 'high' as metric: expected a number"),
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


@pytest.mark.parametrize(
    "stuck", [lambda: time.sleep(60), lambda: sum(range(10**11))], ids=["a sleep", "C code"]
)
def test_a_trainer_that_takes_too_long_is_ended_wherever_it_is(stuck):
    def slow(loss: object, seed: int, budget: int) -> dict[str, float]:
        return {"metric": float(stuck() or 0)}

    task = Task.from_function(slow, kind="regression", time_limit=0.2)
    with pytest.raises(TaskError, match=r"slow took longer than its limit of 0\.2 s"):
        task.score(task.base_loss(), seed=0)


@pytest.mark.parametrize("limit", [0, -1, math.nan])
def test_limits_that_are_none(limit):
    with pytest.raises(TaskError, match="expected a positive number of seconds"):
        Task.from_function(train_eval, kind="regression", time_limit=limit)


def test_a_limit_changes_nothing_else():
    free, limited = (
        Task.from_function(train_eval, kind="regression", time_limit=limit).with_settings(steps=20)
        for limit in (None, 600.0)
    )
    assert limited.score_parts(free.base_loss(), seed=3) == free.score_parts(free.base_loss(), seed=3)
    scores = limited.score(nn.functional.mse_loss, seed=3, metrics=["mae", "r2"])
    assert scores["mae"] == free.score(nn.functional.mse_loss, seed=3, metrics=["mae"])["mae"]
    assert math.isnan(scores["r2"])


def segfault():
    faulthandler.disable()  # pytest's report of it would fill the page
    os.kill(os.getpid(), signal.SIGSEGV)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (segfault, "crash failed: its process was ended by SIGSEGV"),
        (lambda: os._exit(3), "crash failed: its process ended with exit status 3"),
        (lambda: 1 / 0, "crash failed with ZeroDivisionError: division by zero"),
        (lambda: {"loss": 1.0}, r"crash returned \['loss'\]: expected"),
        (lambda: {"metric": None}, "crash reported None as metric: expected a number"),
    ],
)
def test_a_crash_is_a_reason(end, message):
    def crash(loss, seed, budget):
        return end()

    task = Task.from_function(crash, kind="regression", time_limit=600)
    with pytest.raises(TaskError, match=message):
        task.score(task.base_loss(), seed=0)


def test_slow_and_crashing_candidates_are_outcomes_with_reasons():
    def picky(loss: torch.nn.Module, seed: int, budget: int) -> dict[str, float]:
        steepness = float(loss(torch.tensor([3.0]), torch.tensor([0.0])))
        if steepness > 5:
            time.sleep(60)
        if steepness > 3:
            os._exit(7)
        return {"metric": 1.0}

    task = Task.from_function(picky, kind="regression", time_limit=0.5)
    found = discover(task, seed=0, population=6, generations=1)
    for reason in ("took longer than its limit of 0.5 s", "failed: its process ended with exit status 7"):
        ended = [entry for entry in found.evaluations if f"picky {reason}" in entry.reason]
        assert ended
        assert all(entry.outcome == "failed" for entry in ended)
    assert found.front

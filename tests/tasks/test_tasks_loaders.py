"""Worked example: one's own data loaders."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from symloss.errors import TaskError
from symloss.tasks import Task
from symloss.tasks.data import loaders


def blobs(count, seed):
    """Two Gaussian clouds in the plane."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 2
    return TensorDataset(torch.randn(count, 2, generator=generator) + 3.0 * y[:, None], y)


def make_model():
    return nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


def make_task():
    train = DataLoader(blobs(90, 0), batch_size=30, shuffle=True)
    val, test = (DataLoader(blobs(40, seed), batch_size=40) for seed in (1, 2))
    return Task.from_loaders(train, val, test, model=make_model, kind="classification", metric="auroc")


def test_a_loss_is_trained_on_the_loaders_data():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    task = make_task()
    assert torch.equal(torch.get_rng_state(), state)
    assert task.settings.batch_size == 30
    model = task.fit(task.meta_loss, seed=0)
    assert task.evaluate(model)["auroc"] > 0.95
    assert task.evaluate(model, "test")["auroc"] > 0.95
    assert task.fingerprint == make_task().fingerprint  # the order of a shuffling loader is settled
    assert task.describe()["origin"] is None
    assert task.describe()["model"] == "make_model"
    assert task.priors == pytest.approx(torch.tensor([0.5, 0.5]))


def test_regression_targets_are_standardised_by_the_training_part():
    X = torch.randn(20, 3)
    batches = [(X, 100 + 5 * X[:, :1])]
    task = Task.from_loaders(batches, batches, [(X, 50 + X[:, 0])], model="mlp", kind="regression")
    assert float(task.train.y.mean()) == pytest.approx(0, abs=1e-5)
    assert float(task._test.y.mean()) < -5
    assert task.train.y.shape == (20,)
    assert torch.equal(task.train.X, X)


def test_fresh_augmentation_each_step():
    task = Task.from_loaders(
        [(torch.zeros(8, 2), torch.arange(8) % 2)], [(torch.zeros(8, 2), torch.arange(8) % 2)],
        [(torch.zeros(8, 2), torch.arange(8) % 2)], model="linear", kind="classification",
        augment=lambda x, generator: x + torch.randn(x.shape, generator=generator),
    )  # fmt: skip
    (first, _), (second, _) = task.minibatches(0, 2)
    assert not torch.equal(first, second)
    with pytest.raises(TaskError, match="did you mean crop"):
        list(Task.from_arrays(
            torch.randn(20, 3, 8, 8), torch.arange(20) % 2, kind="classification", augment="corp"
        ).minibatches(0, 1))  # fmt: skip


GOOD = [(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]))]


@pytest.mark.parametrize(
    ("train", "options", "message"),
    [
        ([], {}, "train loader is empty"),
        ([{"x": 1}], {}, "gives dict: expected"),
        ([(1, 2, 3)], {}, "gives 3 parts"),
        ([(torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64))], {}, "different shapes"),
        ([(torch.full((4, 2), torch.nan), GOOD[0][1])], {}, "not finite"),
        ([(torch.zeros(4, 2), torch.zeros(4))], {}, "class indices from 0"),
        ([(torch.zeros(4, 2), torch.eye(4))], {"kind": "multilabel"}, "targets of different shapes"),
        (GOOD, {"classes": 1}, "below classes=1"),
        (GOOD, {"kind": "regression", "model": lambda: nn.Linear(2, 3)}, r"expected \(2,\)"),
        ([(torch.zeros(4, 2), torch.zeros(4))], {"kind": "regression"}, "constant"),
        (GOOD, {"kind": "other"}, "unknown kind 'other'"),
    ],
)
def test_loaders_that_do_not_fit(train, options, message):
    arguments = {"model": "linear", "kind": "classification", **options}
    with pytest.raises(TaskError, match=message):
        Task.from_loaders(train, GOOD, GOOD, **arguments)


def test_more_than_memory_holds(monkeypatch):
    monkeypatch.setattr(loaders, "LARGEST_BYTES", 16)
    with pytest.raises(TaskError, match=r"use Task\.from_function"):
        Task.from_loaders(GOOD, GOOD, GOOD, model="linear", kind="classification")

"""Training with formulas that speak of class priors and instance weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from symloss.expr import parse
from symloss.tasks import Task, TrainingSettings, load_task

SHORT = TrainingSettings(steps=12)


def weights_of(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


@pytest.mark.parametrize("name", ["wine", "diabetes", "digits-attributes"])
def test_the_base_loss_trains_as_torchs_own(name):
    task = load_task(name)
    ours, torchs = (task.fit(loss, seed=0, settings=SHORT) for loss in (task.base_loss(), task.meta_loss))
    assert torch.allclose(weights_of(ours), weights_of(torchs), atol=1e-5)


def test_pi_is_the_class_prior():
    task = load_task("digits", imbalance=10.0)
    balanced = parse("-y*log(p)/pi")
    expected = task.fit(
        lambda z, t: F.cross_entropy(z, t, weight=1 / task.priors, reduction="none").mean(),
        seed=0,
        settings=SHORT,
    )
    for loss in (balanced, balanced.to_torch(), balanced.to_torch(priors=task.priors)):
        assert torch.allclose(
            weights_of(task.fit(loss, seed=0, settings=SHORT)), weights_of(expected), atol=1e-4
        )


def test_w_is_the_weight_of_the_instance():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    weights = rng.uniform(0, 2, size=100)
    task = Task.from_arrays(X, X[:, 0] + rng.normal(size=100), kind="regression", weights=weights)
    weighted = parse("w*(y - p)**2", kind="regression")
    plain, found = (task.fit(loss, seed=0, settings=SHORT) for loss in (task.base_loss(), weighted))
    assert not torch.allclose(weights_of(found), weights_of(plain))
    assert task.train.w is not None
    order = iter(task.train.w[task.batches(0, SHORT.steps)])
    expected = task.fit(lambda p, t: (next(order) * (t - p) ** 2).mean(), seed=0, settings=SHORT)
    assert torch.allclose(weights_of(found), weights_of(expected), atol=1e-5)


def test_w_is_one_where_a_task_has_no_weights():
    task = load_task("diabetes")
    weighted = parse("w*(y - p)**2", kind="regression")
    found, plain = (task.fit(loss, seed=0, settings=SHORT) for loss in (weighted, task.base_loss()))
    assert torch.allclose(weights_of(found), weights_of(plain), atol=1e-5)


def test_priors_of_absent_classes_are_small_not_zero():
    labels = np.array([0] * 20 + [1] * 20 + [2])
    groups = np.array([0] * 10 + [1] * 20 + [0] * 10 + [2])
    X = np.random.default_rng(0).normal(size=(41, 2))
    task = Task.from_arrays(X, labels, kind="classification", groups=groups)
    assert 2 not in task.train.y
    assert task.priors is not None
    assert float(task.priors.min()) > 0
    assert float(task.priors.sum()) == pytest.approx(1)
    several = np.stack([np.zeros(40), np.arange(40) % 2], axis=1)
    many = Task.from_arrays(X[:40], several, kind="multilabel")
    assert many.priors is not None
    assert 0 < float(many.priors[0]) < 0.1

"""Corrupted test inputs, and noise added to labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from symloss.errors import SymlossError, TaskError
from symloss.tasks import (
    Corruption,
    SupervisedTask,
    Task,
    corrupted,
    load_task,
    read_corruption,
    rebuild,
    with_label_noise,
)

WINE = load_task("wine", model="linear")


def images() -> SupervisedTask:
    X = np.random.default_rng(0).normal(size=(60, 3, 8, 8))
    return Task.from_arrays(X, np.arange(60) % 2, kind="classification", model="linear")


@pytest.mark.parametrize("name", ["gaussian:0.5", "missing:0.3", "blur:1"])
def test_only_the_test_inputs_change_and_always_alike(name: str) -> None:
    task, corruption = images(), read_corruption(name)
    worse = corrupted(task, corruption, 3)
    assert worse.train is task.train
    assert worse.val is task.val
    assert torch.equal(worse._test.y, task._test.y)
    assert not torch.equal(worse._test.X, task._test.X)
    assert torch.equal(worse._test.X, corrupted(task, corruption, 3)._test.X)
    assert torch.equal(worse._test.X, corrupted(task, corruption, 4)._test.X) == (name == "blur:1")
    model = task.build_model(0)
    assert worse.evaluate(model, "val") == task.evaluate(model, "val")
    assert worse.test_evaluations == task.test_evaluations


def test_what_the_severities_mean() -> None:
    spread = WINE.train.X.std(0, correction=0)
    noise = corrupted(WINE, Corruption("gaussian", 2.0), 0)._test.X - WINE._test.X
    assert noise.std(0) / spread == pytest.approx(torch.full((13,), 2.0), rel=0.4)
    gone = corrupted(WINE, Corruption("missing", 1.0), 0)._test.X
    assert torch.equal(gone, WINE.train.X.mean(0).expand_as(gone))
    task = images()
    some = corrupted(task, Corruption("missing", 0.5), 0)._test.X
    same = some == task._test.X
    assert torch.equal(same.any(1), same.all(1))  # a pixel goes in all of its channels
    assert 0.4 < float(same.float().mean()) < 0.6
    dot = torch.zeros(1, 1, 41, 41)
    dot[0, 0, 20, 20] = 1
    blurred = corrupted(task.with_test_inputs(lambda X: dot.expand(1, 3, -1, -1)), Corruption("blur", 2.0), 0)
    spot = blurred._test.X[0, 0]
    assert float(spot.sum()) == pytest.approx(1, rel=1e-5)
    places = torch.arange(41.0) - 20
    assert float((spot.sum(0) * places**2).sum()) == pytest.approx(4, rel=0.05)
    flat = task.with_test_inputs(torch.ones_like)
    assert torch.allclose(corrupted(flat, Corruption("blur", 3.0), 0)._test.X, torch.tensor(1.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gausian", "unknown corruption 'gausian': did you mean"),
        ("gaussian:much", "expected a severity above 0, as gaussian:0.5"),
        ("gaussian:0", "above 0"),
        ("gaussian:inf", "above 0"),
        ("missing:1.5", "above 0 and at most 1"),
        ("blur:nan", "at most 10"),
    ],
)
def test_unknown_names_and_severities(text: str, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        read_corruption(text)


def test_blur_is_for_images() -> None:
    with pytest.raises(TaskError, match=r"blur is for images, and instances of wine have shape \(13,\)"):
        corrupted(WINE, read_corruption("blur"), 0)


def test_noise_is_that_of_a_task_loaded_with_it() -> None:
    noisy = with_label_noise(WINE, 0.4)
    loaded = load_task("wine", label_noise=0.4, model="linear")
    assert noisy.describe() == loaded.describe()
    assert rebuild(noisy.describe()).describe() == noisy.describe()
    assert with_label_noise(noisy, 0).fingerprint == WINE.fingerprint
    assert noisy.facts["modifiers"]["label_noise"] == 0.4


def test_noise_where_it_cannot_be() -> None:
    with pytest.raises(SymlossError, match="label noise is for labels, this task is regression"):
        with_label_noise(load_task("diabetes"), 0.4)
    batches = [(torch.randn(8, 3), torch.arange(8) % 2)]
    given = Task.from_loaders(batches, batches, batches, model="linear", kind="classification")
    with pytest.raises(TaskError, match="its parts were given"):
        with_label_noise(given, 0.1)
    with pytest.raises(TaskError, match="between 0 and 1"):
        with_label_noise(WINE, 2)

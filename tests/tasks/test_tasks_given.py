"""NumPy's numbers do as Python's do in every method of a task, and what is no number is one line of error."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch

from symloss.errors import TaskError
from symloss.tasks import Task, TrainingSettings, load_csv, load_task, rebuild

SHORT = TrainingSettings(steps=3)
TASK = load_task("wine", settings=SHORT)
REPORTED: list[object] = []
X = np.arange(120.0).reshape(60, 2)
FRAME = pd.DataFrame({"a": X[:, 0] % 7, "y": X[:, 1] / 3})


def report(loss, seed, budget):
    REPORTED.append(seed)
    return {"metric": seed + budget, "test": 0.0}


BLACK_BOX = Task.from_function(report, kind="regression", settings=SHORT)
BATCHES = [(torch.randn(8, 3), torch.arange(8) % 2)]
LOADED = Task.from_loaders(BATCHES, BATCHES, BATCHES, model="linear", kind="classification")


def weights(model):
    return [weight.tolist() for weight in model.parameters()]


def described(task):
    return json.dumps(task.describe())


def block(task, *arguments, **options):
    found = task.block(*arguments, **options)
    return found.number, found.seed, described(found.task)


def csv(folder, seed):
    path = folder / "a.csv"
    FRAME.to_csv(path, index=False)
    return described(load_csv(path, "y", seed=seed))


CALLS = {
    "batches seed": lambda i: TASK.batches(i, 4).tolist(),
    "batches steps": lambda i: TASK.batches(0, i).tolist(),
    "batches batch_size": lambda i: TASK.batches(0, 4, i).tolist(),
    "minibatches seed": lambda i: [y.tolist() for _, y in TASK.minibatches(i, 4)],
    "minibatches steps": lambda i: [y.tolist() for _, y in TASK.minibatches(0, i)],
    "minibatches batch_size": lambda i: [y.tolist() for _, y in TASK.minibatches(0, 4, i)],
    "build_model seed": lambda i: weights(TASK.build_model(i)),
    "fit seed": lambda i: weights(TASK.fit(TASK.base_loss(), seed=i)),
    "score seed": lambda i: TASK.score(TASK.base_loss(), seed=i),
    "score_parts seed": lambda i: TASK.score_parts(TASK.base_loss(), seed=i),
    "score_steps seed": lambda i: TASK.score_steps(TASK.base_loss(), [1, 2], seed=i),
    "score_steps steps": lambda i: TASK.score_steps(TASK.base_loss(), [1, i], seed=0),
    "block run_seed": lambda i: block(TASK, i, 2),
    "block number": lambda i: block(TASK, 1, i),
    "block folds": lambda i: block(TASK, 1, 2, folds=i),
    "loaded block run_seed": lambda i: block(LOADED, i, 2),
    "loaded block number": lambda i: block(LOADED, 1, i),
    "black box block run_seed": lambda i: block(BLACK_BOX, i, 2),
    "black box block number": lambda i: block(BLACK_BOX, 1, i),
    "black box score seed": lambda i: BLACK_BOX.score(BLACK_BOX.base_loss(), seed=i),
    "black box score_parts seed": lambda i: BLACK_BOX.score_parts(BLACK_BOX.base_loss(), seed=i),
    "black box score_steps seed": lambda i: BLACK_BOX.score_steps(BLACK_BOX.base_loss(), [1], seed=i),
    "black box score_steps steps": lambda i: BLACK_BOX.score_steps(BLACK_BOX.base_loss(), [i], seed=0),
    "load_task seed": lambda i: described(load_task("wine", seed=i)),
    "from_arrays seed": lambda i: described(Task.from_arrays(X, X[:, 0], kind="regression", seed=i)),
    "from_frame seed": lambda i: described(Task.from_frame(FRAME, "y", seed=i)),
    "settings steps": lambda i: described(TASK.with_settings(steps=i)),
    "settings batch_size": lambda i: described(TASK.with_settings(batch_size=i)),
    "settings milestones": lambda i: described(TASK.with_settings(milestones=[1, i])),
}
THREES = [np.int64(3), np.int32(3), np.uint64(3), np.int8(3), np.array(3)]


@pytest.mark.parametrize("call", CALLS)
def test_an_integer_of_numpy_does_as_pythons_does(call):
    expected = CALLS[call](3)
    for value in THREES:
        assert CALLS[call](value) == expected
    assert all(type(seed) is int for seed in REPORTED)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("value", [True, np.bool_(True), 1.5, 3.0, np.float64(3), "3", [3]], ids=repr)
def test_what_is_no_integer_is_named_in_one_line(call, value):
    what = call.split()[-1]
    with pytest.raises(TaskError, match=rf"{what} is .*: expected (an integer|integers)") as caught:
        CALLS[call](value)
    assert "\n" not in str(caught.value)


def test_the_seed_of_a_file(tmp_path):
    assert csv(tmp_path, np.int64(3)) == csv(tmp_path, 3)
    with pytest.raises(TaskError, match=r"seed is 1.5: expected an integer"):
        csv(tmp_path, 1.5)


def test_numbers_below_their_range():
    for call, message in (
        (lambda: TASK.batches(0, -1), "steps is -1: expected an integer of at least 0"),
        (lambda: TASK.batches(0, 1, 0), "batch_size is 0: expected an integer of at least 1"),
        (lambda: TASK.block(-1, 0), "run_seed is -1: expected an integer of at least 0"),
        (lambda: TASK.block(0, np.int64(-1)), "number is -1: expected an integer of at least 0"),
        (lambda: TASK.block(0, 0, folds=1), "folds is 1: expected at least 2, or 0"),
        (lambda: TASK.block(0, 0, "0.2"), "val_size is '0.2': expected a share"),
        (lambda: load_task("wine", seed=np.int64(-1)), "seed -1: expected an integer of at least 0"),
        (lambda: load_task("wine", label_noise=True), "label noise is True: expected a number"),
        (lambda: load_task("wine", imbalance="9"), "imbalance is '9': expected a number"),
        (lambda: TASK.with_settings(milestones=3), "milestones is 3: expected integers"),
    ):
        with pytest.raises(TaskError, match=message):
            call()


def test_a_refused_seed_is_no_evaluation():
    before = BLACK_BOX.test_evaluations
    with pytest.raises(TaskError, match=r"seed is 1\.5"):
        BLACK_BOX.score_parts(BLACK_BOX.base_loss(), seed=1.5)
    assert BLACK_BOX.test_evaluations == before


def test_what_modifies_and_divides_is_recorded_as_pythons_numbers():
    options = {"label_noise": np.float32(0.25), "imbalance": np.int64(9), "seed": np.int64(2)}
    task = load_task("digits", **options)
    assert described(task) == described(load_task("digits", label_noise=0.25, imbalance=9, seed=2))
    assert rebuild(json.loads(described(task))).fingerprint == task.fingerprint
    assert block(task, 0, 1, np.float32(0.25)) == block(task, 0, 1, 0.25)
    shifted = load_task("diabetes", outliers=np.float32(0.5))
    assert described(shifted) == described(load_task("diabetes", outliers=0.5))

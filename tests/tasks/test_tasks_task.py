"""The task itself: seeds, batches, training, evaluation, the guarded test part."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from symloss.errors import TaskError
from symloss.expr import parse
from symloss.tasks import InContext, Task, TrainingSettings, load_task, task_names

SHORT = TrainingSettings(steps=20)


@pytest.mark.parametrize("name", ["diabetes", "digits", "wine", "breast-cancer"])
def test_training_improves_on_the_start(name):
    task = load_task(name)
    metrics = ["mse"] if task.kind == "regression" else ["nll"]
    before = task.evaluate(task.build_model(0), metrics=metrics)
    after = task.evaluate(
        task.fit(task.meta_loss, seed=0, settings=TrainingSettings(steps=60)), metrics=metrics
    )
    assert after[metrics[0]] < before[metrics[0]]
    assert name in task_names()


def test_a_model_is_a_function_of_its_seed_and_leaves_the_global_state():
    task = load_task("wine")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = task.build_model(1), task.build_model(1), task.build_model(2)
    task.fit(task.meta_loss, seed=1, settings=SHORT)
    assert torch.equal(torch.rand(3), expected)
    weights = [next(iter(model.parameters())) for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_batches_are_permutations_of_each_epoch_and_depend_on_the_seed_alone():
    task = load_task("digits")
    batches = task.batches(seed=3, steps=20)
    assert batches.shape == (20, 128)
    for epoch in batches[:16].view(2, -1):
        assert len(epoch.unique()) == 8 * 128
    assert not torch.equal(
        batches[:8], batches[8:16]
    )  # erratum: one order is not enough, but one an epoch is
    assert torch.equal(batches, task.batches(seed=3, steps=20))
    assert torch.equal(batches[:5], task.batches(seed=3, steps=5))
    assert not torch.equal(batches, task.batches(seed=4, steps=20))


def test_every_loss_sees_the_same_batches():
    task = load_task("wine")
    seen: list[list[torch.Tensor]] = [[], []]

    def watching(record, scale):
        def loss(outputs, targets):
            record.append(targets)
            return scale * task.meta_loss(outputs, targets)

        return loss

    for record, scale in zip(seen, (1.0, 0.1), strict=True):
        task.fit(watching(record, scale), seed=0, settings=SHORT)
    assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))


def test_divergence_is_data():
    task = load_task("diabetes")
    steps = []
    model = task.fit(
        lambda outputs, targets: (outputs - targets).square().mean() * 1e30,
        seed=0,
        on_step=lambda step, model: steps.append(step),
    )
    assert math.isnan(task.evaluate(model)["mse"])
    assert len(steps) < 500
    digits = load_task("wine")
    broken = digits.fit(lambda outputs, targets: outputs.sum() * math.nan, seed=0)
    value = digits.evaluate(broken)["accuracy"]
    assert math.isnan(value)
    assert digits.measure.fitness(value) == math.inf


def test_a_loss_that_ignores_the_outputs_leaves_the_model_as_it_was():
    task = load_task("wine")
    model = task.fit(lambda outputs, targets: torch.tensor(1.0), seed=0)
    start = task.build_model(0)
    for a, b in zip(model.parameters(), start.parameters(), strict=True):
        assert torch.equal(a, b)


def test_on_step_counts_from_one_and_can_stop():
    steps = []

    def stop(step, model):
        steps.append(step)
        return step < 3

    task = load_task("wine")
    task.fit(task.meta_loss, seed=0, settings=SHORT, on_step=stop)
    assert steps == [1, 2, 3]


def test_the_learning_rate_falls_at_the_milestones():
    task = load_task("wine")
    plain = task.fit(task.meta_loss, seed=0, settings=TrainingSettings(steps=4))
    fallen = task.fit(task.meta_loss, seed=0, settings=TrainingSettings(steps=4, milestones=(2,)))
    assert not torch.equal(next(plain.parameters()), next(fallen.parameters()))
    same = task.fit(task.meta_loss, seed=0, settings=TrainingSettings(steps=4, milestones=(4,)))
    assert torch.equal(next(plain.parameters()), next(same.parameters()))


def test_whatever_reads_test_data_is_counted():
    task = load_task("wine")
    model = task.fit(task.meta_loss, seed=0, settings=SHORT)
    assert not hasattr(task, "test")
    task.evaluate(model)
    task.evaluate(model, "train")
    assert task.test_evaluations == 0
    task.with_model("linear").with_metric("nll").evaluate(task.build_model(0), "test")
    assert task.test_evaluations == 1
    assert task.batches(0, 2, 5, split="test").max() < task.test_size
    assert task.test_evaluations == 1, "numbers of rows are no test data"
    assert len(list(task.minibatches(0, 3, 5, split="test"))) == 3
    assert task.test_evaluations == 2
    task.context(slice(4), split="test")
    assert task.test_evaluations == 3
    with pytest.raises(TaskError, match="expected train, val or test"):
        task.evaluate(model, "tset")


def test_a_description_is_json_and_a_task_survives_a_pickle():
    task = load_task("diabetes", outliers=0.1)
    description = json.loads(json.dumps(task.describe()))
    assert description["sizes"] == {"train": 265, "val": 89, "test": 88}
    assert description["origin"]["load_task"]["outliers"] == 0.1
    copy = pickle.loads(pickle.dumps(task))
    assert copy.describe() == task.describe()
    assert torch.equal(next(copy.build_model(0).parameters()), next(task.build_model(0).parameters()))


def test_the_fingerprint_is_of_the_data():
    task = load_task("wine")
    assert task.fingerprint == load_task("wine").with_model("linear").fingerprint
    assert task.fingerprint != load_task("wine", seed=1).fingerprint
    assert task.fingerprint != load_task("wine", label_noise=0.2).fingerprint


def test_batch_norm_and_dropout_train_and_rest():
    def make():
        return nn.Sequential(
            nn.Linear(13, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3)
        )

    task = load_task("wine").with_model(make)
    model = task.fit(task.meta_loss, seed=0, settings=SHORT)
    assert model.training
    assert int(model[1].num_batches_tracked) == 20
    assert task.evaluate(model) == task.evaluate(model)
    assert model.training
    assert int(model[1].num_batches_tracked) == 20
    again = task.fit(task.meta_loss, seed=0, settings=SHORT)
    assert torch.equal(model[0].weight, again[0].weight)


def test_models_are_checked_when_they_are_chosen():
    task = load_task("wine")
    with pytest.raises(TaskError, match=r"shape \(2, 2\): expected \(2, 3\)"):
        task.with_model(lambda: nn.Linear(13, 2))
    with pytest.raises(TaskError, match="the model fails on inputs of shape"):
        task.with_model(lambda: nn.Linear(12, 3))
    with pytest.raises(TaskError, match="function that makes a fresh model"):
        task.with_model(nn.Linear(13, 3))
    with pytest.raises(TaskError, match="did you mean lenet5"):
        task.with_model("lenet")
    regression = load_task("diabetes").with_model(lambda: nn.Linear(10, 1))
    assert regression.build_model(0)(regression.train.X).shape == (265,)
    with pytest.raises(TaskError, match=r"shape \(4,\): expected \(2,\)"):
        load_task("diabetes").with_model(lambda: nn.Linear(10, 2))


def test_the_base_loss_is_the_meta_loss_as_a_formula():
    for name, formula in (("wine", "-y*log(p)"), ("diabetes", "(y - p)**2")):
        loss = load_task(name).base_loss()
        assert loss.kind == load_task(name).kind
        assert loss == type(loss).from_dict({"formula": formula, "kind": loss.kind, "coefficients": {}})


def test_the_meta_objective_can_be_another():
    task = load_task("diabetes").with_objective(nn.functional.l1_loss)
    outputs = torch.zeros(265)
    assert float(task.meta_loss(outputs, task.train.y)) == pytest.approx(float(task.train.y.abs().mean()))
    assert task.describe()["meta_loss"] == "l1_loss"


def test_arrays_in_groups_with_weights():
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(60, 3)), np.repeat(np.arange(20), 3)
    X[:, 2] = groups
    task = Task.from_arrays(X, X[:, 0], kind="regression", groups=groups, weights=np.ones(60))
    parts = [set(part[:, 2].tolist()) for part in (task.train.X, task.val.X, task._test.X)]
    assert len(set.union(*parts)) == sum(len(part) for part in parts)
    assert task.train.w is not None
    assert task.train.w.shape == task.train.y.shape


@pytest.mark.parametrize(
    ("X", "y", "options", "message"),
    [
        (np.zeros((9, 2)), np.zeros(8), {"kind": "regression"}, "y has 8 rows and X 9"),
        (np.zeros((9, 2)), np.zeros(9), {"kind": "regression"}, "constant 0"),
        (np.zeros((9, 2)), np.zeros(9), {"kind": "classification"}, "y has 1 class"),
        (np.zeros((9, 2)), np.arange(9), {"kind": "classify"}, "unknown kind 'classify'"),
        (np.full((9, 2), np.nan), np.arange(9), {"kind": "regression"}, "X has values that are not finite"),
        (np.zeros((9, 2, 2)), np.arange(9), {"kind": "regression"}, r"expected numbers \[N, F\]"),
        (np.zeros((4, 2)), np.arange(4), {"kind": "regression"}, "expected at least 5"),
        (np.zeros((9, 2)), np.eye(9) * 2, {"kind": "multilabel"}, "entries other than 0 and 1"),
        (np.zeros((9, 2)), np.arange(9), {"kind": "multilabel"}, r"expects \[N, K\]|\[N, K\] of 0 and 1"),
        (np.zeros((99, 2)), np.linspace(0, 1, 99), {"kind": "classification"}, "give kind='regression'"),
        (np.zeros((9, 2)), np.arange(9), {"kind": "regression", "groups": np.zeros(9)}, "1 groups"),
        (np.zeros((9, 2)), np.arange(9), {"kind": "regression", "seed": -1}, "seed -1"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit(X, y, options, message):
    with pytest.raises(TaskError, match=message):
        Task.from_arrays(X, y, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"learning_rate": 0}, "learning_rate is 0"), ({"momentum": 1.0}, r"\[0, 1\)"), ({"steps": -1}, "steps"),
     ({"batch_size": 0}, "batch_size"), ({"weight_decay": math.nan}, "weight_decay")],
)  # fmt: skip
def test_settings_out_of_range(change, message):
    with pytest.raises(TaskError, match=message):
        load_task("wine").with_settings(**change)


def test_an_unknown_task_suggests_the_nearest():
    with pytest.raises(TaskError, match="unknown task 'diabets': did you mean diabetes"):
        load_task("diabets")


def test_a_task_moves_with_its_data():
    task = load_task("wine").to("meta")
    assert task.device.type == "meta"
    assert task._test.y.device.type == "meta"
    assert next(task.build_model(0).parameters()).device.type == "meta"


def test_the_context_of_rows_is_their_weights_and_the_priors():
    rng = np.random.default_rng(0)
    X, y, w = rng.normal(size=(50, 3)), np.arange(50) % 2, rng.uniform(1, 2, 50)
    task = Task.from_arrays(X, y, kind="classification", weights=w)
    rows = task.batches(0, 1, 8)[0]
    assert torch.equal(task.context(rows)["w"], task.train.w[rows])
    assert torch.equal(task.context(slice(4), "val")["w"], task.val.w[:4])
    assert torch.equal(task.context(rows)["pi"], task.priors)
    assert load_task("diabetes").context(rows) == {}
    assert task.to("meta").context(rows.to("meta"))["pi"].device.type == "meta"
    with pytest.raises(TaskError, match="split 'tset': expected train, val or test"):
        task.context(rows, "tset")


def test_a_function_in_context_is_told_it_with_each_batch():
    X, w = np.arange(100.0)[:, None], np.arange(100.0)
    task = Task.from_arrays(X, X[:, 0], kind="regression", weights=w, model="linear")
    seen = []

    def weighted(outputs, targets, context):
        seen.append(context["w"])
        return (context["w"] * (outputs - targets) ** 2).mean()

    formula = parse("w*(y - p)**2", kind="regression")
    ours, theirs = (task.fit(loss, seed=1, settings=SHORT) for loss in (InContext(weighted), formula))
    order = task.batches(1, SHORT.steps)
    assert all(torch.equal(a, task.train.w[rows]) for a, rows in zip(seen, order, strict=True))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_minibatches_of_the_validation_part_are_not_augmented():
    images = np.random.default_rng(0).normal(size=(60, 1, 12, 12))
    task = Task.from_arrays(images, np.arange(60) % 2, kind="classification", augment="crop")
    rows = task.batches(3, 4, 5, split="val")
    for place, (inputs, targets) in zip(rows, task.minibatches(3, 4, 5, split="val"), strict=True):
        assert torch.equal(inputs, task.val.X[place])
        assert torch.equal(targets, task.val.y[place])
    with pytest.raises(TaskError, match="split 'tset': expected train, val or test"):
        next(task.minibatches(0, 1, split="tset"))

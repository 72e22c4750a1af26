"""Metrics against scikit-learn, and what they do with degenerate splits."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from symloss.errors import TaskError
from symloss.tasks import METRICS, Metric, Task, get_metric, load_task
from symloss.tasks.train import metrics
from symloss.tasks.train.scores import score_kinds, score_names

RNG = np.random.default_rng(0)
LOGITS = torch.tensor(RNG.normal(size=(200, 4)))
CLASSES = torch.tensor(RNG.integers(0, 4, size=200))
PAIR, SIDE = LOGITS[:, :2].round(decimals=1), CLASSES % 2  # rounded: ties
LABELS = torch.tensor((RNG.random((200, 4)) < 0.3).astype(np.float32))
OUTPUTS, TARGETS = LOGITS[:, 0], LOGITS[:, 0] * 0.5 + torch.tensor(RNG.normal(size=200))
PROBABILITIES = LOGITS.softmax(1).numpy()
DECIDED = LOGITS.argmax(1).numpy()
SIGNS = (LOGITS > 0).numpy()


@pytest.mark.parametrize(
    ("name", "outputs", "targets", "expected"),
    [
        ("accuracy", LOGITS, CLASSES, reference.accuracy_score(CLASSES, DECIDED)),
        ("error-rate", LOGITS, CLASSES, reference.zero_one_loss(CLASSES, DECIDED)),
        ("balanced-accuracy", LOGITS, CLASSES, reference.balanced_accuracy_score(CLASSES, DECIDED)),
        ("macro-f1", LOGITS, CLASSES, reference.f1_score(CLASSES, DECIDED, average="macro")),
        ("auroc", LOGITS, CLASSES, reference.roc_auc_score(CLASSES, PROBABILITIES, multi_class="ovr")),
        ("auroc", PAIR, SIDE, reference.roc_auc_score(SIDE, PAIR[:, 1] - PAIR[:, 0])),
        ("nll", LOGITS, CLASSES, reference.log_loss(CLASSES, PROBABILITIES)),
        ("accuracy", LOGITS, LABELS, (LABELS.numpy() == SIGNS).mean()),
        ("macro-f1", LOGITS, LABELS, reference.f1_score(LABELS, SIGNS, average="macro")),
        ("auroc", LOGITS, LABELS, reference.roc_auc_score(LABELS, LOGITS)),
        ("balanced-accuracy", LOGITS, LABELS,
         np.mean([reference.balanced_accuracy_score(LABELS[:, k], SIGNS[:, k]) for k in range(4)])),
        ("mse", OUTPUTS, TARGETS, reference.mean_squared_error(TARGETS, OUTPUTS)),
        ("mae", OUTPUTS, TARGETS, reference.mean_absolute_error(TARGETS, OUTPUTS)),
        ("r2", OUTPUTS, TARGETS, reference.r2_score(TARGETS, OUTPUTS)),
        ("pinball", OUTPUTS, TARGETS, reference.mean_pinball_loss(TARGETS, OUTPUTS)),
        ("pinball:0.9", OUTPUTS, TARGETS, reference.mean_pinball_loss(TARGETS, OUTPUTS, alpha=0.9)),
    ],
)  # fmt: skip
def test_metrics_agree_with_scikit_learn(name, outputs, targets, expected):
    assert get_metric(name)(outputs, targets) == pytest.approx(float(expected), rel=1e-9)


CHANCES, LIFT = PAIR.softmax(1).numpy()[:, 1], (PAIR[:, 1] - PAIR[:, 0]).numpy()
SIDES, ONE = PAIR.argmax(1).numpy(), SIDE.numpy()


@pytest.mark.parametrize(
    ("name", "outputs", "targets", "expected"),
    [
        ("roc_auc", PAIR, SIDE, reference.roc_auc_score(ONE, LIFT)),
        ("roc_auc", LOGITS, CLASSES, reference.roc_auc_score(CLASSES, PROBABILITIES, multi_class="ovr")),
        ("roc_auc_ovo", LOGITS, CLASSES, reference.roc_auc_score(CLASSES, PROBABILITIES, multi_class="ovo")),
        ("roc_auc", LOGITS, LABELS, reference.roc_auc_score(LABELS, LOGITS)),
        ("f1", PAIR, SIDE, reference.f1_score(ONE, SIDES)),
        ("f1_macro", LOGITS, CLASSES, reference.f1_score(CLASSES, DECIDED, average="macro")),
        ("f1_micro", LOGITS, LABELS, reference.f1_score(LABELS, SIGNS, average="micro")),
        ("F1-weighted", LOGITS, CLASSES, reference.f1_score(CLASSES, DECIDED, average="weighted")),
        ("precision_macro", LOGITS, CLASSES, reference.precision_score(CLASSES, DECIDED, average="macro")),
        ("recall", PAIR, SIDE, reference.recall_score(ONE, SIDES)),
        ("jaccard_macro", LOGITS, LABELS, reference.jaccard_score(LABELS, SIGNS, average="macro")),
        ("matthews_corrcoef", LOGITS, CLASSES, reference.matthews_corrcoef(CLASSES, DECIDED)),
        ("average_precision", PAIR, SIDE, reference.average_precision_score(ONE, LIFT)),
        ("average_precision", LOGITS, LABELS, reference.average_precision_score(LABELS, LOGITS)),
        ("neg_brier_score", PAIR, SIDE, -reference.brier_score_loss(ONE, CHANCES)),
        ("neg_log_loss", LOGITS, CLASSES, -reference.log_loss(CLASSES, PROBABILITIES)),
        ("top_k_accuracy", LOGITS, CLASSES, reference.top_k_accuracy_score(CLASSES, PROBABILITIES)),
        ("top_k_accuracy", LOGITS, CLASSES % 3,
         reference.top_k_accuracy_score(CLASSES % 3, PROBABILITIES, labels=range(4))),
        ("neg_root_mean_squared_error", OUTPUTS, TARGETS, -reference.root_mean_squared_error(TARGETS, OUTPUTS)),
        ("neg_mean_absolute_error", OUTPUTS, TARGETS, -reference.mean_absolute_error(TARGETS, OUTPUTS)),
        ("neg_mean_squared_error", OUTPUTS, TARGETS, -reference.mean_squared_error(TARGETS, OUTPUTS)),
        ("neg_median_absolute_error", OUTPUTS, TARGETS, -reference.median_absolute_error(TARGETS, OUTPUTS)),
        ("explained_variance", OUTPUTS, TARGETS, reference.explained_variance_score(TARGETS, OUTPUTS)),
        ("max_error", OUTPUTS, TARGETS, reference.max_error(TARGETS, OUTPUTS)),
    ],
)  # fmt: skip
def test_names_of_scikit_learn(name, outputs, targets, expected):
    metric = get_metric(name)
    assert metric(outputs, targets) == pytest.approx(float(expected), rel=1e-9)
    assert metric.greater_is_better == (name != "max_error")
    assert math.isnan(metric(outputs * math.nan, targets))
    assert get_metric(metric.name).name == metric.name


def test_every_name_of_scikit_learn_is_a_metric_or_a_clustering():
    clusterings = {name for name in reference.get_scorer_names() if name not in score_names()}
    assert {"rand_score", "v_measure_score", "adjusted_mutual_info_score"} <= clusterings
    for kind, outputs, targets in (
        ("classification", PAIR, SIDE),
        ("multilabel", LOGITS, LABELS),
        ("regression", OUTPUTS.exp(), TARGETS.exp()),
    ):
        names = [name for name in score_names() if kind in score_kinds(name)]
        assert len(names) > 10
        for name in names:
            assert math.isfinite(get_metric(name, kind)(outputs, targets)), name


def test_a_score_of_scikit_learn_in_a_task():
    task = load_task("wine", metric="f1_macro")
    assert (task.metric, task.describe()["greater_is_better"]) == ("f1_macro", True)
    assert task.score(task.base_loss(), seed=0)["f1_macro"] > 0.9
    with pytest.raises(TaskError, match=r"metric f1 has no value .* Target is multiclass .* 'macro'"):
        load_task("wine", metric="f1")
    with pytest.raises(TaskError, match="neg_mean_squared_log_error has no value"):
        load_task("diabetes", metric="neg_mean_squared_log_error")
    box = Task.from_function(
        lambda loss, seed, budget: {"metric": 0.5}, kind="classification", metric="roc_auc"
    )
    assert box.measure.greater_is_better


def test_calibration_error_by_its_definition():
    confidence, correct = LOGITS.softmax(1).amax(1).numpy(), CLASSES.numpy() == DECIDED
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert get_metric("ece")(LOGITS, CLASSES) == pytest.approx(expected)
    sure = torch.tensor([[50.0, -50.0], [-50.0, 50.0]])
    assert get_metric("ece")(sure, torch.tensor([0, 1])) == pytest.approx(0)
    assert get_metric("ece")(sure, torch.tensor([1, 0])) == pytest.approx(1)


def test_absent_classes_do_not_count():
    logits, targets = torch.eye(4)[[0, 1, 1]], torch.tensor([0, 1, 0])
    assert get_metric("balanced-accuracy")(logits, targets) == pytest.approx(0.75)
    assert math.isnan(get_metric("auroc")(logits[:, :2], torch.zeros(3, dtype=torch.int64)))


@pytest.mark.parametrize("name", list(METRICS))
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_outputs_that_are_not_finite_are_no_result(name, bad):
    outputs, targets = (OUTPUTS.clone(), TARGETS) if METRICS[name].kinds == ("regression",) else (
        LOGITS.clone(), CLASSES)  # fmt: skip
    outputs[0] = bad
    assert math.isnan(METRICS[name](outputs, targets))
    assert METRICS[name].fitness(math.nan) == math.inf


def test_fitness_is_lower_for_better():
    for name, metric in METRICS.items():
        better, worse = (0.9, 0.1) if metric.greater_is_better else (0.1, 0.9)
        assert metric.fitness(better) < metric.fitness(worse), name


def test_accuracy_is_not_counted_in_a_python_loop():
    source = inspect.getsource(metrics.accuracy) + inspect.getsource(metrics._decided)
    assert "for " not in source.split('"""')[2]


def test_a_function_is_a_metric():
    def within_one(outputs, targets):
        return float(((outputs - targets).abs() < 1).double().mean())

    task = load_task("diabetes").with_metric(within_one, greater_is_better=True)
    assert task.metric == "within-one"
    assert task.measure.fitness(0.3) == -0.3
    values = task.evaluate(
        task.build_model(0), metrics=["mse", within_one, Metric("zero", lambda o, t: 0.0, False)]
    )
    assert set(values) == {"mse", "within-one", "zero"}


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [("acuracy", None, "did you mean accuracy"), ("f1_macr", None, "did you mean f1_macro"),
     ("f1_macro", "regression", "is not for regression"), ("rand_score", None, "unknown metric"),
     ("zzz", "regression", "or a scorer of scikit-learn, as neg_root_mean_squared_error"),
     ("mse", "classification", "expected one of accuracy"),
     ("pinball:2", None, "TAU between 0 and 1"), ("pinball:x", None, "pinball:TAU"),
     ("accuracy:2", None, "unknown metric"), ("zzz", "regression", "expected one of mse, mae")],
)  # fmt: skip
def test_unknown_metrics(name, kind, message):
    with pytest.raises(TaskError, match=message):
        get_metric(name, kind)


def test_a_metric_without_a_value_on_the_validation_part():
    X, groups = np.arange(60.0)[:, None], np.repeat(np.arange(6), 10)
    task = Task.from_arrays(X, groups == 0, kind="classification", groups=groups)
    assert len(task.val.y.unique()) == 1
    with pytest.raises(TaskError, match="auroc has no value on the validation part"):
        task.with_metric("auroc")
    with pytest.raises(TaskError, match="choose another metric or split seed"):
        Task.from_arrays(X, groups == 0, kind="classification", groups=groups, metric="auroc")

"""Pairs of rows: no row in two parts, clean test pairs, flips that stay, a model of one row, statistics by rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import symloss as sl
from symloss.compare import bootstrap
from symloss.compare.work import row_scores
from symloss.errors import TaskError
from symloss.expr import Program
from symloss.expr.trees import weighted_from
from symloss.meta import Member, train_members, tune
from symloss.tasks import (
    SupervisedTask,
    Task,
    get_metric,
    load_task,
    rebuild,
    replicate,
    thinned,
    with_label_noise,
)
from symloss.tasks.data.pairs import PAIRS_A_ROW, PairPool, _uniform
from symloss.tasks.train.models import Difference

TASK = load_task("pairs:diabetes", label_noise=0.2)
ROWS = load_task("diabetes")


def rows_of(task: SupervisedTask, part: str) -> set[bytes]:
    return {row.numpy().tobytes() for pair in task._part(part).X for row in pair}


def test_parts_have_no_row_in_common_and_the_rows_of_the_task_itself() -> None:
    seen = {part: rows_of(TASK, part) for part in ("train", "val", "test")}
    for part, rows in seen.items():
        assert rows == {row.numpy().tobytes() for row in ROWS._part(part).X}
        others = [other for other in seen if other != part]
        assert not any(rows & seen[other] for other in others)
    assert len(TASK.train) == pytest.approx(PAIRS_A_ROW * len(ROWS.train), rel=0.02)
    assert TASK.kind == "margin"
    assert TASK.metric == "pair-accuracy"
    assert TASK.classes is None
    assert TASK.overlap == ROWS.overlap


@pytest.mark.parametrize("name", ["diabetes", "digits"])
def test_the_higher_target_is_preferred_ties_left_out_and_test_labels_are_clean(name: str) -> None:
    task = load_task(f"pairs:{name}", label_noise=0.3)
    clean = load_task(f"pairs:{name}")
    pool = task.pool
    assert isinstance(pool, PairPool)
    for number, part in enumerate(("train", "val", "test")):
        pairs = pool._drawn((pool.train, pool.val, pool.test)[number], number)
        first, second = (pool.data.targets[side] for side in pairs.T)
        assert not (first == second).any()
        assert len({tuple(sorted(pair)) for pair in pairs.tolist()}) == len(pairs)
        assert clean._part(part).y.tolist() == (first > second).astype(float).tolist()
        flipped = float((task._part(part).y != clean._part(part).y).double().mean())
        assert flipped == (0.0 if part == "test" else pytest.approx(0.3, abs=0.06))
    assert clean._part("train").y.mean() == pytest.approx(0.5, abs=0.05)
    # Of classes with an order: digits of which one is larger.
    assert task.test_units is not None
    assert task.test_units.shape == (len(clean._part("test")), 2)


def test_a_pair_keeps_its_label_in_every_block() -> None:
    pool, labels = TASK.pool, dict[tuple[int, int], set[float]]()
    assert isinstance(pool, PairPool)
    met = 0
    for seed in range(6):
        for number, (rows, part) in enumerate(
            zip(pool.cut(seed), pool.prepare(*pool.cut(seed)).parts, strict=False)
        ):
            for (a, b), y in zip(pool._drawn(rows, number).tolist(), part.y.tolist(), strict=True):
                known = labels.setdefault((min(a, b), max(a, b)), set())
                met += bool(known)
                known.add(y if a < b else 1 - y)
    assert met > 200
    assert all(len(found) == 1 for found in labels.values())
    pairs = np.array([[3, 9], [9, 3], [4, 9]])
    drawn = _uniform(pairs, 7)
    assert drawn[0] == drawn[1] != drawn[2]
    many = _uniform(np.stack([np.arange(20_000), np.arange(20_000) + 1], 1), 0)
    assert np.histogram(many, 10, (0, 1))[0] == pytest.approx(2000, rel=0.1)
    assert _uniform(pairs, 8)[0] != drawn[0]


def test_scores_are_of_one_row_and_the_model_is_any() -> None:
    a, b = TASK.train.X[:5, 0], TASK.train.X[:5, 1]
    model = TASK.build_model(0)
    assert isinstance(model[-1], Difference)
    inner = model[1]
    torch.testing.assert_close(model(torch.stack([a, b], 1)), (inner(a) - inner(b)).squeeze(1))
    torch.testing.assert_close(model(torch.stack([b, a], 1)), -model(torch.stack([a, b], 1)))
    own = TASK.with_model(lambda: nn.Linear(10, 1, bias=False))
    assert own.build_model(0)(TASK.train.X[:3]).shape == (3,)
    assert TASK.row == (10,)
    assert load_task("pairs:diabetes", model="linear").describe()["model"] == "linear"


@pytest.mark.parametrize("name", ["logistic", "discopop"])
def test_perceptrons_of_pairs_trained_together_are_those_trained_alone(name: str) -> None:
    task = TASK.with_settings(steps=25)
    tree, edges = weighted_from(sl.named(name)).graph()
    together = train_members([Member(tree, edges, task, seed=3), Member(tree, edges, task, seed=4)])
    alone = [task.score(sl.named(name), seed=seed)["pair-accuracy"] for seed in (3, 4)]
    for found, wanted in zip(together, alone, strict=True):
        assert found["val"][-1] == pytest.approx(wanted, abs=5e-3)
    # The same through autograd, for a model that is no perceptron to the batched passes.
    wide = task.with_model(lambda: nn.Sequential(nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 1)))
    assert 0.5 < train_members([Member(tree, edges, wide, seed=3)])[0]["val"][-1] <= 1


def test_hypergradients_of_pairs_batched_and_by_forward_mode() -> None:
    tree = Program(("softplus", "mul", "-1", "m"))
    (batched,) = tune([tree], TASK, seed=0, steps=3)
    assert batched.method == "batched"
    same = TASK.with_model(lambda: nn.Sequential(*TASK.factory().children(), nn.Identity()))
    (plain,) = tune([tree], same, seed=0, steps=3)
    assert plain.method == "forward mode"
    torch.testing.assert_close(batched.coefficients, plain.coefficients, rtol=1e-4, atol=1e-6)


def test_made_again_from_its_description() -> None:
    for task in (TASK, TASK.block(1, 2).task):
        assert rebuild(task.describe()).describe() == task.describe()
    assert "2,112 of 265" in TASK.describe()["notes"][-1]
    assert "0.2 of training and validation labels flipped" in TASK.describe()["notes"][-1]


def test_replicates_and_shares_are_of_rows() -> None:
    again = replicate(TASK, "splits", 3, 10, seed=0)
    assert isinstance(again, SupervisedTask)
    assert again.fingerprint != TASK.fingerprint
    assert again.overlap == TASK.overlap
    few = thinned(TASK, 0.5, seed=0)
    assert isinstance(few, SupervisedTask)
    assert rows_of(few, "train") | rows_of(few, "val")
    assert few.pool is not None
    assert few.pool.size == pytest.approx(TASK.pool.size / 2, abs=1)  # type: ignore[union-attr]
    assert with_label_noise(load_task("pairs:diabetes"), 0.2).fingerprint == TASK.fingerprint


def test_pair_accuracy() -> None:
    metric = get_metric("pair-accuracy", "margin")
    scores, targets = torch.tensor([2.0, -1.0, 0.0, 3.0]), torch.tensor([1.0, 0.0, 1.0, 0.0])
    assert metric(scores, targets) == (1 + 1 + 0.5 + 0) / 4
    rows = row_scores("pair-accuracy")
    assert rows is not None
    assert rows(scores, targets).tolist() == [1.0, 1.0, 0.5, 0.0]
    for name, kind in (("mse", "margin"), ("pair-accuracy", "regression"), ("accuracy", "margin")):
        with pytest.raises(TaskError, match=f"metric {name} is not for {kind}"):
            get_metric(name, kind)


def test_the_bootstrap_draws_rows_and_not_pairs() -> None:
    """Pairs of n rows whose differences are sums of what each row adds: their mean varies as twice a mean of n rows."""
    rng = np.random.default_rng(0)
    n = 60
    own = rng.normal(size=n)
    units = np.array([(i, j) for i in range(n) for j in range(i)])
    values = own[units].sum(1)
    spread = float(np.std(bootstrap(values, 0, units).means))
    assert spread == pytest.approx(2 * own.std() / np.sqrt(n), rel=0.1)
    naive = float(np.std(bootstrap(values, 0).means))
    assert naive < spread / 3
    # An instance that is a row of its own is drawn as it always was.
    alone = bootstrap(own, 0, np.arange(n)[:, None])
    assert np.std(alone.means) == pytest.approx(np.std(bootstrap(own, 0).means), rel=0.1)
    assert np.isfinite(bootstrap([1.0], 0, [[0, 1]]).means).all()


def test_single_scores_with_targets() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    t = (X[:, 0] + 0.3 * rng.normal(size=400) > 0).astype(int)
    task = Task.from_arrays(X, t, kind="margin", label_noise=0.1, model="linear")
    assert task.describe()["hard_labels"] is False
    shares = [float(part.y.mean()) for part in (task.train, task.val)]
    assert shares == pytest.approx([t.mean()] * 2, abs=0.12)
    assert task.score(sl.named("logistic"), seed=0, split="test")["pair-accuracy"] > 0.8
    batches = [(torch.randn(10, 3), torch.arange(10) % 2)]
    assert (
        Task.from_loaders(batches, batches, batches, model="linear", kind="margin").train.y.dtype
        is torch.float32
    )
    with pytest.raises(TaskError, match="targets other than 0 and 1"):
        Task.from_arrays(X, 2 * t - 1, kind="margin")


BAD = [
    ("pairs:digits-attributes", {}, "expected a regression or classification task, got multilabel"),
    ("pairs:diabetes", {"outliers": 0.1}, "expected label noise alone"),
    ("pairs:wine", {"imbalance": 3.0}, "expected label noise alone"),
    ("pairs:diabetes", {"target_scale": "minmax"}, "expected label noise alone"),
    ("pairs:diabetes", {"label_noise": 1.5}, "expected a share between 0 and 1"),
    ("pairs:diabets", {}, "did you mean diabetes"),
]


@pytest.mark.parametrize(("name", "options", "message"), BAD)
def test_bad_pairs(name: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        load_task(name, **options)  # type: ignore[arg-type]


def test_pairs_of_equal_targets_alone() -> None:
    X = np.random.default_rng(0).normal(size=(12, 2))
    pool = Task.from_arrays(X, np.arange(12.0), kind="regression").pool
    assert pool is not None
    flat = replace(pool.data, targets=np.zeros(12))
    pairs = PairPool.of(flat, 0)
    with pytest.raises(TaskError, match="no two rows of a part have different targets"):
        pairs.prepare(pairs.train, pairs.val)

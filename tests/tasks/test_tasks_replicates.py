"""A task on other rows: splits with noise of their own, disjoint pools, shares of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from symloss.errors import TaskError
from symloss.runs import derive
from symloss.tasks import SupervisedTask, Task, load_task, replicate, replicates_of, thinned


def arrays(rows: int, **options: Any) -> SupervisedTask:
    X = np.random.default_rng(0).normal(size=(rows, 2))
    X[:, 0] = np.arange(rows)  # names the row, up to the scaler
    labels = (np.arange(rows) % 10 == 0).astype(int)
    return Task.from_arrays(X, labels, kind="classification", model="linear", **options)


def rows_of(task: SupervisedTask) -> tuple[set[int], set[int], set[int]]:
    assert task.pool is not None
    return set(task.pool.train.tolist()), set(task.pool.val.tolist()), set(task.pool.test.tolist())


def test_a_split_is_the_task_of_another_seed() -> None:
    task = load_task("wine", label_noise=0.2)
    again = replicate(task, "splits", 4, 10, seed=3)
    expected = load_task("wine", label_noise=0.2, seed=derive(3, "split", 4))
    assert again.fingerprint == expected.fingerprint != task.fingerprint
    regression = load_task("diabetes", outliers=0.1, target_scale="minmax")
    split = replicate(regression, "splits", 0, 10, seed=0)
    assert (
        split.fingerprint
        == load_task("diabetes", outliers=0.1, target_scale="minmax", seed=derive(0, "split", 0)).fingerprint
    )


def test_pools_share_test_rows_and_nothing_else() -> None:
    task = arrays(6000)
    assert replicates_of(task, 4) == "pools"
    assert replicates_of(task, 10) == "splits"
    pools = [rows_of(replicate(task, "pools", i, 4, seed=0)) for i in range(4)]
    assert all(test == pools[0][2] for _, _, test in pools)
    learning = [train | val for train, val, _ in pools]
    assert set.union(*learning) == set.union(*rows_of(task)[:2])
    assert sum(map(len, learning)) == len(set.union(*learning))
    for i in range(4):
        pool = replicate(task, "pools", i, 4, seed=0)
        assert float(pool.train.y.double().mean()) == pytest.approx(0.1, abs=0.01)
        assert len(pool.val) / (len(pool.train) + len(pool.val)) == pytest.approx(0.25, abs=0.01)
        assert pool.block(0, 1).task.fingerprint != pool.fingerprint


def test_shares_are_nested_stratified_and_leave_the_test_rows_alone() -> None:
    task = arrays(1000)
    shares = [rows_of(thinned(task, share, seed=1)) for share in (0.1, 0.5, 1)]
    learning = [train | val for train, val, _ in shares]
    assert learning[0] < learning[1] < learning[2]
    assert [len(each) for each in learning] == pytest.approx([80, 400, 800], abs=2)
    assert sum(row % 10 == 0 for row in learning[0]) == pytest.approx(8, abs=1)
    assert len({frozenset(test) for _, _, test in shares}) == 1


def test_groups_stay_whole() -> None:
    groups = np.arange(6000) // 20
    task = arrays(6000, groups=groups)
    parts = [set().union(*rows_of(replicate(task, "pools", i, 4, seed=0))[:2]) for i in range(4)]
    owners = [{groups[row] for row in part} for part in parts]
    assert all(not a & b for i, a in enumerate(owners) for b in owners[:i])
    some = set().union(*rows_of(thinned(task, 0.25, seed=0))[:2])
    rest = set().union(*rows_of(task)[:2]) - some
    assert not {groups[row] for row in some} & {groups[row] for row in rest}
    assert len(some) == pytest.approx(1200, abs=20)


def test_parts_that_were_given_repeat_by_their_starts() -> None:
    batches = [(torch.randn(8, 3), torch.arange(8) % 2)]
    task = Task.from_loaders(batches, batches, batches, model="linear", kind="classification")
    assert replicates_of(task, 10) == "starts"
    assert replicate(task, "starts", 3, 10, seed=0) is task
    assert thinned(task, 1, seed=0) is task
    with pytest.raises(TaskError, match="parts were given, so no share"):
        thinned(task, 0.5, seed=0)
    with pytest.raises(TaskError, match="parts were given, so its rows cannot be drawn anew"):
        replicate(task, "splits", 0, 10, seed=0)

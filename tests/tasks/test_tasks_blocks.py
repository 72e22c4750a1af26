"""Blocks: other training and validation rows of one pool, with seeds of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from symloss.errors import TaskError
from symloss.tasks import SupervisedTask, Task, load_csv, load_task, rebuild
from symloss.tasks.assemble import assemble
from symloss.tasks.data.downloaded import official

RNG = np.random.default_rng(0)


def task_of(kind="classification", count=200, **options):
    """A task whose row i has weight i + 1: what rows are in a part can be read there."""
    X = np.random.default_rng(1).normal(size=(count, 3))
    y = {
        "classification": np.arange(count) % 4,
        "multilabel": (X[:, :2] > 0).astype(float),
        "regression": X.sum(1) + 10,
    }[kind]
    return Task.from_arrays(X, y, kind=kind, weights=np.arange(count) + 1.0, **options)


def names(part):
    return {int(w) for w in part.w}


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
def test_blocks_cut_the_same_rows_anew(kind):
    task = task_of(kind)
    pool = names(task.train) | names(task.val)
    seen, seeds = set(), set()
    for number in range(6):
        block = task.block(7, number)
        assert isinstance(block.task, SupervisedTask)
        assert block.resampled
        train, val = names(block.task.train), names(block.task.val)
        assert train | val == pool
        assert not train & val
        assert len(val) == 40
        assert names(block.task._test) == names(task._test)
        seen.add(frozenset(val))
        seeds.add(block.seed)
    assert len(seen) == len(seeds) == 6


def test_a_block_is_a_function_of_run_seed_and_number():
    task = task_of()
    first, again = task.block(1, 2), task.with_settings(steps=3).block(1, 2).task.block(1, 2)
    assert first.task.fingerprint == again.task.fingerprint
    assert first.seed == again.seed
    assert len({task.block(*key).task.fingerprint for key in ((1, 2), (1, 3), (2, 2), (2, 3))}) == 4


def test_classes_are_in_proportion_and_a_rare_one_takes_its_turn():
    labels = np.repeat([0, 1, 2, 3], [200, 60, 7, 1])
    task = Task.from_arrays(RNG.normal(size=(268, 2)), labels, kind="classification")
    held = []
    for number in range(20):
        counts = torch.bincount(task.block(0, number).task.val.y, minlength=4)
        assert int(counts.sum()) in (53, 54)
        assert counts[:2].tolist() == pytest.approx([40, 12], abs=1)
        held.append(int(counts[2]))
    assert set(held) == {1, 2}  # of six rows beside the test part
    singles = torch.stack([torch.bincount(task.block(0, n).task.train.y, minlength=4) for n in range(20)])
    assert (singles[:, 3] == singles[0, 3]).all()


def test_groups_stay_whole():
    groups = np.repeat(np.arange(40), 5)
    task = task_of(groups=groups)
    for number in range(4):
        block = task.block(0, number).task
        assert not {(w - 1) // 5 for w in names(block.train)} & {(w - 1) // 5 for w in names(block.val)}
        assert len(block.val) == pytest.approx(40, abs=10)


def test_scalers_are_fitted_on_the_blocks_training_rows():
    task = task_of("regression")
    for number in range(3):
        block = task.block(0, number).task
        assert block.train.X.mean(0).tolist() == pytest.approx([0, 0, 0], abs=1e-6)
        assert float(block.train.y.mean()) == pytest.approx(0, abs=1e-6)
        assert float(block.train.y.std(correction=0)) == pytest.approx(1, abs=1e-6)
        scale = block.facts["target_scale"]
        raw = block._test.y * scale["standard_deviation"] + scale["mean"]
        ours = (
            task._test.y * task.facts["target_scale"]["standard_deviation"]
            + task.facts["target_scale"]["mean"]
        )
        assert raw.tolist() == pytest.approx(ours.tolist(), abs=1e-4)


def test_a_noisy_label_is_the_same_in_every_block():
    task, clean = task_of(label_noise=0.4, seed=3), task_of(seed=3)
    truth = {int(w): int(y) for part in (clean.train, clean.val) for w, y in zip(part.w, part.y, strict=True)}

    def labels(one):
        return {int(w): int(y) for part in (one.train, one.val) for w, y in zip(part.w, part.y, strict=True)}

    noisy = labels(task)
    assert 40 < sum(noisy[row] != truth[row] for row in truth) < 90
    assert all(labels(task.block(0, number).task) == noisy for number in range(4))
    assert torch.equal(task.block(0, 0).task._test.y, clean._test.y)


@pytest.mark.parametrize("scale", [None, "minmax", "none"])
def test_an_outlier_is_the_same_in_every_block(scale):
    task, clean = (task_of("regression", outliers=share, target_scale=scale) for share in (0.2, 0.0))

    def unit(facts):
        return {"standard": facts.get("standard_deviation"), "none": 1.0}.get(
            facts["how"], facts.get("high", 0) - facts.get("low", 0)
        )

    def shifts(number):
        """By row, how far it is from where it was, in the target's own units."""
        pair = [one if number is None else one.block(0, number).task for one in (task, clean)]
        found = {}
        for noisy, plain in zip((pair[0].train, pair[0].val), (pair[1].train, pair[1].val), strict=True):
            moved = (noisy.y - plain.y) * unit(pair[0].facts["target_scale"])
            found |= {int(w): round(float(by), 2) for w, by in zip(noisy.w, moved, strict=True)}
        return found

    first = shifts(None)
    assert sum(by != 0 for by in first.values()) == 32
    assert all(shifts(number) == pytest.approx(first, abs=0.02) for number in range(3))
    assert torch.equal(task._test.y, clean._test.y)


def test_imbalance_is_settled_before_blocks_are_cut():
    task = load_task("digits", imbalance=10.0)
    counts = [
        torch.bincount(torch.cat([one.train.y, one.val.y]), minlength=10)
        for one in (task, task.block(0, 0).task, task.block(0, 1).task)
    ]
    assert torch.equal(counts[0], counts[1])
    assert torch.equal(counts[0], counts[2])


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_size_of_the_validation_part(share):
    block = task_of().block(0, 0, val_size=share)
    assert len(block.task.val) == int(160 * share)


@pytest.mark.parametrize("share", [0, -0.1, 1.0, float("nan")])
def test_sizes_that_do_not_fit(share):
    with pytest.raises(TaskError, match=r"val_size is .*: expected a share between 0 and 1"):
        task_of().block(0, 0, val_size=share)
    with pytest.raises(TaskError, match="leave no row to validate: expected at least 1000 rows"):
        task_of().block(0, 0, val_size=0.001)


def test_an_official_test_part_stays():
    pixels = RNG.integers(0, 255, size=(150, 1, 14, 14), dtype=np.uint8)
    data = official("images", pixels, np.arange(150) % 5, 100, "abcde", "crop")
    task = assemble(data)
    block = task.block(0, 1).task
    assert (len(block.train), len(block.val), block.test_size) == (90, 10, 50)
    assert torch.bincount(block.val.y).tolist() == [2] * 5
    assert block.augment == "crop"
    assert block.train.X.mean() == pytest.approx(0, abs=1e-5)


def test_loaders_keep_their_parts_and_say_so():
    batches = [(torch.randn(8, 3), torch.arange(8) % 2)]
    task = Task.from_loaders(batches, batches, batches, model="linear", kind="classification")
    block = task.block(0, 1)
    assert block.task is task
    assert not block.resampled
    assert block.seed != task.block(0, 2).seed
    assert "blocks differ in start and order of batches only" in " ".join(task.describe()["notes"])
    with pytest.raises(
        TaskError, match="its parts were given, so a size of the validation part or folds have no meaning"
    ):
        task.block(0, 1, val_size=0.2)


def test_a_black_box_has_the_seed():
    task = Task.from_function(lambda loss, seed, budget: {"metric": 0.0}, kind="regression")
    assert task.block(3, 4).task is task
    assert not task.block(3, 4).resampled
    assert task.block(3, 4).seed == task_of().block(3, 4).seed
    with pytest.raises(TaskError, match="the function has data of its own"):
        task.block(0, 1, val_size=0.2)


def test_a_block_is_described_and_made_again():
    task = load_task("diabetes", outliers=0.1, seed=2).with_settings(steps=4)
    block = task.block(5, 6, val_size=0.3).task
    again = rebuild(block.describe())
    assert again.describe() == block.describe()
    assert block.fingerprint != task.fingerprint


def table(folder):
    """Of its text column three values are rare: which of them are features is up to the training rows."""
    lines = ["x,town,y"]
    for row in range(60):
        town = f"rare{row}" if row < 12 else "abc"[row % 3]
        lines.append(f"{RNG.normal():.3f},{town},{row % 2}")
    path = folder / "towns.csv"
    path.write_text("\n".join(lines))
    return path


def test_a_named_model_fits_the_features_of_each_block(tmp_path):
    task = load_csv(table(tmp_path), "y")
    widths = set()
    for number in range(6):
        block = task.block(0, number).task
        widths.add(block.inputs)
        assert block.score(block.base_loss(), seed=0, settings=replace(block.settings, steps=1))
    assert len(widths) > 1


def test_a_model_of_the_user_that_fits_not_every_block_is_told_so(tmp_path):
    path = table(tmp_path)
    width = load_csv(path, "y").inputs[0]
    task = load_csv(path, "y", model=lambda: nn.Linear(width, 2))
    other = next(
        number for number in range(6) if load_csv(path, "y").block(0, number).task.inputs != (width,)
    )
    with pytest.raises(TaskError, match="for which the model was made: choose a model by name"):
        task.block(0, other)


def test_parts_that_were_exchanged_by_hand_are_no_pool():
    task = task_of()
    with pytest.raises(TaskError, match="its parts are not those of its data"):
        replace(task, train=task.val).block(0, 0)
    assert not replace(task, train=task.val, pool=None).block(0, 0).resampled


@pytest.mark.parametrize("grouped", [False, True])
def test_over_the_folds_of_a_cycle_each_row_validates_once(grouped: bool) -> None:
    rng = np.random.default_rng(0)
    X, y = np.arange(60.0).reshape(60, 1), rng.integers(0, 2, 60)
    groups = np.arange(60) // 4 if grouped else None
    task = Task.from_arrays(X, y, kind="classification", model="linear", groups=groups)
    size = len(task.train) + len(task.val)
    for cycle in (0, 1):
        folds = [task.block(0, 4 * cycle + i, folds=4).task for i in range(4)]
        assert sum(len(fold.val) for fold in folds) == size
        assert all(len(fold.train) + len(fold.val) == size for fold in folds)
        spread = [fold.val.y.float().mean().item() for fold in folds]
        assert grouped or max(spread) - min(spread) < 0.15, "stratified"


def test_few_rows_may_train_and_many_validate() -> None:
    task = load_task("digits")
    block = task.block(0, 0, val_size=0.8).task
    assert len(block.val) / (len(block.val) + len(block.train)) == pytest.approx(0.8, abs=0.01)
    assert set(block.train.y.tolist()) == set(range(10))


@pytest.mark.parametrize(("rows", "sizes"), [(100, (60, 20)), (200, (80, 80)), (400, (100, 100))])
def test_large_data_train_on_few_rows_and_validate_on_many(monkeypatch, rows, sizes) -> None:
    monkeypatch.setattr("symloss.tasks.data.pool.LARGE", 100)
    block = task_of(count=rows).block(0, 0).task
    assert (len(block.train), len(block.val)) == sizes
    assert torch.bincount(block.train.y).tolist() == [sizes[0] // 4] * 4
    assert torch.bincount(block.val.y).tolist() == [sizes[1] // 4] * 4
    assert not names(block.train) & names(block.val)
    decided = task_of(count=rows).block(0, 0, val_size=0.25).task
    assert len(decided.val) == rows * 0.8 * 0.25

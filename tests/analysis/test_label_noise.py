"""The quick form: losses learn through noise, and noise that has a direction costs more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import symloss as sl
from analysis import label_noise
from analysis.comparisons import Sizes
from symloss.tasks import replicate


@pytest.mark.slow
def test_quick(tmp_path: Path) -> None:
    data = label_noise.main(["--quick", "--out", str(tmp_path), "--runs", str(tmp_path / "runs")])
    assert set(data["cells"]) == {"search", "digits, 0.4", "digits, asymmetric 0.4"}
    assert sl.parse(data["answers"]["discovered"]["formula"]), "a formula that can be used elsewhere"
    means = data["answers"]["mean accuracy, tuned"]
    symmetric, asymmetric = means["digits, 0.4"], means["digits, asymmetric 0.4"]
    assert set(symmetric) == {"ce", "sce", "discovered"}
    assert min(symmetric["ce"], symmetric["sce"]) > 0.7, "they learn through the noise"
    for name in ("ce", "sce"):
        assert asymmetric[name] < symmetric[name] - 0.05, "labels that lie in one direction are believed"
    assert (tmp_path / "label_noise.png").stat().st_size > 10_000


def test_asymmetric_noise_turns_labels_to_the_next_class_and_leaves_test_rows() -> None:
    sizes = Sizes(splits=2, seeds=1, steps=1)
    found = label_noise.asymmetric("digits", 0.4, sizes)
    clean = label_noise.task_of("digits", 0.0, "linear", sizes)
    for number, task in enumerate(found):
        same = replicate(clean, "splits", number, 2, seed=0)
        assert task.pool is not None
        assert same.pool is not None  # type: ignore[attr-defined]
        before, after = same.pool.targets, task.pool.targets  # type: ignore[attr-defined]
        turned = before != after
        assert np.array_equal(after[turned], (before[turned] + 1) % 10)
        assert turned[task.pool.test].sum() == 0
        assert turned.sum() / task.pool.size == pytest.approx(0.4, abs=0.05)
    assert found[0].fingerprint != found[1].fingerprint


def test_every_cell_of_the_issue_is_there_once() -> None:
    cells = list(label_noise.cells(quick=False))
    assert len(cells) == len(set(cells)) == 9 * 5 + 1
    assert cells[-1] == ("mnist-5k", 0.4, "lenet5", False)
    hypothesis = {(name, noise) for name, noise, model, turned in cells[:16] if not turned}
    assert hypothesis == {(n, r) for n in label_noise.TASKS if n != "digits" for r in (0.4, 0.6)}

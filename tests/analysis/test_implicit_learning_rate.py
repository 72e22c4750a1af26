"""The quick form: a fifth of squared error gains by its learning rate, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

import symloss as sl
from analysis import implicit_learning_rate


@pytest.mark.slow
def test_quick(tmp_path: Path) -> None:
    data = implicit_learning_rate.main(["--quick", "--out", str(tmp_path), "--runs", str(tmp_path / "runs")])
    found = data["answers"]["controls"]["controls, diabetes"]["0.2 mse"]
    assert found["as is"] == "better"
    assert found["explained by"] == "learning rate"
    assert found["gains"]["as is"] > 0.03
    assert found["gains"]["normalised"] == 0
    assert data["answers"]["of these explained by the learning rate"] == 1
    assert (tmp_path / "implicit_learning_rate.png").stat().st_size > 10_000


def test_stored_losses_are_formulas_without_a_name() -> None:
    for kind in ("regression", "classification"):
        found = implicit_learning_rate.stored(kind)
        assert list(found) == ["discovered 1", "discovered 2"]
        for text in found.values():
            assert sl.parse(text, kind=kind)
    losses = implicit_learning_rate.losses_of("regression")
    assert {"0.2 mse", "huber", "discovered 1"} <= set(losses)

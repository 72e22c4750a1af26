"""The quick form of the benchmark: every row is there and every form computes the same; times are no test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from analysis import bench_losses


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], Path]:
    out = tmp_path_factory.mktemp("bench")
    return bench_losses.main(["--quick", "--out", str(out)]), out


@pytest.mark.slow
def test_quick_writes_every_row(found: tuple[dict[str, object], Path]) -> None:
    data, out = found
    written = json.loads((out / "bench_losses.json").read_text())
    assert written["answers"] == data["answers"]
    rows = [cell for key, cell in written["cells"].items() if not key.startswith(("curve", "compile"))]
    assert {row["formula"] for row in rows} == set(bench_losses.TARGETS)
    assert all(row["ratio"] > 0 and row["a_a"] > 0 and row["peak_bytes"]["symloss"] > 0 for row in rows)
    assert {row["path"] for row in rows} == {"kernel", "linear", "target", "dense", "entries"}
    assert written["cells"]["compile"]["new"] > 0
    assert (out / "bench_losses.png").stat().st_size > 10_000


@pytest.mark.slow
def test_a_second_run_measures_nothing(
    found: tuple[dict[str, object], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = found
    monkeypatch.setattr(bench_losses, "measured", lambda *_: pytest.fail("measured again"))
    assert bench_losses.main(["--quick", "--out", str(out)])["cells"] == data["cells"]


@pytest.mark.parametrize("name", [name for name in bench_losses.REFERENCES if name != "sparse-lsr"])
def test_symloss_and_its_reference_compute_the_same(name: str) -> None:
    shape = (50,) if name in bench_losses.REGRESSION else (6, 5)
    outputs, targets = bench_losses.batch(shape)
    loss = bench_losses.loss_of(name)
    expected = bench_losses.REFERENCES[name][1](outputs, targets)
    for contender in (bench_losses.compile_loss(loss), bench_losses.exported(loss)):
        torch.testing.assert_close(contender(outputs, targets), expected)


def test_memory_counts_what_a_step_allocates() -> None:
    def copies(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return (z * 2).sum()

    # At the peak: the product, then its gradient and that of the logits.
    peak = bench_losses.peak_bytes(copies, (1000, 10))
    assert 40_000 <= peak <= 200_000

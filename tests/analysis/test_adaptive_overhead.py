"""The quick form of the study of what adapting costs: one meta-gradient by two ways, and every cell is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from analysis import adaptive_overhead


def test_two_ways_to_one_meta_gradient(tmp_path: Path) -> None:
    data = adaptive_overhead.main(["--quick", "--out", str(tmp_path)])
    assert data["answers"]["agreement"] < 1e-5
    times = data["answers"]["time over the fixed loss"]
    assert set(times) == {"mlp-2x64/32/neural", "mlp-2x64/32/smooth-ace"}
    for cell in times.values():
        assert {"fixed", "adaptive", "unrolled"} <= set(cell)
        assert all(ratio > 0 for ratio in cell.values())
    assert json.loads((tmp_path / "adaptive_overhead.json").read_text())["settings"]["device"] == "cpu"
    assert (tmp_path / "adaptive_overhead.png").stat().st_size > 10_000


def test_a_step_holds_no_graph_while_it_validates() -> None:
    """What torch has allocated at the peak of a step: counted, not timed."""
    memory = adaptive_overhead.measure_memory("lenet5", "smooth-ace", 64, "cpu")
    assert memory["adaptive"] < 2 * memory["fixed"]
    assert memory["adaptive"] < 0.7 * memory["unrolled"]


def test_the_ways_agree_on_a_network_too() -> None:
    bench = adaptive_overhead.Bench("mlp-2x64", "neural", 16, "cpu")
    by_hand = bench.unrolled()
    found = bench.adapting()
    assert float((found - by_hand).abs().max()) < 1e-4 * float(by_hand.abs().max())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator here")
def test_on_an_accelerator(tmp_path: Path) -> None:
    data = adaptive_overhead.main(["--quick", "--device", "cuda", "--out", str(tmp_path)])
    assert data["answers"]["agreement"] < 1e-4

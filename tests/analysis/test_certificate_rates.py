"""The quick form of the study decides most findings, and its rates are those of its cells."""

from __future__ import annotations

from pathlib import Path

from analysis import certificate_rates


def test_quick(tmp_path: Path) -> None:
    data = certificate_rates.main(["--quick", "--out", str(tmp_path)])
    found = data["answers"]["classification"]
    assert found["trees"] == 3
    assert found["decided"] > 0.7
    undecided = sum(
        len(cell["open"]) for key, cell in data["cells"].items() if key.startswith("classification")
    )
    assert found["decided"] == 1 - undecided / (3 * len(found["by key"]))
    assert "converges_to" not in data["answers"]["regression"]["by key"]
    assert (tmp_path / "certificate_rates.png").stat().st_size > 10_000


def test_trees_are_such_as_the_gate_lets_through() -> None:
    for kind, classes in certificate_rates.KINDS.items():
        seed, nodes, loss = next(certificate_rates.evolved(kind))
        assert loss.kind == kind
        again = next(certificate_rates.evolved(kind))
        assert (seed, nodes, str(loss)) == (again[0], again[1], str(again[2]))
        assert classes is None or "trainable_at_start" in certificate_rates.certified(loss, nodes)["verdicts"]

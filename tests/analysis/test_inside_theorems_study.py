"""The quick form: what is reached is what algebra says, and no certificate refutes a member."""

from __future__ import annotations

from pathlib import Path

from analysis import inside_theorems


def test_quick(tmp_path: Path) -> None:
    data = inside_theorems.main(["--quick", "--out", str(tmp_path)])
    found = data["answers"]["grammars"]
    assert data["answers"]["refuted"] == 0, "two arguments that share nothing"
    assert found["symmetric classification"]["reached"] == ["mae"]
    assert found["symmetric classification"]["has it, not reached"] == []
    assert found["proper multilabel"]["reached"] == ["bce"]
    verdicts = found["symmetric classification"]["verdicts"]["symmetric_noise_robust"]
    assert verdicts["proved"] > 0.9 * sum(verdicts.values())
    assert (tmp_path / "inside_theorems.png").stat().st_size > 10_000
    again = inside_theorems.main(["--quick", "--out", str(tmp_path)])
    assert again["answers"] == data["answers"], "every cell is finished"

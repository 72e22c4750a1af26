"""The quick form: under much noise a symmetric loss pays, and what is found inside a theorem is proved to have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis import price_of_a_property as study


@pytest.mark.slow
def test_quick(tmp_path: Path) -> None:
    data = study.main(["--quick", "--out", str(tmp_path), "--runs", str(tmp_path / "runs")])
    assert set(data["cells"]) == {"digits, 0.6"}
    cell = data["answers"]["table"]["digits, 0.6"]
    assert set(cell) == {"ce", "free", "symmetric"}
    assert cell["free"]["candidates"] == cell["symmetric"]["candidates"], "equal budgets"
    assert cell["symmetric"]["accuracy"] > cell["ce"]["accuracy"] + 0.02
    picks = data["answers"]["picks by certificate"]["symmetric"]["digits, 0.6"]
    assert picks["symmetric"] == {"proved": 2, "refuted": 0, "unknown": 0}
    assert picks["proper"]["proved"] == 0, "by the theorem that excludes it"
    assert (tmp_path / "price_of_a_property.png").stat().st_size > 10_000


def test_every_cell_is_there_once_and_every_arm_has_the_same_size() -> None:
    cells = list(study.cells(quick=False))
    assert len(cells) == len(set(cells)) == 12
    assert [name for name, _ in cells[:4]] == ["digits"] * 4, "what is cheapest first"
    arms = study.searches()
    assert list(arms) == ["free", "proper", "symmetric", "calibrated"]
    sizes = [{k: v for k, v in arm.settings.items() if k != "inside"} for arm in arms.values()]
    assert all(size == sizes[0] for size in sizes)
    assert [arm.settings.get("inside") for arm in arms.values()] == [
        None,
        "proper",
        "symmetric",
        "calibrated",
    ]

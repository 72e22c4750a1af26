"""The quick form, and what is said of cells that are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import fewshot_ablation
from analysis.fewshot_ablation import BOTH, CENTROID, LOSS, MAML, OPTIMISER, ROWS, answers, key_of, printed

TABLE = "cifar-fs 5-way 5-shot"


def test_quick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = fewshot_ablation.main(["--quick", "--out", str(tmp_path)])
    rows = data["answers"]["tables"]["glyphs 5-way 1-shot"]["rows"]
    assert data["answers"]["missing"] == []
    assert rows[CENTROID]["interval"][0] > 20, "pretrained features tell classes apart that were never seen"
    assert rows[MAML]["setting"] == rows[CENTROID]["setting"] == "inductive"
    assert rows[BOTH]["setting"] == "transductive", "its loss sees the queries"
    assert rows[BOTH]["over MAML"] == pytest.approx(rows[BOTH]["mean"] - rows[MAML]["mean"])
    assert (tmp_path / "fewshot_ablation.png").stat().st_size > 10_000
    capsys.readouterr()
    again = fewshot_ablation.main(["--quick", "--out", str(tmp_path)])
    assert again["answers"] == data["answers"]
    assert not [line for line in capsys.readouterr().out.splitlines() if line[:5].strip().isdigit()]


def cell(scores: np.ndarray[Any, Any], train: float = 0.9) -> dict[str, Any]:
    return {
        "scores": scores.tolist(), "nearest": [0.5] * len(scores), "train": train, "setting": "inductive",
        "stopped": "", "seconds": 60.0,
    }  # fmt: skip


def test_differences_are_paired_and_parts_are_added_up() -> None:
    draw = np.random.default_rng(0)
    base = draw.uniform(0.4, 0.8, 600)  # tasks differ far more than learners
    gains = {MAML: 0.0, OPTIMISER: 0.02, LOSS: 0.06, BOTH: 0.07}
    cells = {
        key_of(TABLE, row, 0, None): cell(base + gain + draw.normal(0, 0.01, 600))
        for row, gain in gains.items()
    }
    cells[key_of(TABLE, MAML, 0, 16)] = cell(base, train=1.0)
    found = answers(cells, quick=False)[TABLE]
    over = found["rows"][BOTH]["interval over MAML"]
    assert over[0] < 7 < over[1]
    assert over[1] - over[0] < 0.5, "the spread of the tasks is taken out"
    assert found["rows"][BOTH]["verdict"] == "better"
    low, high = found["parts add up"]["interval"]
    assert low < -1 < high < 0, "0.07 - 0.02 - 0.06"
    assert found["gap"][MAML]["16"] == pytest.approx(100 * (1.0 - base.mean()))
    assert "both - optimiser - loss + MAML" in printed({TABLE: found})


def test_ties_are_said_to_be_ties() -> None:
    draw = np.random.default_rng(1)
    base = draw.uniform(0.4, 0.8, 600)
    noise = draw.normal(0, 0.05, 600)
    cells = {
        key_of(TABLE, MAML, 0, None): cell(base),
        key_of(TABLE, LOSS, 0, None): cell(base + noise - noise.mean()),
    }
    assert answers(cells, quick=False)[TABLE]["rows"][LOSS]["verdict"] == "tie"


def test_every_row_is_alike_but_for_what_it_adds() -> None:
    assert set(fewshot_ablation.TABLES[TABLE].rows) == set(ROWS)
    learners = [row for name, row in ROWS.items() if name != CENTROID]
    assert {row.method for row in learners} == {"npbml"}
    assert all("init" in row.parts for row in learners)

"""The quick form of the study of sine waves: NPBML learns a task better than MAML after each of 1 to 5 steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis import fewshot_sinusoid
from analysis.fewshot_sinusoid import MAML, NPBML, TRAINED, answers


def test_npbml_is_below_maml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = fewshot_sinusoid.main(["--quick", "--out", str(tmp_path)])
    found = data["answers"]
    gaps = found["NPBML minus MAML after 1 to 5 steps"]
    assert len(gaps) == TRAINED
    assert all(gap["interval"][1] < 0 for gap in gaps)
    assert all(not row["stopped"] for row in found["rows"].values())
    assert (tmp_path / "fewshot_sinusoid.png").stat().st_size > 10_000
    capsys.readouterr()
    again = fewshot_sinusoid.main(["--quick", "--out", str(tmp_path)])
    assert again["answers"] == found
    assert not [line for line in capsys.readouterr().out.splitlines() if line[:5].strip().isdigit()]


def test_intervals_are_over_tasks_and_over_seeds() -> None:
    draw = np.random.default_rng(0)
    tasks = draw.exponential(3.0, (200, 1))  # tasks differ more than learners
    fall = np.linspace(1, 0.5, fewshot_sinusoid.JUDGED + 1)
    cells = {
        f"{row}/{seed}": {
            "errors": (level * tasks * fall + 0.01 * seed).tolist(), "history": [], "stopped": "", "seconds": 1.0,
        }
        for row, level in ((MAML, 1.0), (NPBML, 0.5)) for seed in range(3)
    }  # fmt: skip
    found = answers(cells)
    row = found["rows"][MAML]
    wide, narrow = row["interval over tasks"][0], row["interval over seeds"][0]
    assert wide[1] - wide[0] > 5 * (narrow[1] - narrow[0]), "seeds see the same tasks"
    assert narrow[1] - narrow[0] == pytest.approx(2 * 4.3027 * 0.01 / 3**0.5, rel=1e-2)
    assert found["NPBML is below MAML, intervals apart, after steps"] == list(range(11))

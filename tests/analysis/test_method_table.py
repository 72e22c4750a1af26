"""The quick form, the budget that all methods share, and what the table says of its cells."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symloss as sl
from analysis import method_table
from analysis.method_answers import ROWS, answers, printed
from analysis.method_search import ARMS, search
from analysis.study import Study
from symloss.errors import DomainError


@pytest.mark.slow
def test_quick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = method_table.main(["--quick", "--out", str(tmp_path)])
    row = {label: each["mean"] for label, each in data["answers"]["table"]["wine"].items()}
    assert set(row) == set(ROWS)
    assert row["tuned"] > row["as is"], "tuning the learning rate is most of what there is to gain"
    assert min(row.values()) == row["as is"], "no method does worse than the loss that everybody has"
    assert data["answers"]["missing"] == []
    assert json.loads((tmp_path / "method_table.json").read_text()) == json.loads(json.dumps(data))
    assert (tmp_path / "method_table.png").stat().st_size > 10_000
    capsys.readouterr()
    # The JSON alone is enough to go on, with other code too.
    (tmp_path / "method_table.partial.jsonl").unlink(missing_ok=True)
    assert method_table.main(["--quick", "--out", str(tmp_path)])["answers"] == data["answers"]
    assert not [line for line in capsys.readouterr().out.splitlines() if line[:5].strip().isdigit()]
    assert set(Study.cells_of("method_table", data["settings"], tmp_path)) == set(data["cells"])


def test_nothing_is_begun_after_the_time_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = method_table.main(
        ["--minutes", "0", "--seeds", "1", "--tasks", "wine,digits", "--out", str(tmp_path)]
    )
    assert data["cells"] == {}
    assert len(data["answers"]["missing"]) == 2 * 8
    assert "16 searches are missing" in capsys.readouterr().out
    with pytest.raises(DomainError, match="no task iris here"):
        method_table.main(["--tasks", "iris", "--out", str(tmp_path)])


def test_methods_spend_the_same_steps() -> None:
    task = sl.load_task("wine", model="linear").with_settings(steps=20)
    budget, generation = 400, 4 * 20
    spent = {arm: search(task, arm, 0, budget, quick=True).steps for arm in ("evomal", "taylorglo")}
    # A generation's parents are scored again: the last may end half of that above or below.
    assert all(abs(steps - budget) <= generation for steps in spent.values()), spent
    assert set(method_table.SEARCHES) == set(ARMS) - {"raw"}


def test_whole_seeds_of_the_tables_come_first() -> None:
    assert list(method_table.jobs(["wine", "mnist-5k", "digits"], 2)) == [
        (0, "wine"), (0, "digits"), (1, "wine"), (1, "digits"), (0, "mnist-5k"),
    ]  # fmt: skip


def _cell(rows: dict[str, list[float]], better: bool, packed: str | None = None) -> dict[str, Any]:
    said = {"right": packed} if packed else {}
    return {
        "rows": {
            label: {"loss": label, "ordinary": False, "reported": {"mlp-2x64": {"tests": tests, **said}}}
            for label, tests in rows.items()
        },
        "test_rows": 20, "other_rows": 80, "metric": "accuracy" if better else "mse",
        "greater_is_better": better, "cpu": 1.0, "steps": 10, "all_steps": 20, "candidates": 5, "trained": 4,
    }  # fmt: skip


def _cells(task: str, better: bool, seeds: int, ours: float) -> dict[str, Any]:
    cells = {}
    for seed in range(seeds):
        named = {"as is": [0.5], "tuned": [0.4], "zoo": [0.4]}
        cells[f"{seed}/{task}/zoo"] = _cell(named, better)
        for arm in method_table.SEARCHES:
            score = ours + 0.01 * seed if arm == "evomal" else 0.4
            cells[f"{seed}/{task}/{arm}"] = _cell({arm: [score - 0.1, score + 0.1]}, better)
    return cells


def test_a_gain_is_one_whichever_way_the_metric_goes() -> None:
    cells = {**_cells("boston", False, 3, 0.3), **_cells("wine", True, 3, 0.5)}
    asked = [(seed, task) for seed in range(4) for task in ("boston", "wine")]
    found = answers(cells, asked, {"california": "no data"})
    over = {task: each["zoo"] for task, each in found["gains of EvoMAL over"].items()}
    assert over["boston"]["gain"] == pytest.approx(0.09)
    assert over["wine"]["gain"] == pytest.approx(0.11)
    half = 4.3027 * 0.01 * (1 / 3 + 0.25) ** 0.5
    assert over["wine"]["interval"] == pytest.approx([0.11 - half, 0.11 + half], rel=1e-3)
    # Four primary tests: two rows of two tables.
    larger = max(2 * over["boston"]["p"], 4 * over["wine"]["p"])
    assert over["boston"]["p corrected"] == pytest.approx(larger)
    assert over["wine"]["p corrected"] == pytest.approx(4 * over["wine"]["p"])
    assert "p corrected" not in found["gains of EvoMAL over"]["wine"]["ml3"]
    assert over["wine"]["verdict"] == "too few splits to tell"
    assert found["ranks"]["mean ranks"]["evomal"] == 1
    assert len(found["missing"]) == 2 * 8
    assert {line.split("/")[0] for line in found["missing"]} == {"3"}
    text = printed(found)
    assert "california: left out, no data" in text
    assert "16 searches are missing" in text


def test_a_search_that_found_nothing_is_said_and_the_rest_is_kept() -> None:
    cells = _cells("boston", False, 2, 0.3)
    cells["1/boston/gplfl"] = {"rows": {}, "failed": "no loss survived", "code": ""}
    found = answers(cells, [(seed, "boston") for seed in range(2)], {})
    assert found["failed"] == {"1/boston/gplfl": "no loss survived"}
    assert found["missing"] == []
    assert found["table"]["boston"]["gplfl"]["seeds"] == 1
    assert found["gains of EvoMAL over"]["boston"]["gplfl"]["n"] == 1
    assert "1/boston/gplfl found nothing: no loss survived" in printed(found)


def test_ranks_are_those_of_the_seeds_that_all_rows_have() -> None:
    cells = {**_cells("boston", False, 2, 0.3), **_cells("wine", True, 2, 0.5)}
    # A hard split that only some rows have must not make the others look good.
    cells["2/boston/evomal"] = _cell({"evomal": [9.0]}, better=False)
    found = answers(cells, [], {})["ranks"]
    assert found["seeds"] == {"boston": 2, "wine": 2}
    assert found["mean ranks"]["evomal"] == 1


def test_images_are_judged_by_their_test_rows() -> None:
    def pack(right: list[int]) -> str:
        return base64.b64encode(zlib.compress(np.asarray(right, np.uint8).tobytes())).decode()

    cells = {
        "0/mnist-5k/zoo": _cell({"zoo": [0.5, 0.5]}, True, pack([2, 0] * 50)),
        "0/mnist-5k/evomal": _cell({"evomal": [0.75, 0.75]}, True, pack([2, 1] * 50)),
    }
    found = answers(cells, [(0, "mnist-5k")], {})
    assert found["gains of EvoMAL over"] == {}, "one search is no sample of searches"
    row = found["test rows of the images"]["mnist-5k, mlp-2x64"]["zoo"]
    assert row["gain"] == pytest.approx(0.25)
    assert row["interval"][0] > 0.15
    assert row["p"] < 0.01
    assert 0.05 < row["detectable"] < 0.1

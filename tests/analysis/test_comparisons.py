"""What studies made of comparisons share: cells that are paid once, and judgements over cells."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

import symloss as sl
from analysis import comparisons
from analysis.comparison_figures import draw_gains
from analysis.comparisons import ComparisonStudy, Sizes
from analysis.judgements import row_of
from symloss.errors import TaskError
from symloss.tasks import SupervisedTask


def _study(folder: Path, **options: Any) -> ComparisonStudy:
    study = ComparisonStudy.start("x", None, ["--out", str(folder), "--runs", str(folder / "runs")], Sizes())
    return replace(study, sizes=Sizes(splits=2, seeds=1, steps=3), **options)


def _wine() -> SupervisedTask:
    return sl.load_task("wine", model="linear").with_settings(steps=3)


def _draw(_: Any) -> Figure:
    return Figure()


def test_a_finished_cell_is_not_trained_again_without_its_run_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = _study(tmp_path)
    study.compare("wine", _wine, {"brier": "brier"}, tune=False)
    data = study.finish({}, _draw)
    shutil.rmtree(tmp_path / "runs")
    monkeypatch.setattr(sl, "compare", lambda *_, **__: pytest.fail("trained again"))
    again = _study(tmp_path)
    again.compare("wine", _wine, {"brier": "brier"}, tune=False)
    assert again.finish({}, _draw) == data
    assert [row["name"] for row in data["cells"]["wine"]["rows"]] == ["ce", "brier", "brier"]
    # With other losses it is another cell.
    with pytest.raises(pytest.fail.Exception):
        again.compare("wine", _wine, {"brier": "mae"}, tune=False)


def test_a_stopped_cell_goes_on_and_holds_up_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = sl.compare

    def stopped(*arguments: Any, **options: Any) -> Any:
        def stop(stage: str, done: int, total: int) -> None:
            if done == 1:
                raise KeyboardInterrupt

        return compare(*arguments, **options, on_progress=stop)

    study = _study(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(sl, "compare", stopped)
        study.compare("wine", _wine, {"brier": "brier"}, tune=False)
        study.compare("next", _wine, {"brier": "brier"}, tune=False)
    assert study.waiting == ["wine", "next"]
    assert not study.cells
    monkeypatch.setattr(sl, "compare", lambda *_, **__: pytest.fail("begun anew"))
    again = _study(tmp_path)
    again.compare("wine", _wine, {"brier": "brier"}, tune=False)
    found = compare(_wine(), ["brier"], seeds=1, splits=2, tune=False, model=None)
    assert again.cells["wine"]["rows"][1]["scores"] == pytest.approx(list(found.rows[1].scores), rel=1e-5)


def test_what_has_no_data_is_left_out_and_time_ends_before_a_cell(tmp_path: Path) -> None:
    def absent() -> SupervisedTask:
        raise TaskError("needs its file")

    study = _study(tmp_path)
    study.compare("absent", absent, {"brier": "brier"})
    late = replace(study, ends=0.0)
    late.compare("late", _wine, {"brier": "brier"})
    data = late.finish({}, _draw)
    assert data["answers"] == {
        "seconds": 0, "left out": {"absent": "needs its file"}, "not finished": ["late"],
    }  # fmt: skip
    assert not (tmp_path / "x.png").exists(), "without cells there is nothing to draw"


def test_a_given_loss_is_not_searched_and_stands_in_the_data(tmp_path: Path) -> None:
    study = _study(tmp_path, given="-y*log(p)")
    assert study.search(_wine) == "-y*log(p)"
    assert json.loads((tmp_path / "x.json").read_text())["cells"]["search"]["formula"] == "-y*log(p)"
    assert '--loss "-y*log(p)"' in study.command


def test_one_task_a_split_becomes_one_row_a_loss(tmp_path: Path) -> None:
    study = _study(tmp_path)
    tasks = [replace(_wine(), name=f"wine {i}") for i in range(2)]
    study.compare("wine", lambda: tasks, {"brier": "brier"}, tune=False)
    cell = study.cells["wine"]
    row = row_of(cell, "brier", "as is")
    assert row is not None
    assert len(row["scores"]) == 2
    assert row["mean"] == pytest.approx(sum(row["scores"]) / 2)
    assert cell["overlap"] == pytest.approx(36 / 142, rel=1e-5)


def test_a_pick_with_a_name_is_passed_over() -> None:
    class Row:
        def __init__(self, name: str, finals: tuple[float, ...]) -> None:
            self.name, self.finals = name, finals

    class Found:
        signs = (-1.0,)
        finalists = (Row("gce", (0.9,)), Row("", (0.7, 0.7)), Row("", (0.8, 0.8)))
        picked = finalists[0]

    assert comparisons._found(Found()) is Found.finalists[2]  # type: ignore[arg-type]
    Found.finalists = (Found.picked,)
    assert comparisons._found(Found()) is Found.picked  # type: ignore[arg-type]


def test_a_panel_shows_every_row_that_any_has() -> None:
    over = {"gain": 0.01, "interval": [0.0, 0.02]}
    hardest = {"gain": -0.01, "low": -0.02, "margin": 0.01}
    fig = draw_gains(
        {"one": {"a": (over, hardest)}, "two": {"b": (None, hardest)}}, ("x", "y"), "z", unit=100
    )
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["x", "y"]

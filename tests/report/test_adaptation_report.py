"""An adaptation as a table, sentences and a picture: drawn from made-up rows."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from symloss.compare import Adaptation, AdaptationRow, Step
from symloss.report import (
    adaptation_sentences,
    adaptation_table,
    path_table,
    plot_adaptation,
    write_adaptation_files,
)


def row(name: str, verdict: str, **more: Any) -> AdaptationRow:
    known: dict[str, Any] = {
        "mean": 0.9, "interval": (0.88, 0.92), "difference": -0.02, "difference_interval": (-0.03, -0.01), "p": 0.01,
        "p_corrected": None, "diverged": 0, "scores": (0.9,), "seconds": 1.5,
    }  # fmt: skip
    return AdaptationRow(name=name, verdict=verdict, **{**known, **more})


def path(shift: float) -> tuple[Step, ...]:
    return tuple(
        Step(i * 10, 0.5 + 0.1 * i, 0.8, 0.22, 1.0 + shift + i, {"a": 1.0}, 2.0, "a_$*y", ("attractor",))
        for i in range(4)
    )


NOTHING: dict[str, Any] = {"difference": None, "difference_interval": None, "p": None}
FOUND = Adaptation(
    path=None, task={"name": "digits"}, metric="accuracy", loss="y*$", seed=0, seeds=3, settings={},
    rows=(row("adaptive", "baseline", **NOTHING), row("replayed", "worse", p_corrected=0.02),
          row("fixed", "worse", diverged=2, note="2 of 3 diverged, as at step 3: it broke")),
    moved=0.5, moved_shape=0.1, trajectories=(path(0.0), path(0.1), path(0.3)),
    claims={"adaptivity": "yes: better than its path replayed on another start"},
)  # fmt: skip


def printed(table: Table) -> str:
    place = io.StringIO()
    Console(file=place, width=200).print(table)
    return place.getvalue()


def test_the_table_says_what_is_against_what() -> None:
    text = printed(adaptation_table(FOUND))
    assert "against adaptive" in text
    assert "worse (2 diverged)" in text
    assert "-0.03 to -0.01" in text
    assert "0.02" in text


def test_the_path_leaves_out_what_is_not_known() -> None:
    assert "attractor" in printed(path_table(FOUND))
    bare = tuple(replace(step, attractor=None, label_smoothing=None, formula=None) for step in path(0.0))
    text = printed(path_table(replace(FOUND, trajectories=(bare,))))
    assert "attractor" not in text
    assert "loss" not in text
    assert "sharpness" in text


def test_sentences() -> None:
    moved, claim = adaptation_sentences(FOUND)
    assert (
        moved
        == "The loss moved: its gradient changed by 50.0% of itself online, with its scale taken out by 10.0%."
    )
    assert claim == "Does adapting help? yes: better than its path replayed on another start."


def test_the_picture_has_a_panel_for_each_number_that_is_known() -> None:
    figure = plot_adaptation(FOUND)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [
        "validation accuracy", "attractor p*", "implied label smoothing", "implicit learning rate", "sharpness",
    ]  # fmt: skip
    figure.draw_without_rendering()
    low, high = figure.axes[1].get_ylim()
    assert high - low >= 0.02
    spread = FOUND.spread("implicit_learning_rate")
    assert spread[0] == pytest.approx(0.1528, abs=1e-3)


def test_files_are_written_beside_the_run(tmp_path: Path) -> None:
    assert write_adaptation_files(FOUND) == []
    (tmp_path / "path.csv").write_text(FOUND.to_csv())
    written = write_adaptation_files(replace(FOUND, path=tmp_path))
    assert [file.name for file in written] == ["path.csv", "path.png"]
    assert written[1].stat().st_size > 10_000
    assert FOUND.to_csv().splitlines()[1].startswith("0,0,0.5,0.8,0.22,1.0,2.0,")

"""A true front is confirmed number by number; a touched one is found out."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import symloss as sl
from symloss.errors import RunError, TaskError
from symloss.runs import RunStore


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verify") / "run"
    task = sl.load_task("wine").with_settings(steps=40)
    blocks = {"sweep": 2, "strangers": 2, "final": 2, "finalists": 3}
    sl.discover(task, method="random", seed=3, population=6, generations=1, blocks=blocks, out=path)
    return path


def test_a_true_front_holds(run: Path) -> None:
    checks = sl.verify(run)
    rows = sl.open_run(run).front
    assert rows
    assert {check.where for check in checks} == {
        "front.csv",
        "front.json",
        "run",
        *(f"row {r.row}" for r in rows),
    }
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]
    assert {"formula", "complexity", "validation"} <= {check.what for check in checks}


def test_a_touched_file_is_found_out(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    text = (copy / "front.csv").read_text()
    (copy / "front.csv").write_text(text.replace(",0,", ",1,", 1).replace(",", ";", 1))
    (copy / "front.json").unlink()
    bad = [check for check in sl.verify(copy) if not check.holds]
    assert [check.where for check in bad] == ["front.csv", "front.json"]
    assert "differs from the run's record" in bad[0].note


def test_a_touched_record_is_found_out(run: Path, tmp_path: Path) -> None:
    """A better score written into the database is not what training gives."""
    copy = shutil.copytree(run, tmp_path / "copy")
    with sqlite3.connect(copy / "run.sqlite") as connection:
        rows = connection.execute("SELECT key, payload FROM records WHERE kind = 'evaluation'").fetchall()
        for key, payload in rows:
            data = json.loads(payload)
            data.update(blocks=[[block, [0.123]] for block, _ in data["blocks"]])
            connection.execute(
                "UPDATE records SET payload = ? WHERE kind = 'evaluation' AND key = ?",
                (json.dumps(data), key),
            )
    connection.close()
    assert any(check.what == "candidates" and not check.holds for check in sl.verify(copy))


def test_touched_finals_are_found_out(run: Path, tmp_path: Path) -> None:
    copy = _edited(run, tmp_path / "copy", "front", _luckier)
    assert any(check.what == "front" and not check.holds for check in sl.verify(copy))


def test_touched_headroom_is_found_out(run: Path, tmp_path: Path) -> None:
    def more(data: Any) -> Any:
        if isinstance(data, list) and data and isinstance(data[0], dict) and "noise" in data[0]:
            return [{**data[0], "headroom": 9.0}]
        return data

    copy = _edited(run, tmp_path / "copy", "front", more)
    assert any(check.what == "headroom" and not check.holds for check in sl.verify(copy))


def test_a_touched_scale_or_name_is_found_out(run: Path, tmp_path: Path) -> None:
    for key, value in (("scale", 7.0), ("name", "the best")):
        copy = _edited(
            run, tmp_path / key, "evaluation", lambda data, new=(key, value): dict([*data.items(), new])
        )
        assert any(check.what == "candidates" and not check.holds for check in sl.verify(copy)), key


def test_a_final_block_or_a_finalist_left_out_is_found_out(run: Path, tmp_path: Path) -> None:
    row = sl.open_run(run).front[0].evaluation

    def shorter(data: Any) -> Any:
        return _rows(
            data, lambda each: {**each, "blocks": each["blocks"][:1]} if each["number"] == row else each
        )

    def fewer(data: Any) -> Any:
        return _rows(data, lambda each: None if each["number"] == row else each)

    for name, change in (("shorter", shorter), ("fewer", fewer)):
        copy = _edited(run, tmp_path / name, "front", change)
        assert any(check.what == "front" and not check.holds for check in sl.verify(copy)), name


def _luckier(data: Any) -> Any:
    return _rows(data, lambda each: {**each, "blocks": [[b, [v[0] + 0.01]] for b, v in each["blocks"]]})


def _rows(data: Any, change: Callable[[dict[str, Any]], Any]) -> Any:
    """The record of the finals with each of its rows changed, or left out; anything else as it is."""
    if not (isinstance(data, dict) and "rows" in data):
        return data
    return {**data, "rows": [row for row in map(change, data["rows"]) if row is not None]}


def _edited(run: Path, copy: Path, kind: str, change: Callable[[Any], Any]) -> Path:
    shutil.copytree(run, copy)
    with sqlite3.connect(copy / "run.sqlite") as connection:
        for key, payload in connection.execute("SELECT key, payload FROM records WHERE kind = ?", (kind,)):
            text = json.dumps(change(json.loads(payload)))
            connection.execute("UPDATE records SET payload = ? WHERE kind = ? AND key = ?", (text, kind, key))
    connection.close()
    return copy


def test_touched_answers_are_found_out(run: Path, tmp_path: Path) -> None:
    """Whoever touches the answers of the workers too is found out by the training itself."""

    def better(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        values = [
            {"values": [[0.9 + 0.01 * i for _ in a["values"][0]]]} if "values" in a else {}
            for i, a in enumerate(answers)
        ]
        return [{**answer, **value} for answer, value in zip(answers, values, strict=True)]

    copy = _edited(run, tmp_path / "copy", "work", better)
    assert any(not check.holds for check in sl.verify(copy))


@pytest.mark.parametrize("change", [lambda _: None, lambda _: [{}], lambda answers: answers[:-1]])
def test_answers_without_form_are_worked_out_again(
    run: Path, tmp_path: Path, change: Callable[[Any], Any]
) -> None:
    copy = _edited(run, tmp_path / "copy", "work", change)
    assert any("does not" in check.note for check in sl.verify(copy))
    with RunStore.open(copy, write=True) as store:
        store.status = "running"
    assert sl.resume(copy).status == "finished"
    assert (copy / "front.csv").read_bytes() == (run / "front.csv").read_bytes()


@pytest.mark.parametrize("limit", [0.0, None])
def test_a_front_of_chaotic_losses_holds_to_the_last_bit(tmp_path: Path, limit: float | None) -> None:
    """Steep losses amplify rounding, so only the run's own arithmetic arrives at its numbers."""
    task = sl.load_task("diabetes", model="mlp-1x16").with_settings(steps=60)
    small: dict[str, Any] = {
        "population": 6, "generations": 2, "tuning": {"steps": 3}, "screening": {"sample": 0},
        "blocks": {"headroom": False, "zoo": False, "final": 2, "finalists": 2},
    }  # fmt: skip
    steep = ["psqrt(y - p)", "psqrt(1.2*y - 1.1*p)"]
    sl.discover(task, out=tmp_path / "run", seed_losses=steep, time_limit=limit, **small)
    checks = sl.verify(tmp_path / "run")
    assert all(check.holds and not check.note for check in checks), checks


def test_several_tasks(tmp_path: Path) -> None:
    names = ("wine", "breast-cancer")
    tasks = [sl.load_task(name, model="linear").with_settings(steps=20) for name in names]
    small: dict[str, Any] = {
        "population": 6, "generations": 1, "tuning": {"steps": 3}, "screening": {"sample": 0},
        "blocks": {"headroom": False, "zoo": False, "final": 2, "finalists": 2},
    }  # fmt: skip
    sl.discover(tasks, out=tmp_path / "run", **small)
    checks = sl.verify(tmp_path / "run")
    assert all(check.holds for check in checks), checks
    said = {check.what for check in checks}
    assert {"validation, final block 1 on wine", "validation, final block 2 on breast-cancer"} <= said


def test_what_cannot_be_verified(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not exist"):
        sl.verify(tmp_path / "none")
    with pytest.raises(TaskError, match="is not the task of this run"):
        sl.verify(run, task=sl.load_task("wine", seed=1).with_settings(steps=40))

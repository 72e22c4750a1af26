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
    sl.discover(task, method="random", seed=3, population=8, generations=1, out=path)
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
            data.update(validation=0.123, fitness=-0.123, scores=dict.fromkeys(data["scores"], 0.123))
            connection.execute(
                "UPDATE records SET payload = ? WHERE kind = 'evaluation' AND key = ?",
                (json.dumps(data), key),
            )
    connection.close()
    assert any(check.what == "candidates" and not check.holds for check in sl.verify(copy))


def test_touched_fresh_values_are_found_out(run: Path, tmp_path: Path) -> None:
    copy = _edited(
        run, tmp_path / "copy", "front", lambda data: _luckier(data) if isinstance(data, dict) else data
    )
    assert any(check.what == "validation" and not check.holds for check in sl.verify(copy))


def test_a_touched_scale_or_rung_is_found_out(run: Path, tmp_path: Path) -> None:
    for key, value in (("scale", 7.0), ("rungs", {"0.2": {"wine": 0.9}})):
        copy = _edited(
            run, tmp_path / key, "evaluation", lambda data, new=(key, value): dict([*data.items(), new])
        )
        assert any(check.what == "candidates" and not check.holds for check in sl.verify(copy)), key


def test_a_fresh_seed_or_a_finalist_left_out_is_found_out(run: Path, tmp_path: Path) -> None:
    row = sl.open_run(run).front[0].evaluation

    def shorter(data: Any) -> Any:
        return {**data, str(row): data[str(row)][:2]} if isinstance(data, dict) else data

    def fewer(data: Any) -> Any:
        return {key: data[key] for key in data if key != str(row)} if isinstance(data, dict) else data

    for name, change in (("shorter", shorter), ("fewer", fewer)):
        copy = _edited(run, tmp_path / name, "front", change)
        assert any(check.what == "front" and not check.holds for check in sl.verify(copy)), name


def _luckier(data: dict[str, Any]) -> dict[str, Any]:
    return {key: [value - 0.05 for value in values] for key, values in data.items()}


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
        values = [{"values": [0.9 + 0.01 * i]} if "values" in a else {} for i, a in enumerate(answers)]
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
    small = {"population": 6, "generations": 2, "tuning_steps": 3, "fresh_seeds": 2, "sample": 0}
    steep = ["psqrt(y - p)", "psqrt(1.2*y - 1.1*p)"]
    sl.discover(task, out=tmp_path / "run", seed_losses=steep, time_limit=limit, **small)
    checks = sl.verify(tmp_path / "run")
    assert all(check.holds and not check.note for check in checks), checks


def test_several_tasks(tmp_path: Path) -> None:
    names = ("wine", "breast-cancer")
    tasks = [sl.load_task(name, model="linear").with_settings(steps=20) for name in names]
    small = {"population": 6, "generations": 1, "tuning_steps": 3, "fresh_seeds": 2, "sample": 0}
    sl.discover(tasks, out=tmp_path / "run", **small)
    checks = sl.verify(tmp_path / "run")
    assert all(check.holds for check in checks), checks
    assert {"validation on wine", "validation on breast-cancer"} <= {check.what for check in checks}


def test_what_cannot_be_verified(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not exist"):
        sl.verify(tmp_path / "none")
    with pytest.raises(TaskError, match="is not the task of this run"):
        sl.verify(run, task=sl.load_task("wine", seed=1).with_settings(steps=40))

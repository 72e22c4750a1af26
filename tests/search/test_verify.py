"""A true front is confirmed number by number; a touched one is found out."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

import symloss as sl
from symloss.errors import RunError, TaskError


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
    assert {check.where for check in checks} == {"front.csv", "front.json", *(f"row {r.row}" for r in rows)}
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]
    assert {"formula", "complexity", "validation"} <= {check.what for check in checks}


def test_a_touched_file_is_found_out(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    text = (copy / "front.csv").read_text()
    (copy / "front.csv").write_text(text.replace("0.", "0.9", 1))
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
    assert any(check.what == "validation" and not check.holds for check in sl.verify(copy))


def test_what_cannot_be_verified(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not exist"):
        sl.verify(tmp_path / "none")
    with pytest.raises(TaskError, match="is not the task of this run"):
        sl.verify(run, task=sl.load_task("wine", seed=1).with_settings(steps=40))

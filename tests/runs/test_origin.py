"""How a run was begun."""

from __future__ import annotations

import platform
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from symloss.runs import Origin, RunStore, began_with


def test_a_run_keeps_the_words_and_the_versions(tmp_path: Path) -> None:
    with (
        began_with(["discover", "wine", "--seed", "1"]),
        RunStore.create(tmp_path / "a", {"seed": 1}) as store,
    ):
        assert store.origin.command == ("discover", "wine", "--seed", "1")
    with RunStore.open(tmp_path / "a") as again:
        assert again.origin.versions["python"] == platform.python_version()
        assert {"torch", "sympy", "symloss"} <= set(again.origin.versions)
        assert again.config == {"seed": 1}
    with RunStore.create(tmp_path / "b", {}) as other:  # nothing is left over from the run before
        assert other.origin.command == ()


@pytest.mark.parametrize("payload", ["[]", '{"command": "rm -rf", "versions": [1]}', "{}"])
def test_what_a_stranger_wrote_is_text_or_nothing(tmp_path: Path, payload: str) -> None:
    with RunStore.create(tmp_path / "a", {}):
        pass
    with closing(sqlite3.connect(tmp_path / "a" / "run.sqlite")) as connection, connection:
        connection.execute("UPDATE meta SET payload = ? WHERE key = 'origin'", (payload,))
    with RunStore.open(tmp_path / "a") as store:
        assert store.origin == Origin()
    with closing(sqlite3.connect(tmp_path / "a" / "run.sqlite")) as connection, connection:
        connection.execute("DELETE FROM meta WHERE key = 'origin'")
    with RunStore.open(tmp_path / "a") as store:  # of a version before this
        assert store.origin == Origin()

"""The cache of arrays: made once, made again where damaged, done without where it cannot be written."""

from __future__ import annotations

import numpy as np
import pytest

from symloss.tasks.episodes.cache import cache_folder, remembered


@pytest.fixture
def made(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def make():
        calls.append(1)
        return {"numbers": np.arange(4)}

    def ask(made_of="a"):
        assert remembered("set", made_of, make)["numbers"].tolist() == [0, 1, 2, 3]
        return len(calls)

    return ask


def test_made_once_and_again_for_something_else(made):
    assert [made(), made(), made("b"), made("b")] == [1, 1, 2, 2]
    assert len([*cache_folder().iterdir()]) == 2  # and no half-written file


@pytest.mark.parametrize("damage", ["short", "other", "array", "pickle"])
def test_a_damaged_file_is_made_again(made, damage):
    made()
    (path,) = cache_folder().iterdir()
    if damage == "short":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == "other":
        path.write_bytes(b"not an archive")
    elif damage == "array":
        with path.open("wb") as file:
            np.save(file, np.arange(3))
    else:
        np.savez(path, numbers=np.array([{}], dtype=object))
    assert [made(), made()] == [2, 2]


def test_no_folder_no_cache(made, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert [made(), made()] == [1, 2]

"""The log of a run: what, when, and no effect on anything else."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from symloss.runs import LOG, RunLog, RunStore


def test_every_line_has_its_time(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, {}) as store:
        store.log("generation %d", 3)
    with RunStore.open(tmp_path, write=True) as store:
        store.log("ende: %s", "Größe 50 %")
    lines = (tmp_path / LOG).read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}  ", line) for line in lines)
    said = [line.partition("  ")[2] for line in lines]
    assert said[0].startswith("begun with python ")
    assert "symloss " in said[0]
    assert said[1] == "generation 3"
    assert said[2].startswith("opened to be written, with python ")
    assert said[3] == "ende: Größe 50 %"


def test_runs_do_not_write_into_each_other(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / "a", {}) as one, RunStore.create(tmp_path / "b", {}) as other:
        one.log("of a")
        other.log("of b")
    assert "of b" not in (tmp_path / "a" / LOG).read_text()


def test_what_stops_a_run_is_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too large"), RunStore.create(tmp_path, {}):
        raise ValueError("too large")
    assert (tmp_path / LOG).read_text().endswith("stopped by ValueError: too large\n")


def test_reading_writes_no_log(tmp_path: Path) -> None:
    RunStore.create(tmp_path, {}).close()
    before = (tmp_path / LOG).read_bytes()
    with RunStore.open(tmp_path) as store:
        store.log("looked at")
    assert (tmp_path / LOG).read_bytes() == before


def test_a_program_may_listen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with RunStore.create(tmp_path, {}) as store:
        store.log("not heard: the level is that of the program")
        with caplog.at_level(logging.INFO, "symloss"):
            store.log("heard")
    assert [record.getMessage() for record in caplog.records] == ["heard"]
    RunLog(None)("a run in memory has no file")


def test_stages_are_told_on_and_their_end_is_written(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with RunStore.create(tmp_path, {}) as store:
        tell = store.log.stages(lambda *state: told.append(state))
        tell("training", 1, 2)
        tell("training", 2, 2)
        store.log.stages(None)("tuning", 1, 1)
    assert told == [("training", 1, 2), ("training", 2, 2)]
    text = (tmp_path / LOG).read_text()
    assert text.count("training") == 1
    assert "tuning: 1 of 1" in text


def test_a_log_that_cannot_be_written_ends_no_run(tmp_path: Path) -> None:
    (tmp_path / LOG).mkdir()
    with RunStore.create(tmp_path, {}) as store:
        store.put("e", 1, 1)
        assert store.get("e", 1) == 1

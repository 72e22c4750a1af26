"""What was put is there after any ending; what is wrong is said in one line and nothing is lost."""

from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from symloss.errors import RunError
from symloss.runs import SCHEMA, RunStore, list_runs
from symloss.runs import store as store_file
from symloss.runs.store import taken


def test_round_trip(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / "a", {"seed": 3, "rate": math.inf}) as store:
        store.put("evaluation", 11, {"fitness": math.nan, "slots": (1, 2)})
        store.put_many("evaluation", [(2, -math.inf), ("note", "ö")])
        store.put("evaluation", 2, "replaced")
        store.status = "finished"
    with RunStore.open(tmp_path / "a") as store:
        assert store.config == {"seed": 3, "rate": math.inf}
        assert store.status == "finished"
        records = dict(store.all("evaluation"))
        assert list(records) == ["2", "11", "note"]
        assert math.isnan(records["11"]["fitness"])
        assert store.get("evaluation", 2) == "replaced"
        assert store.get("evaluation", 3) is None
        assert store.all("nothing") == []


def test_a_failing_batch_leaves_nothing(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, {}) as store:
        with pytest.raises(TypeError, match="not JSON serializable"):
            store.put_many("e", [(1, 1), (2, object())])
        assert store.all("e") == []


def test_reader_beside_writer_but_one_writer(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, {}) as writer:
        writer.put("e", 1, 1)
        with RunStore.open(tmp_path) as reader:
            assert reader.all("e") == [("1", 1)]
            with pytest.raises(RunError, match="open for reading only"):
                reader.put("e", 2, 2)
            with pytest.raises(RunError, match="being written by another process"):
                RunStore.open(tmp_path, write=True)
    with RunStore.open(tmp_path, write=True) as again:
        again.put("e", 2, 2)


def test_create_never_overwrites(tmp_path: Path) -> None:
    RunStore.create(tmp_path, {"mine": True}).close()
    with pytest.raises(RunError, match="holds a run: go on with 'symloss resume"):
        RunStore.create(tmp_path, {})
    with RunStore.open(tmp_path) as store:
        assert store.config == {"mine": True}


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"holds other files, as notes.txt, and no run: choose a new folder"):
        RunStore.create(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    # What a kill leaves of a run that was being made is in nobody's way.
    half = tmp_path / "half"
    half.mkdir()
    for name in ("run.lock", "run.sqlite.new", ".front.csv.new"):
        (half / name).write_text("")
    RunStore.create(half, {}).close()


def test_a_text_of_twelve_digits_is_a_key_of_its_own(tmp_path: Path) -> None:
    texts = ["000000000012", "123456789012", "text:000000000012", "text:", "١٢٣٤٥٦٧٨٩٠١٢", "²" * 12, "12"]
    with RunStore.create(tmp_path, {}) as store:
        store.put_many("n", [(12, "number"), *((text, text) for text in texts if text != "12")])
        store.put_many("t", [(text, text) for text in texts])
        assert store.get("n", 12) == "number"
        assert all(store.get("t", text) == text for text in texts)
        assert sorted(store.all("t")) == sorted((text, text) for text in texts)
        assert dict(store.all("n"))["12"] == "number"
        assert len(store.all("n")) == len(texts)


def test_a_run_made_while_another_waited_for_the_lock_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(path: Path) -> object:
        monkeypatch.undo()
        with RunStore.create(path, {"first": True}):
            pass
        return taken(path)

    monkeypatch.setattr(store_file, "taken", late)
    with pytest.raises(RunError, match="holds a run"):
        RunStore.create(tmp_path / "a", {"first": False})
    with RunStore.open(tmp_path / "a") as kept:
        assert kept.config == {"first": True}


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        RunStore.open(tmp_path)
    with pytest.raises(RunError, match="does not exist"):
        RunStore.open(tmp_path / "b")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        RunStore.create(tmp_path / "file" / "run", {})


def test_damaged_and_newer_runs(tmp_path: Path) -> None:
    RunStore.create(tmp_path / "run", {"seed": 1}).close()
    database = tmp_path / "run" / "run.sqlite"
    whole = database.read_bytes()
    for broken in (
        b"",
        whole[: len(whole) // 2],
        b"garbage" * 1000,
        whole[:100] + b"\xff" * 4000 + whole[4100:],
    ):
        database.write_bytes(broken)
        with pytest.raises(RunError, match=r"is damaged|cannot be"):
            RunStore.open(tmp_path / "run").config  # noqa: B018
        assert database.read_bytes() == broken, "what is damaged is left for its owner to look at"
    database.write_bytes(whole)
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE meta SET payload = ? WHERE key = 'schema'", (str(SCHEMA + 1),))
    connection.close()
    with pytest.raises(RunError, match=f"newer symloss \\(schema {SCHEMA + 1}"):
        RunStore.open(tmp_path / "run", write=True)


def test_a_stranger_s_payload_is_data(tmp_path: Path) -> None:
    RunStore.create(tmp_path, {}).close()
    with sqlite3.connect(tmp_path / "run.sqlite") as connection:
        payloads = ("__import__('os').system('touch pwned')", "[" * 100_000, "9" * 5000, b"\xff", "")
        for key, payload in enumerate(payloads):
            connection.execute("INSERT INTO records VALUES ('e', ?, ?)", (key, payload))
    connection.close()
    with RunStore.open(tmp_path) as store:
        for key in map(str, range(len(payloads))):
            with pytest.raises(RunError, match="holds no JSON"):
                store.get("e", key)


@pytest.mark.parametrize(
    ("key", "payload"), [("schema", "[]"), ("schema", "one"), ("config", "[1]"), ("config", "null")]
)
def test_what_is_not_said_is_damage(tmp_path: Path, key: str, payload: str) -> None:
    RunStore.create(tmp_path, {}).close()
    with sqlite3.connect(tmp_path / "run.sqlite") as connection:
        connection.execute("UPDATE meta SET payload = ? WHERE key = ?", (payload, key))
    connection.close()
    with pytest.raises(RunError, match="is damaged"), RunStore.open(tmp_path) as store:
        store.config  # noqa: B018


def test_text_files_are_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunStore.create(tmp_path, {}) as store:
        store.write_text("front.csv", "old\n")

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(RunError, match="cannot be written: No space left"):
            store.write_text("front.csv", "new\n")
        monkeypatch.undo()
        assert (tmp_path / "front.csv").read_text() == "old\n"
        assert not list(tmp_path.glob(".front*"))
        store.write_text("front.csv", "new\n")
        assert (tmp_path / "front.csv").read_text() == "new\n"


def test_list_runs(tmp_path: Path) -> None:
    for name in ("a", "b"):
        RunStore.create(tmp_path / name, {}).close()
        os.utime(tmp_path / name / "run.sqlite", (0, 1 if name == "a" else 2))
    (tmp_path / "notes").mkdir()
    assert [path.name for path in list_runs(tmp_path)] == ["b", "a"]
    with pytest.raises(RunError, match="no folder"):
        list_runs(tmp_path / "c")


_WRITER = """
import sys
from symloss.runs import RunStore
with RunStore.open(sys.argv[1], write=True) as store:
    for i in range(10**9):
        store.put("e", i, i)
        print(i, flush=True)
"""


def test_a_kill_loses_nothing_that_was_put(tmp_path: Path) -> None:
    RunStore.create(tmp_path, {}).close()
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        try:
            assert writer.stdout is not None
            said = [int(writer.stdout.readline()) for _ in range(20)][-1]
        finally:
            writer.kill()
    with RunStore.open(tmp_path, write=True) as store:
        kept = [payload for _, payload in store.all("e")]
    assert kept == list(range(len(kept)))
    assert len(kept) > said


_LIMITED = """
import json, resource, signal, sys
from symloss.errors import RunError
from symloss.runs import RunStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with RunStore.open(sys.argv[1], write=True) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        for i in range(1000):
            store.put("e", i, "x" * 5000)
    except RunError as error:
        print(json.dumps({"kept": i, "error": str(error)}))
"""


def test_a_write_that_fails_is_said_and_the_rest_kept(tmp_path: Path) -> None:
    RunStore.create(tmp_path, {}).close()
    out = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout
    told = json.loads(out)
    assert "cannot be written" in told["error"]
    with RunStore.open(tmp_path, write=True) as store:
        assert len(store.all("e")) == told["kept"] > 0


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A run whose writer died: what it put last stands in the log alone."""
    with RunStore.create(tmp_path / "run", {}) as store:
        for i in range(20):
            store.put("e", i, i)
        shutil.copytree(tmp_path / "run", tmp_path / "killed")
    assert (tmp_path / "killed" / "run.sqlite-wal").stat().st_size > 10_000
    (tmp_path / "killed" / "run.sqlite-shm").unlink()
    return tmp_path / "killed"


def test_a_torn_log_costs_what_was_being_written(killed: Path) -> None:
    log = killed / "run.sqlite-wal"
    whole = log.read_bytes()
    kept = []
    for share in (1.0, 0.9, 0.5, 0.1, 0.0):
        log.write_bytes(whole[: int(share * len(whole))] + b"\x07" * 100)
        (killed / "run.sqlite-shm").unlink(missing_ok=True)
        with RunStore.open(killed) as store:
            found = [payload for _, payload in store.all("e")]
        assert found == list(range(len(found)))
        kept.append(len(found))
    assert kept[0] == 20
    assert kept == sorted(kept, reverse=True)
    with RunStore.open(killed, write=True) as store:
        store.put("e", 0, "goes on")


def test_the_log_of_a_killed_run_is_read_where_nothing_can_be_written(
    killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    before = sorted(path.name for path in killed.iterdir())
    with RunStore.open(killed) as store:
        assert len(store.all("e")) == 20
    assert sorted(path.name for path in killed.iterdir()) == before


def test_read_only_folder(tmp_path: Path) -> None:
    RunStore.create(tmp_path / "run", {"seed": 1}).close()
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    for side in ("run.sqlite-wal", "run.sqlite-shm"):
        (tmp_path / "copy" / side).unlink(missing_ok=True)
    (tmp_path / "copy" / "run.sqlite").chmod(0o444)
    (tmp_path / "copy").chmod(0o555)
    try:
        with RunStore.open(tmp_path / "copy") as store:
            assert store.config == {"seed": 1}
    finally:
        (tmp_path / "copy").chmod(0o755)


def test_a_log_that_is_cut_short_costs_little(tmp_path: Path) -> None:
    """What was written long ago is in the database itself, not in the log beside it."""
    store = RunStore.create(tmp_path / "run", {})
    for number in range(200):
        store.put("work", number, "x" * 4000)
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "run", copy)  # as a kill leaves it
    store.close()
    (copy / "run.sqlite-wal").unlink()
    (copy / "run.sqlite-shm").unlink()
    with RunStore.open(copy) as cut:
        assert len(cut.all("work")) > 100


def test_an_emptied_database_is_damaged(tmp_path: Path) -> None:
    RunStore.create(tmp_path / "run", {}).close()
    (tmp_path / "run" / "run.sqlite").write_bytes(b"")
    with pytest.raises(RunError, match="is damaged: no such table: meta; nothing was changed"):
        RunStore.open(tmp_path / "run")

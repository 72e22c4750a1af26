"""One folder a run: an SQLite database with one writer, and text files that are replaced whole.

The database is in WAL mode with `synchronous=FULL`: what `put` has returned from survives a kill and a
power cut. Payloads are JSON, never pickles: a stranger's folder is read, not run. The store knows nothing of
losses. Beside it lies `run.log`, which says what was done and when, and which nothing reads back.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import IO, Any, Self

from symloss.errors import RunError
from symloss.runs.lock import LOCK, taken
from symloss.runs.log import LOG, RunLog
from symloss.runs.origin import Origin, origin_of_this

__all__ = ["SCHEMA", "RunStore", "check_free", "list_runs", "verb_of"]

SCHEMA = 1
"""Version of the tables; a newer one is refused, never guessed at."""
DATABASE = "run.sqlite"
_LOG_PAGES = 64
"""Pages (of 4 kB) after which SQLite copies the log into the database; its default is 1000."""

_DIGITS, _TEXT = 12, "text:"
"""Of the text that a number is stored under as a key, and what a text that looks so, or begins so, is stored behind."""
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, payload TEXT NOT NULL);
CREATE TABLE records (kind TEXT, key TEXT, payload TEXT NOT NULL, PRIMARY KEY (kind, key));
"""
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class RunStore:
    """The memory of one run. Use as a context manager, or `close` it.

    Made by `create` or `open`; see there for what is raised.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: IO[str] | None) -> None:
        self.path, self._connection, self._lock = path, connection, lock
        self.log = RunLog(path if lock else None)

    @classmethod
    def create(
        cls, path: str | Path, config: Mapping[str, Any], files: Mapping[str, str] | None = None
    ) -> RunStore:
        """A new run in the folder `path`, which may exist but holds nothing else, with some texts beside it.

        Raises:
            RunError: when the folder holds a run or anything else already, or cannot be written.
        """
        path = Path(path)
        check_free(path)
        with _explained(path, "cannot be written"):
            path.mkdir(parents=True, exist_ok=True)
            # The lock before the database: the loser of a race leaves the winner's files alone.
            lock = taken(path)
            try:
                # Once more: a run may have been made, and ended, in between.
                _refuse_run(path)
                _fill(path, config)
                store = cls(path, _connected(path, write=True), lock)
            except BaseException:
                lock.close()
                raise
        for name, text in (files or {}).items():
            store.write_text(name, text)
        store.log("begun with %s", origin_of_this().line)
        return store

    @classmethod
    def open(cls, path: str | Path, write: bool = False) -> RunStore:
        """The run in the folder `path`, to read or, if `write`, to go on with.

        Raises:
            RunError: when there is no run, it is damaged, made by a newer version, or another process writes.
        """
        path = Path(path)
        if not (path / DATABASE).is_file():
            what = "is not a run folder" if path.exists() else "does not exist"
            raise RunError(f"{path} {what}: 'symloss runs' lists the runs in a folder")
        lock = None
        with _explained(path, "cannot be opened"):
            if write:
                lock = taken(path)
            try:
                store = cls(path, _connected(path, write), lock)
                # First of all: nothing else in a newer database means what it does here.
                schema = store._loaded(store._meta("schema"))
                if not isinstance(schema, int):
                    raise RunError(f"{path} is damaged: {DATABASE} has no schema version")
                if schema > SCHEMA:
                    newer = f"schema {schema}, this one reads {SCHEMA}"
                    raise RunError(f"{path} was made by a newer symloss ({newer}): upgrade symloss")
            except BaseException:
                if lock:
                    lock.close()
                raise
        if write:
            store.log("opened to be written, with %s", origin_of_this().line)
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.log("stopped by %s: %s", type(error).__name__, error)
        self.close()

    def close(self) -> None:
        """Ends reading or writing; another process may write then."""
        self._connection.close()
        if self._lock:
            self._lock.close()
            self._lock = None
        self.log.close()

    @property
    def config(self) -> dict[str, Any]:
        """What the run was made with."""
        config = self._loaded(self._meta("config"))
        if not isinstance(config, dict):
            raise RunError(f"{self.path} is damaged: {DATABASE} does not say what the run was made with")
        return config

    @property
    def status(self) -> str:
        """Where the run stands, in a word; `"running"` as long as nothing else was said."""
        return str(self._loaded(self._meta("status")))

    @status.setter
    def status(self, status: str) -> None:
        with self._writing():
            self._connection.execute("UPDATE meta SET payload = ? WHERE key = 'status'", (_dump(status),))

    @property
    def origin(self) -> Origin:
        """How the run was begun; that of a run from before this was kept says nothing."""
        with _explained(self.path, "cannot be read"):
            # Not by `_meta`, which takes a missing row for damage.
            row = self._connection.execute("SELECT payload FROM meta WHERE key = 'origin'").fetchone()
        return Origin() if row is None else Origin.from_dict(self._loaded(row[0]))

    def put(self, kind: str, key: int | str, payload: Any) -> None:
        """Remembers a JSON-ready payload under `(kind, key)`, in place of any before it."""
        self.put_many(kind, [(key, payload)])

    def put_many(self, kind: str, items: Iterable[tuple[int | str, Any]]) -> None:
        """Remembers several payloads, all of them or, when the write fails, none."""
        # Before the transaction: a payload that is no JSON raises while nothing is written.
        rows = [(kind, _key(key), _dump(payload)) for key, payload in items]
        with self._writing():
            self._connection.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", rows)

    def get(self, kind: str, key: int | str) -> Any:
        """The payload under `(kind, key)`, or None."""
        with _explained(self.path, "cannot be read"):
            row = self._connection.execute(
                "SELECT payload FROM records WHERE kind = ? AND key = ?", (kind, _key(key))
            ).fetchone()
        return None if row is None else self._loaded(row[0])

    def all(self, kind: str) -> list[tuple[str, Any]]:
        """Every `(key, payload)` of a kind, in the order of the keys, numbers by value."""
        with _explained(self.path, "cannot be read"):
            rows = self._connection.execute(
                "SELECT key, payload FROM records WHERE kind = ? ORDER BY key", (kind,)
            ).fetchall()
        return [(_plain(key), self._loaded(payload)) for key, payload in rows]

    def write_text(self, name: str, text: str) -> Path:
        """Replaces the file `name` in the run's folder: a reader, or a kill, finds the old one or the new."""
        return self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, content: bytes) -> Path:
        """As `write_text`, of what is no text."""
        # In the same folder, since a rename is atomic only within one file system.
        target, draft = self.path / name, self.path / f".{name}.new"
        with _explained(self.path, "cannot be written"):
            try:
                with open(draft, "wb") as file:
                    file.write(content)
                    file.flush()
                    # Otherwise the rename may reach the disk before the content, and a power cut leaves an empty file.
                    os.fsync(file.fileno())
                draft.replace(target)
            except OSError:
                with suppress(OSError):
                    draft.unlink(missing_ok=True)
                raise
        return target

    def read_bytes(self, name: str) -> bytes:
        """The file `name` in the run's folder.

        Raises:
            RunError: when it cannot be read.
        """
        with _explained(self.path, f"has a file {name} that cannot be read"):
            return (self.path / name).read_bytes()

    def remove(self, name: str) -> None:
        """Removes the file `name` from the run's folder, where there is one."""
        with _explained(self.path, "cannot be written"):
            (self.path / name).unlink(missing_ok=True)

    def _meta(self, key: str) -> str:
        with _explained(self.path, "cannot be read"):
            row = self._connection.execute("SELECT payload FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise RunError(f"{self.path} is damaged: {DATABASE} has no {key}")
        return str(row[0])

    def _loaded(self, payload: object) -> Any:
        try:
            return json.loads(str(payload), object_hook=_revived)
        except (ValueError, RecursionError) as error:
            raise RunError(f"{self.path} is damaged: {DATABASE} holds no JSON ({error})") from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._lock is None:
            raise RunError(f"{self.path} is open for reading only")
        with _explained(self.path, "cannot be written"), self._connection:
            yield


def verb_of(path: str | Path) -> str:
    """The verb that made a run: `discover` unless its record says another.

    Raises:
        RunError: when there is no run, or it is damaged.
    """
    with RunStore.open(path) as store:
        return str(store.config.get("verb", "discover"))


def check_free(path: str | Path) -> None:
    """Looks whether a new run may be made in a folder, which need not exist.

    Raises:
        RunError: when the folder holds a run or other files.
    """
    path = Path(path)
    _refuse_run(path)
    if not path.is_dir():
        return
    with _explained(path, "cannot be read"):
        # Hidden files are of the system, or drafts; the others are what a kill leaves of a run that was being made.
        left = (LOCK, LOG, f"{DATABASE}.new", f"{DATABASE}.new-journal")
        others = sorted(
            entry.name
            for entry in path.iterdir()
            if entry.name not in left and not entry.name.startswith(".")
        )
    if others:
        raise RunError(
            f"{path} holds other files, as {others[0]}, and no run: choose a new folder, or an empty one"
        )


def list_runs(root: str | Path) -> list[Path]:
    """The run folders in `root`, newest first.

    Raises:
        RunError: when `root` is no folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise RunError(f"no folder {str(root)!r}: 'symloss discover' makes runs/, or name another")
    dated = []
    with _explained(root, "cannot be read"):
        for folder in root.iterdir():
            with suppress(OSError):  # no run, or one that is another user's
                # What is written goes to the log first, and moves the database's own date only now and then.
                files = [folder / DATABASE, *folder.glob(f"{DATABASE}-wal")]
                dated.append((-max(file.stat().st_mtime for file in files), folder))
    return [folder for _, folder in sorted(dated)]


def _fill(path: Path, config: Mapping[str, Any]) -> None:
    # Under another name until it is whole: a kill in between leaves no half-made run.
    draft = path / f"{DATABASE}.new"
    draft.unlink(missing_ok=True)
    with closing(sqlite3.connect(draft)) as connection:
        connection.executescript(_TABLES)
        rows = [
            ("schema", str(SCHEMA)), ("config", _dump(config)), ("status", _dump("running")),
            ("origin", _dump(origin_of_this().to_dict())),
        ]  # fmt: skip
        connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
        connection.commit()
    draft.replace(path / DATABASE)


def _connected(path: Path, write: bool) -> sqlite3.Connection:
    database = path / DATABASE
    if write:
        connection = sqlite3.connect(database, timeout=10)
        connection.execute("PRAGMA journal_mode=WAL")
        # In WAL mode NORMAL syncs at checkpoints only: a power cut could take back what `put` has returned from.
        connection.execute("PRAGMA synchronous=FULL")
        # A log that is cut short loses what it holds: a generation or so, not the run.
        connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
        return connection
    # Reading a WAL database needs side files, which cannot be made in a folder that cannot be written. Nobody
    # writes there: SQLite may take the file as it is - together with what a killed writer left in the log.
    mode = "mode=ro"
    if not os.access(path, os.W_OK):
        if _size(path / f"{DATABASE}-wal"):
            return _copied(path)
        mode = "mode=ro&immutable=1"
    # as_uri escapes `?`, `#` and `%` of a folder's name, which would end the path.
    return sqlite3.connect(f"{database.resolve().as_uri()}?{mode}", uri=True, timeout=10)


def _copied(path: Path) -> sqlite3.Connection:
    """The database and its log, read into memory by way of a folder that can be written."""
    connection = sqlite3.connect(":memory:")
    with TemporaryDirectory() as folder:
        for name in (DATABASE, f"{DATABASE}-wal"):
            shutil.copyfile(path / name, Path(folder) / name)
        with closing(sqlite3.connect(Path(folder) / DATABASE)) as copy:
            copy.backup(connection)
    return connection


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _explained(path: Path, problem: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        # A full disk or a locked file is an OperationalError and no damage; `no such table` is one and means damage.
        if isinstance(error, sqlite3.OperationalError) and not str(error).startswith("no such"):
            raise RunError(f"{path} {problem}: {error}") from None
        raise RunError(f"{path} is damaged: {error}; nothing was changed") from None
    except OSError as error:
        raise RunError(f"{path} {problem}: {error.strerror or error}") from None


def _key(key: int | str) -> str:
    # Zero-padded, so that the order of the text is the order of the numbers.
    if isinstance(key, int):
        return f"{key:0{_DIGITS}d}"
    return f"{_TEXT}{key}" if _is_number(key) or key.startswith(_TEXT) else key


def _refuse_run(path: Path) -> None:
    if (path / DATABASE).exists():
        raise RunError(f"{path} holds a run: go on with 'symloss resume {path}', or choose another folder")


def _plain(key: str) -> str:
    return str(int(key)) if _is_number(key) else key.removeprefix(_TEXT)


def _is_number(key: str) -> bool:
    """Whether a key is one that a number is stored under."""
    return len(key) == _DIGITS and key.isascii() and key.isdigit()


def _dump(payload: Any) -> str:
    # Sorted keys: equal payloads are equal texts. A NaN that `_finite` has missed is an error, not the word NaN, which
    # is no JSON.
    return json.dumps(_finite(payload), allow_nan=False, sort_keys=True)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they are written as `{"__float__": "nan"}`."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"__float__": str(value)}
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value


def _revived(data: dict[str, Any]) -> Any:
    # A stranger's `__float__` is looked up, never evaluated.
    return _NON_FINITE.get(str(data["__float__"]), math.nan) if set(data) == {"__float__"} else data

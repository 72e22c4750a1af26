"""Nothing of one system alone outside a guarded place, and what runs on the others, as far as it can be run here."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import symloss
from symloss.errors import RunError
from symloss.runs import call_limited, executor, limited, processes

ROOT = Path(symloss.__file__).parent
POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios"}
POSIX_NAMES = {
    "SIGALRM", "SIGKILL", "fork", "forkpty", "getpgid", "getuid", "killpg", "mkfifo", "pthread_sigmask", "setpgid",
    "setsid", "wait4", "waitpid",
}  # fmt: skip


def _asks(test: ast.expr) -> bool:
    return "sys.platform" in ast.unparse(test)


def unguarded(tree: ast.Module) -> list[str]:
    """What of one system stands neither in a branch on `sys.platform` nor behind one that leaves the function."""
    found: list[str] = []

    def visit(node: ast.AST, guarded: bool) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom) and not guarded:
            names = [node.module] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            found.extend(f"{node.lineno}: import {name}" for name in names if name in POSIX_MODULES)
        if isinstance(node, ast.Attribute) and node.attr in POSIX_NAMES and not guarded:
            found.append(f"{node.lineno}: {ast.unparse(node)}")
        if isinstance(node, ast.If) and _asks(node.test):
            guarded = True
        for _, field in ast.iter_fields(node):
            inside = guarded
            for child in field if isinstance(field, list) else [field]:
                if not isinstance(child, ast.AST):
                    continue
                visit(child, inside)
                # `if sys.platform == "win32": return` guards what follows it.
                if isinstance(child, ast.If) and _asks(child.test) and isinstance(child.body[-1], ast.Return):
                    inside = True

    visit(tree, False)
    return found


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("import fcntl", 1),
        ("import sys\nif sys.platform == 'win32':\n    import msvcrt\nelse:\n    import fcntl", 0),
        ("import os\ndef f():\n    os.killpg(1, 9)", 1),
        (
            "def f():\n    if sys.platform == 'win32':\n        return\n    os.killpg(1, 9)\ndef g():\n    os.fork()",
            1,
        ),
    ],
)
def test_the_check_finds_what_it_is_for(code: str, count: int) -> None:
    assert len(unguarded(ast.parse(code))) == count


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_one_system_has_is_guarded(path: Path) -> None:
    assert unguarded(ast.parse(path.read_text(encoding="utf-8"))) == []


def _square(n: int) -> int:
    return n * n


def test_workers_are_spawned_where_there_is_no_fork_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.sys, "platform", "darwin")
    with executor("process", 1, needs=["json"]) as place:
        assert place._method == "spawn"  # type: ignore[attr-defined]
        assert list(place.map_ordered(_square, range(3))) == [0, 1, 4]


def test_a_limited_call_is_spawned_where_it_can_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limited._method(lambda: 1, fresh=False) == "fork"
    monkeypatch.setattr(limited.sys, "platform", "darwin")
    assert limited._method(os.getpid, fresh=False) == "spawn"
    assert limited._method(lambda: 1, fresh=False) == "fork", "nothing else can call it"
    monkeypatch.setattr(limited.multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    with pytest.raises(RunError, match="define it at the top of a module"):
        limited._method(lambda: 1, fresh=False)


def test_a_spawned_call_answers() -> None:
    assert call_limited(os.getcwd, 600.0, fresh=True) == os.getcwd()


def test_the_lock_of_windows_is_taken_there(tmp_path: Path) -> None:
    """The branch of Windows, with a stand-in for its module: it locks one byte and says no by an OSError."""
    code = f"""
import sys, types
from pathlib import Path
import symloss.errors
taken = []
def locking(descriptor, mode, count):
    if taken:
        raise OSError("somebody has it")
    taken.append((mode, count))
sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
import importlib.util
spec = importlib.util.spec_from_file_location("lock", {str(ROOT / "runs" / "lock.py")!r})
lock = importlib.util.module_from_spec(spec)
sys.platform = "win32"
spec.loader.exec_module(lock)
held = lock.taken(Path({str(tmp_path)!r}))
assert taken == [(2, 1)]
try:
    lock.taken(Path({str(tmp_path)!r}))
except symloss.errors.RunError as error:
    assert "another process" in str(error)
else:
    raise SystemExit("locked twice")
held.close()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""What a stranger hands over - a run folder, an export, a formula - is data: it executes nothing."""

from __future__ import annotations

import ast
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import symloss as sl
from symloss.errors import ParseError, SymlossError
from symloss.search import discover, open_run, resume, verify

PAYLOADS = [
    "__import__('os').system('touch pwned')",
    "open('pwned', 'w')",
    "(lambda: open('pwned', 'w'))()",
    "y*p.__class__.__base__.__subclasses__()",
    "exec(\"open('pwned', 'w')\")",
    "[open('pwned', 'w') for _ in (1,)]",
    "f\"{open('pwned', 'w')}\"",
    "cos\nimport os\nos.system('touch pwned')",
    "csystem.os.system('touch pwned')",
    "!!python/object/apply:os.system ['touch pwned']",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strangers") / "run"
    task = sl.load_task("wine", model="linear").with_settings(steps=5)
    small: dict[str, Any] = {
        "population": 6, "generations": 2, "tuning": {"steps": 2}, "screening": {"sample": 0},
        "blocks": {"headroom": False, "final": 2, "finalists": 2},
    }  # fmt: skip
    discover(task, out=folder, time_limit=0.0, **small)
    return folder


@pytest.fixture(autouse=True)
def nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_formulas_and_exports(payload: str) -> None:
    with pytest.raises(ParseError):
        sl.parse(payload)
    data = sl.parse("y*log(1.5*p)").to_dict()
    for key in data:
        with pytest.raises(SymlossError):
            sl.Loss.from_dict({**data, key: payload})
    for changed in ({**data, "coefficients": {payload: 1.0}}, {**data, "coefficients": {"a": payload}}):
        with pytest.raises(SymlossError):
            sl.Loss.from_dict(changed)


def _everywhere(value: Any, payload: str) -> Any:
    """The same with every text replaced, and every number and list too where that is what is asked."""
    if isinstance(value, dict):
        return {key: _everywhere(inner, payload) for key, inner in value.items()}
    if isinstance(value, list):
        return [_everywhere(inner, payload) for inner in value]
    return payload if isinstance(value, str) else value


def _formula(data: dict[str, Any], payload: str) -> None:
    data["formula"] = payload


def _tokens(data: dict[str, Any], payload: str) -> None:
    data["tokens"] = ["mul", payload, "p"]


def _all(data: dict[str, Any], payload: str) -> None:
    data.update(_everywhere(data, payload))


def _operators(data: dict[str, Any], payload: str) -> None:
    data["operators"] = {"evil": [["x"], payload], payload: [["x"], "x"], "worse": [[payload], "x"]}


def _origin(data: dict[str, Any], payload: str) -> None:
    data["task"]["origin"] = {payload: {"name": "wine"}}


def _model(data: dict[str, Any], payload: str) -> None:
    data["task"]["model"] = "os:system"
    data["task"]["metric"] = payload


def _seed_losses(data: dict[str, Any], payload: str) -> None:
    data["settings"]["seed_losses"] = [payload]


CHANGES: list[tuple[str, Callable[[dict[str, Any], str], None]]] = [
    ("evaluation", _formula), ("evaluation", _tokens), ("evaluation", _all), ("work", _all), ("config", _all),
    ("config", _operators), ("config", _origin), ("config", _model), ("config", _seed_losses),
]  # fmt: skip


@pytest.mark.parametrize(("where", "change"), CHANGES)
def test_run_folders(
    run: Path, tmp_path: Path, where: str, change: Callable[[dict[str, Any], str], None]
) -> None:
    """Whatever they hold, they are read, resumed and verified without running it; most are refused."""
    copy = shutil.copytree(run, tmp_path / "copy")
    for payload in PAYLOADS[:3]:
        with sqlite3.connect(copy / "run.sqlite") as connection:
            table = "meta WHERE key = 'config'" if where == "config" else f"records WHERE kind = '{where}'"
            rows = connection.execute(f"SELECT rowid, payload FROM {table}").fetchall()
            assert rows
            for number, text in rows:
                data = json.loads(text)
                for each in data if isinstance(data, list) else [data]:
                    change(each, payload)
                name = "meta" if where == "config" else "records"
                changed = json.dumps(data), number
                connection.execute(f"UPDATE {name} SET payload = ? WHERE rowid = ?", changed)
        connection.close()
        for use in (_read, resume, verify):
            message = ""
            try:
                use(copy)
            except SymlossError as error:
                message = str(error)
            assert "\n" not in message


def _read(path: Path) -> None:
    for entry in open_run(path).evaluations:
        assert entry.loss is None or entry.loss.kind


EXECUTES = {"eval", "exec", "compile", "sympify", "parse_expr", "S", "__import__", "from_string"}
UNPICKLES = {"pickle": {"load", "loads", "Unpickler"}, "torch": {"load"}, "np": {"load"}, "yaml": {"load"}}
ALLOWED = {
    # Text emitted from a whitelisted tree.
    ("codegen/source/printer.py", "exec"),
    ("codegen/source/printer.py", "compile"),
    # What the driver of a search sends to the nodes of its own cluster.
    ("runs/cluster.py", "pickle.loads"),
}


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(name):
            return name if name in EXECUTES else ""
        case ast.Attribute(ast.Name(module), name):
            if module == "np" and any(
                each.arg == "allow_pickle" and _no(each.value) for each in node.keywords
            ):
                return ""  # arrays of numbers and text alone
            return f"{module}.{name}" if name in UNPICKLES.get(module, ()) else ""
    return ""


def _no(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


def test_nothing_in_the_package_could_execute_data() -> None:
    root = Path(sl.__file__).parent
    found = {
        (str(path.relative_to(root)), word)
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and (word := _called(node))
    }
    assert found - ALLOWED == set()

"""The import order of the rooms, and no torch where there is none to be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import symloss

ROOT = Path(symloss.__file__).parent
ORDER = ["expr", "zoo", "theory", "runs", "codegen", "tasks", "meta", "search", "compare", "report", "cli"]
LAYERS = ["runtime", "symbols", "source"]  # of codegen; the files beside them build on all three
SHARED = {"deadline", "errors", "numbers", "text"}
# The convenience `Loss.to_torch` and `Loss.lambdify`: function-level imports, named in the room's docstring.
ALLOWED = {("expr", "codegen")}


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def _room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    room = _room(path)
    if room in {"__init__", "__main__", *SHARED}:
        return
    for module in _imports(path):
        if not module.startswith("symloss."):
            continue
        other = module.split(".")[1]
        if other in SHARED or other == room or (room, other) in ALLOWED:
            continue
        assert ORDER.index(other) < ORDER.index(room), f"{room} imports {other}, which comes after it"


@pytest.mark.parametrize("room", ["expr", "zoo", "theory"])
def test_formula_rooms_never_load_torch(room: str) -> None:
    code = f"import symloss.{room}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["symloss", "symloss.cli"])
def test_importing_the_package_is_light(module: str) -> None:
    """Formulas are SymPy's business, and everything else can wait: help is there at once."""
    heavy = ("sympy", "torch", "numpy", "matplotlib", "deap")
    code = f"import {module}, symloss.runs, sys; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_rooms_are_opened_when_they_are_asked_for() -> None:
    code = (
        "import symloss as sl; assert isinstance(sl.zoo.entry('ace').loss, sl.Loss); sl.compare, sl.expr.PI"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = symloss.nothing


def _loaded(path: Path) -> set[str]:
    """The modules that a file imports when it is loaded: at the top, and not for type checkers alone."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("room", ["codegen", "tasks"])
def test_the_files_of_a_room_import_each_other_one_way(room: str) -> None:
    files = {
        "symloss." + ".".join(path.relative_to(ROOT).with_suffix("").parts): _loaded(path)
        for path in (ROOT / room).rglob("*.py")
        if path.name != "__init__.py"
    }
    while files:
        free = [name for name, loaded in files.items() if not loaded & files.keys() - {name}]
        assert free, f"a circle among {', '.join(sorted(files))}"
        for name in free:
            del files[name]


@pytest.mark.parametrize("folder", LAYERS)
def test_a_layer_of_the_compiler_imports_only_those_below_it(folder: str) -> None:
    allowed = LAYERS[: LAYERS.index(folder) + 1]
    for path in (ROOT / "codegen" / folder).rglob("*.py"):
        for module in _loaded(path):
            if module.startswith("symloss.codegen."):
                assert module.split(".")[2] in allowed, f"{path.name} imports {module}"

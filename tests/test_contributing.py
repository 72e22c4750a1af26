"""The recipes of CONTRIBUTING.md, done to a copy of the package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import symloss

ROOT = Path(symloss.__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def _recipe(title: str) -> str:
    return TEXT.split(f"### {title}\n", 1)[1].split("\n## ", 1)[0].split("\n### ", 1)[0]


def _blocks(recipe: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", recipe, re.DOTALL)


def _before(path: Path, anchor: str, text: str) -> None:
    """Puts text into a file in front of the one place where a line begins so."""
    content = path.read_text()
    assert content.count(f"\n{anchor}") == 1, f"{anchor} stands elsewhere now: change the recipe too"
    path.write_text(content.replace(f"\n{anchor}", f"\n{text}{anchor}"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "symloss", tmp_path / "symloss", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def _run(copy: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


OPERATOR = """
import numpy as np, torch, symloss as sl
from symloss.codegen.interpret import entry_gradient, interpret
from symloss.expr import Program
from symloss.expr.trees import Weighted, weighted_from
from symloss.search import Grammar

loss = sl.parse("2*y*gauss(p - 1) - y", coefficients={})
assert str(sl.parse(str(loss))) == str(loss) and "gauss" in str(loss) and "gauss" in loss.latex()
assert sl.parse("y*gauss(-p)") == sl.parse("y*gauss(p)")
z, t = torch.tensor([[0.3, -1.2, 0.5]], dtype=torch.float64, requires_grad=True), torch.tensor([1])
module = sl.parse("-y*gauss(1 - p)").to_torch()
assert torch.autograd.gradcheck(lambda z: module(z, t), (z,))
for backend in ("numpy", "math", "mpmath", "torch"):
    value = float(sl.parse("gauss(y - p)", kind="regression").lambdify(backend)(1.0, 0.25))
    assert abs(value - np.exp(-0.5625)) < 1e-6, backend
found = sl.analyze(sl.parse("-y*gauss(1 - p)"), classes=10).findings
assert found["trainable_at_start"].verdict == "proved" and found["bounded_below"].value == -1, found
proved = sl.analyze(sl.parse("-gauss(y - p)", kind="regression")).findings
assert [proved[key].verdict for key in ("minimum_at_target", "redescending", "convex")] == [
    "proved", "proved", "refuted"], proved
assert sl.parse("y*gauss(1/y) + y*p").to_torch()(z, t).isfinite()
tree = weighted_from(loss)
assert tree.merged().to_loss("classification") == loss
program = Program(("gauss", "sub", "y", "p"))
p = torch.tensor([0.2, 0.7], requires_grad=True)
y = torch.ones(2)
slope, = torch.autograd.grad(interpret(program, y, p).sum(), p)
assert torch.allclose(entry_gradient(program, y, p), slope)
assert "gauss" in Grammar(operators=("add", "mul", "gauss")).operators

import os, pytest
pytest.main(["-q", "-c", os.devnull, "--rootdir", ".", "-k", "gauss", "test_operators.py"])
"""


def test_an_operator_is_one_file(copy: Path) -> None:
    head, row = _blocks(_recipe("An operator"))
    path = copy / "symloss" / "expr" / "operators.py"
    _before(path, "def _no_curvature(", f"{head}\n\n")
    _before(path, ")  # fmt: skip\n\nOPERATORS", row)
    # The suite of the table takes the new row in.
    shutil.copy(ROOT / "tests" / "expr" / "test_operators.py", copy)
    said = _run(copy, "-c", OPERATOR)
    assert re.search(r"[4-9] passed", said), said


KIND = """
import numpy as np, torch, symloss as sl

loss = sl.parse("exp(p) - y*p", kind="counts")
assert sl.parse(str(loss), kind="counts") == loss != sl.parse("exp(p) - y*p", kind="regression")
outputs, targets = torch.tensor([0.1, -0.4]), torch.tensor([2.0, 0.0])
assert torch.allclose(loss.to_torch()(outputs, targets), (outputs.exp() - targets * outputs).mean())
assert sl.analyze(loss).findings["translation_invariant"].verdict == "refuted"
rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3))
y = rng.poisson(np.exp(0.5 * X[:, 0])).astype(float)
task = sl.Task.from_arrays(X, y, kind="counts", model="linear").with_settings(steps=10)
assert task.base_loss() == loss and task.metric == "mse"
result = sl.discover(task, population=4, generations=1, tuning={"steps": 2}, headroom=False, blocks={"final": 2})
assert result.status == "finished" and result.best.kind == "counts"
"""


def test_a_kind_is_one_file_and_its_findings(copy: Path) -> None:
    row, findings = _blocks(_recipe("A kind of loss"))
    _before(copy / "symloss" / "expr" / "kinds.py", '    )\n}\n"""Every kind by name', row)
    _before(copy / "symloss" / "theory" / "analyze.py", '}\n"""What is found out', findings)
    _run(copy, "-c", KIND)


@pytest.mark.parametrize("title", ["An operator", "A kind of loss"])
def test_a_recipe_is_short(title: str) -> None:
    assert len(_recipe(title).strip().splitlines()) < 40

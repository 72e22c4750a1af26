"""The recipes of docs/extending.md, all done to one copy of the package, and what they make put to use."""

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
TEXT = (ROOT / "docs" / "extending.md").read_text("utf-8")
TITLES = re.findall(r"^## (.+)$", TEXT, flags=re.M)


def _recipe(title: str) -> str:
    return TEXT.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def _blocks(title: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", _recipe(title), re.DOTALL)


def _before(path: Path, anchor: str, text: str) -> None:
    """Puts text into a file in front of the one place where a line begins so."""
    content = path.read_text("utf-8")
    assert content.count(f"\n{anchor}") == 1, f"{anchor} stands elsewhere now: change the recipe too"
    path.write_text(content.replace(f"\n{anchor}", f"\n{text}{anchor}"), "utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package after all recipes."""
    place = tmp_path_factory.mktemp("extended")
    package = place / "symloss"
    shutil.copytree(ROOT / "symloss", package, ignore=shutil.ignore_patterns("__pycache__"))

    head, row = _blocks("An operator")
    operators = package / "expr/operators.py"
    _before(operators, "def _no_curvature(", f"{head}\n\n")
    _before(operators, ")  # fmt: skip\n\nOPERATORS", row)

    (entry,) = _blocks("A loss of the zoo")
    _before(package / "zoo/entries.py", ")  # fmt: skip\n\nMULTILABEL", entry)

    row, findings = _blocks("A kind of loss")
    _before(package / "expr/kinds.py", '    )\n}\n"""Every kind by name', row)
    _before(package / "theory/analyze.py", '}\n"""What is found out', findings)

    family, row, chosen = _blocks("A method of search")
    (package / "search/propose/poly.py").write_text(f"{POLY}\n\n{family}", "utf-8")
    _before(package / "search/methods.py", '    )\n}  # fmt: skip\n"""Every method', row)
    proposers = package / "search/loop/proposers.py"
    _before(proposers, "    family = MixtureFamily(", chosen)
    _before(
        proposers,
        "from symloss.search.propose.proposal",
        "from symloss.search.propose.poly import PolyFamily\n",
    )
    _before(package / "cli/search.py", '    ml3 = "ml3"\n', '    poly = "poly"\n')

    finding, row, said = _blocks("A certificate")
    (package / "theory/findings/symmetric.py").write_text(f"{SYMMETRIC}\n\n{finding}", "utf-8")
    analyze = package / "theory/analyze.py"
    _before(analyze, '        "convex": convex,', row)
    _before(
        analyze, "from symloss.theory.functions.pieces",
        "from symloss.theory.findings.symmetric import symmetric\n",
    )  # fmt: skip
    _before(package / "theory/sentences.py", '    "bounded_influence": (\n        "limits', said)
    return place


POLY = """
from dataclasses import dataclass

import numpy as np

from symloss.expr import parse
from symloss.expr.trees import Weighted, weighted_from
from symloss.search.propose.family import Vector
"""
SYMMETRIC = """
from sympy import Integer

from symloss.expr import P, Y, canonicalise, elementary
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.residual import Residual
from symloss.theory.functions.constants import number_sign
"""

USED = """
import numpy as np, torch, symloss as sl
from symloss.codegen.trees.interpret import entry_gradient, interpret
from symloss.expr import Program
from symloss.expr.trees import weighted_from
from symloss.search import Grammar

# The operator.
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
found = sl.analyze(sl.parse("-gauss(y - p)", kind="regression"))
keys = ("minimum_at_target", "redescending", "convex", "symmetric")
assert [found.findings[key].verdict for key in keys] == ["proved", "proved", "refuted", "proved"], found
assert sl.parse("y*gauss(1/y) + y*p").to_torch()(z, t).isfinite()
tree = weighted_from(loss)
assert tree.merged().to_loss("classification") == loss
program = Program(("gauss", "sub", "y", "p"))
p = torch.tensor([0.2, 0.7], requires_grad=True)
y = torch.ones(2)
slope, = torch.autograd.grad(interpret(program, y, p).sum(), p)
assert torch.allclose(entry_gradient(program, y, p), slope)
assert "gauss" in Grammar(operators=("add", "mul", "gauss")).operators

# The loss of the zoo: it is none of the others, and is known by its name.
js = sl.analyze(sl.parse("(p*log(2*p/(y + p)) - y*log((1 + p)/2))/2"), classes=10)
assert str(js.findings["known_as"].value) == "js", js.findings["known_as"]
assert js.findings["trainable_at_start"].verdict == "proved"

# The finding, also where it fails, and in words.
pinball = sl.analyze(sl.named("pinball"))
assert pinball.findings["symmetric"].verdict == "refuted", pinball.findings["symmetric"]
assert pinball.sentence("symmetric") == "makes too high and too low cost differently"
assert sl.analyze(sl.parse("log(cosh(y - p))", kind="regression")).findings["symmetric"].verdict == "proved"

# The kind.
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
small = {"population": 4, "generations": 1, "headroom": False, "blocks": {"final": 2, "zoo": False}}
result = sl.discover(task, tuning={"steps": 2}, **small)
assert result.status == "finished" and result.best.kind == "counts"

# The method.
wine = sl.load_task("wine", model="linear").with_settings(steps=10)
result = sl.discover(wine, "poly", seed=1, **small)
assert result.status == "finished" and all("log(p)" in each.formula for each in result.evaluations), result
from symloss.cli.search import Method
assert Method("poly") is Method.poly

import os, pytest, sys
suites = {"test_operators.py": "gauss", "test_suite.py": "js"}
codes = [pytest.main(["-q", "-c", os.devnull, "--rootdir", ".", "-k", word, file]) for file, word in suites.items()]
sys.exit(max(codes))
"""


def test_all_recipes_together(copy: Path) -> None:
    # The suites of operators and of the zoo take the new rows in.
    shutil.copy(ROOT / "tests/expr/test_operators.py", copy)
    shutil.copy(ROOT / "tests/zoo/test_suite.py", copy)
    done = subprocess.run(
        [sys.executable, "-c", USED],
        cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    passed = re.findall(r"(\d+) passed", done.stdout)
    assert [int(count) >= 4 for count in passed] == [True, True], done.stdout


@pytest.mark.parametrize("title", TITLES)
def test_a_recipe_is_short(title: str) -> None:
    assert len(_recipe(title).strip().splitlines()) < 40

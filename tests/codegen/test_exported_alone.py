"""Exported files in an interpreter that has no symloss: they check themselves, and agree with the module."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

import symloss as sl
from symloss.codegen import compile_loss, export_python
from symloss.codegen.source.excerpts import needed

KINDS = ("classification", "multilabel", "regression", "margin")
EVOLVED = [
    ("y*abs(plog(1.3*p) + tanh(p*p - 0.5)*aq(p, 0.7) + psqrt(p + 0.1)) + y*min(p, 0.6)", "classification"),
    ("tanh(p*p - 0.5*y)*aq(p, 0.7) + psqrt(p + 0.1*y) - y*plog(p) + max(p*y, 0.3)", "classification"),
    ("y*(1/p - 1/p**2) - y*log(1 - p)*w", "classification"),
    ("plog(y*p + 0.2)*sigmoid(p) + square(y - p)", "multilabel"),
    ("tanh(abs(y - p))*aq(p, y) + 0.3*square(sin(y) - p)", "regression"),
    ("softplus(1 - m)*tanh(square(m)) + exp(-m)", "margin"),
]
LOSSES = [sl.named(name, kind=kind) for kind in KINDS for name in sl.names(kind)]
LOSSES += [sl.parse(text, kind=kind) for text, kind in EVOLVED]
OUTPUTS = [[0.7, -0.4, 1.9, 0.2], [0.3, 0.1, -2.2, 0.8], [-0.6, 1.4, 0.9, 0.5]]
TARGETS = {
    "classification": [2, 0, 1],
    "multilabel": [[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 1, 1]],
    "regression": [[0.9, 0.3, 0.4, 0.1], [0.2, 0.6, 0.5, 0.7], [0.8, 0.3, 0.2, 0.4]],
    "margin": [[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 1, 1]],
}
DRIVER = """
import json, runpy, sys, torch
sys.modules["symloss"] = None  # whoever imports it fails
found = []
for file, priors, outputs, target in json.load(sys.stdin):
    loss = runpy.run_path(file, run_name="__main__")["SymbolicLoss"]
    module = loss(priors=torch.tensor(priors)) if priors else loss()
    z = torch.tensor(outputs, dtype=torch.float64, requires_grad=True)
    value = module(z, torch.tensor(target))
    (gradient,) = torch.autograd.grad(value, z)
    found.append([value.item(), gradient.tolist()])
print(json.dumps(found))
"""


def _case(loss: sl.Loss, file: str) -> list[Any]:
    """A file, priors where the formula has them, outputs and targets."""
    outputs = torch.tensor(OUTPUTS, dtype=torch.float64)
    if loss.kind == "regression":
        outputs = torch.sigmoid(outputs)  # in the domain of every logarithm
    priors = [0.1, 0.2, 0.3, 0.4] if loss.expr.has(sl.expr.PI) else []
    return [file, priors, outputs.tolist(), TARGETS[loss.kind]]


def test_exported_files_check_themselves_and_agree_without_symloss(tmp_path: Path) -> None:
    cases = []
    for i, loss in enumerate(LOSSES):
        file = tmp_path / f"loss_{i}.py"
        file.write_text(export_python(loss))
        cases.append(_case(loss, str(file)))
    ran = subprocess.run(
        [sys.executable, "-I", "-c", DRIVER], input=json.dumps(cases), capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    said = ran.stdout.splitlines()
    assert len(said) == len(LOSSES) + 1
    assert all(line.endswith("its gradient agrees with finite differences") for line in said[:-1])
    for loss, (_, priors, outputs, target), (value, gradient) in zip(
        LOSSES, cases, json.loads(said[-1]), strict=True
    ):
        module = compile_loss(loss, priors=torch.tensor(priors) if priors else None)
        z = torch.tensor(outputs, dtype=torch.float64, requires_grad=True)
        ours = module(z, torch.tensor(target))
        theirs = torch.tensor(value, dtype=torch.float64)
        torch.testing.assert_close(theirs, ours.detach(), msg=lambda text, loss=loss: f"{loss}: {text}")
        torch.testing.assert_close(
            torch.tensor(gradient, dtype=torch.float64), torch.autograd.grad(ours, z)[0]
        )


def test_a_loss_with_a_name_says_where_it_was_published() -> None:
    for loss in LOSSES[: -len(EVOLVED)]:
        doc = ast.get_docstring(ast.parse(export_python(loss))) or ""
        assert "Reference: " in doc
        assert loss.kind in doc
    assert "Reference" not in export_python(sl.parse(EVOLVED[0][0]))


def test_a_file_speaks_of_itself() -> None:
    for text in ("-y*log(p)", "y*(1/p - 1/p**2)"):
        doc = ast.get_docstring(ast.parse(export_python(sl.parse(text)))) or ""
        assert "How it is computed: " in doc
        assert "beyond" not in doc
        assert "signed logarithms" not in doc


def test_only_what_the_path_needs_is_copied() -> None:
    by_target, every = (export_python(sl.named(name)) for name in ("gce", "brier"))
    assert "class TargetPath" in by_target
    assert "class DensePath" not in by_target
    assert "class DensePath" in every
    assert "class TargetPath" not in every
    assert "class Path" not in export_python(sl.named("ce"))
    (definition,) = needed("reduced(losses, 'mean')")
    assert definition.startswith("def reduced(")
    assert needed("x = 1") == []

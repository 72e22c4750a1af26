"""Exported files against the in-process form: value, gradient and second derivative."""

from __future__ import annotations

import ast
import itertools
import sys
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import symloss as sl
from symloss.codegen import compile_loss, export_python
from symloss.expr import Loss

OWN = [
    sl.parse("-y*log(p/(p + pi))"),
    sl.parse("-w*y*log(p) + p**3"),
    sl.parse("w*(y - p)**2 + psqrt(y - p)", kind="regression"),
    sl.parse("plog(y*p)*tanh(p) + max(p, 0.2)*sigmoid(y)"),
    sl.parse("-(1 - y)*log(1 - p)*p - y*log(p)"),
    sl.parse("y*pi/p + softplus(p)", kind="multilabel"),
]
LOSSES = OWN + [
    sl.named(name, kind=kind)
    for kind in ("classification", "multilabel", "regression")
    for name in sl.names(kind)
]


def _load(loss: Loss) -> Any:
    namespace: dict[str, Any] = {}
    exec(compile(export_python(loss), "exported.py", "exec"), namespace)
    return namespace["SymbolicLoss"]


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_exported_files_agree_with_the_module(loss: Loss) -> None:
    generator = torch.Generator().manual_seed(0)
    z = (2 * torch.randn(6, 4, generator=generator, dtype=torch.float64)).requires_grad_()
    soft = torch.softmax(torch.randn(6, 4, generator=generator, dtype=torch.float64), 1)
    t = torch.tensor([0, 3, 1, 2, 2, 0])
    options = {"priors": torch.tensor([0.1, 0.2, 0.3, 0.4])} if "pi" in str(loss) else {}
    call: dict[str, Any] = {}
    if loss.expr.has(sl.expr.W):
        shape = (6, 4) if loss.kind == "regression" else (6,)
        call["w"] = torch.rand(shape, generator=generator, dtype=torch.float64)
    classification = loss.kind == "classification"
    targets = {"classification": (t, soft), "multilabel": (F.one_hot(t, 4), soft), "regression": (soft,)}
    for target in targets[loss.kind]:
        if loss.kind != "classification":
            target = target.double()
        for reduction in ("mean", "sum", "none"):
            modules = compile_loss(loss, reduction, **options), _load(loss)(reduction, **options)
            a, b = (module(z, target, **call) for module in modules)
            torch.testing.assert_close(b, a)
            for create_graph in (False, True):
                (ga,), (gb,) = (
                    torch.autograd.grad(x.sum(), z, create_graph=create_graph, retain_graph=True)
                    for x in (a, b)
                )
                torch.testing.assert_close(gb, ga)
            if ga.requires_grad and gb.requires_grad:
                (ha,), (hb,) = (torch.autograd.grad((g**2).sum() + 0 * z.sum(), z) for g in (ga, gb))
                torch.testing.assert_close(hb, ha)
    if classification:
        _weights_and_ignored(loss, z, t, options, call)


def _weights_and_ignored(loss: Loss, z: Any, t: Any, options: Any, call: Any) -> None:
    t = t.clone()
    t[1] = -100
    weight = torch.tensor([0.5, 1.0, 2.0, 3.0]).double()
    for given in (None, weight):
        a, b = (
            f(weight=given, **options)(z, t, **call)
            for f in (lambda **k: compile_loss(loss, **k), _load(loss))
        )
        torch.testing.assert_close(b, a)


@pytest.mark.parametrize(
    "text", ["y*abs(log(1.3*p))", "-y*log(1 - p)", "-(0.9*y + 0.1/C)*log(p)", "(y - p)**2*p"]
)
@pytest.mark.parametrize("z", [[-1e4, 1e4, 0.0], [1e4, -1e4, 0.0], [0.0, 1e4, -1e4]])
def test_exported_files_hold_at_the_extremes(text: str, z: list[float]) -> None:
    logits, t = torch.tensor([z], requires_grad=True), torch.tensor([0])
    a, b = compile_loss(sl.parse(text))(logits, t), _load(sl.parse(text))()(logits, t)
    torch.testing.assert_close(b, a)
    torch.testing.assert_close(torch.autograd.grad(b, logits), torch.autograd.grad(a, logits))


@pytest.mark.parametrize(
    "text", ["y/p", "y*(1/p - 1/p**2)", "y*p/(1 - p)", "y*log(1 + 1/p)", "y*log(-log(p))"]
)
def test_exported_files_go_on_by_the_tangent_where_a_step_overflows(text: str) -> None:
    loss = sl.parse(text)
    for z in itertools.product([-1e4, 0.0, 1e4], repeat=3):
        logits, t = torch.tensor([z], requires_grad=True), torch.tensor([0])
        a, b = compile_loss(loss)(logits, t), _load(loss)()(logits, t)
        torch.testing.assert_close(b, a, rtol=1e-4, atol=1e-6)
        assert torch.autograd.grad(b, logits)[0].isfinite().all()


def test_an_exported_file_needs_torch_alone_and_says_what_it_is() -> None:
    text = export_python(sl.named("ace"))
    tree = ast.parse(text)
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert imported - sys.stdlib_module_names == {"torch"}
    assert str(sl.named("ace")) in (ast.get_docstring(tree) or "")
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert all(ast.get_docstring(node) for node in functions)


@pytest.mark.parametrize("formula", ["y/p - log(p)", "w*(y - p)**2 + 0.1*w*abs(p - 0.3)"])
def test_large_batches_go_in_blocks(formula: str) -> None:
    """Beyond 2**17 logits, weights of instances with their rows."""
    loss = sl.parse(formula)
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(5, 60_000, generator=generator, dtype=torch.float64).requires_grad_()
    t = torch.randint(60_000, (5,), generator=generator)
    weights = torch.tensor([1.0, 0.5, 2.0, 0.0, 1.5], dtype=torch.float64)
    options = {"w": weights} if "w" in formula else {}
    losses = [module(z, t, **options) for module in (_load(loss)(), compile_loss(loss))]
    gradients = [torch.autograd.grad(value, z)[0] for value in losses]
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*gradients)

"""Every path under autograd's checks, repeated and double backward, torch.func and torch.compile."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.autograd.gradcheck import gradcheck, gradgradcheck

import symloss as sl
from symloss.codegen import compile_loss, plan, torch_kernels
from symloss.codegen.runtime import classes
from symloss.codegen.runtime import target as by_target
from symloss.codegen.runtime.logits import softmax_in_one

PATHS = {
    "kernel": "-y*log(p)",
    "linear": "-(0.9*y + 0.1/C)*log(p)",
    "target": "y*(1 - p)**2*sqrt(log(1.3*p)**2 + 1)",
    "target, two-sided": "-y*(0.9*log(p) + 0.1*log(1 - p)) + y*p",
    "dense": "(y - p)**2*exp(p) - y*log(p)",
    "dense, two-sided": "-y*log(p) - (1 - y)*log(1 - p)*p",
}


@pytest.fixture(params=["small", "large"], autouse=True)
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test twice: as a small batch on a CPU, and as large ones and accelerators are computed."""
    if request.param == "large":
        monkeypatch.setattr(by_target, "softmax_and_total", softmax_in_one)
        monkeypatch.setattr(classes, "all_count", lambda t, ignore_index: False)
        monkeypatch.setattr(torch_kernels, "LARGE", 0)


@pytest.fixture(params=PATHS)
def text(request: pytest.FixtureRequest) -> str:
    return PATHS[request.param]


def _batch(hot: bool = False) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    t = torch.tensor([0, 2, 1, 2])
    if hot:  # half of the instances confident: p_t > 1/2 is computed another way
        z[:2] += 3 * torch.nn.functional.one_hot(t[:2], 3)
    return z.requires_grad_(), t


def test_the_table_covers_every_path() -> None:
    for name, text in PATHS.items():
        found = plan(sl.parse(text))
        assert found.path == name.split(",")[0]
        assert ("singular at p = 1" in found.reason) == (name == "dense, two-sided")


@pytest.mark.parametrize("hot", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("soft", [False, True])
def test_derivatives_by_finite_differences(text: str, hot: bool, reduction: str, soft: bool) -> None:
    z, t = _batch(hot)
    y = torch.softmax(_batch()[0].detach() * 2, 1) if soft else t
    loss = compile_loss(sl.parse(text), reduction)
    assert gradcheck(lambda x: loss(x, y), z)
    assert gradgradcheck(lambda x: loss(x, y), z)


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
@pytest.mark.parametrize("formula", ["(y - p)**2*cosh(p)", "-y*sigmoid(p) + tanh(y*p)**2"])
def test_derivatives_of_entries_by_finite_differences(kind: str, formula: str) -> None:
    z, _ = _batch()
    y = torch.sigmoid(_batch()[0].detach() * 2)
    loss = compile_loss(sl.parse(formula, kind=kind))
    assert gradcheck(lambda x: loss(x, y), z)
    assert gradgradcheck(lambda x: loss(x, y), z)


def test_derivatives_of_trainable_coefficients_by_finite_differences() -> None:
    z, t = _batch()
    loss = compile_loss(sl.named("gce", q=0.5), trainable=True, bounds={"q": (0.0, 1.0)})
    names = [name for name, _ in loss.named_parameters()]

    def value(*parameters: Tensor) -> Tensor:
        found: Tensor = torch.func.functional_call(loss, dict(zip(names, parameters, strict=True)), (z, t))
        return found

    parameters = tuple(p.detach().clone().requires_grad_() for p in loss.parameters())
    assert gradcheck(value, parameters)
    assert gradgradcheck(value, parameters)


def test_backward_twice_gives_the_same_and_changes_nothing(text: str) -> None:
    for y in (_batch()[1], torch.softmax(_batch()[0].detach(), 1)):
        z = _batch(hot=True)[0]
        before = z.detach().clone()
        value = compile_loss(sl.parse(text))(z, y)
        (first,) = torch.autograd.grad(value, z, retain_graph=True)
        (double,) = torch.autograd.grad(value, z, create_graph=True)
        (second,) = torch.autograd.grad(value, z, retain_graph=True)
        torch.testing.assert_close(first, second, rtol=0, atol=0)
        torch.testing.assert_close(first, double)
        torch.testing.assert_close(z.detach(), before, rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # of torch's own forward mode
@pytest.mark.parametrize("soft", [False, True])
def test_function_transforms_agree_with_loops(text: str, soft: bool) -> None:
    z, t = _batch(hot=True)
    z = z.detach()
    y = torch.softmax(_batch()[0].detach(), 1) if soft else t
    loss = compile_loss(sl.parse(text))

    def one(x: Tensor, target: Tensor) -> Tensor:
        value: Tensor = loss(x, target)
        return value

    each = torch.stack([one(x, target) for x, target in zip(z, y, strict=True)])
    torch.testing.assert_close(torch.func.vmap(one)(z, y), each)
    leaf = z.clone().requires_grad_()
    (expected,) = torch.autograd.grad(one(leaf, y), leaf)
    torch.testing.assert_close(torch.func.grad(one)(z, y), expected)
    per_sample = torch.func.vmap(torch.func.grad(one))(z, y)
    torch.testing.assert_close(per_sample / len(z), expected)
    tangent = torch.linspace(-1, 1, z.numel(), dtype=z.dtype).view_as(z)
    _, slope = torch.func.jvp(lambda x: one(x, y), (z,), (tangent,))
    torch.testing.assert_close(slope, (expected * tangent).sum())
    with forward_ad.dual_level():
        dual = forward_ad.unpack_dual(one(forward_ad.make_dual(z, tangent), y))
        assert dual.tangent is not None
        torch.testing.assert_close(dual.tangent, slope)
    hessian = torch.func.hessian(lambda x: one(x, y))(z)
    torch.testing.assert_close(hessian, torch.autograd.functional.hessian(lambda x: one(x, y), z))


def test_class_indices_under_vmap_are_still_checked_outside() -> None:
    loss = compile_loss(sl.parse("y*p"))
    z, t = _batch()
    total = torch.func.vmap(loss)(z.detach(), t).sum()
    torch.testing.assert_close(total, loss(z.detach(), t) * 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kernel", "linear", "target", "dense"])
def test_torch_compile_gives_the_same(name: str) -> None:
    z, t = _batch()
    loss = compile_loss(sl.parse(PATHS[name]))
    compiled: Any = torch.compile(loss, backend="aot_eager", fullgraph=True)
    value, expected = compiled(z, t), loss(z, t)
    torch.testing.assert_close(value, expected)
    (a,), (b,) = torch.autograd.grad(value, z), torch.autograd.grad(expected, z)
    torch.testing.assert_close(a, b)

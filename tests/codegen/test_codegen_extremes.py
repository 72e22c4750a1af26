"""Logits of +-1e4: finite where the true value is representable, a signed infinity otherwise, never NaN."""

from __future__ import annotations

import itertools
import math

import mpmath
import pytest
import torch
from torch import Tensor

import symloss as sl
from symloss.codegen import compile_loss, lambdify, torch_kernels
from symloss.codegen.formula import formula_of
from symloss.codegen.runtime import classes
from symloss.codegen.runtime import target as by_target
from symloss.codegen.runtime.logits import softmax_in_one
from symloss.expr import Loss

FORMULAS = {
    "kernel": ["-y*log(p)"],
    "linear": ["-(0.9*y + 0.1/C)*log(p)"],
    "target": [
        "y*abs(log(1.3*p))", "-y*(1 - p)**2*log(p)", "y*(1 - p**0.7)/0.7", "-y*log(1 - p)", "y/p",
        "-y*(0.9*log(p) + 0.1*log((1 - p)/(C - 1)))", "y*(1/p - 1/p**2)", "y*p*sqrt(1 + 1/p**2)",
        "y*log(-log(p))", "y*p/(1 - p)",
        "y*log(1 + 1/p)", "y*p*exp(-log(p)**2)", "y*tanh(1/p)/p", "y*sinh(p)/p", "y*plog(p)*psqrt(p)",
    ],
    "dense": [
        "y/p - log(p)", "(y - p)**2", "-y*log(p) - (1 - y)*log(1 - p)", "p*log(p)", "y*p + sqrt(p)",
        "plog(y*p)*tanh(p)", "-(1 - y)*p**2*log(1 - p)", "1/p - 1/p**2 + y", "log(1 + 1/p)*p*y + p**3",
    ],
}  # fmt: skip
CASES = [(path, text) for path, texts in FORMULAS.items() for text in texts]
LEVELS = (-1e4, 0.0, 1e4)


@pytest.fixture(params=["small", "large"], autouse=True)
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test twice: as a small batch on a CPU, and as large ones and accelerators are computed."""
    if request.param == "large":
        monkeypatch.setattr(by_target, "softmax_and_total", softmax_in_one)
        monkeypatch.setattr(classes, "all_count", lambda t, ignore_index: False)
        monkeypatch.setattr(torch_kernels, "LARGE", 0)


def _exact(loss: Loss, z: list[float], target: int) -> tuple[float, list[float]]:
    """Value and gradient by mpmath, whose exponents have no bounds."""
    formula = loss.lambdify("mpmath")
    with mpmath.workdps(30 + int(2 * max(map(abs, z)) / 2.3 + 40)):  # `1 - p` must see the smallest `p`
        powers = [mpmath.exp(mpmath.mpf(x)) for x in z]
        p = [power / mpmath.fsum(powers) for power in powers]
        y = [mpmath.mpf(int(i == target)) for i in range(len(z))]
        extra = (len(z),) if "C" in formula.__code__.co_varnames else ()

        def entry(i: int, p_i: mpmath.mpf) -> mpmath.mpf:
            return formula(y[i], p_i, *extra)

        value = mpmath.fsum(entry(i, p_i) for i, p_i in enumerate(p))
        slopes = []
        for i, p_i in enumerate(p):
            # A relative step: the formula varies on the scale of p at one end, of 1 - p at the other.
            h = min(p_i, 1 - p_i) * mpmath.mpf(10) ** -30
            slopes.append((entry(i, p_i + h) - entry(i, p_i - h)) / (2 * h))
        pull = mpmath.fsum(a * b for a, b in zip(p, slopes, strict=True))
        gradient = [p_i * (slope - pull) for p_i, slope in zip(p, slopes, strict=True)]
        return _float(value), [_float(g) for g in gradient]


def _float(x: mpmath.mpf) -> float:
    return math.copysign(math.inf, x) if abs(x) > 1.7e308 else float(x)


def _ours(loss: Loss, z: list[float], target: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    logits = torch.tensor([z], dtype=dtype, requires_grad=True)
    value = compile_loss(loss)(logits, target)
    (gradient,) = torch.autograd.grad(value, logits)
    with torch.no_grad():  # the form without a gradient goes another way
        torch.testing.assert_close(compile_loss(loss)(logits, target), value, equal_nan=False)
    return value.detach(), gradient[0]


@pytest.mark.parametrize(("path", "text"), CASES)
def test_the_table_covers_every_path(path: str, text: str) -> None:
    assert sl.codegen.plan(sl.parse(text)).path == path


@pytest.mark.parametrize(("path", "text"), CASES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_never_nan(path: str, text: str, dtype: torch.dtype) -> None:
    loss = sl.parse(text)
    for z in itertools.product(LEVELS, repeat=3):
        for target in (torch.tensor([0]), torch.tensor([[1.0, 0.0, 0.0]], dtype=dtype)):
            value, gradient = _ours(loss, list(z), target, dtype)
            assert not value.isnan(), (z, target)
            assert not gradient.isnan().any(), (z, target, gradient)


EXACT = [(path, text) for path, text in CASES if "plog" not in text and "sinh" not in text]


@pytest.mark.parametrize(("path", "text"), EXACT)
@pytest.mark.parametrize("z", [[-800.0, 800.0, -800.0], [800.0, -800.0, -800.0], [-800.0, 0.0, 800.0]])
def test_the_true_value_where_it_is_representable(path: str, text: str, z: list[float]) -> None:
    loss = sl.parse(text)
    value, gradient = _exact(loss, z, 0)
    ours, ours_gradient = _ours(loss, z, torch.tensor([0]), torch.float64)
    assert float(ours) == pytest.approx(value, rel=1e-9, abs=1e-12)
    assert ours_gradient.tolist() == pytest.approx(gradient, rel=1e-9, abs=1e-12)


MULTILABEL = [
    "-y*log(p) - (1 - y)*log(1 - p)", "y/p + (1 - y)/(1 - p)", "y*log(-log(p))", "(1 - p)**2*(y/p - 1/p**2)",
]  # fmt: skip


@pytest.mark.parametrize("text", MULTILABEL)
def test_multilabel_is_never_nan(text: str) -> None:
    loss = compile_loss(sl.parse(text, kind="multilabel"), "sum")
    for z, y in itertools.product((*LEVELS, -200.0, 200.0), (0.0, 0.3, 1.0)):
        logits = torch.tensor([[z]], requires_grad=True)
        value = loss(logits, torch.tensor([[y]]))
        value.backward()
        assert not value.isnan()
        assert logits.grad is not None
        assert not logits.grad.isnan().any()


REGRESSION = [
    "log(cosh(y - p))", "(y - p)**64 - (y - p)**62", "1 - exp(-(y - p)**2)", "p/sqrt(1 + p**2)",
    "exp(y - p) - exp(2*(y - p))", "(y - p)**60/(1 + (y - p)**62)",
]  # fmt: skip


@pytest.mark.parametrize("text", REGRESSION)
def test_regression_is_never_nan(text: str) -> None:
    module = compile_loss(sl.parse(text, kind="regression"))
    reference = lambdify(sl.parse(text, kind="regression"), "mpmath")
    for p, y in itertools.product((-2e4, -1.0, 0.0, 1e4), (-1e4, 0.0, 2e4)):
        outputs = torch.tensor([p], dtype=torch.float64, requires_grad=True)
        value = module(outputs, torch.tensor([y], dtype=torch.float64))
        value.backward()
        with mpmath.workdps(60):
            expected = _float(reference(mpmath.mpf(y), mpmath.mpf(p)))
        assert float(value.detach()) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert outputs.grad is not None
        assert not outputs.grad.isnan().any()


def test_a_confident_instance_keeps_its_distance_from_one() -> None:
    # In float32 the softmax rounds to 1 from a margin of 17 on; log(1 - p) must not.
    loss = compile_loss(sl.parse("-y*log(1 - p)"))
    for margin in (10.0, 20.0, 50.0, 200.0):
        value = loss(torch.tensor([[margin, 0.0]]), torch.tensor([0]))
        assert float(value) == pytest.approx(margin, rel=1e-4)


def test_the_logarithm_of_a_vanishing_logarithm() -> None:
    # log(-log(1 - e)) with e = 2 exp(-20000), which no float64 can hold.
    loss = compile_loss(sl.parse("y*log(-log(p))"))
    value = loss(torch.tensor([[1e4, -1e4, -1e4]], dtype=torch.float64), torch.tensor([0]))
    assert float(value) == pytest.approx(-20000 + math.log(2), rel=1e-12)


def test_an_infinite_loss_of_an_ignored_instance_does_not_count() -> None:
    loss = compile_loss(sl.parse("y/p"))
    z = torch.tensor([[-1e4, 1e4], [0.0, 0.0]], requires_grad=True)
    value = loss(z, torch.tensor([-100, 0]))
    value.backward()
    assert value.item() == pytest.approx(2.0)
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


def test_fragile_formulas_are_known_when_compiled() -> None:
    from symloss.codegen.curves import row_curve

    def fragile(text: str) -> bool:
        return row_curve(formula_of(sl.parse(text).value_expr, "classification")).fragile

    assert fragile("y*(1/p - 1/p**2)")
    assert not fragile("y*abs(log(1.3*p))")


@pytest.mark.parametrize("text", FORMULAS["target"])
def test_higher_derivatives_of_target_losses_are_never_nan(text: str) -> None:
    loss = compile_loss(sl.parse(text))
    for z in itertools.product(LEVELS, repeat=3):
        logits = torch.tensor([z], requires_grad=True)
        value = loss(logits, torch.tensor([0]))
        (gradient,) = torch.autograd.grad(value, logits, create_graph=True)
        assert not gradient.isnan().any(), (z, gradient)
        if gradient.requires_grad:
            (bend,) = torch.autograd.grad((gradient * torch.tensor([1.0, 0.5, -0.25])).sum(), logits)
            assert not bend.isnan().any(), (z, bend)
        mapped = torch.func.vmap(loss)(logits.detach(), torch.tensor([0]))
        if abs(value.item()) < 1e6:  # float32 leaves three digits of differences between logits of 1e4
            torch.testing.assert_close(mapped[0], value.detach(), rtol=1e-3, atol=1e-3)


def test_the_reach_of_a_formula_ends_where_its_printed_form_overflows() -> None:
    reaches = {text: compile_loss(sl.parse(text)).formula.reach for text in FORMULAS["target"]}
    assert reaches["y/p"] == (-80.0, 2e4)
    assert reaches["y*p/(1 - p)"] == (-2e4, 80.0)
    assert reaches["y*abs(log(1.3*p))"] is None


@pytest.mark.parametrize("text", ["-y*log(p)*max(p, 2)/2", "y*(1 - p)**2", "y*(1 - p**0.7)/0.7"])
def test_masked_classes_count_for_nothing_under_transforms(text: str) -> None:
    loss = compile_loss(sl.parse(text))
    z, t = torch.tensor([[1.0, -math.inf, 0.5]]), torch.tensor([0])
    slope = torch.func.grad(loss)(z, t)
    torch.testing.assert_close(slope[:, [0, 2]], torch.func.grad(loss)(z[:, [0, 2]], t))
    assert slope[0, 1] == 0


@pytest.mark.parametrize("text", ["y*log(-log(p))", "-y*(0.9*log(p) + 0.1*log(1 - p))", "y*p/(1 - p)"])
def test_confident_and_hopeless_instances_do_not_disturb_each_other(text: str) -> None:
    rows = torch.tensor(
        [[90.0, 0.0, 1.0], [0.3, 0.1, 0.2], [-90.0, 3.0, 0.0], [9.0, 0.0, 0.0], [300.0, 0.0, 0.0]]
    )
    z, t = rows.requires_grad_(), torch.zeros(5, dtype=torch.long)
    loss = compile_loss(sl.parse(text), "none")
    together = loss(z, t)
    alone = torch.cat([loss(z[i : i + 1], t[:1]) for i in range(5)])
    exact = loss(z.double(), t).float()
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(together, exact, rtol=1e-5, atol=1e-6)
    slopes = [torch.autograd.grad(x[:4].sum(), z)[0][:4] for x in (together, alone, exact)]
    torch.testing.assert_close(slopes[0], slopes[1])
    torch.testing.assert_close(slopes[0], slopes[2], rtol=1e-4, atol=1e-6)

"""A compiled loss against torch's own: values, gradients, options, dtypes, state."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

import symloss as sl
from symloss.codegen import compile_loss, torch_kernels
from symloss.codegen.runtime import classes
from symloss.codegen.runtime import target as by_target
from symloss.codegen.runtime.logits import softmax_in_one
from symloss.errors import CompileError

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


@pytest.fixture(params=["small", "large"], autouse=True)
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test twice: as a small batch on a CPU, and as large ones and accelerators are computed."""
    if request.param == "large":
        monkeypatch.setattr(by_target, "softmax_and_total", softmax_in_one)
        monkeypatch.setattr(classes, "all_count", lambda t, ignore_index: False)
        monkeypatch.setattr(torch_kernels, "LARGE", 0)


def _logits(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(*shape, generator=generator, dtype=dtype)).requires_grad_()


def _indices(*shape: int, classes: int) -> Tensor:
    return torch.randint(classes, shape, generator=torch.Generator().manual_seed(1))


def _same(ours: Callable[[], Tensor], theirs: Callable[[], Tensor], z: Tensor) -> None:
    a, b = ours(), theirs()
    torch.testing.assert_close(a, b, rtol=TOLERANCE[z.dtype], atol=TOLERANCE[z.dtype])
    upstream = torch.linspace(0.5, 1.5, a.numel(), dtype=z.dtype).view(a.shape)
    (ga,), (gb,) = (torch.autograd.grad(x, z, upstream) for x in (a, b))
    torch.testing.assert_close(ga, gb, rtol=TOLERANCE[z.dtype], atol=TOLERANCE[z.dtype])


# Spellings of cross-entropy that take the kernel, the target-only, the dense and the composed path.
CROSS_ENTROPY = {
    "kernel": "-y*log(p)",
    "target": "-y*log(p)*max(p, 2)/2",
    "dense": "-y*log(p) + p**3 - y*p**3 - (1 - y)*p**3",
}


@pytest.fixture(params=[*CROSS_ENTROPY, "composed"])
def cross_entropy(request: pytest.FixtureRequest) -> Callable[..., torch.nn.Module]:
    if request.param == "composed":
        loss = sl.parse("-phi0*y*log(p)")
        return lambda **options: compile_loss(loss, trainable=True, **options)
    loss = sl.parse(CROSS_ENTROPY[request.param])
    return lambda **options: compile_loss(loss, **options)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3), (2, 5, 3, 2), (5,), (1, 2)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_class_indices_as_torch(
    cross_entropy: Any, dtype: torch.dtype, shape: tuple[int, ...], reduction: str
) -> None:
    z = _logits(*shape, dtype=dtype)
    t = _indices(*(shape[:1] + shape[2:] if len(shape) > 1 else ()), classes=shape[min(1, len(shape) - 1)])
    ours = cross_entropy(reduction=reduction)
    _same(lambda: ours(z, t), lambda: F.cross_entropy(z, t, reduction=reduction), z)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3)])
def test_weights_and_ignored_classes_as_torch(
    cross_entropy: Any, reduction: str, weighted: bool, shape: tuple[int, ...]
) -> None:
    z, t = _logits(*shape), _indices(shape[0], *shape[2:], classes=5)
    weight = torch.tensor([0.5, 1.0, 2.0, 0.0, 3.0]).double() if weighted else None
    for ignore_index in (-100, 2):
        t = t.clone()
        t.view(-1)[1] = ignore_index
        options: dict[str, Any] = {"reduction": reduction, "weight": weight, "ignore_index": ignore_index}
        ours = cross_entropy(**options)
        _same(lambda o=ours, t=t: o(z, t), lambda t=t, k=options: F.cross_entropy(z, t, **k), z)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_probabilities_as_torch(cross_entropy: Any, reduction: str, weighted: bool) -> None:
    z = _logits(4, 5, 3)
    soft = torch.softmax(_logits(4, 5, 3, seed=3).detach(), 1)
    soft[0, :, 0] = torch.tensor([0, 1, 0, 0, 0])
    weight = torch.tensor([0.5, 1.0, 2.0, 0.0, 3.0]).double() if weighted else None
    ours = cross_entropy(reduction=reduction, weight=weight)
    _same(lambda: ours(z, soft), lambda: F.cross_entropy(z, soft, weight, reduction=reduction), z)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "formula", ["-(y*(1 - 0.1) + 0.1/C)*log(p)", "-(0.9*y + 0.1/C + 0*C)*log(p) + 0*p**3"]
)
def test_label_smoothing_as_torch(dtype: torch.dtype, weighted: bool, formula: str) -> None:
    z, t = _logits(6, 5, dtype=dtype), _indices(6, classes=5)
    t[2] = -100
    weight = torch.tensor([0.5, 1.0, 2.0, 1.5, 3.0], dtype=dtype) if weighted else None
    for reduction in ("mean", "sum", "none"):
        ours = compile_loss(sl.parse(formula), reduction, weight)
        _same(
            lambda o=ours: o(z, t),
            lambda r=reduction: F.cross_entropy(z, t, weight, reduction=r, label_smoothing=0.1),
            z,
        )


REGRESSION: list[tuple[str, Callable[[Tensor, Tensor], Tensor]]] = [
    ("(y - p)**2", F.mse_loss),
    ("0.5*(p - y)**2", lambda p, y: F.mse_loss(p, y) / 2),
    ("abs(y - p)", F.l1_loss),
    ("(y - p)**2 + 0*w", F.mse_loss),
    ("abs(p - y)*w", F.l1_loss),
    ("min(abs(y - p), 1)*(abs(y - p) - min(abs(y - p), 1)/2)", F.huber_loss),
    (
        "4*min(abs(y - p), 0.5)*(abs(y - p) - min(abs(y - p), 0.5)/2)",
        lambda p, y: 4 * F.huber_loss(p, y, delta=0.5),
    ),
    ("log(cosh(p - y))", lambda p, y: torch.log(torch.cosh(p - y)).mean()),
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("formula", "reference"), REGRESSION)
def test_regression_as_torch(formula: str, reference: Any, dtype: torch.dtype) -> None:
    p, y = _logits(7, 2, dtype=dtype), _logits(7, 2, dtype=dtype, seed=4).detach()
    ours = compile_loss(sl.parse(formula, kind="regression"))
    _same(lambda: ours(p, y), lambda: reference(p, y), p)


def test_log_cosh_neither_overflows_nor_bends_at_zero() -> None:
    ours = compile_loss(sl.named("log-cosh", kind="regression"), "sum")
    r = torch.tensor([0.0, 1e-3, -1e4, 1e4, 89.0], dtype=torch.float64, requires_grad=True)
    losses = compile_loss(sl.named("log-cosh", kind="regression"), "none")(r, torch.zeros_like(r))
    torch.testing.assert_close(losses, r.abs() + torch.log1p(torch.exp(-2 * r.abs())) - math.log(2))
    (slope,) = torch.autograd.grad(ours(r, torch.zeros_like(r)), r, create_graph=True)
    torch.testing.assert_close(slope, torch.tanh(r))
    (bend,) = torch.autograd.grad(slope.sum(), r)
    torch.testing.assert_close(bend, 1 - torch.tanh(r) ** 2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    "formula", ["-y*log(p) - (1 - y)*log(1 - p)", "-y*log(p) - (1 - y)*log(1 - p) + 0*sin(p)"]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_multilabel_as_torch(dtype: torch.dtype, formula: str, weighted: bool) -> None:
    z = _logits(6, 4, dtype=dtype)
    weight = torch.tensor([1.0, 2.0, 0.5, 1.0], dtype=dtype) if weighted else None
    for y in (
        (_logits(6, 4, seed=6) > 0).to(dtype),
        torch.sigmoid(_logits(6, 4, dtype=dtype, seed=7)).detach(),
    ):
        for reduction in ("mean", "sum", "none"):
            ours = compile_loss(sl.parse(formula, kind="multilabel"), reduction, weight)
            _same(
                lambda o=ours, y=y: o(z, y),
                lambda y=y, r=reduction: F.binary_cross_entropy_with_logits(z, y, weight, reduction=r),
                z,
            )


def test_focal_bce_as_torchvision() -> None:
    formula = "-0.25*y*(1 - p)**2*log(p) - 0.75*(1 - y)*p**2*log(1 - p)"
    z, y = _logits(6, 4), (_logits(6, 4, seed=6) > 0).double()
    ours = compile_loss(sl.parse(formula, kind="multilabel"))
    _same(lambda: ours(z, y), lambda: sigmoid_focal_loss(z, y, reduction="mean"), z)


@pytest.mark.parametrize("name", ["ce", "ace", "lsr", "sparse-lsr", "brier", "focal"])
def test_bfloat16_outputs_keep_their_dtype(name: str) -> None:
    z, t = _logits(16, 5, dtype=torch.float32).detach(), _indices(16, classes=5)
    low = z.bfloat16().requires_grad_()
    loss = compile_loss(sl.named(name))
    result = loss(low, t)
    result.backward()
    assert result.dtype is torch.bfloat16
    assert low.grad is not None
    torch.testing.assert_close(result.float(), loss(low.detach().float(), t), rtol=1e-2, atol=1e-2)


def test_priors_make_logit_adjustment() -> None:
    # log of the adjusted softmax: z + log pi, normalised; the formula's own terms are those of the target.
    loss = sl.parse("-y*log(p/(p + pi))")
    z, t, prior = _logits(6, 3), _indices(6, classes=3), torch.tensor([0.2, 0.5, 0.3]).double()
    p = torch.softmax(z, 1).gather(1, t[:, None])[:, 0]
    expected = -torch.log(p / (p + prior[t])).mean()
    torch.testing.assert_close(compile_loss(loss, priors=prior)(z, t), expected)
    torch.testing.assert_close(compile_loss(loss)(z, t, priors=prior), expected)
    soft = F.one_hot(t, 3).double()
    torch.testing.assert_close(compile_loss(loss, priors=prior)(z, soft), expected)


@pytest.mark.parametrize("formula", ["-w*y*log(p)", "w*(y - p)**2 + w"])
def test_instance_weights_multiply(formula: str) -> None:
    loss, plain = sl.parse(formula), sl.parse(formula.replace("w", "1"))
    z, t, w = _logits(6, 3), _indices(6, classes=3), torch.arange(6).double()
    expected = (compile_loss(plain, "none")(z, t) * w).mean()
    torch.testing.assert_close(compile_loss(loss)(z, t, w=w), expected)
    torch.testing.assert_close(compile_loss(loss)(z, t, w=2.0), 2 * compile_loss(loss)(z, t))
    y = _logits(6, seed=2).detach()
    regression = compile_loss(sl.parse("w*(y - p)**2", kind="regression"), "none")
    torch.testing.assert_close(regression(z[:, 0], y, w=w), w * (z[:, 0] - y) ** 2)


def test_two_formulas_equal_on_hard_labels_differ_on_soft_ones() -> None:
    z, t = _logits(6, 3), _indices(6, classes=3)
    soft = torch.softmax(_logits(6, 3, seed=2), 1).detach()
    one, two = compile_loss(sl.parse("-y*log(p)")), compile_loss(sl.parse("-y**2*log(p)"))
    torch.testing.assert_close(one(z, t), two(z, t))
    torch.testing.assert_close(two(z, soft), -(soft**2 * F.log_softmax(z, 1)).sum(1).mean())
    assert abs(float((one(z, soft) - two(z, soft)).detach())) > 1e-2


def test_state_survives_saving_and_copying() -> None:
    loss = sl.named("gce", q=0.4)
    options: dict[str, Any] = {"trainable": True, "weight": [1.0, 2.0, 3.0], "bounds": {"q": (0.0, 1.0)}}
    module, other = compile_loss(loss, **options), compile_loss(loss, **options)
    with torch.no_grad():
        next(module.parameters()).add_(1.0)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    z, t = _logits(5, 3), _indices(5, classes=3)
    torch.testing.assert_close(other(z, t), module(z, t))
    twin = copy.deepcopy(module)
    torch.testing.assert_close(twin(z, t), module(z, t))
    with torch.no_grad():
        next(twin.parameters()).add_(1.0)
    assert not torch.equal(twin(z, t), module(z, t))


@pytest.mark.parametrize("name", sl.names("classification"))
def test_trainable_coefficients_change_nothing_but_the_path(name: str) -> None:
    loss = sl.named(name)
    fixed, trainable = compile_loss(loss), compile_loss(loss, trainable=True, bounds={})
    for shape in ((6, 4), (3, 4, 2)):
        z, t = _logits(*shape), _indices(shape[0], *shape[2:], classes=4)
        _same(lambda z=z, t=t: trainable(z, t), lambda z=z, t=t: fixed(z, t), z)


def test_trainable_coefficients_move_and_stay_in_bounds() -> None:
    module = compile_loss(sl.named("gce", q=0.5), trainable=True, bounds={"q": (0.0, 1.0)})
    z, t = _logits(8, 3).detach(), _indices(8, classes=3)
    torch.testing.assert_close(module(z, t), compile_loss(sl.named("gce", q=0.5))(z, t))
    optimiser = torch.optim.SGD(module.parameters(), lr=50.0)
    for _ in range(30):
        optimiser.zero_grad()
        module(z, t).backward()
        optimiser.step()
    q = module.coefficients.values_now()["q"]
    assert q != 0.5
    assert 0 < q <= 1
    assert module.to_loss() == sl.named("gce", q=q)


def test_a_loss_of_the_zoo_has_the_bounds_of_the_zoo() -> None:
    for kind in ("classification", "multilabel", "regression"):
        for name in sl.names(kind):
            loss = sl.named(name, kind=kind)
            entry = sl.zoo.entry(name, kind)
            module = compile_loss(loss, trainable=True)
            free = (-math.inf, math.inf)
            assert module.coefficients.bounds == {c: entry.bounds.get(c, free) for c in loss.coefficients}
            assert module.coefficients.values_now() == pytest.approx(dict(loss.coefficients))
    with pytest.raises(CompileError, match="expected q strictly between"):
        compile_loss(sl.named("gce", q=1.0), trainable=True)
    assert compile_loss(sl.named("gce", q=1.0), trainable=True, bounds={}).coefficients.values_now() == {
        "q": 1
    }


def test_a_trainable_coefficient_has_the_gradient_of_its_formula() -> None:
    module = compile_loss(sl.parse("a*y*abs(log(b*p))", coefficients={"a": 2.0, "b": 1.3}), trainable=True)
    z, t = _logits(8, 3).detach(), _indices(8, classes=3)
    u = F.log_softmax(z, 1).gather(1, t[:, None])
    inner = u + math.log(1.3)
    grads = torch.autograd.grad(module(z, t), list(module.parameters()))
    assert module.coefficients.names == ("a", "b")
    torch.testing.assert_close(grads[0], inner.abs().mean())
    torch.testing.assert_close(grads[1], (2.0 * inner.sign() / 1.3).mean())


ERRORS: list[tuple[Callable[[], object], str]] = [
    (lambda: compile_loss(sl.parse("-y*log(p)"), "average"), "expected reduction 'mean'"),
    (lambda: compile_loss(sl.parse("abs(log(y*p))")), r"write y\*abs\(log\(p\)\).*protected plog"),
    (lambda: compile_loss(sl.parse("p*log(1 - y)")), "expected a formula that is finite at y = 1"),
    (lambda: compile_loss(sl.parse("-y*log(p)"), weight=[[1.0]]), "expected weight as a vector"),
    (lambda: compile_loss(sl.parse("-y*log(p)"), weight=[1.0, float("inf")]), "values that are not finite"),
    (lambda: compile_loss(sl.parse("y*p*pi"), priors=[1.0, float("nan")]), "values that are not finite"),
    (lambda: compile_loss(sl.parse("-y*log(p)"), weight=[1.0, -1.0]), "expected weight of at least 0"),
    (lambda: compile_loss(sl.parse("y*p*pi"), priors=[0.0, 1.0]), "expected positive priors"),
    (lambda: compile_loss(sl.parse("(y-p)**2", kind="regression"), weight=[1.0]), "no class weights"),
    (lambda: compile_loss(sl.parse("C*(y-p)**2", kind="regression")), "without C and pi"),
    (
        lambda: compile_loss(sl.parse("-phi0*y*log(p)"), trainable=True, bounds={"phi0": (1.0, 2.0)}),
        "expected phi0 strictly between 1 and 2, got 1",
    ),
    (lambda: compile_loss(sl.parse("-y*log(p)"), trainable=True, bounds={"x": (0, 1)}), "got bounds of 'x'"),
]


@pytest.mark.parametrize(("attempt", "message"), ERRORS)
def test_what_cannot_be_compiled_is_refused(attempt: Callable[[], object], message: str) -> None:
    with pytest.raises(CompileError, match=message):
        attempt()


Z = torch.zeros(4, 3)
T = torch.zeros(4, dtype=torch.long)
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("-y*log(p)", (Z, torch.tensor([0, 1, 2, 3])), {}, "from 0 to 2 .or ignore_index -100., got 3"),
    ("y*p", (Z, torch.tensor([0, 1, 2, 3])), {}, "from 0 to 2 .or ignore_index -100., got 3"),
    ("y*p**3 - p**2", (Z, torch.tensor([0, 1, 2, -1])), {}, "got -1; check the labels"),
    ("-y*log(p)", (Z, T[:3]), {}, r"class indices of shape \[4\] for logits of shape \[4, 3\], got \[3\]"),
    ("y*p", (Z, T[:3]), {}, r"class indices of shape \[4\] for logits of shape \[4, 3\], got \[3\]"),
    ("y*p", (Z, T.float()), {}, "class indices must have an integer dtype"),
    ("y*p", (Z, T.bool()), {}, "expected class indices"),
    ("y*p", (Z.long(), T), {}, "expected outputs of a floating dtype, got torch.int64"),
    ("y*p", (torch.tensor(1.0), T), {}, "got a scalar"),
    ("y*p*pi", (Z, T), {}, "expected class priors for the symbol pi, got none"),
    ("y*p*pi", (Z, T), {"priors": [0.5, 0.5]}, "expected priors of 3 classes, got 2"),
    ("y*p", (Z, T), {"priors": [0.5, 0.5, 0.1]}, "got priors for a formula without it"),
    ("y*p", (Z, T), {"w": 2.0}, "got w for a formula without it"),
    ("y*p*w", (Z, T), {"w": torch.ones(3)}, r"expected instance weights w of shape \[4\], got \[3\]"),
]


@pytest.mark.parametrize(("formula", "arguments", "options", "message"), CALLS)
def test_what_does_not_fit_is_refused(
    formula: str, arguments: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    module = compile_loss(sl.parse(formula))
    with pytest.raises(CompileError, match=message):
        module(*arguments, **options)


@pytest.mark.parametrize("kind", ["regression", "multilabel"])
@pytest.mark.parametrize("formula", ["(y - p)**2", "(y - p)**4"])
def test_entries_of_another_shape_are_refused(kind: str, formula: str) -> None:
    with pytest.raises(CompileError, match=r"targets of the outputs' shape \[4, 1\] .* got \[4\]; squeeze"):
        compile_loss(sl.parse(formula, kind=kind))(torch.zeros(4, 1), torch.zeros(4))


def test_weight_of_another_length_is_refused() -> None:
    for formula in ("-y*log(p)", "y*p"):
        with pytest.raises(CompileError, match="expected weight of 3 classes, got 2"):
            compile_loss(sl.parse(formula), weight=[1.0, 2.0])(Z, T)


def test_integer_targets_of_any_width_are_accepted() -> None:
    for formula in ("-y*log(p)", "y*p"):
        module = compile_loss(sl.parse(formula))
        torch.testing.assert_close(module(Z, T.int()), module(Z, T))

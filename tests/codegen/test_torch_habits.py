"""What people expect of a torch loss, on every path and in exported files: torch's own functions are the reference."""

from __future__ import annotations

import copy
import io
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import symloss as sl
from symloss.codegen import compile_loss, export_python, torch_kernels
from symloss.codegen.formula import formula_of
from symloss.codegen.runtime import classes
from symloss.codegen.runtime import target as by_target
from symloss.codegen.runtime.logits import softmax_in_one
from symloss.errors import CompileError

INF, NAN = math.inf, math.nan
REDUCTIONS = ("mean", "sum", "none")


@pytest.fixture(params=["small", "large"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test twice: as a small batch on a CPU, and as large ones and accelerators are computed."""
    if request.param == "large":
        monkeypatch.setattr(by_target, "softmax_and_total", softmax_in_one)
        monkeypatch.setattr(classes, "all_count", lambda t, ignore_index: False)
        monkeypatch.setattr(torch_kernels, "LARGE", 0)


@lru_cache
def _file(text: str, kind: str) -> Callable[..., nn.Module]:
    namespace: dict[str, Any] = {}
    exec(compile(export_python(sl.parse(text, kind=kind)), "exported.py", "exec"), namespace)
    return namespace["SymbolicLoss"]


def _exported(loss: sl.Loss) -> Callable[..., nn.Module]:
    return _file(str(loss), loss.kind)


@dataclass(frozen=True)
class Case:
    """A spelling of one of torch's own losses, and the path that computes it."""

    text: str
    kind: str
    reference: Callable[..., Tensor]
    trainable: bool = False
    exported: bool = False

    def module(self, **options: Any) -> nn.Module:
        loss = sl.parse(self.text, kind=self.kind)
        if self.exported:
            return _exported(loss)(**options)
        return compile_loss(loss, trainable=self.trainable, **options)


def _smoothed(*arguments: Any, **options: Any) -> Tensor:
    return F.cross_entropy(*arguments, **options, label_smoothing=0.1)


CE, LSR, RATIO = "-y*log(p)", "-(0.9*y + 0.1/C)*log(p)", "y*log(1 + (1 - p)/p)"
CLASSES = {
    "kernel": Case(CE, "classification", F.cross_entropy),
    "target": Case("-y*log(p)*max(p, 2)/2", "classification", F.cross_entropy),
    "target of p and 1 - p": Case(RATIO, "classification", F.cross_entropy),
    "linear": Case(LSR, "classification", _smoothed),
    "dense": Case("-y*log(p) + max(p, 2) - 2", "classification", F.cross_entropy),
    "dense, two-sided": Case("-y*log(p) + max(log(1 - p), 0)", "classification", F.cross_entropy),
    "composed": Case("-phi0*y*log(p)", "classification", F.cross_entropy, trainable=True),
    "composed, linear": Case("-phi0*(0.9*y + 0.1/C)*log(p)", "classification", _smoothed, trainable=True),
    "exported kernel": Case(CE, "classification", F.cross_entropy, exported=True),
    "exported target": Case(RATIO, "classification", F.cross_entropy, exported=True),
    "exported dense": Case("-y*log(p) + max(p, 2) - 2", "classification", F.cross_entropy, exported=True),
    "exported linear": Case(LSR, "classification", _smoothed, exported=True),
}
bce, BCE = F.binary_cross_entropy_with_logits, "(-y*log(p) - (1 - y)*log(1 - p))"
ENTRIES = {
    "bce kernel": Case(BCE, "multilabel", bce),
    "bce": Case(f"w*{BCE}", "multilabel", bce),
    "bce composed": Case(f"phi0*{BCE}", "multilabel", bce, trainable=True),
    "bce exported": Case(f"w*{BCE}", "multilabel", bce, exported=True),
    "mse kernel": Case("(y - p)**2", "regression", F.mse_loss),
    "mse": Case("w*(y - p)**2", "regression", F.mse_loss),
    "mse composed": Case("phi0*(y - p)**2", "regression", F.mse_loss, trainable=True),
    "mse exported": Case("w*(y - p)**2", "regression", F.mse_loss, exported=True),
    "mse exported kernel": Case("(y - p)**2", "regression", F.mse_loss, exported=True),
}


def _graded(loss: Callable[[Tensor], Tensor], z: Tensor) -> tuple[Tensor, Tensor]:
    z = z.clone().requires_grad_()
    result = loss(z)
    (gradient,) = torch.autograd.grad(result.sum(), z)
    return result.detach(), gradient


def _as_torch(case: Case, z: Tensor, t: Tensor, **options: Any) -> None:
    for reduction in REDUCTIONS:
        ours = case.module(reduction=reduction, **options)
        theirs = {name: value for name, value in options.items() if value is not None}
        found = _graded(lambda z, m=ours: m(z, t), z)
        wanted = _graded(lambda z, r=reduction, o=theirs: case.reference(z, t, reduction=r, **o), z)
        torch.testing.assert_close(found, wanted, equal_nan=True, rtol=1e-4, atol=1e-6)


@pytest.fixture(params=CLASSES)
def case(request: pytest.FixtureRequest) -> Case:
    return CLASSES[request.param]


@pytest.fixture(params=ENTRIES)
def entries(request: pytest.FixtureRequest) -> Case:
    return ENTRIES[request.param]


LOGITS = torch.tensor([[0.2, -1.1, 0.9], [2.0, 0.3, -0.4], [0.0, 1.7, 0.6]])
INDICES = torch.tensor([0, 2, 1])


def _logits(**changes: float) -> Tensor:
    z = LOGITS.clone()
    for place, value in changes.items():
        z[int(place[1]), int(place[2])] = value
    return z


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize(
    "z",
    [
        _logits(z01=-INF),  # a class that is not the target
        _logits(z10=-INF, z11=-INF),  # all classes but the target
        _logits(z22=-INF, z11=-INF, z10=-INF),
        _logits(z21=-INF),  # the target
    ],
    ids=["one", "all but the target", "both", "the target"],
)
def test_masked_classes(case: Case, z: Tensor) -> None:
    _as_torch(case, z, INDICES)


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("t", [[-100, -100, -100], [0, -100, 1]])
def test_ignored_targets(case: Case, t: list[int]) -> None:
    _as_torch(case, LOGITS, torch.tensor(t), weight=None)
    _as_torch(case, LOGITS, torch.tensor(t), weight=torch.tensor([0.5, 1.0, 2.0]))
    _as_torch(case, LOGITS, torch.tensor(t).where(torch.tensor(t) >= 0, 1), ignore_index=1)


@pytest.mark.parametrize("name", [name for name in CLASSES if "kernel" not in name])
def test_what_does_not_count_may_be_anything(name: str) -> None:
    case, z, t = CLASSES[name], _logits(z10=NAN, z21=INF), torch.tensor([0, -100, -100])
    value, gradient = _graded(lambda z: case.module()(z, t), z)
    wanted = _graded(lambda z: case.reference(z, t[:1]), LOGITS[:1])
    torch.testing.assert_close((value, gradient[:1]), wanted)
    assert (gradient[1:] == 0).all()


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("weight", [[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
def test_class_weights_of_zero(case: Case, weight: list[float]) -> None:
    _as_torch(case, LOGITS, INDICES, weight=torch.tensor(weight))


SOFT = torch.tensor([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])


def _weighted(module: nn.Module, weight: list[float]) -> nn.Module:
    """With other weights, as when a checkpoint is loaded."""
    module.get_buffer("weight").copy_(torch.tensor(weight))
    return module


def _every_class_counts(case: Case) -> bool:
    return formula_of(sl.parse(case.text, kind=case.kind).value_expr, case.kind).other != 0


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("t", [[0, 2, 1], [0, 2, 0], [0, -100, 1], [0, -100, 2], [-100, -100, -100]])
def test_class_weights_that_are_no_numbers(case: Case, t: list[int], reduction: str) -> None:
    weight, targets = [1.0, NAN, 1.0], torch.tensor(t)
    spread = _every_class_counts(case)
    # Where every class has a term the pattern is that of torch's label smoothing.
    reference = _smoothed if spread else F.cross_entropy
    module = _weighted(case.module(weight=torch.ones(3), reduction=reduction), weight)
    value, gradient = _graded(lambda z: module(z, targets), LOGITS)
    options = {"weight": torch.tensor(weight), "reduction": reduction}
    wanted, slopes = _graded(lambda z: reference(z, targets, **options), LOGITS)
    if spread:  # there torch's gradient is NaN for ignored instances, too
        slopes = torch.where(targets.unsqueeze(1) == -100, 0.0, slopes)
    torch.testing.assert_close((value, gradient), (wanted, slopes), equal_nan=True, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("name", [name for name in CLASSES if not _every_class_counts(CLASSES[name])])
def test_an_infinite_class_weight_is_one_of_its_own_class(name: str) -> None:
    weight = [1.0, INF, 1.0]
    module = _weighted(CLASSES[name].module(weight=torch.ones(3), reduction="none"), weight)
    wanted = F.cross_entropy(LOGITS, INDICES, torch.tensor(weight), reduction="none")
    torch.testing.assert_close(module(LOGITS, INDICES), wanted)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("soft", [torch.softmax(LOGITS, 1), SOFT], ids=["all", "with zeros"])
def test_class_weights_that_are_no_numbers_with_probabilities(
    case: Case, soft: Tensor, reduction: str
) -> None:
    weight = [1.0, NAN, 1.0]
    module = _weighted(case.module(weight=torch.ones(3), reduction=reduction), weight)
    found = _graded(lambda z: module(z, soft), LOGITS)
    options = {"weight": torch.tensor(weight), "reduction": reduction}
    wanted = _graded(lambda z: case.reference(z, soft, **options), LOGITS)
    torch.testing.assert_close(found, wanted, equal_nan=True)


CONSTANT_OR_STEEP = [
    "y",
    "y*max(p, 2)",
    "y*exp(1/p)",
    "y/p",
    "y/p - log(p)",
    "y/p - y*log(p) + (1 - y)*p**2/(1 - p)",
    "y*max(p, 2) + (1 - y)*max(p, 3)",
    "phi0*y",
    "phi0*y*max(p, 2)",
]


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("text", ["focal", "gce", "brier", "lsr", "ace", "taylorglo", *CONSTANT_OR_STEEP])
def test_a_class_weight_that_is_no_number_is_one_in_loss_and_gradient(text: str) -> None:
    loss = sl.named(text) if text in sl.names("classification") else sl.parse(text)
    z = torch.cat([LOGITS, torch.tensor([[-200.0, 0.0, 3.0]])])
    t = torch.tensor([0, 2, 1, 0])
    spread = formula_of(loss.value_expr, loss.kind).other != 0
    trainable = [{"trainable": True}] if loss.coefficients else []
    makers = [lambda o=o: compile_loss(loss, "none", weight=torch.ones(3), **o) for o in ({}, *trainable)]
    for make in (*makers, lambda: _exported(loss)("none", torch.ones(3))):
        plain, module = make(), _weighted(make(), [1.0, NAN, 1.0])
        for targets in (t, F.one_hot(t, 3).float()):
            everywhere = spread or targets.is_floating_point()
            mark = torch.ones(4, dtype=torch.bool) if everywhere else t == 1
            value, gradient = _graded(lambda z, m=module, t=targets: m(z, t), z)
            assert torch.isnan(value).tolist() == mark.tolist()
            assert torch.isnan(gradient).all(1).tolist() == torch.isnan(gradient).any(1).tolist()
            assert torch.isnan(gradient).all(1).tolist() == mark.tolist()
            wanted = _graded(lambda z, m=plain, t=targets: m(z, t), z)
            torch.testing.assert_close((value[~mark], gradient[~mark]), (wanted[0][~mark], wanted[1][~mark]))
            again = z.clone().requires_grad_()
            (twice,) = torch.autograd.grad(module(again, targets).sum(), again, create_graph=True)
            assert torch.isnan(twice).all(1).tolist() == mark.tolist()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ["bce kernel", "bce", "bce composed"])
def test_a_label_weight_that_is_no_number(name: str, reduction: str) -> None:
    case, weight, y = ENTRIES[name], [1.0, NAN, 1.0], torch.eye(3)
    module = _weighted(case.module(weight=torch.ones(3), reduction=reduction), weight)
    found = _graded(lambda z: module(z, y), LOGITS)
    wanted = _graded(lambda z: bce(z, y, torch.tensor(weight), reduction=reduction), LOGITS)
    torch.testing.assert_close(found, wanted, equal_nan=True)


@pytest.mark.parametrize("text", ["-y*log(p)", "-phi0*y*log(p)", "phi0*y", "y/p"])
def test_a_label_weight_that_is_no_number_is_one_in_loss_and_gradient(text: str) -> None:
    loss = sl.parse(text, kind="multilabel")
    for trainable in (False, True) if loss.coefficients else (False,):
        module = compile_loss(loss, "none", weight=torch.ones(3), trainable=trainable)
        value, gradient = _graded(lambda z, m=_weighted(module, [1.0, NAN, 1.0]): m(z, torch.eye(3)), LOGITS)
        for found in (value, gradient):
            assert torch.isnan(found).tolist() == [[False, True, False]] * 3


def test_class_probabilities_with_zeros(case: Case) -> None:
    _as_torch(case, LOGITS, SOFT)
    _as_torch(case, LOGITS, SOFT, weight=torch.tensor([1.0, 0.0, 2.0]))


@pytest.mark.parametrize("name", [name for name in CLASSES if CLASSES[name].reference is F.cross_entropy])
def test_a_probability_of_zero_at_a_masked_class_counts_for_nothing(name: str) -> None:
    # torch's own is NaN, 0 times infinity, with the right gradient; where we compute, the value is right as well.
    z = _logits(z01=-INF, z10=-INF, z12=-INF)
    soft = torch.tensor([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])
    module = CLASSES[name].module(reduction="none")
    value, gradient = _graded(lambda z: module(z, soft), z)
    _, slopes = _graded(lambda z: F.cross_entropy(z, soft, reduction="none"), z)
    torch.testing.assert_close(gradient, slopes)
    wanted = F.cross_entropy(z.clamp(min=-1e30), soft, reduction="none")
    torch.testing.assert_close(
        value, torch.where(soft.eq(0).any(1), NAN, wanted) if "kernel" in name else wanted, equal_nan=True
    )


@pytest.mark.usefixtures("size")
def test_an_empty_batch(case: Case) -> None:
    z = torch.empty(0, 3)
    _as_torch(case, z, torch.empty(0, dtype=torch.int64))
    _as_torch(case, z, torch.empty(0, 3))
    _as_torch(case, torch.empty(0, 3, 2), torch.empty(0, 2, dtype=torch.int64))


def test_an_empty_batch_of_entries(entries: Case) -> None:
    _as_torch(entries, torch.empty(0, 3), torch.empty(0, 3))


def test_a_class_to_ignore_does_not_go_with_probabilities(case: Case) -> None:
    soft = torch.softmax(LOGITS, 1)
    with pytest.raises((CompileError, RuntimeError), match="ignore_index"):
        case.module(ignore_index=1)(LOGITS, soft)
    _as_torch(case, LOGITS, soft, ignore_index=-5)


@pytest.mark.usefixtures("size")
def test_a_logit_that_is_no_number(case: Case) -> None:
    for place in ("z12", "z11"):
        z = torch.cat([_logits(**{place: NAN}), torch.tensor([[0.0, 200.0, 0.0]])])
        _as_torch(case, z, torch.tensor([0, 2, 1, 1]))


def test_a_probability_that_is_no_number(case: Case) -> None:
    soft = torch.softmax(LOGITS, 1)
    soft[1, 1] = NAN
    _as_torch(case, LOGITS, soft)


@pytest.mark.parametrize("where", ["output", "target"])
def test_an_output_or_target_that_is_no_number(entries: Case, where: str) -> None:
    z, y = LOGITS.clone(), torch.sigmoid(LOGITS.flip(0))
    (z if where == "output" else y)[1, 1] = NAN
    _as_torch(entries, z, y)


OTHERS = [
    sl.named(name) for name in ("focal", "gce", "brier", "lsr", "sparse-lsr", "ace", "taylorglo", "baikal")
]
OTHERS += [sl.named("focal-bce", kind="multilabel"), sl.named("huber", kind="regression")]
OTHERS += [sl.named("barron", kind="regression"), sl.named("pinball", kind="regression")]


def _modules(loss: sl.Loss) -> list[nn.Module]:
    """The module, that with trainable coefficients, and that of the exported file, without reduction."""
    trainable = [compile_loss(loss, "none", trainable=True)] if loss.coefficients else []
    return [compile_loss(loss, "none"), *trainable, _exported(loss)("none")]


def _targets(loss: sl.Loss) -> list[Tensor]:
    soft = torch.softmax(LOGITS.flip(0), 1)
    return [INDICES, soft] if loss.kind == "classification" else [soft]


@pytest.mark.parametrize("loss", [sl.named("ce"), *OTHERS], ids=str)
def test_autocast_computes_and_returns_float32(loss: sl.Loss) -> None:
    dtype = torch.bfloat16 if loss.kind == "classification" else torch.float16
    torch.manual_seed(0)
    layer, x = nn.Linear(5, 3), torch.randn(3, 5)
    for module, target in [(m, t) for m in _modules(loss) for t in _targets(loss)]:
        with torch.autocast("cpu", dtype=dtype):
            z = layer(x)
            found = module(z, target)
            single = module(LOGITS, target)
        assert z.dtype is dtype
        assert found.dtype is single.dtype is torch.float32
        torch.testing.assert_close(found, module(z.float(), target))
        torch.testing.assert_close(single, module(LOGITS, target), rtol=0, atol=0)
        (gradient,) = torch.autograd.grad(found.sum(), layer.weight, retain_graph=True)
        (wanted,) = torch.autograd.grad(module(z.float(), target).sum(), layer.weight)
        torch.testing.assert_close(gradient, wanted, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("loss", [x for x in OTHERS if x != sl.named("huber", kind="regression")], ids=str)
def test_low_precision_stays_where_nobody_casts(loss: sl.Loss) -> None:
    for module, target in [(m, t) for m in _modules(loss) for t in _targets(loss)]:
        z = LOGITS.bfloat16().requires_grad_()
        found = module(z, target)
        assert found.dtype is torch.bfloat16
        torch.testing.assert_close(found, module(z.float(), target).bfloat16())
        (gradient,) = torch.autograd.grad(found.sum(), z)
        assert gradient.dtype is torch.bfloat16


@pytest.mark.parametrize("loss", OTHERS, ids=str)
@pytest.mark.parametrize("where", ["output", "target"])
def test_a_nan_is_a_nan_in_its_own_loss_and_gradient(loss: sl.Loss, where: str) -> None:
    for module, target in [(m, t) for m in _modules(loss) for t in _targets(loss)]:
        z = LOGITS.clone()
        if where == "target" and not target.is_floating_point():
            continue
        target = target.clone()
        (z if where == "output" else target)[1, 1] = NAN
        value, gradient = _graded(lambda z, m=module, t=target: m(z, t), z)
        clean = _graded(
            lambda z, m=module, t=target: m(z, t.nan_to_num(0.3) if t.is_floating_point() else t), LOGITS
        )
        bad = torch.zeros(3, dtype=torch.bool)
        bad[1] = True
        mark = torch.zeros_like(gradient, dtype=torch.bool)
        mark[1, (slice(None) if loss.kind == "classification" else 1)] = True
        torch.testing.assert_close(torch.isnan(gradient), mark)
        torch.testing.assert_close(torch.isnan(value), mark if value.dim() == 2 else bad)
        keep = ~mark
        torch.testing.assert_close(gradient[keep], clean[1][keep])


@pytest.mark.usefixtures("size")
def test_a_repair_does_not_replace_a_nan() -> None:
    # `y/p` overflows at a hopeless instance, which is done again on signed logarithms; its neighbour is NaN.
    z, t = (
        torch.tensor([[0.1, NAN, 0.3], [-200.0, 0.0, 3.0], [0.1, 0.2, 0.3]]),
        torch.zeros(3, dtype=torch.int64),
    )
    for text in ("y/p - log(p)", "y/p - y*log(p) + (1 - y)*p**2/(1 - p)"):
        value, gradient = _graded(lambda z, m=compile_loss(sl.parse(text), "none"): m(z, t), z)
        assert torch.isnan(value).tolist() == [True, False, False]
        assert torch.isnan(gradient).all(1).tolist() == [True, False, False]
        assert not torch.isnan(gradient[2]).any()


@pytest.mark.parametrize("text", ["w*y*(1 - p)**2", "w*(y - p)**2 + y*w/p"])
def test_an_instance_weight_that_is_no_number(text: str) -> None:
    w = torch.tensor([1.0, NAN, 2.0])
    for module in (compile_loss(sl.parse(text), "none"), _exported(sl.parse(text))("none")):
        value, gradient = _graded(lambda z, m=module: m(z, INDICES, w=w), LOGITS)
        assert torch.isnan(value).tolist() == [False, True, False]
        assert torch.isnan(gradient).any(1).tolist() == [False, True, False]


OUTSIDE = [
    "p - y*log(p)",
    "y/p - log(p)",
    "sqrt(p)*y",
    "(y - p)*p**1.5",
    "y*log(y/p) - y + p",
    "max(log(p), y)",
]


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_prediction_outside_the_domain_is_no_number(text: str) -> None:
    p, y = torch.tensor([-0.5, 0.7, 2.0]), torch.tensor([1.0, 2.0, 0.5])
    loss = sl.parse(text, kind="regression")
    scaled = sl.parse(f"phi0*({text})", kind="regression")
    for module in (*_modules(loss), compile_loss(scaled, "none", trainable=True)):
        value, gradient = _graded(lambda p, m=module: m(p, y), p)
        assert torch.isnan(value).tolist() == [True, False, False]
        assert torch.isnan(gradient).tolist() == [True, False, False]


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize(
    "loss", [sl.named(x) for x in ("focal", "gce", "brier", "ace", "taylorglo")], ids=str
)
@pytest.mark.parametrize("masked", [[1], [1, 2]])
def test_a_masked_class_is_one_of_probability_zero(loss: sl.Loss, masked: list[int]) -> None:
    z, far = LOGITS.double(), LOGITS.double()
    z[0, masked], far[0, masked] = -INF, -2e4
    soft = F.one_hot(INDICES, 3).double()
    for module, target in [(m, t) for m in _modules(loss) for t in (INDICES, soft)]:
        found = _graded(lambda z, m=module, t=target: m(z, t), z)
        wanted = _graded(lambda z, m=module, t=target: m(z, t), far)
        torch.testing.assert_close(found[0], wanted[0])
        torch.testing.assert_close(found[1], wanted[1])


@pytest.mark.parametrize("loss", OTHERS[1:4] + OTHERS[-3:], ids=str)
@pytest.mark.parametrize("how", ["pickle", "copy", "torch"])
def test_criteria_are_compiled_again_on_the_other_side(loss: sl.Loss, how: str) -> None:
    options: dict[str, Any] = {} if loss.kind == "regression" else {"weight": [1.0, 0.5, 2.0]}
    for trainable in (False, True):
        model = nn.Sequential(
            nn.Linear(3, 3), compile_loss(loss, "none", trainable=trainable, **options)
        ).eval()
        criterion = model[1]
        for parameter in criterion.parameters():
            parameter.data += 0.05
            parameter.requires_grad_(False)
        twin = _sent(model, how)[1]
        assert not twin.training
        assert twin.loss == loss
        assert list(twin.state_dict()) == list(criterion.state_dict())
        assert [p.requires_grad for p in twin.parameters()] == [False] * len(list(criterion.parameters()))
        for target in _targets(loss):
            torch.testing.assert_close(twin(LOGITS, target), criterion(LOGITS, target), rtol=0, atol=0)


def _sent(module: nn.Module, how: str) -> Any:
    if how == "copy":
        return copy.deepcopy(module)
    if how == "pickle":
        return pickle.loads(pickle.dumps(module))
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def test_no_code_travels() -> None:
    sent = pickle.dumps(compile_loss(sl.named("focal"), trainable=True))
    for word in (b"codegen.formula", b"codegen.torch_kernels", b"codegen.runtime", b"def "):
        assert word not in sent


def test_a_fresh_process_compiles_again() -> None:
    criterion = compile_loss(sl.named("gce", q=0.4), weight=[1.0, 2.0, 0.5])
    sent = pickle.dumps(criterion)
    formula_of.cache_clear()
    assert torch.equal(pickle.loads(sent)(LOGITS, INDICES), criterion(LOGITS, INDICES))


LEADS = torch.tensor([-20.0, -6.1, -0.4, 0.9, 3.3, 5.7, 8.3, 11.9, 14.3, 17.1, 22.9])
NEAR = [
    (name, coefficient, value)
    for name, coefficient, values in (
        ("gce", "q", (0.7, 1e-1, 1e-3, 1e-6, 1e-8)),
        ("focal", "gamma", (2.0, 0.5, 1e-6)),
        ("poly1", "epsilon", (1.0, -1.0 + 1e-6)),
        ("sparse-lsr", "xi", (0.1, 1e-6)),
        ("taylorglo", "t7", (0.0, 1e-8)),
        ("sce", "alpha", (0.1, 1e-8)),
    )
    for value in values
]


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("trainable", [False, True])
@pytest.mark.parametrize(("name", "coefficient", "value"), NEAR)
def test_float32_keeps_four_digits_of_float64(
    name: str, coefficient: str, value: float, trainable: bool
) -> None:
    loss = sl.named(name).with_coefficients(**{coefficient: value})
    z = torch.stack([LEADS, torch.full_like(LEADS, 0.13), torch.full_like(LEADS, -0.21)], 1)
    t = torch.zeros(len(z), dtype=torch.int64)
    modules = [compile_loss(loss, "none", trainable=trainable, bounds={})]
    for module in modules if trainable else [*modules, _exported(loss)("none")]:
        for a, b in zip(*(_graded(lambda z, m=module: m(z, t), x) for x in (z, z.double())), strict=True):
            assert a.dtype is torch.float32
            torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-30)


@pytest.mark.parametrize("name", ["welsch", "log-cosh", "tukey", "cauchy", "geman-mcclure", "barron"])
def test_float32_keeps_four_digits_of_small_residuals(name: str) -> None:
    loss = sl.named(name, kind="regression")
    y = torch.full((6,), 0.7)
    p = y + torch.tensor([1e-3, -1e-3, 1e-2, 0.3, -4.0, 50.0])
    for module in (compile_loss(loss, "none"), _exported(loss)("none")):
        for a, b in zip(
            *(_graded(lambda p, m=module: m(p, y.to(p.dtype)), x) for x in (p, p.double())), strict=True
        ):
            torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-30)


def test_near_p_of_one_the_value_is_that_of_mpmath() -> None:
    mpmath = pytest.importorskip("mpmath")
    z, t = torch.tensor([[14.0, 0.0, 0.0]]), torch.tensor([0])
    with mpmath.workdps(50):
        p = 1 / (1 + 2 * mpmath.exp(-14))
        wanted = {"focal": -((1 - p) ** 2) * mpmath.log(p), "gce": (1 - p ** mpmath.mpf("1e-5")) * 100000}
    found = {"focal": sl.named("focal"), "gce": sl.named("gce", q=1e-5)}
    for name, loss in found.items():
        assert float(compile_loss(loss)(z, t)) == pytest.approx(float(wanted[name]), rel=1e-4)


def test_coefficients_for_which_float64_cancels_are_refused() -> None:
    loss = sl.parse("y*(p**0.5 - p**(0.5 + a))/a", coefficients={"a": 1e-15})
    for make in (compile_loss, export_python, lambda loss: compile_loss(loss, trainable=True)):
        with pytest.raises(CompileError, match=r"keeps four digits of .*, got a=1e-15"):
            make(loss)
    compile_loss(loss.with_coefficients(a=1e-6))


@pytest.mark.parametrize("text", ["phi0*y", "phi0*y**2 + y", "-phi0*y*log(p) + y"])
def test_a_logit_that_is_no_number_is_one_for_soft_labels_of_a_flat_loss(text: str) -> None:
    loss = sl.parse(text)
    soft = torch.softmax(LOGITS, 1)
    for module in (*_modules(loss), compile_loss(loss, "none", trainable=True)):
        value, gradient = _graded(lambda z, m=module: m(z, soft), _logits(z11=NAN))
        assert torch.isnan(value).tolist() == [False, True, False]
        assert torch.isnan(gradient).all(1).tolist() == [False, True, False]


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_a_weight_of_nan_is_taken_as_torch_takes_it(reduction: str) -> None:
    weight, targets = torch.tensor([1.0, NAN, 1.0]), torch.tensor([0, 1, 2])
    found = sl.named("ce").to_torch(reduction=reduction, weight=weight)(LOGITS, targets)
    wanted = F.cross_entropy(LOGITS, targets, weight=weight, reduction=reduction)
    torch.testing.assert_close(found, wanted, equal_nan=True)


GIVEN = {
    "regression": ("0.3*(y - p)**4 + y*p", lambda: torch.rand(5, 3)),
    "multilabel": ("-y*log(p)*(1 - p)**2 - (1 - y)*log(1 - p)", lambda: torch.rand(5, 3)),
    "classification": ("-y*(1 - p)**2*log(p) + 0.1*y**2*p", lambda: torch.softmax(torch.randn(5, 3), 1)),
}


@pytest.mark.parametrize("kind", GIVEN)
@pytest.mark.parametrize("by_outputs", [True, False])
def test_targets_have_gradients_where_they_want_them(kind: str, by_outputs: bool) -> None:
    """A teacher that learns too; torch's own losses do the same."""
    text, targets = GIVEN[kind]
    criterion = sl.parse(text, kind=kind).to_torch()
    outputs = torch.randn(5, 3, dtype=torch.float64, requires_grad=by_outputs)
    given = targets().double().requires_grad_()
    assert torch.autograd.gradcheck(criterion, (outputs, given))


@pytest.mark.parametrize("by_outputs", [True, False])
def test_weights_of_instances_have_gradients_where_they_want_them(by_outputs: bool) -> None:
    criterion = sl.parse("-w*y*log(p)*(1 - p)").to_torch()
    logits = torch.randn(5, 3, dtype=torch.float64, requires_grad=by_outputs)
    labels, w = torch.tensor([0, 1, 2, 0, 1]), torch.rand(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z, weights: criterion(z, labels, w=weights), (logits, w))

"""Losses that adapt: every meta-gradient against central differences in float64, and what a user's loop may do."""

from __future__ import annotations

import copy
import gc
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import symloss as sl
from symloss.errors import DomainError, RunError
from symloss.expr import Program
from symloss.meta import AdaptiveLoss, LearnedLoss, NeuralLoss, SmoothNeuralLoss, TreeLoss, rules_of
from symloss.meta.adapt_dense import perceptron

OPTIMISERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "sgd": (torch.optim.SGD, {"lr": 0.3}),
    "momentum": (torch.optim.SGD, {"lr": 0.3, "momentum": 0.9, "dampening": 0.2}),
    "nesterov": (torch.optim.SGD, {"lr": 0.3, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "climbing": (torch.optim.SGD, {"lr": 0.3, "maximize": True}),
    "adam": (torch.optim.Adam, {"lr": 0.1, "weight_decay": 0.01}),
    "adamw": (torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.1}),
}


def bold(loss: SmoothNeuralLoss) -> SmoothNeuralLoss:
    """With larger weights: those of a fresh network say next to nothing of the prediction."""
    return loss.with_weights([2 * weight for weight in loss.weights])  # type: ignore[return-value]


TREE = Program(("mul", "sub", "p", "y", "tanh", "mul", "sub", "p", "y", "aq", "p", "y"))
LOSSES: dict[str, Any] = {
    "gce": lambda: sl.named("gce", q=0.6),
    "cauchy": lambda: sl.named("cauchy"),
    "tree": lambda: TreeLoss("regression", TREE),
    "network": lambda: bold(SmoothNeuralLoss.drawn("classification", 3, (5, 4), factor=1 / 3)),
    "identity": lambda: SmoothNeuralLoss.drawn("regression", 3, (5, 4), output="identity"),
    "labels": lambda: sl.named("focal-bce"),
    "scale": lambda: "learning rate only",
}
CASES = [(name, loss) for name in OPTIMISERS for loss in ("gce", "network")]
CASES += [("nesterov", loss) for loss in LOSSES if loss not in ("gce", "network")]
Batch = tuple[Tensor, Tensor]


def batch_of(kind: str, seed: int, rows: int = 9) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, 4, generator=draw, dtype=torch.float64)
    targets = {
        "classification": torch.randint(3, (rows,), generator=draw),
        "multilabel": torch.randint(2, (rows, 3), generator=draw).double(),
        "regression": torch.randn(rows, generator=draw, dtype=torch.float64),
    }
    return inputs, targets[kind]


def model_of(kind: str, middle: nn.Module | None = None) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        last = [nn.Linear(6, 1), nn.Flatten(0)] if kind == "regression" else [nn.Linear(6, 3)]
        return nn.Sequential(nn.Linear(4, 6), middle or nn.Tanh(), *last).double()


def validation_after(
    adaptive: AdaptiveLoss,
    phi: Tensor,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train: Batch,
    val: Batch,
) -> float:
    """One step by torch alone on copies: no code shared with the room but the loss itself."""
    model, optimizer = copy.deepcopy((model, optimizer))
    like = adaptive.learned.coefficients
    parts = phi.split([each.numel() for each in like.values()])
    coefficients = {name: part.view_as(each) for (name, each), part in zip(like.items(), parts, strict=True)}
    optimizer.zero_grad()
    state = torch.random.get_rng_state()
    adaptive.learned(coefficients, model(train[0]), train[1]).backward()
    optimizer.step()
    objective = {"classification": F.cross_entropy, "multilabel": F.binary_cross_entropy_with_logits}
    value = objective.get(adaptive.kind, F.mse_loss)(model(val[0]), val[1])
    torch.random.set_rng_state(state)
    return float(value.detach())


def check(adaptive: AdaptiveLoss, model: nn.Module, optimizer: torch.optim.Optimizer, method: str) -> None:
    kind = adaptive.kind
    train, val = batch_of(kind, 21), batch_of(kind, 99)
    phi = torch.tensor(adaptive.values, dtype=torch.float64)
    places = range(0, len(phi), max(1, len(phi) // 12))
    expected = []
    for i in places:
        h = torch.zeros_like(phi)
        h[i] = 1e-3
        one, two = (
            [validation_after(adaptive, phi + sign * k * h, model, optimizer, train, val) for sign in (1, -1)]
            for k in (1, 2)
        )
        # The error of five points is of the order of h^4, and rounding costs 1e-13.
        expected.append((8 * (one[0] - one[1]) - (two[0] - two[1])) / (12 * 1e-3))
    wanted = torch.tensor(expected, dtype=torch.float64)
    value = validation_after(adaptive, phi, model, optimizer, train, val)
    step = adaptive.step(model, optimizer, train, val)
    assert step.method == method
    assert step.validation == pytest.approx(value, rel=1e-12)
    scale = float(wanted.abs().max())
    assert scale > 1e-5, "nothing to compare"
    torch.testing.assert_close(step.gradient[list(places)], wanted, rtol=1e-6, atol=1e-7 * scale)


@pytest.mark.parametrize(("name", "loss"), CASES)
@pytest.mark.parametrize("before", [0, 3])
def test_meta_gradients_against_finite_differences(name: str, loss: str, before: int) -> None:
    made, options = OPTIMISERS[name]
    fresh = before == 0 and name.startswith("adam")
    if fresh:
        options = {**options, "eps": 0.1}  # at 1e-8 there is nothing that differences could see
    kinds = {"scale": "regression"}
    adaptive = AdaptiveLoss(LOSSES[loss](), kind=kinds.get(loss), eta=1e-3)
    model = model_of(adaptive.kind)
    optimizer = made(model.parameters(), **options)
    for i in range(before):
        optimizer.zero_grad()
        inputs, targets = batch_of(adaptive.kind, i)
        adaptive(model(inputs), targets).backward()
        optimizer.step()
    if fresh:
        with pytest.warns(UserWarning, match="proportional to epsilon"):
            check(adaptive, model, optimizer, "forward mode")
    else:
        check(adaptive, model, optimizer, "forward mode")


def perceptron_of(kind: str, width: int = 12) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        outputs = 1 if kind == "regression" else 3
        last = [nn.Flatten(0)] if kind == "regression" else []
        layers = [nn.Flatten(), nn.Linear(4, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(width, outputs), *last).double()


@pytest.mark.parametrize("name", ["momentum", "nesterov", "adam"])
@pytest.mark.parametrize("loss", ["cauchy", "network"])
@pytest.mark.parametrize(
    "width", [6, 40]
)  # below and above the rows of a batch: gradients whole and in factors
def test_perceptrons_have_passes_of_their_own(name: str, loss: str, width: int) -> None:
    made, options = OPTIMISERS[name]
    adaptive = AdaptiveLoss(LOSSES[loss]())
    model = perceptron_of(adaptive.kind, width)
    optimizer = made(model.parameters(), **{**options, "lr": 0.05})
    train = batch_of(adaptive.kind, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(3):
            adaptive.step(model, optimizer, batch_of(adaptive.kind, i), train)
    ours = perceptron(model, rules_of(optimizer), train[0], train[0])
    assert (ours is None) == (name == "adam")
    check(adaptive, model, optimizer, "forward mode")


def test_what_is_no_plain_perceptron_takes_the_general_way() -> None:
    x = batch_of("classification", 0)[0]

    def taken(model: nn.Module, inputs: Any = x, weights: Any = None) -> bool:
        optimizer = torch.optim.SGD(list(model.parameters()) if weights is None else weights, lr=0.1)
        return perceptron(model, rules_of(optimizer), inputs, inputs) is not None

    model = perceptron_of("classification")
    assert taken(model)
    assert not taken(model, x.float())
    assert not taken(model, (x,))
    assert not taken(model, weights=list(model.parameters())[:-1])
    assert not taken(model_of("classification"))
    assert not taken(nn.Sequential(*model, nn.Dropout(0.1)))

    class Mine(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = super().forward(x) * 2
            return found

    assert not taken(Mine(*model))
    with torch.autocast("cpu", torch.bfloat16):
        assert not taken(model)
    model[1].register_forward_hook(lambda *_: None)
    assert not taken(model)


def test_a_wrong_response_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from symloss.meta.inner import SGD

    monkeypatch.setattr(SGD, "response", lambda self, *rest, first: -self.learning_rate)
    model = model_of("classification")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9, nesterov=True)
    with pytest.raises(AssertionError, match="not close"):
        check(AdaptiveLoss(LOSSES["gce"]()), model, optimizer, "forward mode")


class _Doubled(nn.Module):
    class _NoForwardMode(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: object, g: Tensor) -> Tensor:
            return g * 2

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self._NoForwardMode.apply(x)  # type: ignore[no-untyped-call]
        return found


@pytest.mark.parametrize(
    ("middle", "method"),
    [(nn.BatchNorm1d(6), "forward mode"), (nn.Dropout(0.5), "forward mode"), (_Doubled(), "unrolled"),
     (nn.Sequential(nn.Dropout(0.5), _Doubled()), "unrolled")],
    ids=["batch-norm", "dropout", "no-forward-mode", "both"],
)  # fmt: skip
def test_models_of_every_kind(middle: nn.Module, method: str) -> None:
    adaptive = AdaptiveLoss(LOSSES["network"]())
    model = model_of("classification", copy.deepcopy(middle)).train()
    check(adaptive, model, torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9), method)


def test_the_validation_batch_leaves_no_trace() -> None:
    model = model_of("classification", nn.BatchNorm1d(6)).train()
    twin = copy.deepcopy(model)
    train, val = batch_of("classification", 1), batch_of("classification", 2)
    AdaptiveLoss("gce").step(model, torch.optim.SGD(model.parameters(), lr=0.1), train, val)
    twin(train[0])
    for ours, theirs in zip(model.buffers(), twin.buffers(), strict=True):
        assert torch.equal(ours, theirs)


def test_frozen_and_foreign_weights_stay() -> None:
    model = model_of("regression")
    first = next(model.parameters()).requires_grad_(False)
    kept = first.clone()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad][-2:], lr=0.1)
    check(AdaptiveLoss("cauchy", kind="regression"), model, optimizer, "forward mode")
    assert torch.equal(first, kept)


def test_several_and_named_inputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 3).double()

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            found: Tensor = self.linear(torch.cat([a, b], 1))
            return found

    (x, y), (v, t) = batch_of("classification", 1), batch_of("classification", 2)
    found = []
    for inputs, held_out in (((x, x), (v, v)), ({"a": x, "b": x}, {"a": v, "b": v})):
        torch.manual_seed(0)
        model = Two()
        step = AdaptiveLoss("gce").step(
            model, torch.optim.SGD(model.parameters(), lr=0.1), (inputs, y), (held_out, t)
        )
        found.append(step.gradient)
    assert torch.equal(*found)


def test_autocast_is_near_single_precision() -> None:
    gradients = []
    for cast in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        adaptive = AdaptiveLoss("gce")
        pair = [
            (x.float(), y) for x, y in (batch_of("classification", 1, 64), batch_of("classification", 2, 64))
        ]
        with torch.autocast("cpu", torch.bfloat16, enabled=cast):
            step = adaptive.step(model, optimizer, *pair)
        gradients.append(step.gradient)
        assert all(w.dtype == torch.float32 for w in model.parameters())
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0.1, atol=0.0)
    assert not torch.equal(*gradients)


def test_a_cast_of_old_weights_is_not_reused() -> None:
    """Inside one autocast context torch keeps casts: the validation loss must be that of the new weights."""
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    (x, y), (v, t) = [
        (a.float(), b) for a, b in (batch_of("classification", 1), batch_of("classification", 2))
    ]
    with torch.autocast("cpu", torch.bfloat16):
        optimizer = torch.optim.SGD(model.parameters(), lr=5.0)
        step = AdaptiveLoss("gce").step(model, optimizer, (x, y), (v, t))
    with torch.no_grad():
        expected = float(F.cross_entropy(model(v), t))
    assert step.validation == pytest.approx(expected, rel=0.02)


def loop(
    adaptive: AdaptiveLoss, model: nn.Module, optimizer: torch.optim.Optimizer, steps: range
) -> list[float]:
    found = []
    for i in steps:
        train, val = batch_of(adaptive.kind, i), batch_of(adaptive.kind, 1000 + i)
        found.append(adaptive.step(model, optimizer, train, val).validation)
    return found


@pytest.mark.parametrize("loss", ["network", "gce", "tree", "scale"])
def test_saved_and_resumed_bit_for_bit(loss: str, tmp_path: Path) -> None:
    adaptive = AdaptiveLoss(LOSSES[loss](), kind="regression" if loss == "scale" else None, eta=0.01)
    model = model_of(adaptive.kind)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loop(adaptive, model, optimizer, range(5))
    file = adaptive.save(tmp_path / "loss.json")
    json.loads(file.read_text())
    model_again, optimizer_again = copy.deepcopy((model, optimizer))
    again = AdaptiveLoss.load(file)
    assert (again.values, again.steps, again.eta) == (adaptive.values, 5, 0.01)
    assert loop(adaptive, model, optimizer, range(5, 12)) == loop(
        again, model_again, optimizer_again, range(5, 12)
    )
    assert again.values == adaptive.values
    assert again.state_dict() == adaptive.state_dict()


def test_memory_is_flat_over_1000_steps() -> None:
    adaptive = AdaptiveLoss("learning rate only")
    model = model_of("classification", nn.Dropout(0.2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    train, val = batch_of("classification", 1), batch_of("classification", 2)

    def held() -> tuple[int, int]:
        gc.collect()
        tensors = [each for each in gc.get_objects() if type(each) in (Tensor, nn.Parameter)]
        return len(tensors), sum(each.numel() for each in tensors)

    sizes = []
    for i in range(1000):
        adaptive.step(model, optimizer, train, val)
        if i in (9, 999):
            sizes.append(held())
    assert sizes[0] == sizes[1]


def learnable(seed: int) -> Batch:
    inputs, _ = batch_of("regression", seed, 32)
    return inputs, inputs.sum(1)


def test_it_learns_what_offline_and_online() -> None:
    """A loss that is ten times too timid learns to be bolder: offline, from fresh starts, then online."""
    adaptive = AdaptiveLoss("learning rate only", kind="regression", eta=0.05)
    adaptive.coefficients = {"log_scale": torch.tensor(-2.3)}
    pairs = [(learnable(i), learnable(50 + i)) for i in range(20)]

    def sgd(weights: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(weights, lr=0.05)

    adaptive.initialise(lambda: model_of("regression"), sgd, pairs)
    offline = adaptive.values[0]
    assert offline > -2.0
    assert adaptive.steps == 0
    model = model_of("regression")
    optimizer = sgd(model.parameters())
    for train, val in pairs[:10]:
        adaptive.step(model, optimizer, train, val)
    assert adaptive.values[0] > offline
    assert adaptive.steps == 10
    assert str(adaptive.to_loss()).endswith("*(y - p)**2")


def test_divergence_keeps_the_last_good_state() -> None:
    adaptive = AdaptiveLoss("gce", eta=0.1)
    model = model_of("classification")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loop(adaptive, model, optimizer, range(3))
    values, weights = adaptive.values, [w.clone() for w in model.parameters()]
    x, y = batch_of("classification", 7)
    with pytest.warns(UserWarning, match="diverged at step 4: the loss of the training batch is not finite"):
        step = adaptive.step(model, optimizer, (x * float("nan"), y), (x, y))
    assert step.diverged == "the loss of the training batch is not finite"
    optimizer.param_groups[0]["lr"] = float("inf")
    assert "after the step" in adaptive.step(model, optimizer, (x, y), (x, y)).diverged
    assert adaptive.values == values
    assert all(torch.equal(a, b) for a, b in zip(weights, model.parameters(), strict=True))
    assert adaptive.diverged is not None
    assert adaptive.diverged.step == 4
    optimizer.param_groups[0]["lr"] = 0.1
    assert not adaptive.step(model, optimizer, (x, y), (x, y)).diverged
    assert AdaptiveLoss.from_state(adaptive.state_dict()).diverged == adaptive.diverged


def test_decimals_of_a_formula_adapt() -> None:
    adaptive = AdaptiveLoss("y*abs(log(1.3*p))")
    assert list(adaptive.coefficients) == ["c1"]
    assert adaptive.values == (1.3,)
    assert str(adaptive.to_loss()) == "y*abs(log(1.3*p))"
    plain = AdaptiveLoss("-y*log(p)")
    assert list(plain.coefficients) == ["edges"]
    assert plain.to_loss() == sl.parse("-y*log(p)")
    assert repr(adaptive) == "<AdaptiveLoss y*abs(log(1.3*p)): classification, 1 coefficients, 0 steps>"
    network = AdaptiveLoss("neural", classes=10)
    assert network.to_loss() is None
    assert network.network() == network.learned
    assert isinstance(network.network(), NeuralLoss)


def _model(**options: Any) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = model_of("classification")
    return model, torch.optim.SGD(model.parameters(), lr=0.1, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val": None}, "no validation batch: hold some rows out"),
        (
            {"objective": lambda z, t: (z.argmax(1) == t).double().mean()},
            "not a differentiable scalar.*accuracy",
        ),
        ({"objective": lambda z, t: 0.5}, "not a differentiable scalar"),
        ({"model": nn.Softmax(1)}, "the model has no parameters"),
        ({"model": nn.Linear(4, 3).double()}, "the optimiser moves no parameter of this model"),
        (
            {"optimizer": torch.optim.Rprop([nn.Parameter(torch.ones(1))])},
            "step of Rprop cannot be differentiated",
        ),
    ],
    ids=["no-validation", "metric", "number", "no-weights", "foreign", "optimiser"],
)
def test_bad_input_is_one_clear_line(change: dict[str, Any], message: str) -> None:
    model, optimizer = _model()
    train = batch_of("classification", 1)
    adaptive = AdaptiveLoss("gce", objective=change.get("objective"))
    with pytest.raises(DomainError, match=message) as caught:
        adaptive.step(
            change.get("model", model), change.get("optimizer", optimizer), train, change.get("val", train)
        )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "of how many classes"),
        ({"loss": "gce", "kind": "regression"}, "gce"),
        (
            {"loss": LOSSES["network"](), "kind": "regression"},
            "is a classification loss, expected a regression",
        ),
        ({"eta": -1.0, "classes": 3}, "eta is -1.0"),
        ({"classes": 3, "output": "relu"}, "output 'relu'"),
    ],
)
def test_what_is_no_adaptive_loss(options: dict[str, Any], message: str) -> None:
    with pytest.raises(sl.SymlossError, match=message):
        AdaptiveLoss(**options)


def test_broken_states(tmp_path: Path) -> None:
    state = AdaptiveLoss("gce").state_dict()
    for change, message in (
        ({"format": 99}, "format 99"),
        ({"coefficients": [1.0, 2.0]}, "expected 1 coefficients"),
        ({"loss": {"type": "pickle"}}, "none of its types"),
        ({"meta": None}, "no adaptive loss can be read"),
    ):
        with pytest.raises(DomainError, match=message):
            AdaptiveLoss.from_state({**state, **change})
    with pytest.raises(RunError, match="cannot be read"):
        AdaptiveLoss.load(tmp_path / "nowhere.json")
    (tmp_path / "other.json").write_text("no")
    with pytest.raises(DomainError, match="holds no adaptive loss"):
        AdaptiveLoss.load(tmp_path / "other.json")
    with pytest.raises(RunError, match="cannot be written"):
        AdaptiveLoss("gce").save(tmp_path / "no" / "where.json")


def test_losses_of_ones_own() -> None:
    class Mine(LearnedLoss):
        kind = "regression"

        @property
        def coefficients(self) -> dict[str, Tensor]:
            return {"a": torch.ones(())}

        def __call__(
            self, coefficients: Any, outputs: Tensor, targets: Tensor, context: Any = None
        ) -> Tensor:
            return (coefficients["a"] * (outputs - targets).square()).mean()

    adaptive = AdaptiveLoss(Mine())
    model = model_of("regression")
    check(adaptive, model, torch.optim.SGD(model.parameters(), lr=0.1), "forward mode")
    assert adaptive.to_loss() is None
    with pytest.raises(DomainError, match="a Mine cannot be written down"):
        adaptive.state_dict()


def test_a_smooth_network_is_what_its_definition_says() -> None:
    loss = SmoothNeuralLoss.drawn("regression", 1, (3, 2), factor=0.5)
    one, two, three = (each.double() for each in loss.coefficients.values())

    def smooth(x: Tensor) -> Tensor:
        return torch.log1p(torch.exp(10 * x)) / 10 * 0.99 + 0.01 * x

    p, y = torch.tensor([0.3]).double(), torch.tensor([1.0]).double()
    expected = 0.5 * smooth(three @ smooth(two @ smooth(one @ torch.cat([p, y]))))
    coefficients = {name: each.double() for name, each in loss.coefficients.items()}
    torch.testing.assert_close(loss(coefficients, p, y), expected.squeeze())
    huge = loss(coefficients, p * 1e6, y)
    assert bool(torch.isfinite(huge))

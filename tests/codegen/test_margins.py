"""Margin losses as torch modules: margins alone or scores and targets, every option, bad input."""

from __future__ import annotations

import math
import pickle
import runpy
from pathlib import Path
from typing import Any

import mpmath
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import symloss as sl
from symloss.codegen import export_python, plan
from symloss.codegen.trees.interpret import coefficient_gradient, output_gradient, program_loss
from symloss.errors import CompileError, DomainError, ParseError
from symloss.expr import M, Program, parse
from symloss.expr.trees import weighted_from
from symloss.expr.trees.evaluate import slopes

NAMES = sl.names("margin")
T = torch.tensor([0, 1, 1, 0, 1, 0, 1, 1])


def scores(seed: int = 0, scale: float = 2.0) -> Tensor:
    return scale * torch.randn(8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", NAMES)
def test_margins_alone_are_scores_on_the_side_of_their_targets(name: str) -> None:
    criterion, f = sl.named(name).to_torch(reduction="none"), scores()
    torch.testing.assert_close(criterion(f, T), criterion((2 * T - 1) * f))
    for targets in (T.bool(), T.double(), T.to(torch.int32)):
        torch.testing.assert_close(criterion(f, targets), criterion(f, T))


@pytest.mark.parametrize("name", NAMES)
def test_beta_multiplies_margins_and_weights_the_losses_of_their_targets(name: str) -> None:
    loss, f = sl.named(name), scores().requires_grad_()
    plain = loss.to_torch(reduction="none")
    weighted = loss.to_torch(beta=0.3, weight=torch.tensor([2.0, 0.5]))
    wanted = (plain(0.3 * f, T) * torch.where(T == 1, 0.5, 2.0)).mean()
    for found in (weighted(f, T), pickle.loads(pickle.dumps(weighted))(f, T)):
        torch.testing.assert_close(found, wanted)
        torch.testing.assert_close(
            torch.autograd.grad(found, f), torch.autograd.grad(wanted, f, retain_graph=True)
        )
    assert pickle.loads(pickle.dumps(weighted)).beta == 0.3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_reductions_and_any_shape(name: str, reduction: str) -> None:
    criterion, f = sl.named(name).to_torch(reduction=reduction), scores()
    entries = sl.named(name).to_torch(reduction="none")(f)
    wanted = {"mean": entries.mean(), "sum": entries.sum(), "none": entries}[reduction]
    torch.testing.assert_close(criterion(f), wanted)
    folded = criterion(f.view(2, 2, 2), T.view(2, 2, 2))
    torch.testing.assert_close(folded.flatten(), criterion(f, T).flatten())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_stable_at_margins_of_ten_thousand(name: str, dtype: torch.dtype) -> None:
    """Against 50 digits; what is beyond the largest float is infinite, and nothing is NaN."""
    loss = sl.named(name)
    points = [-1e4, -500.0, -40.0, 40.0, 500.0, 1e4]
    m = torch.tensor(points, dtype=dtype, requires_grad=True)
    value = loss.to_torch(reduction="none")(m)
    (gradient,) = torch.autograd.grad(value.sum(), m)
    exact, largest = loss.lambdify("mpmath"), torch.finfo(dtype).max
    near = {"rel": 2e-5 if dtype is torch.float32 else 1e-12, "abs": 1e-30}
    for point, found, rise in zip(points, value.tolist(), gradient.tolist(), strict=True):
        with mpmath.workdps(50):
            wanted, slope = exact(mpmath.mpf(point)), mpmath.diff(exact, point)
        if abs(wanted) > largest:
            assert found == math.inf
            assert rise == -math.inf
        else:
            assert found == pytest.approx(float(wanted), **near)
            # torch's own kernel of the logistic loses the digits of slopes near 0.
            assert rise == pytest.approx(float(slope), rel=near["rel"], abs=torch.finfo(dtype).eps)


@pytest.mark.parametrize("name", NAMES)
def test_autocast_and_half_precision(name: str) -> None:
    criterion, f = sl.named(name).to_torch(), scores()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = criterion(f.bfloat16(), T)
    assert value.dtype is torch.float32
    torch.testing.assert_close(value.double(), criterion(f.bfloat16().double(), T), rtol=1e-5, atol=1e-6)
    assert criterion(f.bfloat16(), T).dtype is torch.bfloat16


@pytest.mark.parametrize("name", NAMES)
def test_transforms_and_second_derivatives(name: str) -> None:
    criterion, f = sl.named(name).to_torch(reduction="sum"), scores()
    slope = torch.func.grad(criterion)(f, T)
    leaf = f.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(criterion(leaf, T), leaf, create_graph=True)
    torch.testing.assert_close(slope, wanted.detach())
    assert torch.autograd.gradgradcheck(lambda z: criterion(z, T), (f.clone().requires_grad_(),))
    rows = torch.func.vmap(sl.named(name).to_torch(reduction="none"))(f.view(2, 4), T.view(2, 4))
    torch.testing.assert_close(rows.flatten(), sl.named(name).to_torch(reduction="none")(f, T))


def test_trainable_coefficients_stay_inside_their_bounds() -> None:
    criterion = sl.named("cdpo", epsilon=0.2).to_torch(trainable=True)
    optimiser = torch.optim.SGD(criterion.parameters(), lr=50.0)
    for _ in range(30):
        optimiser.zero_grad()
        criterion(scores()).backward()
        optimiser.step()
    assert 0.0 <= criterion.to_loss().coefficients["epsilon"] <= 0.5


def test_a_weight_of_the_instance_in_the_formula() -> None:
    w = torch.rand(8, dtype=torch.float64)
    criterion = sl.parse("w*log(1 + exp(-m))", kind="margin").to_torch()
    f = scores()
    wanted = F.binary_cross_entropy_with_logits(f, T.double(), w)
    torch.testing.assert_close(criterion(f, T, w=w), wanted)
    torch.testing.assert_close(criterion(f, T), F.binary_cross_entropy_with_logits(f, T.double()))


@pytest.mark.parametrize("text", ["log(1 + exp(-m))", "softplus(-m)", "3*log(1 + exp(-m))"])
def test_the_logistic_is_torch_s_own(text: str) -> None:
    assert "F.binary_cross_entropy_with_logits" in plan(sl.parse(text, kind="margin")).reason


@pytest.mark.parametrize("name", NAMES)
def test_exported_files_run_alone(name: str, tmp_path: Path) -> None:
    loss = sl.named(name)
    file = tmp_path / "loss.py"
    file.write_text(export_python(loss))
    exported = runpy.run_path(str(file))["SymbolicLoss"]
    f = scores(scale=20.0)
    options: dict[str, Any] = {"weight": torch.tensor([2.0, 0.5]), "beta": 0.4}
    for ours, theirs in (
        (loss.to_torch()(f), exported()(f)),
        (loss.to_torch(**options)(f, T), exported(**options)(f, T)),
    ):
        torch.testing.assert_close(theirs, ours)
    with pytest.raises(ValueError, match="targets 0 and 1"):
        exported()(f, 2 * T)


@pytest.mark.parametrize("name", NAMES)
def test_trees_agree_with_modules(name: str) -> None:
    """Value, gradient in the scores and mixed gradient of the tree, against autograd and the compiled module."""
    loss, f = sl.named(name), scores()
    tree, edges = weighted_from(loss).graph()
    coefs = torch.tensor(edges, dtype=torch.float64, requires_grad=True)
    leaf = f.clone().requires_grad_()
    value = program_loss(tree, "margin", leaf, T, coefs)
    wanted = loss.to_torch()(leaf, T)
    torch.testing.assert_close(value, wanted)
    (slope,) = torch.autograd.grad(value, leaf, create_graph=True)
    torch.testing.assert_close(output_gradient(tree, "margin", f, T, coefs.detach()), slope.detach())
    direction = scores(1)
    (mixed,) = torch.autograd.grad(
        (slope * direction).sum(), coefs, allow_unused=True, materialize_grads=True
    )
    found = coefficient_gradient(tree, "margin", f, T, direction, coefs.detach())
    torch.testing.assert_close(found, mixed, rtol=1e-6, atol=1e-9)
    y, p = (2 * T - 1).double().numpy(), f.numpy()
    _, by_hand = slopes(tree, y, p, edges)
    torch.testing.assert_close(torch.as_tensor(by_hand.copy()) / 8, slope.detach())


def test_a_margin_in_a_tree() -> None:
    program = Program(("exp", "neg", "m"))
    f = torch.tensor([1.0, 2.0])
    torch.testing.assert_close(
        program_loss(program, "margin", f, torch.tensor([0, 1])), (f * torch.tensor([1.0, -1.0])).exp().mean()
    )


BAD_FORMULAS = [
    ("y*log(1 + exp(-m))", "position 0: unknown name 'y'.*formula of its margin m"),
    ("log(p)", "position 4: unknown name 'p'.*formula of its margin m"),
    ("C*m", "position 0: unknown name 'C'.*expected m w"),
    ("softplus(-margin)", "unknown name 'margin'.*the margin is m"),
]


@pytest.mark.parametrize(("text", "message"), BAD_FORMULAS)
def test_formulas_of_other_kinds_are_refused(text: str, message: str) -> None:
    with pytest.raises(ParseError, match=message):
        sl.parse(text, kind="margin")


def test_a_margin_is_refused_elsewhere() -> None:
    with pytest.raises(ParseError, match=r"unknown name 'm'.*losses of the kind margin"):
        sl.parse("y*m")
    with pytest.raises(DomainError, match="'p' is not part of a margin formula"):
        sl.Loss(sl.parse("-log(p)").expr, "margin")
    # Elsewhere the name is free.
    assert sl.parse("m*y", coefficients={"m": 2}) == sl.parse("2*y")
    assert parse("m", kind="margin").expr == M


def test_bad_calls() -> None:
    criterion, f = sl.named("hinge").to_torch(), scores()
    for targets in (2 * T - 1, T.double() / 2):
        with pytest.raises(CompileError, match=r"expected targets 0 and 1 .* \(t \+ 1\)/2"):
            criterion(f, targets)
    with pytest.raises(CompileError, match=r"floating dtype, got torch\.int64; pass the raw scores"):
        criterion(T)
    with pytest.raises(CompileError, match="targets of the outputs' shape"):
        criterion(f, T[:3])
    with pytest.raises(CompileError, match="got margins alone"):
        sl.named("hinge").to_torch(weight=[1.0, 2.0])(f)
    with pytest.raises(CompileError, match="weight of 2 classes"):
        sl.named("hinge").to_torch(weight=[1.0, 2.0, 3.0])
    for beta in (0.0, -1.0, math.nan, "1"):
        with pytest.raises(CompileError, match="expected beta as a positive number"):
            sl.named("hinge").to_torch(beta=beta)
    with pytest.raises(CompileError, match="expected beta for a margin loss, got a regression loss"):
        sl.named("mse").to_torch(beta=0.5)
    with pytest.raises(CompileError, match="expected no class weights or priors for a margin loss"):
        sl.named("hinge").to_torch(priors=[0.5, 0.5])
    with pytest.raises(CompileError, match="expected targets for a regression loss, got none"):
        sl.named("mse").to_torch()(f)


def test_dpo_margins_train_a_policy_of_two_layers() -> None:
    """The worked example of the README: the policy comes to prefer what was chosen, the reference stays."""
    torch.manual_seed(0)
    prompts, chosen, rejected = torch.randn(256, 6), torch.randint(4, (256,)), torch.randint(4, (256,))
    better = prompts[:, :4].gather(1, chosen[:, None]) > prompts[:, :4].gather(1, rejected[:, None])
    chosen, rejected = (torch.where(better[:, 0], a, b) for a, b in ((chosen, rejected), (rejected, chosen)))
    policy = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))
    reference = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))
    reference.load_state_dict(policy.state_dict())

    def log_probabilities(model: nn.Module) -> list[Tensor]:
        logs = model(prompts).log_softmax(1)
        return [logs.gather(1, answer[:, None])[:, 0] for answer in (chosen, rejected)]

    criterion = sl.named("logistic").to_torch()
    optimiser = torch.optim.Adam(policy.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        margins = sl.dpo_margins(*log_probabilities(policy), *log_probabilities(reference), beta=0.5)
        loss = criterion(margins)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(math.log(2), abs=1e-6)  # DPO starts at margins of 0
    assert all(parameter.grad is None for parameter in reference.parameters())
    differs = chosen != rejected
    assert float((margins[differs] > 0).double().mean()) > 0.9


def test_dpo_margins_by_hand_and_bad_input() -> None:
    parts = [torch.tensor([-1.0]), torch.tensor([-2.0]), torch.tensor([-1.5]), torch.tensor([-1.0])]
    assert sl.dpo_margins(*parts, beta=2.0).tolist() == [3.0]
    with pytest.raises(CompileError, match="expected beta as a positive number, got 0"):
        sl.dpo_margins(*parts, beta=0)
    with pytest.raises(CompileError, match=r"reference_rejected of the shape of policy_chosen"):
        sl.dpo_margins(*parts[:3], torch.zeros(2))
    with pytest.raises(CompileError, match=r"floating dtype.*pass the raw log-probabilities"):
        sl.dpo_margins(torch.tensor([1]), *parts[1:])

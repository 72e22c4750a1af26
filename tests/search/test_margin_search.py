"""Searching for margin losses: the grammar, the gate, one training for one dynamics, planted losses, the zoo first."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import symloss as sl
from symloss.errors import SymlossError
from symloss.expr import KINDS, Program
from symloss.expr.trees import Weighted, weighted_from
from symloss.search import Grammar
from symloss.search.loop.sweep import clean_slope
from symloss.search.propose.breeding import rates_of, zoo_trees
from symloss.search.propose.gp import Rates, initial_loss
from symloss.search.screen.fingerprint import fingerprint
from symloss.search.screen.gate import gate
from symloss.search.settings import preset

GRAMMAR = Grammar().of_kind("margin")


def test_trees_are_over_margins_and_constants() -> None:
    rates = Rates()
    for seed in range(40):
        program = initial_loss(GRAMMAR, rates, seed).program
        assert "m" in program.tokens
        assert set(program.tokens) <= {"m", "1", "-1", *KINDS["margin"].operators}
    assert GRAMMAR.is_usual
    assert Grammar().of_kind("regression") == Grammar()
    named = Grammar(operators=("add", "tanh")).of_kind("margin")
    assert named.operators == ("add", "tanh")
    assert not named.is_usual
    # Who names no operators gets free exponents and named losses to breed from, of this kind too.
    settings = preset("quick", grammar=GRAMMAR)
    assert rates_of(settings) == settings.rates


GATED = [
    ("exp(-m)", 1, ""),
    ("softplus(m)", -1, ""),
    ("max(1 - m, 0)", 1, ""),
    ("sigmoid(-m)", 1, ""),
    ("1 - m", 1, ""),
    ("m**2", 0, "no pull on the margin at the start of training"),
    ("abs(m)", 0, "no pull on the margin at the start of training"),
    ("m - m + 1", 0, "does not use m"),
    ("1/m", 0, "not finite on the domain"),
    ("min(m, -20) + max(-20, m)", -1, ""),
]


@pytest.mark.parametrize(("formula", "sign", "reason"), GATED)
def test_the_gate(formula: str, sign: int, reason: str) -> None:
    program, edges = weighted_from(sl.parse(formula, kind="margin")).graph()
    verdict = gate(program, "margin", None, edges)
    assert (verdict.passed, verdict.reason) == (not reason, reason)
    assert verdict.passed is False or verdict.sign == sign


def key(loss: Weighted) -> str:
    program, edges = loss.graph()
    return fingerprint(program, "margin", None, edges)


def test_every_loss_with_a_name_has_a_key_of_its_own_and_one_for_its_spellings() -> None:
    keys = {key(tree) for tree in zoo_trees("margin")}
    assert len(keys) == len(sl.names("margin"))
    spellings = [
        "log(1 + exp(-m))",
        "softplus(-m)",
        "2*softplus(-m) + 3",
        "-log(sigmoid(m))",
        "softplus(m) - m",
    ]
    trees = [weighted_from(sl.parse(text, kind="margin")) for text in spellings]
    assert len({key(tree) for tree in trees}) == 1
    one, other = (
        weighted_from(sl.parse(text, kind="margin")) for text in ("max(1 - m, 0)", "max(0.9 - m, 0)")
    )
    first, second = key(one), key(other)
    assert first != second


MARGINS = torch.linspace(-4, 4, 81, dtype=torch.float64)


def direction(criterion: torch.nn.Module) -> Tensor:
    leaf = MARGINS.clone().requires_grad_()
    (slope,) = torch.autograd.grad(criterion(leaf), leaf)
    return slope / slope.norm()


@pytest.mark.parametrize("name", ["logistic", "hinge", "savage"])
def test_planted_losses_are_recovered(name: str) -> None:
    """A trainer whose result is how far the loss's gradients are from those of the planted one, up to scale."""
    wanted = direction(sl.named(name).to_torch())

    def train_eval(loss: torch.nn.Module, seed: int, budget: int) -> dict[str, float]:
        return {"metric": float((direction(loss) - wanted).norm())}

    task = sl.Task.from_function(train_eval, kind="margin")
    found = sl.discover(task, seed=1, population=16, generations=4, ordinary=False)
    assert found.picked.validation < 1e-9
    assert found.best.kind == "margin"
    assert len(found.evaluations) < 100


def test_known_losses_come_first_and_the_pick_is_a_formula_of_m() -> None:
    task = sl.load_task("pairs:wine", label_noise=0.1, model="linear").with_settings(steps=20)
    blocks = {"sweep": 2, "strangers": 1, "final": 2, "finalists": 1}
    found = sl.discover(
        task, seed=0, population=4, generations=1, blocks=blocks, tuning={"steps": 2, "tidy": False},
        screening={"sample": 0},
    )  # fmt: skip
    named = [entry.reason for entry in found.evaluations if entry.reason.startswith("zoo: ")]
    assert {reason.partition(" ")[2].partition("(")[0] for reason in named} == set(sl.names("margin"))
    assert found.picked.kind == "margin"
    assert {symbol.name for symbol in found.best.expr.free_symbols} <= {"m"}
    assert found.headroom[0].detectable_clean == pytest.approx(found.headroom[0].detectable / 0.8)


def test_flips_shrink_differences_of_the_pair_accuracy() -> None:
    """`R + (1 - 2R) clean`."""
    assert clean_slope(sl.load_task("pairs:wine", label_noise=0.2)) == pytest.approx(0.6)
    assert clean_slope(sl.load_task("pairs:wine")) is None
    assert clean_slope(sl.load_task("pairs:wine", label_noise=0.5)) is None


def test_what_says_nothing_of_margins_is_refused() -> None:
    task = sl.load_task("pairs:wine")
    with pytest.raises(
        SymlossError, match="taylorglo makes losses of y and p, and a margin loss is one of m"
    ):
        sl.discover(task, method="taylorglo")
    with pytest.raises(SymlossError, match="the symbol 'C' has no value on pairs:wine, a margin task"):
        sl.discover(task, extra_symbols=["C"])
    with pytest.raises(SymlossError, match="unknown name 'y'"):
        sl.discover(task, seed_losses=["-y*log(p)"])


def test_a_network_of_margins_is_a_function_of_the_margin() -> None:
    from symloss.meta import NeuralLoss

    network = NeuralLoss.drawn("margin", seed=0, hidden=(5, 4))
    f = torch.linspace(-2, 2, 9)
    ones, zeros = torch.ones(9), torch.zeros(9)
    assert float(network(network.coefficients, f, ones)) == pytest.approx(
        float(network(network.coefficients, -f, zeros))
    )
    assert Program(("m",)).tokens == ("m",)
    assert np.sign(KINDS["margin"].targets_of(np.array([-0.2, 0.0, 3.0]))).tolist() == [-1, 1, 1]

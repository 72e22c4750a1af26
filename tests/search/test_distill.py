"""A loss that is known by its gradient alone is found again as a formula; what cannot be is said in a line."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

import symloss as sl
from symloss.errors import DomainError, RunError, SymlossError, TaskError
from symloss.expr import Program
from symloss.expr.trees import Weighted, weighted_from
from symloss.meta import FormulaLoss, NeuralLoss, ScaledLoss, SmoothNeuralLoss
from symloss.search.distill import _best, _length
from symloss.search.distilling.fidelity import fidelity
from symloss.search.distilling.plain import misfit, named_fits, plainer
from symloss.search.distilling.visits import drawn, instances, looked_at, visited

SMALL: dict[str, Any] = {"population": 15, "generations": 1}


def loss_of(text: str, kind: str = "classification") -> FormulaLoss:
    return FormulaLoss(sl.named(text, kind) if text in sl.names(kind) else sl.parse(text, kind=kind))


def looked(text: str, kind: str = "classification", classes: int = 4, seed: int = 0) -> Any:
    loss = loss_of(text, kind)
    return looked_at(loss, loss.coefficients, *drawn(kind, classes, seed))


@cache
def wine() -> Any:
    return sl.load_task("wine", model="linear").with_settings(steps=30)


@pytest.mark.parametrize(
    ("kind", "planted", "known_as", "scale"),
    [
        ("classification", "-3*y*log(p)", "ce", 3.0),
        ("classification", "-y*(1 - p)**1.5*log(p)", "focal(gamma=1.5)", 1.0),
        ("classification", "y*(1 - p**0.4)/0.4", "gce(q=0.4)", 2.5),
        ("regression", "2*huber", "huber(delta=1)", 2.0),
        ("multilabel", "bce", "bce", 1.0),
    ],
)
def test_a_planted_formula_is_recovered_by_name_with_its_scale(
    kind: str, planted: str, known_as: str, scale: float
) -> None:
    found = sl.distill(loss_of(planted, kind), classes=4, **SMALL)
    row = found.picked
    assert (row.known_as, row.r2) == (known_as, pytest.approx(1, abs=1e-6))
    assert row.scale == pytest.approx(scale, rel=1e-4)
    assert row.loss == found.best
    assert found.fidelity is None


def test_without_names_the_search_itself_comes_near() -> None:
    found = sl.distill(loss_of("gce"), classes=4, zoo=False, population=25, generations=3)
    assert found.picked.r2 > 0.97
    assert found.nearest == "gce(q=0.7)"
    assert found.nearest_r2 == pytest.approx(1, abs=1e-6)


def test_the_front_rises_and_leaves_distinctly_less_row_by_row() -> None:
    found = sl.distill(SmoothNeuralLoss.drawn("regression", 1, (8, 8)), **SMALL)
    complexities = [row.complexity for row in found.rows]
    assert complexities == sorted(set(complexities))
    assert max(complexities) <= 30
    assert [row.row for row in found.rows] == list(range(1, len(found.rows) + 1))
    assert sum(row.picked for row in found.rows) == 1
    assert all(row.r2 <= 1 and row.scale > 0 for row in found.rows)


def test_the_same_seed_gives_the_same_front() -> None:
    network = NeuralLoss.drawn("classification", 0, (6, 6))
    one, two = (sl.distill(network, classes=3, seed=5, population=12, generations=2) for _ in range(2))
    assert one.rows == two.rows
    assert one.rows != sl.distill(network, classes=3, seed=6, population=12, generations=2).rows


def test_the_longest_formula_is_as_long_as_was_asked_for() -> None:
    found = sl.distill(loss_of("focal"), classes=4, max_complexity=8, **SMALL)
    assert max(row.complexity for row in found.rows) <= 8


def test_json_has_the_keys_that_were_promised() -> None:
    data = sl.distill(loss_of("brier"), classes=3, **SMALL).to_dict()
    assert {"row", "loss", "complexity", "r2", "known_as"} <= set(data["rows"][0])
    assert data["rows"][data["picked"] - 1]["known_as"] == "brier"
    assert data["nearest"]["known_as"] == "brier"


def test_a_scaled_formula_has_the_gradient_of_the_network() -> None:
    row = sl.distill(ScaledLoss("regression", log_scale=math.log(0.3)), **SMALL).picked
    assert row.scaled == sl.parse("0.3*(y - p)**2", kind="regression")


def test_on_a_task_the_picked_formula_trains_as_the_network_does() -> None:
    found = sl.distill(loss_of("gce"), task=wine(), seeds=3, **SMALL)
    told = found.fidelity
    assert told is not None
    assert (told.task, told.metric, told.seeds, told.failed) == ("wine", "accuracy", 3, 0)
    assert told.formula == pytest.approx(told.network, abs=0.03)
    assert told.difference == pytest.approx(told.formula - told.network)
    assert told.agreement > 0.95
    assert found.visited == "three trainings on wine of 30 steps"


def test_fidelity_tells_losses_apart_that_train_otherwise() -> None:
    network = loss_of("mse", "regression")
    task = sl.load_task("diabetes", model="linear").with_settings(steps=30)
    same, other = (
        fidelity(network, network.coefficients, weighted_from(sl.parse(text, kind="regression")), task, seeds=2, seed=0)
        for text in ("(y - p)**2", "(y - p + 2)**2")
    )  # fmt: skip
    assert same.agreement == pytest.approx(1, abs=1e-4)
    assert same.difference == pytest.approx(0, abs=1e-4)
    assert other.difference > 1
    assert other.interval is not None
    assert other.interval[0] > 0
    assert other.agreement < 0.5


def test_instances_of_ones_own_training_are_looked_at() -> None:
    outputs, targets = drawn("classification", 3, 7)
    found = sl.distill(loss_of("ce"), at=(outputs.float(), targets), **SMALL)
    assert (found.classes, found.picked.known_as) == (3, "ce")
    assert found.visited == f"{len(outputs)} instances that were given"


def test_other_coefficients_than_the_first_are_distilled() -> None:
    loss = loss_of("gce")
    moved = {name: each + 0.7 for name, each in loss.coefficients.items()}
    told = loss.to_loss(moved).coefficients["q"]
    found = sl.distill(loss, coefficients=moved, classes=3, **SMALL)
    name, _, q = (found.picked.known_as or "").removesuffix(")").partition("(q=")
    assert name == "gce"
    assert float(q) == pytest.approx(told, abs=2e-3)
    assert abs(told - 0.7) > 0.05


def test_a_training_is_seen_from_its_start_to_its_end() -> None:
    loss = loss_of("ce")
    outputs, targets = visited(loss, loss.coefficients, wine(), 0)
    again, _ = visited(loss, loss.coefficients, wine(), 0)
    assert torch.equal(outputs, again)
    assert len(outputs) == len(targets) == instances("classification", 3)
    sure = outputs.softmax(1).max(1).values
    assert sure.min() < 0.5 < 0.85 < sure.max()


def test_the_gradient_is_that_of_single_instances_in_double_precision() -> None:
    outputs, targets = drawn("classification", 3, 0)
    loss = loss_of("ce")
    seen = looked_at(loss, loss.coefficients, outputs, targets)
    expected = outputs.softmax(1) - torch.nn.functional.one_hot(targets, 3)
    assert np.allclose(seen.gradient, expected.numpy().ravel(), atol=1e-6)
    tree = weighted_from(sl.parse("-y*log(p)"))
    assert seen.scale(tree) == pytest.approx(1, abs=1e-6)
    assert seen.unexplained(tree, 1.0) < 1e-10
    assert seen.unexplained(tree, 0.0) == pytest.approx(1)
    assert seen.unexplained(weighted_from(sl.parse("log(p - 1/2)")), 1.0) == math.inf


def test_losses_with_names_are_fitted_by_their_own_coefficients() -> None:
    fits = named_fits(looked("-y*(1 - p)**1.5*log(p)"))
    best = min(fits, key=lambda name: misfit(fits[name], looked("-y*(1 - p)**1.5*log(p)")))
    assert best == "focal(gamma=1.5)"
    assert {name.partition("(")[0] for name in fits} <= set(sl.names("classification"))


def test_coefficients_are_dropped_only_where_nothing_is_lost() -> None:
    seen = looked("(y - 0.6*p)**2")
    kept = plainer(weighted_from(sl.parse("(y - 0.6001*p)**2 + 1e-6*p")), seen)
    assert kept.formula == "(y - 0.6*p)**2"
    assert misfit(plainer(weighted_from(sl.parse("(y - 0.7*p)**2")), seen), seen) > 1e-4


def test_formulas_are_measured_as_they_will_be_shown() -> None:
    """Else a quotient that is short to the search crowds out a loss with a name that is shorter to a reader."""
    for tokens, shown in (
        (("aq", "y", "p"), "y/sqrt(p**2 + 1)"),
        (("mul", "y", "aq", "p", "p"), "y*p/sqrt(p**2 + 1)"),
    ):
        loss = Weighted.plain(Program(tokens))
        assert _length(loss) == sl.parse(shown).complexity
        assert loss.to_loss("classification") == sl.parse(shown)


def test_a_front_of_points() -> None:
    assert _best([(0.5, 3.0, 0), (0.49, 4.0, 1), (0.1, 9.0, 2), (math.inf, 1.0, 3)]) == [0, 2]
    assert _best([(1.2, 1.0, 0)]) == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"population": 1}, RunError, "population is 1: expected a whole number of at least 2"),
        ({"generations": 10**9}, SymlossError, "generations is 1000000000: expected at most 1,000,000"),
        ({"seeds": -1}, RunError, "seeds is -1"),
        ({"max_complexity": 2}, RunError, "max_complexity is 2"),
        ({"classes": 1}, RunError, "classes is 1"),
        ({"at": (torch.zeros(60, 3), torch.zeros(59).long())}, DomainError, "60 outputs and 59 targets"),
        ({"at": (torch.zeros(9, 3), torch.zeros(9).long())}, DomainError, "at least 48"),
        ({"at": (torch.zeros(60), torch.zeros(60))}, DomainError, "expected outputs .N, C. and class indices"),
    ],
)  # fmt: skip
def test_bad_options_are_one_line(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as found:
        sl.distill(loss_of("ce"), **{**SMALL, **options})
    assert "\n" not in str(found.value)


def test_a_task_of_another_kind_or_without_gradients_is_refused() -> None:
    with pytest.raises(DomainError, match="the network is a regression loss, wine is a classification task"):
        sl.distill(loss_of("mse", "regression"), task=wine())
    box = sl.Task.from_function(lambda loss, seed, budget: {"mse": 1.0}, kind="regression", metric="mse")
    with pytest.raises(TaskError, match="trains in its own way"):
        sl.distill(loss_of("mse", "regression"), task=box)


def test_a_flat_loss_and_a_training_that_diverges_are_refused() -> None:
    flat = NeuralLoss("regression", (0.0,) * len(NeuralLoss.drawn("regression", 0, (4, 4)).weights), (4, 4))
    with pytest.raises(DomainError, match="flat or not finite"):
        sl.distill(flat, **SMALL)
    wild = sl.load_task("diabetes", model="linear").with_settings(steps=400, learning_rate=1e30, batch_size=2)
    with pytest.raises(TaskError, match="diverges at once"):
        sl.distill(loss_of("mse", "regression"), task=wild, **SMALL)

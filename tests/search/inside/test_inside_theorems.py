"""Which theorems there are, what may be combined, and what is refused; derivations as values."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from members import GRAMMARS

import symloss as sl
from symloss.codegen.trees.interpret import interpret
from symloss.errors import DomainError
from symloss.expr import P, Y, agrees
from symloss.search.propose.gp import Rates, initial_loss, member, offspring, survivors
from symloss.search.propose.inside import Inside, TypedLoss, inside_of
from symloss.search.propose.inside.sample import random_members
from symloss.search.propose.inside.stock import MOST_TOKENS, Derivations

PROPER = inside_of(["proper"], "classification")
assert PROPER is not None


@pytest.mark.parametrize(
    ("asked", "kind", "name"),
    [
        (["proper"], "classification", "proper"),
        (["bounded", "proper"], "classification", "proper,bounded"),
        (["calibrated", "proper"], "classification", "proper"),
        (["symmetric", "bounded", "calibrated"], "classification", "symmetric"),
        (["calibrated", "bounded"], "classification", "calibrated,bounded"),
        (["smoothing=0.1", "calibrated"], "classification", "smoothing=0.1"),
        (["bounded", "smoothing=0.25"], "classification", "smoothing=0.25,bounded"),
        (["bounded"], "multilabel", "bounded"),
        (["mean"], "regression", "mean"),
    ],
)
def test_what_can_be_combined(asked: list[str], kind: str, name: str) -> None:
    inside = inside_of(asked, kind)
    assert inside.name == name
    assert inside_of(inside.to_list(), kind) == inside


@pytest.mark.parametrize(
    ("asked", "kind", "message"),
    [
        (["proper", "symmetric"], "classification", r"derive --theorem proper-symmetric-exclusive"),
        (["symmetric", "smoothing=0.1"], "classification", r"derive --theorem proper-symmetric-exclusive"),
        (["smoothing=0.1", "proper"], "classification", r"that of a proper one q"),
        (["smoothing"], "classification", r"expected smoothing=XI with a strength between 0 and 1"),
        (["smoothing=1"], "classification", r"expected smoothing=XI"),
        (["smoothing=nan"], "classification", r"expected smoothing=XI"),
        (["proper=3"], "classification", r"'proper=3' is no theorem; expected some of proper, symmetric"),
        (["robust"], "classification", r"'robust' is no theorem"),
        (
            ["mean"],
            "classification",
            r"mean is a property of regression losses, and this is a classification task",
        ),
        (["symmetric"], "multilabel", r"symmetric is a property of classification losses"),
        (["proper"], "regression", r"proper is a property of classification and multilabel losses"),
    ],
)
def test_what_is_refused(asked: list[str], kind: str, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        inside_of(asked, kind)


def test_a_bounded_grammar_has_no_steep_rule_and_no_kink_is_in_a_smooth_one() -> None:
    for name, inside in GRAMMARS.items():
        flat = inside.bounded or inside.theorem.name in ("bounded", "symmetric")
        assert not (flat and any(rule.steep for rule in inside.rules.values())), name
        kinked = any(rule.kink for rule in inside.rules.values())
        assert kinked == (inside.theorem.name == "bounded"), name


@pytest.mark.parametrize("name", GRAMMARS)
def test_the_tree_is_the_exact_formula(name: str) -> None:
    inside = GRAMMARS[name]
    y, p = (torch.tensor(each, dtype=torch.float64) for each in ([1.0, 0.0, 1.0, 0.0], [0.2, 0.7, 0.9, 0.05]))
    for loss in random_members(inside, 4, seed=1):
        edges = torch.tensor(loss.edges, dtype=torch.float64)
        found = interpret(loss.program, y, p, edges, {"C": torch.tensor(7.0, dtype=torch.float64)})
        exact = sl.Loss(loss.exactly(), inside.kind.name).at_classes(7)
        for i in range(4):
            value = exact.subs({Y: float(y[i]), P: float(p[i])})
            assert float(found[i]) == pytest.approx(float(value), rel=1e-9, abs=1e-9)
        read = sl.parse(loss.formula, kind=inside.kind.name).value_expr
        assert agrees(read, loss.exactly(), inside.kind.name), "printed and read it is the same, to 50 digits"


def test_a_member_stays_one_however_its_numbers_are_moved() -> None:
    one = TypedLoss.plain_of(PROPER, ["score", "sum", "entropy", "power"])
    assert one.numbers == (1.0, 1.0, 1.0, 1.0, 0.5)
    other = one.with_numbers([1.0, 1.0, 0.25, 3.0, 0.123456]).scaled(2.0)
    assert other.rounded(3).numbers == (1.0, 1.0, 0.25, 3.0, 0.123)
    assert other.snapped(math.inf).numbers == one.numbers
    assert other.begun == one
    assert other.merged() is other
    assert other.turned() is None
    assert (
        str(other.rounded(2).to_loss("classification").simplify(hard_labels=True))
        == "p**0.12*(0.72*p - 6.72*y) - y*log(p)/2"
    )
    for bad in (-1.0, 0.0, math.nan):
        with pytest.raises(DomainError, match="expected a number above 0"):
            one.scaled(bad)


def test_a_derivation_in_words_is_read_again_and_nothing_else_is() -> None:
    one = TypedLoss.plain_of(PROPER, ["score", "exp-of", "root"]).with_numbers([1.0, 2.0, 0.5, 0.3])
    text = one.to_text()
    assert TypedLoss.from_text(text, "classification") == one
    data = json.loads(text)
    for broken in (
        "", "{}", "[1]", "null", "y*log(p)", text[:-1],
        json.dumps({**data, "inside": []}),
        json.dumps({**data, "inside": ["bounded"]}),
        json.dumps({**data, "steps": data["steps"][:-1]}),
        json.dumps({**data, "steps": [*data["steps"], ["square", 1.0]]}),
        json.dumps({**data, "steps": data["steps"][1:]}),
        json.dumps({**data, "steps": [["score", 1.0], ["p", 1.0]]}),
        json.dumps({**data, "steps": [["score", 1.0], ["root", 1.0, 1.5]]}),
        json.dumps({**data, "steps": [["score", 1.0], ["root", -1.0, 0.5]]}),
        json.dumps({**data, "steps": [["score", 1.0], ["root", 1.0]]}),
        json.dumps({**data, "factor": -1.0}),
        '{"inside": ["proper"], "steps": [["score", NaN], ["square", 1]], "factor": 1}',
    ):  # fmt: skip
        with pytest.raises(DomainError, match=r"no derivation"):
            TypedLoss.from_text(broken, "classification")


@pytest.mark.parametrize("name", GRAMMARS)
def test_breeding_keeps_to_the_grammar(name: str) -> None:
    inside = GRAMMARS[name]
    stock = Derivations(inside, max_height=6)
    rates = Rates(crossover=0.4, mutation=0.2, hoist=0.2, point=0.2, number=0.2, inherit=True)
    losses = [initial_loss(stock, rates, seed) for seed in range(20)]
    for generation in range(2):
        parents = survivors([member(stock, loss, 0.1 * i, 1, i) for i, loss in enumerate(losses)], 20)
        losses = [offspring(stock, rates, parents, 100 * generation + i)[0] for i in range(20)]
        for loss in losses:
            assert isinstance(loss, TypedLoss)
            assert TypedLoss.from_text(loss.to_text(), inside.kind.name) == loss
            assert loss.program.size <= MOST_TOKENS
    assert len({loss.program for loss in losses}) > 5
    assert any(set(loss.numbers) != set(loss.begun.numbers) for loss in losses if isinstance(loss, TypedLoss))


def test_a_proposal_depends_on_its_seed_alone() -> None:
    stock, rates = Derivations(PROPER), Rates(number=0.2)
    parents = survivors([member(stock, initial_loss(stock, rates, s), 1.0, 3, s) for s in range(10)], 10)
    assert [offspring(stock, rates, parents, s)[0] for s in range(10)] == [
        offspring(stock, rates, parents, s)[0] for s in range(10)
    ]


def test_numbers_are_learned_behind_their_links() -> None:
    one = TypedLoss.plain_of(PROPER, ["score", "sum", "root", "log"])
    tied = one.tied("classification")
    start = tied.coefficients["numbers"]
    assert tied.edges(start).tolist() == pytest.approx(one.edges)
    moved = start + torch.tensor(np.random.default_rng(0).normal(size=len(start)) * 3).float()
    learned = one.with_numbers(tied.linked(moved).tolist()).rounded(4)
    assert TypedLoss.from_text(learned.to_text(), "classification") == learned


def test_every_inside_says_what_it_is() -> None:
    smoothing = inside_of(["smoothing=0.3", "bounded"], "classification")
    assert isinstance(smoothing, Inside)
    assert smoothing.says == (
        "label smoothing: its minimiser is (1 - 0.3) q + 0.3/C for the posterior q; and bounded"
    )
    assert smoothing.findings == (
        "label_smoothing",
        "classification_calibrated",
        "bounded_below",
        "bounded_above",
    )
    assert inside_of([], "classification") is None

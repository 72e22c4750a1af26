"""The breeder: tuned coefficients come back as starts where the rates say so, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symloss.expr import Program
from symloss.expr.trees import Weighted
from symloss.search.propose.breeding import Breeder, zoo_trees
from symloss.search.propose.proposal import Outcome, Proposal
from symloss.search.settings import PRESETS

QUICK = PRESETS["quick"]


def outcome(number: int, proposal: Proposal, fitness: float | None = 0.1) -> Outcome:
    """As if tuning had set every coefficient to 2."""
    program = proposal.loss.program
    tuned = Weighted(program, (2.0,) * (program.size - 1))
    return Outcome(number, program, tuned, fitness, program.size)


def grown(inherit: bool, seed: int = 0) -> list[Proposal]:
    settings = replace(QUICK, rates=replace(QUICK.rates, inherit=inherit, exponent=0.0, attempts=1))
    breeder = Breeder(settings, seed, [], lambda loss: True)
    outcomes = [outcome(i, each) for i, each in enumerate(breeder.propose(0, 25))]
    breeder.learn(outcomes, 25)
    return breeder.propose(1, 25)


def test_children_start_from_tuned_coefficients() -> None:
    assert all(set(each.loss.edges) <= {1.0} for each in grown(inherit=False))
    assert sum(2.0 in each.loss.edges for each in grown(inherit=True)) > 20


def test_proposals_depend_on_seed_and_outcomes_alone() -> None:
    assert grown(True) == grown(True)
    assert grown(True) != grown(True, seed=1)


def test_the_first_generation_begins_with_what_is_given() -> None:
    given = [Weighted(Program(("mul", "y", "plog", "p")), (1.0, -1.0, 1.0))]
    first, second = Breeder(QUICK, 0, given, lambda loss: True).propose(0, 2)
    assert first == Proposal(given[0], fixed=True, as_given=True)
    assert not second.fixed


def test_a_child_says_whom_it_comes_from() -> None:
    children = grown(inherit=True)
    ways = {"crossover": 2, "mutation": 1, "hoist": 1, "copy": 1, "point": 1, "number": 1}
    assert {each.way for each in children} <= set(ways)
    assert any(each.way == "crossover" for each in children)
    for each in children:
        assert len(each.parents) == ways[each.way]
        assert all(0 <= number < 25 for number in each.parents)
    # What is drawn or given comes from nobody.
    assert all(each.parents == () for each in Breeder(QUICK, 0, [], lambda loss: True).propose(0, 9))


def test_a_loss_with_a_name_is_a_parent_by_its_number_once_it_has_one() -> None:
    settings = replace(QUICK, rates=replace(QUICK.rates, neighbours=1.0, crossover=0.0))
    named = zoo_trees("regression")
    breeder = Breeder(settings, 0, named, lambda loss: True, named)
    first = breeder.propose(0, len(named) + 2)
    outcomes = [Outcome(i, each.loss.program, each.loss, 0.1, 5, (1.0,)) for i, each in enumerate(first)]
    breeder.learn(outcomes, len(first))
    assert {number for each in breeder.propose(1, 20) for number in each.parents} <= set(range(len(named)))
    fresh = Breeder(settings, 0, [], lambda loss: True, named)
    drawn = [outcome(i, each) for i, each in enumerate(fresh.propose(0, 4))]
    fresh.learn(drawn, 4)
    assert all(each.parents == () for each in fresh.propose(1, 20))


def test_an_elite_says_whom_it_repeats() -> None:
    settings = replace(PRESETS["paper"], rates=replace(PRESETS["paper"].rates, attempts=1))
    breeder = Breeder(settings, 0, [], lambda loss: True)
    outcomes = [outcome(i, each, 1.0 - 0.01 * i) for i, each in enumerate(breeder.propose(0, 25))]
    breeder.learn(outcomes, 25)
    elite, other = breeder.propose(1, 2)
    assert (elite.source, other.source) == (24, None)
    assert elite.remark == "elite: candidate 24 kept as it is"


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
def test_every_named_loss_can_be_bred_from(kind: str) -> None:
    settings = replace(QUICK, rates=replace(QUICK.rates, neighbours=1.0, crossover=0.0))
    breeder = Breeder(settings, 0, [], lambda loss: True, zoo_trees(kind))
    children = breeder.propose(1, 60)
    assert all({"y", "p"} <= set(each.loss.program.tokens) for each in children)
    assert any(each.loss.edges != Weighted.plain(each.loss.program).edges for each in children)


def test_children_are_tried_at_the_pace_of_their_first_parent() -> None:
    settings = replace(QUICK, rates=replace(QUICK.rates, neighbours=0.0))
    breeder = Breeder(settings, 0, [], lambda loss: True)
    first = breeder.propose(0, 25)
    assert all(each.pace == () for each in first), "what is drawn is tried at the search's own"
    breeder.learn([replace(outcome(i, each), pace=(3.0,)) for i, each in enumerate(first)], 25)
    children = [each for each in breeder.propose(1, 25) if each.source is None]
    assert all(each.pace == (3.0,) for each in children)


def test_a_loss_with_a_name_is_bred_from_at_the_pace_at_which_it_did_best() -> None:
    settings = replace(QUICK, rates=replace(QUICK.rates, neighbours=1.0, crossover=0.0))
    zoo = zoo_trees("regression")
    breeder = Breeder(settings, 0, [], lambda loss: True, zoo)
    known = [
        Outcome(i, loss.program, loss, fitness, 3, (pace,))
        for i, (loss, fitness, pace) in enumerate(
            [(zoo[0], 0.3, 1.0), (zoo[0], 0.2, 9.0), (zoo[0], 0.4, 3.0)]
        )
    ]
    breeder.learn(known, 3)
    paces = {each.pace for each in breeder.propose(1, 60)}
    assert paces == {(), (9.0,)}


def test_what_other_settings_rule_out_is_left_out() -> None:
    """Unit coefficients have no exponents, and operators that a person names are all that is bred."""
    rates = replace(QUICK.rates, inherit=True, number=0.2, exponent=0.9, neighbours=0.5)
    few = replace(QUICK.grammar, operators=("add", "sub", "mul", "square", "plog"))
    for changes in ({"method": "gplfl"}, {"grammar": few}):
        settings = replace(QUICK, rates=rates, **changes)
        breeder = Breeder(settings, 0, [], lambda loss: True, zoo_trees("classification"))
        outcomes = [outcome(i, each) for i, each in enumerate(breeder.propose(0, 25))]
        breeder.learn(outcomes, 25)
        children = [each.loss for each in breeder.propose(1, 25)]
        assert {token for loss in children for token in loss.program.tokens} <= {
            *settings.grammar.operators,
            "y",
            "p",
            "1",
            "-1",
        }
        if settings.method == "gplfl":
            assert all(loss == Weighted.plain(loss.program) for loss in children)

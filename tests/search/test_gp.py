"""Genetic programming: published shape, no leak of the global generator, nothing that is not finite wins."""

from __future__ import annotations

import math
import random

import pytest

from symloss.errors import SymlossError
from symloss.expr import Program
from symloss.search.propose.gp import WORST, Rates, initial_program, member, offspring, survivors
from symloss.search.propose.grammar import Grammar

GRAMMAR, RATES = Grammar(), Rates()


def population(count: int = 25) -> list[Program]:
    return [initial_program(GRAMMAR, RATES, seed) for seed in range(count)]


def test_initial_trees_are_ramped_and_have_both_symbols() -> None:
    trees = population(200)
    assert {2, 3, 4} <= {tree.height for tree in trees} <= {2, 3, 4, 5}
    assert all({"y", "p"} <= set(tree.tokens) for tree in trees)
    assert len(set(trees)) > 150


def test_a_proposal_depends_on_its_seed_alone_and_leaves_the_global_generator() -> None:
    random.seed(7)
    expected = random.Random(7).random()
    first = initial_program(GRAMMAR, RATES, 3)
    parents = survivors([member(GRAMMAR, tree, 1.0, 3, i) for i, tree in enumerate(population())], 25)
    child = offspring(GRAMMAR, RATES, parents, 5)[0]
    assert random.random() == expected
    assert initial_program(GRAMMAR, RATES, 3) == first
    assert offspring(GRAMMAR, RATES, parents, 5)[0] == child


def test_offspring_keeps_to_the_height_and_has_both_symbols() -> None:
    grammar = Grammar(max_height=4)
    trees = [tree for tree in population(60) if grammar.allows(tree)]
    for generation in range(6):
        parents = survivors([member(grammar, tree, 0.0, 1, i) for i, tree in enumerate(trees)], 25)
        trees = [offspring(grammar, RATES, parents, 100 * generation + i)[0].program for i in range(25)]
        assert all(tree.height <= 4 and {"y", "p"} <= set(tree.tokens) for tree in trees)


def test_what_is_not_wanted_is_drawn_again() -> None:
    parents = survivors([member(GRAMMAR, tree, 0.0, 1, i) for i, tree in enumerate(population())], 25)
    rates = Rates(attempts=20)
    first = offspring(GRAMMAR, RATES, parents, 11)[0]
    assert offspring(GRAMMAR, rates, parents, 11, lambda tree: tree != first)[0] != first
    assert offspring(GRAMMAR, rates, parents, 11, lambda tree: False)[0] is not None


@pytest.mark.parametrize("objectives", [1, 2])
def test_a_fitness_that_is_not_finite_never_wins(objectives: int) -> None:
    trees = population(6)
    fitnesses = [math.nan, 0.7, -math.inf, None, 0.5, math.inf]
    members = [
        member(GRAMMAR, tree, fitness, 1, i)
        for i, (tree, fitness) in enumerate(zip(trees, fitnesses, strict=True))
    ]
    assert [m.number for m in survivors(members, 6, objectives)[:2]] == [4, 1]
    assert members[0].fitness.values == (WORST, WORST)


def test_nsga_keeps_the_whole_front_before_anything_dominated() -> None:
    trees = population(5)
    points = [(0.5, 3), (0.4, 7), (0.3, 20), (0.6, 30), (0.45, 9)]
    members = [
        member(GRAMMAR, tree, f, c, i) for i, (tree, (f, c)) in enumerate(zip(trees, points, strict=True))
    ]
    chosen = survivors(members, 3)
    assert {m.number for m in chosen} == {0, 1, 2}
    assert [m.rank for m in chosen] == [0, 1, 2]


def test_each_tree_survives_once_where_enough_differ() -> None:
    tree, other, third = population(3)
    members = [member(GRAMMAR, t, 0.1 * i, 1, i) for i, t in enumerate([tree, tree, other, third])]
    assert {m.program for m in survivors(members, 3)} == {tree, other, third}


def test_nesting_limits_hold_in_the_search() -> None:
    grammar = Grammar(("add", "tanh"), nesting={"tanh": {"tanh": 0}})
    trees = [initial_program(grammar, Rates(attempts=50), seed) for seed in range(50)]
    assert all(grammar.allows(tree) for tree in trees)
    assert any("tanh" in tree.tokens for tree in trees)


def test_costs_are_added_for_each_operator() -> None:
    grammar = Grammar(costs={"tanh": 3})
    assert grammar.surcharge(Program(("tanh", "tanh", "p"))) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operators": ("add", "gamma")}, "unknown operator 'gamma': expected one of"),
        ({"extra_symbols": ("q",)}, "unknown symbol 'q': expected one of C, pi, w"),
        ({"operators": ("abs",)}, "no operator of two arguments"),
        ({"nesting": {"tanh": {"foo": 1}}}, "unknown operator 'foo'"),
    ],
)
def test_a_grammar_that_makes_no_sense_is_refused(options: dict, message: str) -> None:
    with pytest.raises(SymlossError, match=message):
        Grammar(**options)


def test_a_seed_with_foreign_operators_is_bred_from() -> None:
    grammar = Grammar(("add", "mul"))
    seed = member(grammar, Program(("mul", "y", "exp", "p")), 0.1, 4, 0)
    child = offspring(grammar, RATES, [seed], 1)[0]
    assert {"y", "p"} <= set(child.program.tokens)

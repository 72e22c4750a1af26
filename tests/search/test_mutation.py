"""Small steps: coefficients go where their edges go, exponents stay constants."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from symloss.expr import Program
from symloss.expr.trees import Weighted
from symloss.search.propose.gp import Rates, initial_loss, member, offspring, survivors
from symloss.search.propose.grammar import Grammar
from symloss.search.propose.individual import Individual, individual
from symloss.search.propose.mutation import exponent, number, point

GRAMMAR = Grammar()
LOSS = Weighted(
    Program(("mul", "y", "add", "plog", "p", "square", "sub", "1", "p")),
    (2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0),
)


def tree(loss: Weighted = LOSS) -> Individual:
    return individual(GRAMMAR, loss.program, loss.edges)


def test_a_tree_keeps_its_coefficients() -> None:
    assert tree().weighted == LOSS
    assert tree(Weighted.plain(LOSS.program)).weighted == Weighted.plain(LOSS.program)


@pytest.mark.parametrize("way", ["crossover", "mutation", "hoist", "point", "exponent"])
def test_coefficients_survive_with_their_edges(way: str) -> None:
    """Every coefficient of a child is a parent's, on the token that it stood on, or new."""
    rates = Rates(
        **{name: float(name == way) for name in ("crossover", "mutation", "hoist", "point", "exponent")}
    )
    other = Weighted(Program(("mul", "y", "tanh", "p")), (23.0, 29.0, 31.0))
    parents = survivors([member(GRAMMAR, loss, 0.1, 1, i) for i, loss in enumerate((LOSS, other))], 2)
    old = {edge: loss.program.tokens[i + 1] for loss in (LOSS, other) for i, edge in enumerate(loss.edges)}
    kept = 0
    for seed in range(40):
        child = offspring(GRAMMAR, rates, parents, seed)[0]
        for token, edge in zip(child.program.tokens[1:], child.edges, strict=True):
            if edge in old:
                kept += 1
                assert way in ("point", "exponent") or old[edge] == token
            else:
                assert edge == 1.0 or way == "exponent"
    assert kept > 100


def test_a_point_mutation_changes_one_token() -> None:
    for seed in range(30):
        random.seed(seed)
        child = point(GRAMMAR, tree()).weighted
        changed = [a != b for a, b in zip(child.program.tokens, LOSS.program.tokens, strict=True)]
        assert sum(changed) == 1
        assert child.edges == LOSS.edges


def test_a_number_is_drawn_near_where_it_was() -> None:
    for seed in range(30):
        random.seed(seed)
        child = number(GRAMMAR, tree()).weighted
        assert child.program == LOSS.program
        (ratio,) = [a / b for a, b in zip(child.edges, LOSS.edges, strict=True) if a != b]
        assert abs(math.log(abs(ratio))) < 4 * 0.7


def test_an_exponent_is_added_and_taken_away() -> None:
    plain = tree(Weighted(Program(("mul", "y", "p")), (1.0, 2.0)))
    shapes = set()
    for seed in range(40):
        random.seed(seed)
        child = exponent(GRAMMAR, Individual(plain)).weighted
        shapes.add(child.program.tokens)
    assert ("mul", "y", "pow", "p", "1") in shapes
    assert ("pow", "abs", "mul", "y", "p", "1") in shapes
    powered = tree(Weighted(Program(("mul", "y", "pow", "p", "1")), (1.0, 2.0, 1.0, 0.7)))
    taken = set()
    for seed in range(40):
        random.seed(seed)
        taken.add(exponent(GRAMMAR, Individual(powered)).weighted)
    assert Weighted(Program(("mul", "y", "p")), (1.0, 2.0)) in taken


def test_exponents_stay_constant_in_a_search() -> None:
    rates = Rates(crossover=0.5, mutation=0.3, point=0.3, exponent=0.5, attempts=3)
    losses = [initial_loss(GRAMMAR, rates, seed) for seed in range(25)]
    powers = 0
    for generation in range(8):
        parents = survivors([member(GRAMMAR, loss, 0.0, 1, i) for i, loss in enumerate(losses)], 25)
        losses = [offspring(GRAMMAR, rates, parents, 100 * generation + i)[0] for i in range(25)]
        for program in (loss.program for loss in losses):
            for i, token in enumerate(program.tokens):
                if token == "pow":
                    powers += 1
                    assert program.tokens[program.children(i)[1]] in ("1", "-1")
    assert powers > 20


@pytest.mark.parametrize("step", [point, number, exponent])
def test_a_step_depends_on_the_generator_alone(step: Callable[[Grammar, Individual], Individual]) -> None:
    found = []
    for _ in range(2):
        random.seed(5)
        found.append(step(GRAMMAR, tree()).weighted)
    assert found[0] == found[1]


def test_neighbours_are_bred_from_where_the_rates_say_so() -> None:
    named = [member(GRAMMAR, Weighted(Program(("mul", "y", "cosh", "p")), (1.0, 1.0, 3.0)), None, 0, -1)]
    parents = survivors([member(GRAMMAR, LOSS, 0.1, 1, 0)], 1)

    def cosh(rates: Rates) -> int:
        children = [offspring(GRAMMAR, rates, parents, seed, neighbours=named)[0] for seed in range(60)]
        return sum("cosh" in child.program.tokens for child in children)

    assert cosh(Rates(crossover=0.0, neighbours=0.0)) == 0
    assert cosh(Rates(crossover=0.0, neighbours=0.5)) > 5

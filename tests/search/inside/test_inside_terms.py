"""Functions of p, taken apart by the rules of a grammar."""

from __future__ import annotations

import pytest
from sympy import Integer, Rational, exp, log, tanh

from symloss.expr import P
from symloss.search.propose.inside import inside_of
from symloss.search.propose.inside.terms import Apart, Reader, bare, times, vanishes


def _reader(*asked: str) -> Reader:
    inside = inside_of(list(asked), "classification")
    assert inside is not None
    return Reader(inside)


def test_a_convex_function_is_read_up_to_a_line() -> None:
    reader = _reader("proper")
    assert reader.convex(3 * P**2 + 5 * P - 7) == (3, [("square", (1,))])
    assert reader.convex(P * log(P) + P) == (1, [("entropy", (1,))])
    weight, taken = reader.convex(2 * P * log(P) + P**2)
    assert (weight, taken[0]) == (1, ("sum", (1,)))
    assert sorted(taken[1:]) == [("entropy", (2,)), ("square", (1,))]


def test_what_is_not_convex_or_not_increasing_is_told() -> None:
    with pytest.raises(Apart, match="not a sum of convex powers"):
        _reader("proper").convex(-(P**2))
    with pytest.raises(Apart, match="the sign of -1 times"):
        _reader("symmetric").increasing(-P)
    with pytest.raises(Apart, match="it is 2 at 0"):
        _reader("symmetric").increasing(P + 2)
    with pytest.raises(Apart, match="it does not know"):
        _reader("bounded").tree(log(P))


def test_an_increasing_function_is_one_of_its_terms_or_their_sum() -> None:
    reader = _reader("symmetric")
    assert reader.increasing(tanh(2 * P)) == (1, [("tanh-up", (1,)), ("p", (2,))])
    weight, taken = reader.increasing(exp(P) - 1 + P)
    assert (weight, sorted(name for name, _ in taken)) == (1, ["exp-up", "p", "p", "sum-up"])


def test_numbers_of_a_root() -> None:
    taken = [("sum", (Integer(3),)), ("square", (Integer(2),))]
    assert times(Rational(1, 2), taken) == [("sum", (Rational(1, 2),)), ("square", (Integer(2),))]
    assert bare(taken) == times(Integer(1), taken)
    assert vanishes((P + 1) ** 2 - P**2 - 2 * P - 1, "classification")
    assert not vanishes(P, "classification")

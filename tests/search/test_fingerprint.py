"""One key for one way of training, and different keys for different ones."""

from __future__ import annotations

import pytest

import symloss as sl
from symloss.expr import Program
from symloss.expr.trees import weighted_from
from symloss.search.propose.gp import Rates, initial_program
from symloss.search.propose.grammar import Grammar
from symloss.search.screen.fingerprint import fingerprint

ONE_CLASS = [
    ("classification", "1 - y*p", "abs(y - p)"),
    ("classification", "-y*log(p)", "-3*y*log(p) + 7"),
    ("classification", "-y*log(p)", "-y*log(p) + 0.25*p"),
    ("classification", "y*abs(log(1.3*p))", "abs(y*log(p) + y*log(1.3))"),
    ("classification", "(y - p)**2", "p**2 - 2*y*p"),
    ("regression", "(y - p)**2", "p**2 - 2*p*y"),
    ("regression", "abs(y - p)", "sqrt((y - p)**2)"),
    ("regression", "log(cosh(y - p))", "softplus(2*y - 2*p) - y + p"),
    ("multilabel", "-y*log(p) - (1 - y)*log(1 - p)", "-2*y*log(p) - 2*(1 - y)*log(1 - p)"),
]
TWO_CLASSES = [
    ("classification", "-y*log(p)", "y*log(p)"),
    ("classification", "-y*log(p)", "(y - p)**2"),
    ("classification", "-y*log(p)", "-y*(1 - p)**2*log(p)"),
    ("classification", "y*abs(log(1.3*p))", "y*abs(log(1.301*p))"),
    ("regression", "(y - p)**2", "abs(y - p)"),
    ("regression", "max(y - p, 0)", "max(p - y, 0)"),
    ("multilabel", "-y*log(p)", "-(1 - y)*log(1 - p)"),
]


def _key(text: str, kind: str, classes: int, exact: bool = False) -> str:
    program, edges = weighted_from(sl.parse(text, kind=kind)).graph()
    return fingerprint(program, kind, None if kind == "regression" else classes, edges, exact=exact)


@pytest.mark.parametrize(("kind", "a", "b"), ONE_CLASS)
@pytest.mark.parametrize("classes", [2, 10])
def test_one_class(kind: str, a: str, b: str, classes: int) -> None:
    assert _key(a, kind, classes) == _key(b, kind, classes)


@pytest.mark.parametrize(("kind", "a", "b"), TWO_CLASSES)
def test_two_classes(kind: str, a: str, b: str) -> None:
    assert _key(a, kind, 10) != _key(b, kind, 10)


def test_exact_keys_tell_scales_apart() -> None:
    assert _key("-y*log(p)", "classification", 3, exact=True) != _key(
        "-2*y*log(p)", "classification", 3, True
    )
    assert _key("-y*log(p)", "classification", 3, True) == _key("-y*log(p) + 2", "classification", 3, True)


def test_target_only_losses_of_two_classes_are_one() -> None:
    """For C = 2 the other probability is 1 - p_t, so M0 can be folded into M1."""
    a, b = "-y*log(p)", "-y*log(p)/2 - (1 - y)*log(1 - p)/2"
    assert _key(a, "classification", 2) == _key(b, "classification", 2)
    assert _key(a, "classification", 3) != _key(b, "classification", 3)


def test_degenerate_trees_have_keys_too() -> None:
    assert fingerprint(Program(("mul", "y", "1")), "regression", None) == "flat"
    broken = Program(("div", "y", "sub", "p", "p"))
    assert fingerprint(broken, "regression", None).startswith("not finite")


def _rewritten(program: Program, at: int = 0) -> tuple[str, ...]:
    """The same function by other operations: swapped operands, `a - b = -(b - a)`, `a**2 = a*a`."""
    token, parts = program.tokens[at], [_rewritten(program, child) for child in program.children(at)]
    if token == "sub":
        return ("mul", "-1", "sub", *parts[1], *parts[0])
    if token == "square":
        return ("mul", *parts[0], *parts[0])
    if token in {"add", "mul", "min", "max"}:
        parts.reverse()
    return (token, *(each for part in parts for each in part))


@pytest.mark.parametrize(("kind", "classes"), [("classification", 10), ("regression", None)])
def test_random_trees_keep_their_key_under_algebra(kind: str, classes: int | None) -> None:
    grammar, keys = Grammar(), set()
    for seed in range(300):
        program = initial_program(grammar, Rates(), seed)
        key = fingerprint(program, kind, classes)
        if not key.startswith("not finite"):
            assert fingerprint(Program(_rewritten(program)), kind, classes) == key
            keys.add(key)
    assert len(keys) > 60

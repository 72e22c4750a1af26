"""Own operators: closed by proof, expanded where they are printed."""

from __future__ import annotations

import pytest

import symloss as sl
from symloss.errors import DomainError, ParseError
from symloss.expr import OPERATORS, Program, Registry, apply_body, default_registry, registry
from symloss.expr.trees import Weighted


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_default", Registry())


def test_an_own_operator_is_its_definition() -> None:
    sl.register_primitive("soft_abs", ["x"], "sqrt(1 + x**2) - 1")
    loss = sl.parse("soft_abs(y - p)", kind="regression")
    assert loss == sl.parse("sqrt((y - p)**2 + 1) - 1", kind="regression")
    assert "soft_abs" not in str(loss)
    tree = Program(("soft_abs", "sub", "y", "p"))
    assert Weighted.plain(tree).to_loss("regression") == loss


def test_a_tree_is_written_by_the_definition() -> None:
    sl.register_primitive("dip", ["a", "b"], "a*b - 0.5*max(-a, b)")
    loss = Weighted(Program(("dip", "sub", "y", "p", "p")), (1.0, 1.0, 1.0, 2.0))
    assert "dip" not in loss.formula
    assert loss.to_loss("regression") == sl.parse("dip(y - p, 2*p)", kind="regression")


def test_two_arguments_and_the_body() -> None:
    primitive = sl.register_primitive("blend", ["a", "b"], "0.25*a + 0.75*max(a, b)")
    assert primitive.evaluate(1.0, 2.0) == pytest.approx(1.75)
    value = apply_body(primitive.body, lambda name, *args: OPERATORS[name].evaluate(*args), [1.0, 2.0])
    assert value == pytest.approx(1.75)


def test_the_same_again_changes_nothing() -> None:
    first = sl.register_primitive("twice", ["x"], "2*x")
    assert sl.register_primitive("twice", ["x"], "2*x") is first
    assert default_registry().definitions == {"twice": (("x",), "2*x")}
    with pytest.raises(DomainError, match="the name 'twice' is taken"):
        sl.register_primitive("twice", ["x"], "3*x")


CLOSED = ["1/(1 + x**2)", "log(1 + exp(x))", "sqrt(abs(x))", "plog(x)", "x/(1 + abs(x))", "sin(x)*exp(-x**2)"]
OPEN = [
    ("log(x)", "undefined at x = -3"),
    ("1/x", "undefined at x = 0"),
    ("sqrt(x)", "undefined at x = -3"),
    ("x**0.3", "undefined at x = -3"),
    ("1/(7 - x)", "not proved that 7 - x != 0"),
]


@pytest.mark.parametrize("formula", CLOSED)
def test_closed(formula: str) -> None:
    assert sl.register_primitive("own", ["x"], formula).name == "own"


@pytest.mark.parametrize(("formula", "message"), OPEN)
def test_not_closed(formula: str, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        sl.register_primitive("own", ["x"], formula)
    assert "own" not in default_registry().operators


def test_bad_definitions() -> None:
    for name, arguments, formula, message in [
        ("log", ["x"], "x", "taken"),
        ("a b", ["x"], "x", "no name for an operator"),
        ("own", [], "1", "one or more different arguments"),
        ("own", ["x", "x"], "x", "one or more different arguments"),
        ("own", ["x", "z"], "x", "z is unused"),
        ("own", ["x"], "x*y", "y is no argument"),
    ]:
        with pytest.raises(DomainError, match=message):
            sl.register_primitive(name, arguments, formula)
    with pytest.raises(ParseError, match="unknown name 'os'"):
        sl.register_primitive("own", ["x"], "os(x)")

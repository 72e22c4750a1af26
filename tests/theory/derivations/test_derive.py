"""Derivations whose every step is checked, and checkers that notice a wrong one."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from sympy import Rational, Symbol, log, zoo

import symloss as sl
from symloss.errors import DomainError
from symloss.expr import C, Y
from symloss.theory.derivations.derivation import Derivation, identity, positive, probabilities, sampled
from symloss.theory.derivations.sparsify import derive, sparsify


@pytest.fixture(scope="module", params=["sparse-lsr", "ace-lsr", "proper-symmetric-exclusive"])
def theorem(request: pytest.FixtureRequest) -> Derivation:
    return derive(request.param)


def test_every_step_says_what_was_checked(theorem: Derivation) -> None:
    for step in theorem.steps:
        assert step.name
        assert step.justification
        assert re.search("cancel symbolically|equal to 50 digits|by the signs of its terms", step.check)
    data = json.loads(json.dumps(theorem.to_dict()))
    assert sl.Loss.from_dict(data["result"]) == theorem.result


def test_text_and_latex(theorem: Derivation) -> None:
    text, document = theorem.to_text(), theorem.to_latex()
    for step in theorem.steps:
        assert step.name in text
    assert document.startswith(r"\documentclass")
    assert document.rstrip().endswith(r"\end{document}")
    assert document.count(r"\begin") == document.count(r"\end")
    bare = re.sub(r"\\verb\|[^|]*\||\\[{}]", "", document)
    assert bare.count("{") == bare.count("}")
    assert bare.count(r"\left") == bare.count(r"\right")
    outside = re.sub(r"\\begin\{align\*\}.*?\\end\{align\*\}|\\\[.*?\\\]|\\\(.*?\\\)", "", bare, flags=re.S)
    assert not re.search(r"(?<!\\)[_^&#%]", outside), "a special character outside mathematics"


def test_latex_uses_commands_of_its_packages_alone(theorem: Derivation) -> None:
    document = theorem.to_latex()
    assert r"\usepackage{amsmath,amssymb}" in document  # align* of the first, mathbb of the second
    known = """documentclass usepackage begin end section paragraph item verb small left right frac sum log
        xi phi delta gamma alpha beta epsilon mathbb mathrm text approx quad geq leq gg cdot sqrt prime partial
        infty sin cos exp big bigl bigr operatorname"""
    assert set(re.findall(r"\\([A-Za-z]+)", document)) <= set(known.split())


def test_sparse_lsr_has_five_steps_one_approximation_and_ends_at_the_zoo_s() -> None:
    found = derive("sparse-lsr")
    assert [step.exact for step in found.steps[:5]] == [True, True, False, True, True]
    assert all(step.exact for step in found.steps[5:])
    assert found.result == sl.named("sparse-lsr")


def _lsr(p: np.ndarray, xi: float) -> float:
    a = 1 - xi + xi / len(p)
    return float(-a * np.log(p[0]) - xi / len(p) * np.log(p[1:]).sum())


def test_remainder_holds_by_brute_force() -> None:
    """LSR = SparseLSR + b KL(uniform||q) in floats, by code that shares nothing with the derivation."""
    draw = np.random.default_rng(0)
    for classes in (2, 4, 30):
        for xi in (0.05, 0.5, 1.0):
            p = draw.dirichlet(np.ones(classes))
            b, q = xi * (classes - 1) / classes, p[1:] / (1 - p[0])
            sparse = -(1 - b) * np.log(p[0]) - b * np.log((1 - p[0]) / (classes - 1))
            kl = -np.log(classes - 1) - np.log(q).mean()
            assert _lsr(p, xi) == pytest.approx(sparse + b * kl, rel=1e-12)
            assert _lsr(p, xi) >= sparse - 1e-12


def test_checkers_notice_what_is_wrong() -> None:
    x = Symbol("x", positive=True)
    with pytest.raises(DomainError, match="the step does not hold"):
        identity(log(x**2), 3 * log(x))
    with pytest.raises(DomainError, match="not shown to be positive"):
        positive(1 / C - x)
    with pytest.raises(DomainError, match="not finite"):
        sampled(lambda count, point: zoo)
    with pytest.raises(DomainError, match=r"differ by .* at C = 3"):
        sampled(lambda count, point: Rational(1, 10**40) if count == 3 else Rational(0))


def test_probabilities_are_a_distribution() -> None:
    for count in (2, 7):
        p = probabilities(count, 3)
        assert sum(p) == 1
        assert min(p) > 0


@pytest.mark.parametrize(
    ("formula", "words", "least", "most"),
    [
        (str(sl.named("lsr")), "a lower bound", 0, np.inf),
        (str(sl.named("baikal")), "a lower bound", 0, np.inf),
        ("(y - p)**2", "a lower bound", 0, np.inf),
        ("-y*log(p) - (1 - y)*p**2", "an upper bound", -np.inf, 0),
        ("-y*log(p) + (1 - y)*sin(40*p)", "not known to bound", -np.inf, np.inf),
        ("-y*log(p)", "nothing is dropped", 0, 0),
        (str(sl.named("sce")), "nothing is dropped", 0, 0),
    ],
)
def test_sparse_forms_bound_as_they_say(formula: str, words: str, least: float, most: float) -> None:
    """The direction is held against random predictions, and by code that shares nothing with the step."""
    loss = sl.parse(formula)
    found = sparsify(loss)
    assert words in found.steps[2].justification
    assert found.steps[1].exact == (words == "nothing is dropped")
    assert found.result.expr.subs(Y, 0) == 0
    p = np.random.default_rng(0).dirichlet(np.ones(10), 500).clip(1e-9)
    entry = sl.Loss(loss.at_classes(10)).lambdify()
    sparse = sl.Loss(found.result.at_classes(10)).lambdify()
    whole = entry(np.ones(500), p[:, 0]) + entry(np.zeros((500, 9)), p[:, 1:]).sum(axis=1)
    dropped = whole - sparse(np.ones(500), p[:, 0])
    assert dropped.min() >= least - 1e-6
    assert dropped.max() <= most + 1e-6
    if words == "not known to bound":
        assert dropped.min() < 0 < dropped.max(), "this one bounds in neither direction"


@pytest.mark.parametrize(
    ("formula", "attractor"),
    [
        (str(sl.named("baikal")), 0.1**0.5),
        (str(sl.named("ngl")), 0.3910335954),
        ("-(0.8*y + 0.2/C)*log(p)", 0.82),
    ],
)
def test_attractors_agree_before_and_after(formula: str, attractor: float) -> None:
    step = sparsify(sl.parse(formula)).steps[3]
    for statement in (step.before, step.after):
        assert float(sl.parse(str(statement.rhs)).at_classes(10)) == pytest.approx(attractor, rel=1e-9)


def test_undecided_shapes_claim_no_bound() -> None:
    """Where M0 jumps, neither convexity nor concavity is proved."""
    step = sparsify(sl.parse("-y*log(p) + (1 - y)*sign(p - 1/3)*p")).steps[2]
    assert "not known to bound" in step.justification


def test_sparsified_lsr_is_sparse_lsr_with_its_coefficient() -> None:
    found = derive(sl.named("lsr", xi=0.3))
    assert found.result == sl.named("sparse-lsr", xi=0.3)
    assert dict(found.result.coefficients) == {"xi": 0.3}


def test_bad_input() -> None:
    with pytest.raises(DomainError, match="no theorem is named 'lsr': expected one of sparse-lsr, ace-lsr"):
        derive("lsr")
    with pytest.raises(DomainError, match="no theorem is named"):
        derive(["sparse-lsr"])  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="only classification losses"):
        sparsify(sl.named("mse"))
    with pytest.raises(DomainError, match="finite at y = 0"):
        sparsify(sl.parse("abs(log(y*p))"))

"""Certificates of margin losses: the zoo, what is known by derivation, odd formulas, each by brute force as well."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sympy import Rational, exp, expand, log, oo
from theory.margin_brute_force import contradictions

import symloss as sl
from symloss.expr import KINDS, M, sigmoid, softplus
from symloss.search import Grammar
from symloss.search.propose.gp import Rates, initial_loss
from symloss.theory import Certificate, analyze
from symloss.theory.findings.margin import Margin, saturating
from symloss.theory.functions.exponentials import (
    exponential_form,
    exponential_limit,
    exponential_roots,
    vanishes_in,
)

NAMES = sl.names("margin")
KEYS = (
    "trainable_at_start", "classification_calibrated", "convex", "decreasing", "minimum", "bounded_below",
    "bounded_above", "lipschitz", "symmetric_noise_robust", "redescending", "link", "known_as",
)  # fmt: skip
VERDICTS = {
    #                start calibrated convex falls minimum below above lipschitz symmetric forgets link known
    "logistic": "p p p p p p r p r r p p",
    "hinge": "p p p p p p r p r r r p",
    "squared-hinge": "p p p p p p r r r r p p",
    "exponential": "p p p p p p r r r r p p",
    "ipo": "p p p r p p r r r r p p",
    "savage": "p p r p p p p p r p p p",
    "tangent": "p p r r p p p p r p p p",
    "sigmoid": "p p r p p p p p p p r p",
    "ramp": "p p r p p p p p p p r p",
    "unhinged": "p p p p r r r p p r r p",
    "cdpo": "p p p r p p r p r r p p",
    "rdpo": "p p p p r r r p r r r p",
    "discopop": "r p r r p p r p r r r p",
}


@pytest.fixture(scope="module")
def certificates() -> dict[str, Certificate]:
    return {name: analyze(sl.named(name)) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_the_zoo(name: str, certificates: dict[str, Certificate]) -> None:
    found = certificates[name].findings
    assert tuple(found) == KEYS
    assert " ".join(finding.verdict[0] for finding in found.values()) == VERDICTS[name]
    assert found["known_as"].value.name == name
    assert contradictions(certificates[name]) == []


def test_numbers_and_formulas(certificates: dict[str, Certificate]) -> None:
    def value(name: str, key: str) -> object:
        return certificates[name].findings[key].value

    assert value("logistic", "link") == sigmoid(M)
    assert value("exponential", "link") == sigmoid(2 * M)
    assert value("savage", "link") == sigmoid(M)
    assert all(expand(value(name, "link") - (M + 1) / 2) == 0 for name in ("ipo", "squared-hinge"))
    assert vanishes_in(value("cdpo", "link") - (sigmoid(M) - Rational(1, 10)) / Rational(4, 5), M)
    assert value("cdpo", "minimum") == log(9)
    assert value("cdpo", "lipschitz") == Rational(9, 10)
    assert [
        value(name, "minimum") for name in ("logistic", "exponential", "savage", "sigmoid", "discopop")
    ] == [oo] * 5
    assert [value(name, "minimum") for name in ("hinge", "ramp", "ipo")] == [1, 1, 1]
    assert value("savage", "lipschitz") == Rational(8, 27)
    tangent = certificates["tangent"].findings
    assert tangent["minimum"].numeric == pytest.approx(math.tan(0.5), abs=1e-12)
    assert tangent["bounded_above"].numeric == pytest.approx((math.pi + 1) ** 2, abs=1e-12)
    assert "leaves [0, 1] beyond" in tangent["link"].reason
    assert "between -0.546302 and 0.546302" in tangent["link"].reason
    assert "stays below 0.9" in certificates["rdpo"].findings["link"].reason
    assert value("sigmoid", "symmetric_noise_robust") == 1
    assert [value("unhinged", key) for key in ("symmetric_noise_robust", "lipschitz")] == [2, 1]


def test_discopop_has_its_known_answers(certificates: dict[str, Certificate]) -> None:
    """Against roots of mpmath at 40 digits, and the numbers of the derivation."""
    import mpmath

    view = Margin.of(sl.named("discopop"))
    assert view.stationary is not None
    low, high = view.stationary
    exact = sl.named("discopop").lambdify("mpmath")
    with mpmath.workdps(40):
        roots = [mpmath.findroot(lambda m: mpmath.diff(exact, m), start) for start in (-0.12, 0.07)]
    assert low.where.middle == pytest.approx(float(roots[0]), abs=1e-10)
    assert high.where.middle == pytest.approx(float(roots[1]), abs=1e-10)
    assert [round(low.where.middle, 6), round(high.where.middle, 7)] == [-0.118570, 0.0720061]
    assert [round(low.value.middle, 6), round(high.value.middle, 6)] == [0.785924, 0.878290]
    found = certificates["discopop"].findings
    assert found["trainable_at_start"].numeric == pytest.approx(-0.784264, abs=1e-6)
    assert found["trainable_at_start"].witness["below"] == pytest.approx((1 - math.log(2)) / 3, abs=1e-15)
    assert found["classification_calibrated"].reason.startswith(
        "S = M(m) + M(-m) is least at m = 0.481911, where D = M(-m) - M(m) is 0.345305, and inf D = -0.0869242"
    )
    assert "local minimum 0.7859239196 at m = -0.1185698927" in found["minimum"].reason
    assert "local maximum 0.8782896116 at m = 0.0720061138" in found["minimum"].reason


@pytest.mark.parametrize(("tau", "verdict"), [(0.1022, "refuted"), (0.1024, "proved"), (1.0, "proved")])
def test_discopop_starts_well_from_a_temperature_on(tau: float, verdict: str) -> None:
    found = analyze(sl.named("discopop", tau=tau), only=["trainable_at_start"]).findings["trainable_at_start"]
    assert found.verdict == verdict
    assert "(1 - log(2))/3 = 0.102284" in found.reason


SUMMARIES = {
    "logistic": "monotone; pushes margins up without end; calibrated; the label's probability at the margin m is "
    "sigmoid(m)",
    "hinge": "monotone; stops pushing at the margin 1; calibrated",
    "sigmoid": "monotone; pushes margins up without end; calibrated; labels flipped at random do not move its minimum; "
    "forgets pairs that are badly wrong",
    "ipo": "not monotone: beyond the margin 1 it pulls back; stops pushing at the margin 1; calibrated; the label's "
    "probability at the margin m is (m + 1)/2",
    "discopop": "not monotone: between margins -0.119 and 0.072 it rewards ranking the pair worse; started at 0, as "
    "DPO is, its first step does so, for every tau under 0.102; pushes margins up without end; calibrated all the same",
}


@pytest.mark.parametrize("name", SUMMARIES)
def test_in_short(name: str, certificates: dict[str, Certificate]) -> None:
    assert certificates[name].summary() == SUMMARIES[name]
    assert all(certificates[name].sentence(key) for key in KEYS)
    assert analyze(sl.named("mse")).summary() == ""


def test_a_loss_that_is_flat_at_the_start_stands_still() -> None:
    certificate = analyze(sl.parse("m**2", kind="margin"))
    assert certificate.sentence("trainable_at_start").startswith("stands still at the margin 0")
    assert "; started at 0, as DPO is, it stands still; " in certificate.summary()


ODD = [
    # Convex: calibrated exactly where M'(0) exists and is negative.
    (
        "max(-m, -2*m)",
        {"classification_calibrated": "refuted", "convex": "proved", "trainable_at_start": "unknown"},
    ),
    ("max(0, -m)", {"classification_calibrated": "refuted", "convex": "proved", "minimum": "proved"}),
    ("max(0, 1 + m)", {"classification_calibrated": "refuted", "decreasing": "refuted"}),
    ("exp(m)", {"classification_calibrated": "refuted", "trainable_at_start": "refuted", "link": "refuted"}),
    ("m**2", {"classification_calibrated": "refuted", "trainable_at_start": "refuted"}),
    ("exp(-m) + 0.3*m", {"classification_calibrated": "proved", "minimum": "proved"}),
    # Not convex.
    ("m", {"classification_calibrated": "refuted", "bounded_below": "refuted", "known_as": "refuted"}),
    ("sigmoid(m)", {"classification_calibrated": "refuted", "symmetric_noise_robust": "proved"}),
    (
        "exp(-m**2)",
        {"classification_calibrated": "refuted", "bounded_above": "proved", "redescending": "proved"},
    ),
    (
        "tanh(-m)",
        {"classification_calibrated": "proved", "symmetric_noise_robust": "proved", "known_as": "proved"},
    ),
    ("(m - 1)**2*(m + 2)**2", {"classification_calibrated": "unknown", "decreasing": "refuted"}),
    ("min((1 - m)**2, 4)", {"classification_calibrated": "proved", "bounded_above": "proved"}),
    ("-log(sigmoid(2*m)) + 0.5", {"known_as": "proved", "link": "proved"}),
    ("softplus(1 - m)", {"classification_calibrated": "proved", "link": "proved"}),
    ("sigmoid(-m) + 0.05*m**2", {"classification_calibrated": "proved", "bounded_above": "refuted"}),
    (
        "-m**3",
        {"classification_calibrated": "proved", "decreasing": "proved", "trainable_at_start": "refuted"},
    ),
    (
        "sign(-m)",
        {
            "lipschitz": "refuted",
            "convex": "refuted",
            "trainable_at_start": "unknown",
            "known_as": "refuted",
        },
    ),
    ("1/(1 + m**2)", {"classification_calibrated": "refuted", "redescending": "proved"}),
    ("psqrt(m**2 + 1) - m", {"decreasing": "proved", "minimum": "proved"}),
    ("2*max(0, 1 - m/2)", {"known_as": "proved"}),
]


@pytest.mark.parametrize(("formula", "expected"), ODD, ids=[formula for formula, _ in ODD])
def test_odd_formulas(formula: str, expected: dict[str, str]) -> None:
    certificate = analyze(sl.parse(formula, kind="margin"))
    assert {key: certificate.findings[key].verdict for key in expected} == expected
    assert contradictions(certificate) == []


KNOWN = [
    ("softplus(-m)", "logistic"),
    ("3*log(1 + exp(-2*m)) - 7", "logistic(scale=2)"),
    ("2*max(0, 1 - m/2)", "hinge(scale=0.5)"),
    ("tanh(-m)", "sigmoid(scale=2)"),
    ("m**2 - 4*m", "ipo(tau=0.25)"),
    ("-3*m", "unhinged"),
    ("(1 + exp(m/3))**-2", "savage(scale=0.3333333333)"),
    ("0.75*softplus(-m) + 0.25*softplus(m)", "cdpo(epsilon=0.25)"),
]


@pytest.mark.parametrize(("formula", "name"), KNOWN)
def test_known_up_to_scales_and_a_constant(formula: str, name: str) -> None:
    finding = analyze(sl.parse(formula, kind="margin"), only=["known_as"]).findings["known_as"]
    assert (finding.verdict, str(finding.value)) == ("proved", name)


def test_brute_force_sees_a_wrong_certificate(certificates: dict[str, Certificate]) -> None:
    """A checker that never fails proves nothing: every proof of one loss is claimed of another that it is wrong of."""
    losses = [sl.named(name) for name in ("logistic", "savage", "unhinged", "discopop", "ipo", "sigmoid")]
    backwards = sl.parse("max(0, 1 + m)", kind="margin")
    seen = set()
    for loss in (*losses, backwards):
        for name in ("hinge", "exponential", "ramp", "tangent", "discopop", "unhinged"):
            if loss != sl.named(name):
                lie = Certificate(loss, None, dict(certificates[name].findings))
                seen |= {said.split()[0] for said in contradictions(lie)}
    assert seen == set(KEYS)


@pytest.mark.parametrize("seed", range(8))
def test_losses_as_a_search_draws_them(seed: int) -> None:
    program = initial_loss(Grammar().of_kind("margin"), Rates(), 100 + seed)
    loss = program.to_loss("margin")
    certificate = analyze(loss, only=[key for key in KEYS if key != "known_as"], patience=None)
    known = {
        **certificate.findings,
        "known_as": analyze(sl.named("ipo"), only=["known_as"]).findings["known_as"],
    }
    said = contradictions(Certificate(loss, None, known))
    assert [each for each in said if not each.startswith("known_as")] == []


def test_a_value_at_one_margin_is_no_constant() -> None:
    for formula, verdict in (("max(sign(m), 0)", "unknown"), ("1/m", "unknown"), ("-sign(m)", "proved")):
        certificate = analyze(sl.parse(formula, kind="margin"), only=["symmetric_noise_robust"])
        assert certificate.findings["symmetric_noise_robust"].verdict == verdict


def test_a_minimum_between_open_stretches_is_not_passed_over() -> None:
    """The value at a turn was dropped where places of extremes are not all known, and an end taken for the least."""
    loss = sl.parse("m*(m - 1)/(400*m**2 + 1) + sigmoid(m**2)", kind="margin")
    found = analyze(loss, only=["minimum", "bounded_above"]).findings
    assert found["minimum"].numeric == pytest.approx(0.0456128567525, abs=1e-12)
    assert "it lies between" in found["bounded_above"].reason or found["bounded_above"].numeric < 1.01


def test_algebra_on_exponentials_is_counted() -> None:
    """Its greatest common divisors took minutes, uncounted."""
    loss = sl.parse("sigmoid(2 + softplus(m - 0.3))", kind="margin")
    assert analyze(loss, only=["link"], patience=None).findings["link"].verdict == "refuted"
    large = sum(sigmoid(M * k / 7) ** 3 for k in range(1, 8))
    assert not vanishes_in(large - large.subs(M, 2 * M), M)


def test_what_cannot_be_analysed_is_open() -> None:
    for formula in ("w*log(1 + exp(-m))", "log(m)", "sqrt(m)"):
        verdicts = {
            finding.verdict for finding in analyze(sl.parse(formula, kind="margin")).findings.values()
        }
        assert verdicts == {"unknown"}


def test_formulas_in_exponentials() -> None:
    assert saturating(1 / (1 + exp(M)) ** 2 + log(1 + exp(-2 * M))) == sigmoid(-M) ** 2 + softplus(-2 * M)
    assert exponential_form(softplus(M) - softplus(-M), M) == (M, 1)
    assert vanishes_in(softplus(M / 3) - softplus(-M / 3) - M / 3, M)
    assert not vanishes_in(sigmoid(M) - sigmoid(2 * M), M)
    assert exponential_form(exp(M**2), M) is None
    assert exponential_roots(sigmoid(M) - Rational(3, 4), M) == [log(3)]
    assert exponential_limit(3 * sigmoid(2 * M) - 1, M, 1) == 2
    assert exponential_limit(exp(M), M, -1) == 0
    assert exponential_limit(exp(M), M, 1) is None
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = (int(each) for each in rng.integers(-3, 4, size=2))
        expr = a * sigmoid(M) + b * sigmoid(-M) - b
        assert vanishes_in(expr, M) == (a == b)


def test_a_kind_asks_for_its_findings_by_name() -> None:
    assert tuple(analyze(sl.named("hinge"), only=["link", "convex"]).findings) == ("convex", "link")
    with pytest.raises(sl.DomainError, match="no finding 'proper' about a margin loss"):
        analyze(sl.named("hinge"), only=["proper"])
    assert set(KEYS) == set(analyze(sl.named("unhinged"), classes=5).findings)
    assert KINDS["margin"].signed

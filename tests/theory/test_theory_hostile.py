"""Formulas made to mislead a certificate: verdicts that were wrong once, or that only luck would get right."""

from __future__ import annotations

import pytest

import symloss as sl
from symloss.theory import analyze

HOSTILE = [
    # M1 - M0 falls, but is stationary at 1/3, where three classes tie under every posterior.
    ("50*p**2 - y*(p - 1/3)**3", "classification", 3, {"classification_calibrated": "refuted"}),
    ("50*p**2 - y*(p - 1/3)**3", "classification", 2, {"classification_calibrated": "proved"}),
    # A value of its own at one point, which no piece shows.
    (
        "-y*log(p) - 10*y*(1 - sign(p - 0.37)**2)",
        "classification",
        3,
        {"bounded_below": "unknown", "proper": "unknown", "convex_in_p": "unknown", "attractor": "unknown"},
    ),
    (
        "(y - p)**2 - 10*(1 - sign(y - p - 1.01)**2)",
        "regression",
        None,
        {"minimum_at_target": "unknown", "convex": "unknown"},
    ),
    # A sign whose value where it vanishes lies between those beside it is no such point.
    ("-y*p + 0.1*y*sign(0.4 - p)", "classification", 3, {"bounded_below": "proved"}),
    # A step leaves the derivative as it is, and moves the minimum of the mean.
    ("abs(y - p) + 5*sign(y - p)", "regression", None, {"converges_to": "unknown"}),
    ("(y - p)**2 + 3*sign(y - p - 1)", "regression", None, {"converges_to": "unknown"}),
    ("-y*log(p) - (1 - y)*log(1 - p) + 0.3*y*sign(p - 0.4)", "multilabel", None, {"proper": "unknown"}),
    # At the null epoch M0 has a kink that bends down: classes above it go up, and p_t ends at 1/2, not at 1.
    (
        "-y*log(p) - 2*(1 - y)*max(p, 0.2)",
        "classification",
        5,
        {"attractor": "unknown", "label_smoothing": "unknown"},
    ),
    ("-y*log(p) + 2*(1 - y)*max(p, 0.2)", "classification", 5, {"attractor": "proved"}),
    # The slope of the sign of a quotient, for which SymPy has no formula.
    ("-y*log(p) + 0.3*sign(1/(p + 1.2) - 0.4)", "classification", 3, {"bounded_below": "proved"}),
    # A limit y -> 0+ that depends on p.
    ("y**(p - 1/2)", "classification", 3, {"target_only": "unknown"}),
]


@pytest.mark.parametrize(("text", "kind", "classes", "expected"), HOSTILE)
def test_hostile_formulas(text: str, kind: str, classes: int | None, expected: dict[str, str]) -> None:
    findings = analyze(sl.parse(text, kind=kind), classes).findings
    assert {key: findings[key].verdict for key in expected} == expected


KNOWN = [
    ("3.7*y*abs(log(7*p)) + 2", 10, "ace(phi1=7)"),  # a kink that no slope beside it shows
    ("y*abs(log(1.001*p))", 3, "ace(phi1=1.001)"),
    ("y*abs(log(C*p))", 10, "ace(phi1=10)"),
    ("y*abs(log(p) + 0.3)", 3, "ace(phi1=1.349858808)"),
    ("-0.9*y*log(p) - 0.1*log(p)", 2, "lsr(xi=0.1818181818)"),  # 2/11
    ("-0.9*y*log(p) - 0.1*y*log(1 - p)", 2, "lsr(xi=0.2)"),  # one loss for two classes, two for three
    ("-log(abs(y + p - 1))", 2, "ce"),
    ("-0.6*y*log(p) + 12*(1 - y)*p", 3, "poly1(epsilon=20)"),
    ("-0.001*y*log(p) + 200*(1 - y)*p", 3, "sce(alpha=2e-05, beta=1)"),
    ("exp(15 - p*(1 + y)) - cos(cos(sin(p)))", 3, "ngl(alpha=15)"),
]


@pytest.mark.parametrize(("text", "classes", "value"), KNOWN)
def test_coefficients_that_no_slope_shows(text: str, classes: int, value: str) -> None:
    finding = analyze(sl.parse(text), classes, ["known_as"]).findings["known_as"]
    assert (finding.verdict, finding.text) == ("proved", value)


@pytest.mark.parametrize(
    ("text", "kind", "verdict"),
    [
        ("-y*log(p) + 0.1*y*sign(p - 0.8)", "classification", "refuted"),
        ("abs(y - p) + 5*sign(y - p)", "regression", "refuted"),
        ("min(abs(y - p), 0.01)*(abs(y - p) - min(abs(y - p), 0.01)/2)", "regression", "proved"),
        ("1 - exp(-((y - p)/0.03)**2)", "regression", "proved"),
    ],
)
def test_known_by_more_than_slopes_on_a_grid(text: str, kind: str, verdict: str) -> None:
    assert analyze(sl.parse(text, kind=kind), 3, ["known_as"]).findings["known_as"].verdict == verdict


@pytest.mark.parametrize(
    ("text", "kind", "key", "verdict"),
    [
        ("-plog(p)*y", "classification", "bounded_above", "refuted"),
        ("plog(p - 0.5)*y", "classification", "lipschitz_in_logits", "refuted"),
        ("-plog(p)*y", "multilabel", "bounded_above", "refuted"),
        ("psqrt(y - p)", "regression", "bounded_influence", "refuted"),
    ],
)
def test_a_verdict_names_the_guards_that_it_leaves_out(text: str, kind: str, key: str, verdict: str) -> None:
    finding = analyze(sl.parse(text, kind=kind), 3).findings[key]
    assert finding.verdict == verdict
    assert finding.reason.count("count as outside their guard") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tanh(y - p)*(y - p)", {"minimum_at_target": "proved"}),  # a root at 0 that only a bracket showed
        ("max(0, abs(y - p) - 0.5)", {"minimum_at_target": "proved"}),
        ("log(1 + exp((y - p)**2))", {"translation_invariant": "proved", "minimum_at_target": "proved"}),
        ("max(y, p) - min(y, p)", {"translation_invariant": "proved", "known_as": "proved"}),
        ("max(2*y, y + p) - y - p", {"translation_invariant": "proved", "known_as": "proved"}),
        (
            "3*(y - p)**4 + sqrt(4394708436543125140961)*abs(y - p)",
            {"minimum_at_target": "proved", "convex": "proved"},
        ),
        ("(y - p)**2 + y", {"translation_invariant": "refuted", "known_as": "refuted"}),
        (
            "(y - p)**2/y**2",
            {
                "translation_invariant": "refuted",
                "bounded_influence": "refuted",
                "minimum_at_target": "unknown",
            },
        ),
    ],
)
def test_regression_formulas_that_hide_what_they_are(text: str, expected: dict[str, str]) -> None:
    findings = analyze(sl.parse(text, kind="regression")).findings
    assert {key: findings[key].verdict for key in expected} == expected
    assert all("zoo" not in finding.reason for finding in findings.values() if finding.verdict == "unknown")

"""Regression losses that a mathematician settles at a glance: what is proved of them, and brute force against it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import symloss as sl
from symloss.theory import Certificate, analyze

ALL = ("minimum_at_target", "convex", "bounded_influence", "redescending", "bounded_above")
"""In the order of the letters below: p proved, r refuted, u unknown, - not looked at."""
WORDS = {"p": "proved", "r": "refuted", "u": "unknown"}
SETTLED = [
    # Not negative by structure and 0 at p = y
    ("abs(y)*abs(y-p)", "pprrr"), ("(tanh(y)-tanh(p))**2", "prppp"), ("(y-p)**2/(1+p**2)", "prrpr"),
    ("1-cos(y-p)", "prprp"), ("abs(tanh(y - p))*exp(-y)", "p----"), ("(y-p)**2*(1 + tanh(p))", "p----"),
    ("log(1 + abs(y)*(y-p)**2)", "p----"), ("y**2 + abs(y - p)*softplus(p)", "p----"), ("sqrt(abs(y - p))", "prrpr"),
    # Convex with 0 in the subgradient at the target, and growth beyond powers
    ("exp(y-p)-(y-p)-1", "pprrr"), ("log(exp(y-p)+exp(p-y))", "ppprr"), ("cosh(y-p)", "pprrr"),
    ("exp(p) - exp(y)*(1 + p - y)", "pprrr"), ("exp(abs(y-p)) - abs(y - p)", "pprrr"), ("(y-p)*sinh(y-p)", "pprrr"),
    # Weights by the target
    ("y**2*log(cosh(y-p))", "pprrr"), ("abs(y)*abs(y - 1.2*p)", "rprrr"), ("(y-2*p)**2*abs(y)", "rprrr"),
    ("tanh(y)**2*(1 - exp(-(y-p)**2))", "prppp"), ("exp(-y**2)*abs(y-p)", "ppprr"),
    ("(1 + cos(y)**2)*(y-p)**2", "pprrr"),
    # Bregman losses
    ("exp(p)*(p-y-1)", "prrrr"), ("exp(p) - y*p", "rprrr"), ("p**4/4 - y**3*p", "p-rrr"),
    ("softplus(p) - p*sigmoid(y)", "pppr-"),
    # Sines and cosines on the line
    ("sin(y-p)**2", "prprp"), ("abs(sin(2*(y-p)))", "prprp"), ("(y-p)**2 + sin(y-p)**2", "pprrr"),
    ("(y-p)*sin(y-p)", "rrrrr"), ("2*abs(y-p) + cos(y-p)", "-rprr"), ("cos(y-p)/(1 + (y-p)**2)", "rr-pp"),
]  # fmt: skip
GRID = np.linspace(-7.3, 7.1, 289)
TARGETS = np.array([-3.1, -1.0, -0.2, 0.0, 0.4, 1.0, 2.7])[:, None]


def _values(loss: sl.Loss, p: np.ndarray, y: np.ndarray = TARGETS) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(loss.lambdify("numpy")(y + 0 * p, p + 0 * y))


def against_floats(certificate: Certificate) -> list[str]:
    """What floats say against what is proved, and against what is refuted."""
    loss, found = certificate.loss, certificate.findings
    values, here = _values(loss, GRID), _values(loss, TARGETS)
    real = np.isfinite(values).all(axis=1) & np.isfinite(here).all(
        axis=1
    )  # targets at which the loss has values
    values, here = values[real], here[real]
    slopes = np.diff(values, axis=1) / np.diff(GRID)
    scale = 1 + np.abs(values)
    problems = []

    def is_(key: str, verdict: str) -> bool:
        return found[key].verdict == verdict

    def check(key: str, good: bool) -> None:
        if not good:
            problems.append(f"{key} {found[key].verdict}: {found[key].reason}")

    if is_("minimum_at_target", "proved"):
        check("minimum_at_target", bool(np.all(values >= here - 1e-9 * scale)))
    if is_("minimum_at_target", "refuted"):
        y, p = found["minimum_at_target"].witness["y"], found["minimum_at_target"].witness["p"]
        one, two = (_values(loss, np.array([q]), np.array([y]))[0] for q in (p, y))
        check("minimum_at_target", one < two)
    if is_("convex", "proved"):
        check("convex", bool(np.min(np.diff(values, 2, axis=1) / scale[:, 1:-1]) > -1e-9))
    if is_("convex", "refuted"):
        w = found["convex"].witness
        a, m, b = _values(loss, np.array([w["p"][0], sum(w["p"]) / 2, w["p"][1]]), np.array([[w["y"]]]))[0]
        check("convex", bool(m > (a + b) / 2 - 1e-12 * (1 + abs(m))))
    bound = found["bounded_influence"].numeric
    if is_("bounded_influence", "proved") and bound is not None:
        check("bounded_influence", bool(np.abs(slopes).max() <= bound * (1 + 1e-6) + 1e-9))
    top = found["bounded_above"].numeric
    if is_("bounded_above", "proved") and top is not None:
        check("bounded_above", bool(values.max() <= top + 1e-9 * (1 + abs(top))))
    far = 10.0 ** np.array([[1.5, 2.0, 2.5]])
    if is_("bounded_above", "refuted") or is_("bounded_influence", "refuted"):
        # Far predictions, far targets, or a jump
        ends = np.concatenate([_values(loss, side * far, y) for side in (-1, 1) for y in TARGETS])
        ends = np.concatenate([ends, *[_values(loss, p, side * far) for side in (-1, 1) for p in TARGETS]])
        grows = np.nanmax(ends[:, -1]) > np.nanmax(ends[:, 0]) or not np.isfinite(ends).all()
        if is_("bounded_above", "refuted"):
            check("bounded_above", bool(grows))
    if is_("redescending", "proved"):
        step = 1e-3
        for side in (-1, 1):
            p = side * 10.0 ** np.array([2.0, 3.0, 4.0])
            tail = np.abs(_values(loss, p + step) - _values(loss, p)) / step
            check(
                "redescending",
                bool(np.nanmax(tail[:, -1]) < 0.05 + 1e-6 * np.nanmax(np.abs(_values(loss, p)))),
            )
    return problems


@pytest.mark.parametrize(("formula", "expected"), SETTLED)
def test_settled(formula: str, expected: str) -> None:
    certificate = analyze(sl.parse(formula, kind="regression"))
    found = {key: certificate.findings[key].verdict for key in ALL}
    wanted = {key: WORDS[letter] for key, letter in zip(ALL, expected, strict=True) if letter != "-"}
    assert {key: found[key] for key in wanted} == wanted
    assert against_floats(certificate) == []


TRAPS = [
    ("-abs(cos((y-p)/2))", {"convex"}),  # convex on one period, its kinks at the ends
    ("1 - sign(1 + cos(y-p))", {"bounded_influence"}),  # 1 at single points, a period apart
    ("(y - p)**2/y**2", {"minimum_at_target", "convex", "bounded_influence"}),  # no value at the target 0
    ("(y-p)**2*y", {"minimum_at_target", "convex"}),  # a weight that changes sign
    ("(y-p)**2 - 3*sign(p - 0.5)", {"minimum_at_target", "convex", "bounded_influence"}),
    ("abs(y)*abs(y-p) - p*y**2/1000", {"minimum_at_target"}),
    ("log(1 + (y-p)**2 + y**2) + log(y)", {"minimum_at_target", "convex"}),  # no value at negative targets
    ("tanh(y-p)**2 + 1e-9*p", {"minimum_at_target", "bounded_above"}),
    ("sqrt(abs(y-p)) + exp(-y)*0", {"convex", "bounded_influence"}),
    ("exp(-(y-p)**2)*abs(y) + p**2*exp(-p**2)", {"minimum_at_target", "convex"}),
    ("cosh(y-p) - 1.000001*(y-p)**2/2", {"convex"}),
    ("softplus(p) - p", {"minimum_at_target"}),
    ("y*abs(y)*abs(y-p)", {"minimum_at_target", "convex"}),
    ("sin(y-p)/(y-p)", {"minimum_at_target", "convex"}),
    ("(y-p)**2*sin(1/(y-p))", {"minimum_at_target", "convex"}),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "never"), TRAPS)
def test_what_must_not_be_proved(formula: str, never: set[str]) -> None:
    certificate = analyze(sl.parse(formula, kind="regression"))
    assert {key for key in never if certificate.findings[key].verdict == "proved"} == set()
    assert against_floats(certificate) == []


STATISTICS: list[tuple[str, str, Callable[[np.ndarray], float], bool]] = [
    ("p - y*log(p)", "mean", np.mean, True),
    ("y/p + log(p)", "mean", np.mean, True),
    ("exp(p)*(p-y-1)", "mean", np.mean, False),
    ("exp(p) - y*p", "log(mean)", lambda y: math.log(y.mean()), True),
    ("(y-p)**2*(1 + y**2)", "mean(weight=y**2 + 1)", lambda y: np.average(y, weights=1 + y**2), False),
    ("3*abs(y)*(2*y-p)**2", "2*mean(weight=abs(y))", lambda y: 2 * np.average(y, weights=abs(y)), False),
    ("exp(y-p)-(y-p)-1", "log(mean(exp(y)))", lambda y: math.log(np.exp(y).mean()), False),
    ("(tanh(y)-tanh(p))**2", "atanh(mean(tanh(y)))", lambda y: math.atanh(np.tanh(y).mean()), False),
    ("softplus(p) - p*sigmoid(y)", "log(-mean(sigmoid(y))/(mean(sigmoid(y)) - 1))", lambda y: 0.0, False),
    ("p**2 - 2*p*y**3", "mean(y**3)", lambda y: (y**3).mean(), False),
    ("log(p) + y**2/(2*p**2)", "sqrt(mean(y**2))", lambda y: math.sqrt((y**2).mean()), True),
]


@pytest.mark.parametrize(("formula", "text", "statistic", "positive"), STATISTICS)
def test_what_a_constant_converges_to(
    formula: str, text: str, statistic: Callable[[np.ndarray], float], positive: bool
) -> None:
    loss = sl.parse(formula, kind="regression")
    finding = analyze(loss).findings["converges_to"]
    assert finding.verdict == "proved"
    if "softplus" not in formula:
        assert finding.text == text
    entry = loss.lambdify("numpy")
    for seed in range(3):
        y = np.random.default_rng(seed).normal(0.3, 0.8, 40)
        y = np.exp(y) if positive else y
        low, high = (1e-3, 9.0) if positive else (-4.0, 4.0)
        best = minimize_scalar(
            lambda p, y=y: float(np.mean(entry(y, p + 0 * y))), bounds=(low, high), method="bounded",
            options={"xatol": 1e-10},
        ).x  # fmt: skip
        expected = statistic(y)
        if "softplus" in formula:
            q = float(np.mean(1 / (1 + np.exp(-y))))
            expected = math.log(q / (1 - q))
        assert best == pytest.approx(expected, abs=2e-4)


def _weighted_quantile(y: np.ndarray, weights: np.ndarray, share: float) -> float:
    order = np.argsort(y)
    total = np.cumsum(weights[order])
    return float(y[order][np.searchsorted(total, share * total[-1])])


QUANTILES = [
    ("1.635*abs(y)*abs(y - 1.2*p)", "5*median(weight=abs(y))/6", lambda y: np.abs(y), 0.5, 5 / 6),
    ("abs(y+p)", "-median", np.ones_like, 0.5, -1.0),
    ("max(0.9*(y - p), -0.1*(y - p))*exp(y)", "quantile(9/10, weight=exp(y))", np.exp, 0.9, 1.0),
    ("max(0.9*(-y - p), -0.1*(-y - p))", "-quantile(1/10)", np.ones_like, 0.1, -1.0),
]


@pytest.mark.parametrize(("formula", "text", "weight", "share", "scale"), QUANTILES)
def test_weighted_quantiles(
    formula: str, text: str, weight: Callable[[np.ndarray], np.ndarray], share: float, scale: float
) -> None:
    loss = sl.parse(formula, kind="regression")
    finding = analyze(loss).findings["converges_to"]
    assert (finding.verdict, finding.text) == ("proved", text)
    y = np.random.default_rng(5).normal(0.2, 1.0, 61)
    constants = np.linspace(-3, 3, 6001)
    mean = np.asarray(loss.lambdify("numpy")(y[:, None], constants[None, :])).mean(0)
    best = constants[mean.argmin()]
    assert best == pytest.approx(scale * _weighted_quantile(y, weight(y), share), abs=2e-3)


NOT_MEANS = ["(y-p)**2/(1+p**2)", "1-cos(y-p)", "(y-p)**4", "log(cosh(y-p))", "y*p", "(y-p)**2*y", "-exp(p) + y*p",
             "(y-p)**3", "abs(y-p)**3", "p**2 - y*p*sign(p)", "(y - p)**2 + 3*sign(p)", "exp(p)*(y-p)"]  # fmt: skip


@pytest.mark.parametrize("formula", NOT_MEANS)
def test_nothing_is_said_of_what_is_no_such_statistic(formula: str) -> None:
    assert analyze(sl.parse(formula, kind="regression")).findings["converges_to"].verdict == "unknown"


KNOWN = [
    ("1-exp(-(y-p)**2/2)", "welsch(c=sqrt(2))"), ("sqrt((y-p)**2+2)", "charbonnier(epsilon=sqrt(2))"),
    ("log(3+(y-p)**2)", "cauchy(c=sqrt(3))"), ("(y-p)**2/((y-p)**2+5)", "geman-mcclure(c=sqrt(5))"),
    ("1.635*abs(y)*abs(y - 1.2*p)", "mae(weight=abs(y), scale=5/6)"), ("abs(y)*abs(y - p)", "mae(weight=abs(y))"),
    ("(3*y-p)**2", "mse(scale=3)"), ("(1+y**2)*log(1+(y-p)**2)/7", "cauchy(c=1, weight=y**2 + 1)"),
    ("log(exp(y-p)+exp(p-y))", "log-cosh"),
    ("exp(y)*(1 - exp(-(y-2*p)**2))", "welsch(c=0.5, weight=exp(y), scale=1/2)"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "text"), KNOWN)
def test_known_by_irrational_coefficients_weights_and_spellings(formula: str, text: str) -> None:
    finding = analyze(sl.parse(formula, kind="regression"), only=["known_as"]).findings["known_as"]
    assert (finding.verdict, finding.text) == ("proved", text)


def test_the_words_of_a_statistic() -> None:
    words = {
        "1.635*abs(y)*abs(y - 1.2*p)": "the median of the targets weighted by abs(y), times 5/6",
        "(y - p)**2": "the mean of the targets",
        "max(0.9*(y - p), -0.1*(y - p))": "the 9/10 quantile of the targets",
        "exp(p) - y*p": "log(m), m being the mean of the targets",
    }
    for formula, said in words.items():
        certificate = analyze(sl.parse(formula, kind="regression"), only=["converges_to"])
        assert certificate.sentence("converges_to") == f"drives a constant prediction to {said}"

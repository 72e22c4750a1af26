"""Regression, multilabel, and any number of classes: verdicts held against brute force on grids."""

from __future__ import annotations

import numpy as np
import pytest

import symloss as sl
from symloss.errors import DomainError
from symloss.theory import analyze
from symloss.theory.values import Named

GRID = np.linspace(-6, 6, 241)
REGRESSION = [
    *(sl.named(name, "regression") for name in sl.names("regression")),
    *(
        sl.parse(text, kind="regression")
        for text in (
            "3*(y - p)**2 + 1", "p**2 - 2*p*y + y**2", "abs(2*p - 2*y)/7", "(y - p)**4", "(y - p)**2*(1 + y**2)",
            "abs(y - 1.1*p)", "tanh((y - p)**2)", "square(y) - y*p", "max(0, abs(y - p) - 0.5)",
            "0.3*plog(1 + square(y - p))", "aq(square(y - p), y)", "(y - p)**2 - 0.5*abs(y - p)",
            "min(square(y - p), 1)", "sin(y - p)**2", "abs(tanh(1.4*y - 2*p))", "(y - 2*p)**2", "abs(y - p) + y**2",
            "tanh((y/2 - p)**2)*plog(1.004*y)**2", "tanh(p**2 - p)", "max(-1.1, y) + 1.1*abs(1.03*y - 0.93*p)",
            "tanh(0.7*y - p)**2/(1 + y**2)", "(y - p)**2 + log(y + 3)", "tanh(y - p)*tanh(0.9*y - p)",
        )
    ),
]  # fmt: skip


def _values(loss: sl.Loss) -> np.ndarray:
    """`M(y, y - r)`: rows of targets, columns of residuals."""
    y = np.array([-2.5, -1.0, 0.0, 0.7, 3.0])[:, None]
    with np.errstate(all="ignore"):
        return np.asarray(loss.lambdify("numpy")(y + 0 * GRID, y - GRID))


@pytest.mark.parametrize("loss", REGRESSION, ids=str)
def test_regression_against_grids(loss: sl.Loss) -> None:
    findings = analyze(loss).findings
    values = _values(loss)
    here, middle = findings, len(GRID) // 2
    invariant = bool(np.allclose(values, values[2], rtol=1e-9, atol=1e-9))
    assert here["translation_invariant"].verdict == ("proved" if invariant else "refuted")
    least = bool(np.all(values >= values[:, [middle]] - 1e-9))
    if here["minimum_at_target"].verdict == "proved":
        assert least
    if not least:
        assert here["minimum_at_target"].verdict == "refuted"
    bends = np.diff(values, 2, axis=1)
    if here["convex"].verdict == "proved":
        assert bends.min() > -1e-9
    slopes = np.diff(values, axis=1) / np.diff(GRID)
    if here["bounded_influence"].verdict == "proved":
        bound = here["bounded_influence"].numeric
        assert bound is None or np.abs(slopes).max() <= bound * (1 + 1e-6) + 1e-9
    if here["bounded_above"].verdict == "proved" and here["bounded_above"].numeric is not None:
        assert values.max() <= here["bounded_above"].numeric + 1e-9
    if here["redescending"].verdict == "proved":
        y, tail = np.array([-2.5, 0.0, 3.0])[:, None], np.array([-1e6, -1e6 - 1e3, 1e6, 1e6 + 1e3])
        ends = loss.lambdify("numpy")(y + 0 * tail, y - tail)
        assert np.abs(np.diff(ends, axis=1)[:, ::2] / 1e3).max() < 1e-2
    far = loss.lambdify("numpy")(np.zeros(1), np.array([-600.0]))
    if here["bounded_above"].verdict == "refuted":
        assert max(float(far[0]), values.max()) > values[:, middle].max()


@pytest.mark.parametrize(
    ("text", "proved"),
    [
        ("abs(tanh(1.4*y - 2*p))", {"bounded_influence", "redescending", "bounded_above"}),
        ("(y - 2*p)**2", {"convex", "converges_to"}),
        ("abs(y - p) + y**2", {"minimum_at_target", "convex", "bounded_influence", "converges_to"}),
        ("tanh((y/2 - p)**2)*plog(1.004*y)**2", {"redescending"}),
        ("tanh((y/2 - p)**2)/(1 + y**2)", {"bounded_influence", "redescending", "bounded_above"}),
        ("tanh(p**2 - p)", {"bounded_influence", "redescending", "bounded_above"}),
        ("(y - p)**2 + log(y + 1)", {"converges_to"}),  # no value at y = -2
        ("(y - p)**2 + y*abs(p - 7)/(p - 7)", set()),  # a jump, which slopes do not show and y = 0 hides
    ],
)
def test_one_curve_for_every_target(text: str, proved: set[str]) -> None:
    """A curve of `c y - p`, moved and scaled from target to target, has its shape at all of them."""
    findings = analyze(sl.parse(text, kind="regression")).findings
    found = {key for key, finding in findings.items() if finding.verdict == "proved"}
    assert found - {"influence", "known_as"} == proved


ZOO = [(name, kind) for kind in ("classification", "multilabel", "regression") for name in sl.names(kind)]


@pytest.mark.parametrize(("name", "kind"), ZOO)
def test_the_zoo_is_decided(name: str, kind: str) -> None:
    findings = analyze(sl.named(name, kind), classes=10 if kind == "classification" else None).findings
    assert not {key for key, f in findings.items() if f.verdict == "unknown" and key != "converges_to"}
    known = findings["known_as"]
    assert known.verdict == "proved"
    # Up to scale and shift, symmetric cross-entropy is poly1 with another epsilon.
    assert known.text.startswith("poly1(epsilon=40)" if name == "sce" else name)


@pytest.mark.parametrize(
    "text", ["0.38*(0.47*p - 0.31*y)**2", "sqrt(2)*(1 - p)**2*y + p**3/7", "-(0.13*p*y + 0.5)**2"]
)
def test_coefficients_are_solved_for_exactly(text: str) -> None:
    """A polynomial is Taylor's loss with coefficients that no fit in floats hits."""
    loss = sl.parse(text)
    known = analyze(loss, classes=10).findings["known_as"]
    assert known.verdict == "proved"
    assert isinstance(known.value, Named)
    values = {name: float(value) for name, value in known.value.coefficients}
    other = sl.named("taylorglo", **values)
    p = np.linspace(0.01, 0.99, 50)

    def slopes(each: sl.Loss) -> np.ndarray:
        m1, m0 = (sl.Loss(each.at_classes(10), each.kind).lambdify("numpy")(y, p) for y in (1.0, 0.0))
        return np.concatenate([np.gradient(m1 - m0, p), np.gradient(np.gradient(m0 + 0 * p, p), p)])

    ours, theirs = slopes(loss), slopes(other)
    np.testing.assert_allclose(theirs, ours * (theirs[5] / ours[5]), rtol=1e-6, atol=1e-7)


STATISTICS = [
    ("5*(y - p)**2", "mean"),
    ("abs(y - p)/3", "median"),
    ("max(0.9*(y - p), -0.1*(y - p))", "quantile(9/10)"),
    ("relu(y - p)**2 + 3*relu(p - y)**2", "expectile(1/4)"),
]


@pytest.mark.parametrize(("text", "value"), STATISTICS)
def test_what_a_constant_converges_to(text: str, value: str) -> None:
    """The named statistic of a sample is where the mean loss is least."""
    loss = sl.parse(text, kind="regression")
    assert analyze(loss).findings["converges_to"].text == value
    sample = np.random.default_rng(0).normal(size=401) ** 3
    constants = np.linspace(-3, 3, 4001)
    mean = loss.lambdify("numpy")(sample[:, None], constants[None, :]).mean(0)
    best = constants[mean.argmin()]
    if value.startswith("expectile"):
        pull = 0.25 * np.maximum(sample - best, 0).mean() - 0.75 * np.maximum(best - sample, 0).mean()
        assert abs(pull) < 2e-3
    else:
        known = {
            "mean": sample.mean(),
            "median": np.median(sample),
            "quantile(9/10)": np.quantile(sample, 0.9),
        }
        assert best == pytest.approx(known[value], abs=0.02)


MULTILABEL = [
    ("-y*log(p) - (1 - y)*log(1 - p)", {"proper": "proved", "trainable_at_start": "proved"}),
    ("(y - p)**2", {"proper": "proved", "bounded_above": "proved", "convex_in_p": "proved"}),
    ("abs(y - p)", {"proper": "refuted", "trainable_at_start": "proved"}),
    ("y*log(p) + (1 - y)*log(1 - p)", {"proper": "unknown", "trainable_at_start": "refuted"}),
    ("-y*log(p)", {"trainable_at_start": "refuted", "proper": "refuted"}),
]


@pytest.mark.parametrize(("text", "expected"), MULTILABEL)
def test_multilabel(text: str, expected: dict[str, str]) -> None:
    loss = sl.parse(text, kind="multilabel")
    findings = analyze(loss).findings
    assert {key: findings[key].verdict for key in expected} == expected
    entry = loss.lambdify("numpy")
    p = np.linspace(0.0005, 0.9995, 2001)
    for q in (0.1, 0.35, 0.8):
        expected_loss = q * entry(np.ones_like(p), p) + (1 - q) * entry(np.zeros_like(p), p)
        best = p[np.asarray(expected_loss).argmin()]
        if findings["proper"].verdict == "proved":
            assert best == pytest.approx(q, abs=1e-3)
    for key, side in (("bounded_below", -1), ("bounded_above", 1)):
        if findings[key].verdict == "proved":
            worst = max(side * np.max(side * entry(np.full_like(p, y), p)) * side for y in (0.0, 1.0))
            assert side * worst <= side * findings[key].numeric + 1e-6 or side < 0


FREE = [
    ("y/p - log(p)", "1/sqrt(C)"),
    ("-(y*(1 - 0.1) + 0.1/C)*log(p)", "(9*C + 1)/(10*C)"),
    ("-y*log(p)", "1"),
    ("y*abs(log(1.3*p))", "10/13"),
]


@pytest.mark.parametrize(("text", "value"), FREE)
def test_attractors_with_the_number_of_classes_free(text: str, value: str) -> None:
    free = analyze(sl.parse(text)).findings
    assert free["attractor"].text == value
    for classes in (2, 3, 10, 100):
        at = analyze(sl.parse(text), classes=classes).findings
        formula = sl.parse(value).at_classes(classes)
        assert float(formula) == pytest.approx(at["attractor"].numeric, rel=1e-9)
        if free["label_smoothing"].verdict == "proved":
            strength = float(sl.parse(free["label_smoothing"].text).at_classes(classes))
            assert strength == pytest.approx(at["label_smoothing"].numeric, rel=1e-9)
        for key, finding in free.items():
            if finding.verdict == "proved" and not (key == "target_only" and classes == 2):
                assert at[key].verdict == "proved", (key, classes)


def test_bad_input() -> None:
    with pytest.raises(DomainError, match="expected an integer of at least 2"):
        analyze(sl.named("ce"), classes=1)
    weighted = analyze(sl.parse("w*(y - p)**2", kind="regression")).findings
    assert {finding.verdict for finding in weighted.values()} == {"unknown"}
    nowhere = analyze(sl.parse("log(y - p)", kind="regression")).findings
    assert nowhere["minimum_at_target"].verdict == "unknown"

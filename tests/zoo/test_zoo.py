"""Every entry of the zoo says what it claims, and bad look-ups are refused in one line."""

from __future__ import annotations

from typing import Any

import mpmath
import pytest
import torch
from sympy import Rational

import symloss as sl
from symloss.errors import DomainError
from symloss.expr import KINDS, C, M, P, Y
from symloss.zoo import entry, names

ALL = [(name, kind) for kind in KINDS for name in names(kind)]


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_every_entry_is_complete(name: str, kind: str) -> None:
    found = entry(name, kind)
    assert found.loss.kind == kind
    assert dict(found.loss.coefficients) == dict(found.defaults)
    assert set(found.bounds) <= set(found.defaults)
    for coefficient, (low, high) in found.bounds.items():
        assert low <= found.defaults[coefficient] <= high
    assert found.domain
    assert any(character.isdigit() for character in found.reference), "a reference has a year"


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_every_entry_survives_printing(name: str, kind: str) -> None:
    loss = sl.named(name, kind)
    assert sl.parse(str(loss), kind=kind) == loss
    assert sl.Loss.from_dict(loss.to_dict()) == loss


def test_no_two_losses_of_a_kind_are_equal() -> None:
    for kind in KINDS:
        losses = [sl.named(name, kind) for name in names(kind)]
        assert len(set(losses)) == len(losses)


# Values worked out by hand or from the source's own definition.
VALUES = [
    ("ce", "classification", {}, 1, "1/2", "log(2)"),
    ("brier", "classification", {}, 1, "1/4", "9/16"),
    ("mae", "classification", {}, 0, "1/4", "1/4"),
    ("focal", "classification", {"gamma": 2.0}, 1, "1/2", "log(2)/4"),
    ("lsr", "classification", {"xi": 0.1}, 0, "1/2", "log(2)/100"),
    ("sparse-lsr", "classification", {"xi": 0.1}, 1, "1/10", "log(10)"),
    ("ace", "classification", {"phi1": 2.0}, 1, "1/2", "0"),
    ("gce", "classification", {"q": 0.5}, 1, "1/4", "1"),
    ("poly1", "classification", {"epsilon": 1.0}, 1, "1/2", "1/2 + log(2)"),
    ("sce", "classification", {"alpha": 1.0, "beta": 0.5}, 0, "1/2", "1"),
    ("baikal", "classification", {}, 1, "1/2", "2 + log(2)"),
    ("huber", "regression", {"delta": 1.0}, 3, "1", "3/2"),
    ("huber", "regression", {"delta": 1.0}, 1, "1/2", "1/8"),
    ("cauchy", "regression", {"c": 1.0}, 1, "0", "log(2)/2"),
    ("tukey", "regression", {"c": 2.0}, 5, "0", "2/3"),
    ("pinball", "regression", {"tau": 0.9}, 1, "0", "9/10"),
    ("pinball", "regression", {"tau": 0.9}, 0, "1", "1/10"),
    ("expectile", "regression", {"tau": 0.9}, 0, "2", "4/10"),
    ("barron", "regression", {"alpha": 1.0}, 1, "0", "sqrt(2) - 1"),
]
OF_MARGINS = [
    ("logistic", {}, "0", "log(2)"),
    ("hinge", {}, "-1", "2"),
    ("squared-hinge", {}, "-1/2", "9/4"),
    ("exponential", {}, "-1", "exp(1)"),
    ("ipo", {"tau": 0.1}, "1", "16"),
    ("savage", {}, "0", "1/4"),
    ("tangent", {}, "0", "1"),
    ("sigmoid", {}, "0", "1/2"),
    ("ramp", {}, "-3", "2"),
    ("unhinged", {}, "-3", "4"),
    ("cdpo", {"epsilon": 0.25}, "1", "0.75*log(1 + exp(-1)) + 0.25*log(1 + exp(1))"),
    ("rdpo", {"epsilon": 0.25}, "1", "1.5*log(1 + exp(-1)) - 0.5*log(1 + exp(1))"),
    ("discopop", {"tau": 0.05}, "0", "(log(2) + 1)/2"),
]


@pytest.mark.parametrize(("name", "kind", "coefficients", "y", "p", "expected"), VALUES)
def test_known_values(
    name: str, kind: str, coefficients: dict[str, float], y: int, p: str, expected: str
) -> None:
    value = sl.named(name, kind, **coefficients).at_classes(10).subs({Y: y, P: Rational(p)})
    assert abs((value - sl.parse(expected).expr).evalf(30)) < 1e-20


@pytest.mark.parametrize(("name", "coefficients", "m", "expected"), OF_MARGINS)
def test_known_values_of_margins(name: str, coefficients: dict[str, float], m: str, expected: str) -> None:
    value = sl.named(name, **coefficients).value_expr.subs({M: Rational(m)})
    assert abs((value - sl.parse(expected).expr).evalf(30)) < 1e-20


def test_taylorglo_expands_cross_entropy() -> None:
    """Its defaults agree with `-y*log(p)/C` to third order about (1, 1/2), up to terms without `p`."""
    loss = sl.named("taylorglo").value_expr
    target = sl.parse("-y*log(p)/C").expr
    at = {Y: 1, P: Rational(1, 2)}
    for i, j in [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 1)]:
        here, there = (e.diff(P, j).diff(Y, i) if i else e.diff(P, j) for e in (loss, target))
        assert abs(((here - there) * C).subs(at).evalf()) < 1e-8


def test_focal_at_zero_is_cross_entropy() -> None:
    assert sl.named("focal", gamma=0.0) == sl.named("ce")
    assert sl.named("lsr", xi=0.0) == sl.named("ce")


@pytest.mark.parametrize(
    ("name", "kind", "coefficients", "message"),
    [
        ("crossentropy", None, {}, "no loss is named 'crossentropy'"),
        ("focall", None, {}, "did you mean 'focal'"),
        ("huber", "classification", {}, "no classification loss is named 'huber'"),
        ("gce", None, {"q": 2.0}, "gce: q is 2, expected 1e-06 to 1"),
        (
            "barron",
            None,
            {"alpha": 0},
            "barron: alpha is 0, where its formula is undefined: use cauchy with sqrt",
        ),
        ("barron", None, {"alpha": 2.0}, "barron: alpha is 2, where its formula is undefined: use mse"),
        ("barron", None, {"alpha": 2.5}, "barron: alpha is 2.5, expected -10 to 1.999"),
        ("barron", None, {"alpha": [0]}, "the coefficient 'alpha' is .0.: expected a finite number"),
        ("gce", None, {"r": 0.5}, "no coefficient 'r'"),
        ("lsr", None, {"xi": float("nan")}, "expected a finite number"),
        ("ce", "ranking", {}, "unknown kind 'ranking'"),
    ],
)
def test_bad_look_ups(name: str, kind: str | None, coefficients: dict[str, float], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        sl.named(name, kind, **coefficients)


@pytest.mark.parametrize("alpha", [0.5, 1e-4, 1e-6, -1e-4, -2.0, 1.99])
def test_barron_trains_past_alpha_0(alpha: float) -> None:
    criterion: Any = sl.named("barron", alpha=alpha).to_torch(trainable=True)
    predictions = torch.tensor([[1.3], [-0.2]], dtype=torch.float64, requires_grad=True)
    criterion(predictions, torch.zeros_like(predictions)).backward()

    def mean(alpha: mpmath.mpf, *residuals: mpmath.mpf) -> mpmath.mpf:
        shape = abs(alpha - 2)
        return sum(shape / alpha * ((r**2 / shape + 1) ** (alpha / 2) - 1) for r in residuals) / 2

    with mpmath.workdps(60):
        at = (criterion.coefficients.values_now()["alpha"], *predictions.flatten().tolist())
        by_alpha, *by_p = (mpmath.diff(mean, at, tuple(int(i == j) for j in range(3))) for i in range(3))
    # The coefficient is `lo + (hi - lo) sigmoid(raw)`.
    share = (at[0] + 10) / 11.999
    raw = criterion.coefficients.raw_alpha.grad.item()
    assert predictions.grad is not None
    assert predictions.grad.flatten().tolist() == pytest.approx([float(x) for x in by_p], rel=1e-12)
    assert raw == pytest.approx(
        float(by_alpha) * 11.999 * share * (1 - share), rel=0.02 if abs(alpha) < 1e-5 else 1e-5
    )


def test_unknown_kind_of_names() -> None:
    with pytest.raises(DomainError, match="unknown kind 'ranking'"):
        names("ranking")

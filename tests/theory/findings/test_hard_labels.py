"""Certificates of losses that are singular at `y = 0`: M(0, p) is the limit over the reals, or there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import symloss as sl
from symloss.errors import CompileError, DomainError
from symloss.theory import analyze

PROBABILITIES = np.array([[0.5, 0.3, 0.2], [0.999, 0.0006, 0.0004], [1e-6, 0.6, 0.399999]])

# Once M(0, p) was 0 in both; 1/2 for the square roots.
SINGULAR = {
    "y*softplus(1/y) + y*(1 - p)": (3.313261687518223, 4.313261687518223, lambda p: 1 + 0 * p),
    "y*(1 - p) + y*softplus(1/y)": (3.313261687518223, 4.313261687518223, lambda p: 1 + 0 * p),
    "sqrt(y)*psqrt(1/y) + y*(1 - p)": (3.0, 4.0, lambda p: 1 + 0 * p),
    "y*softplus(-1/y) - y*p": (-0.6867383124817772, 0.3132616875182228, lambda p: 0 * p),
    "sigmoid(1/y)*p - y*p": (0.7310585786300049 - 1, 1.0, lambda p: p),
}


@pytest.mark.parametrize("formula", SINGULAR)
def test_bounds_and_the_compiled_loss_are_of_the_limit(formula: str) -> None:
    low, high, other = SINGULAR[formula]
    loss = sl.parse(formula)
    findings = analyze(loss, 3).findings
    if "sigmoid" not in formula:
        assert (findings["bounded_below"].verdict, findings["bounded_above"].verdict) == ("proved", "proved")
        assert findings["bounded_below"].numeric == pytest.approx(low)
        assert findings["bounded_above"].numeric == pytest.approx(high)
    target = loss.lambdify()(1.0, PROBABILITIES[:, 0])
    expected = target + other(PROBABILITIES[:, 1]) + other(PROBABILITIES[:, 2])
    logits = torch.tensor(PROBABILITIES).log()
    found = loss.to_torch(reduction="none")(logits, torch.tensor([0, 0, 0]))
    assert found.tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize("formula", ["sqrt(y - p)*sqrt(2*y - p)", "log(2*y - p) - log(y - p)"])
@pytest.mark.parametrize("kind", ["classification", "multilabel"])
def test_a_loss_without_a_real_value_is_refused(formula: str, kind: str) -> None:
    loss = sl.parse(formula, kind=kind)
    with pytest.raises(DomainError, match=r"real value at y = 0, got .* -p \+ y is negative"):
        analyze(loss, 3)
    with pytest.raises(CompileError, match=r"real value at y = 0, got .* -p \+ y is negative"):
        loss.to_torch()


def test_a_loss_that_is_real_for_some_predictions_only_stays_open_or_is_refused() -> None:
    with pytest.raises(DomainError, match=r"it has none at p = 0\.0156"):
        analyze(sl.parse("y*log(y + p - 1/2)"), 3)
    assert analyze(sl.parse("y*p + log(p - 1/2)"), 3).findings["bounded_below"].verdict == "unknown"


def test_multilabel_losses_take_the_limit_too() -> None:
    loss = sl.parse("y*softplus(1/y) + y*(1 - p)", kind="multilabel")
    findings = analyze(loss).findings
    assert findings["bounded_below"].numeric == pytest.approx(1)
    z = torch.tensor([0.3, -0.2], dtype=torch.float64)
    found = loss.to_torch(reduction="none")(z, torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert found.tolist() == pytest.approx([1.0, np.log1p(np.e) + 1 - 1 / (1 + np.exp(0.2))])

"""Verdicts and explanations on both sides of every line."""

from __future__ import annotations

import pytest

from symloss.compare.statistics import PairedTest, paired_t
from symloss.compare.verdicts import explained_by, margin_of, verdict
from symloss.tasks import get_metric

ZIGZAG = [0.1, -0.1] * 5


@pytest.mark.parametrize(
    ("gains", "p_value", "expected"),
    [
        (PairedTest(1.0, 0.4, 9), None, "better"),  # 2.5 errors, 2.26 needed
        (PairedTest(-1.0, 0.4, 9), None, "worse"),
        (PairedTest(1.0, 0.4, 9), 0.2, "as good as"),  # not after Holm's correction
        (PairedTest(1.0, 0.45, 9), None, "as good as"),
        (PairedTest(0.0, 1.0, 9), None, "not told apart"),
        (PairedTest(0.0, 0.5, 9), None, "as good as"),  # 1.833 errors below lies above -1
        (PairedTest(0.0, 0.0, 9), None, "as good as"),
    ],
)
def test_verdicts(gains: PairedTest, p_value: float | None, expected: str) -> None:
    assert verdict(gains, 10, margin=1.0, p_value=p_value) == expected
    assert verdict(gains, 9, margin=1.0, p_value=p_value) == "too few splits to tell"


def test_explained_only_by_what_takes_the_gain_away() -> None:
    gain = [1 + each for each in ZIGZAG]

    def explained(as_is: list[float], **controls: list[float]) -> str | None:
        return explained_by(as_is, list(controls.items()), 0.25, margin=0.05)

    nothing = [0.001 * each for each in ZIGZAG]
    assert explained(gain, rate=nothing) == "rate"
    assert explained(gain, rate=gain, stopping=nothing) == "stopping"
    assert explained(gain, rate=gain) is None
    # A gain too small for its own noise that vanishes explains nothing: the loss of it is not above 0.
    assert explained([0.1 + 3 * each for each in ZIGZAG], rate=nothing) is None
    # Under the control the loss is inferior: its shape does matter.
    assert explained(gain, rate=[each - 0.5 for each in nothing]) is None
    # A part of the gain remains.
    assert explained(gain, rate=[each + 0.5 for each in nothing]) is None
    assert explained([-each for each in gain], rate=nothing) == "rate"
    assert explained([-each for each in gain], rate=[-each for each in gain]) is None


def test_margins() -> None:
    assert margin_of(get_metric("balanced-accuracy"), 0.5) == 0.01
    assert margin_of(get_metric("r2"), 0.5) == 0.01
    assert margin_of(get_metric("f1_macro"), 0.5) == 0.01
    assert margin_of(get_metric("mse"), 2.0) == 0.04
    assert margin_of(get_metric("nll"), 2.0) == 0.04
    assert margin_of(get_metric("neg_root_mean_squared_error"), -2.0) in (0.01, 0.04)


def test_a_corrected_test_is_what_a_verdict_rests_on() -> None:
    gains = [0.03, 0.01] * 5
    assert verdict(paired_t(gains), 10, 0.001) == "better"
    assert verdict(paired_t(gains, 0.25), 10, 0.001) == "better"
    assert verdict(paired_t([0.03, -0.01] * 5, 0.25), 10, 0.001) == "not told apart"

"""What ends a finding: the count, the same everywhere; the clock only where the count does not, and never unasked."""

from __future__ import annotations

import time

import pytest

import symloss as sl
from symloss.errors import DomainError
from symloss.theory.budget import Budget
from symloss.theory.certificate import Finding, proved
from symloss.theory.functions.pieces import Undecided
from symloss.theory.functions.work import spend


def _spin() -> Finding:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        pass
    return proved("never")


def _work(steps: int) -> Finding:
    spend(steps)
    return proved("done")


def test_the_count_ends_a_finding() -> None:
    budget = Budget(steps=100)
    assert budget.settle(_work, 100) == proved("done")
    assert budget.settle(_work, 100) == proved("done")  # each has its own
    late = budget.settle(_work, 101)
    assert (late.verdict, late.reason) == ("unknown", "not settled within 100 steps")


def test_the_clock_is_the_last_resort_and_says_so() -> None:
    found = Budget(patience=0.1).settle(_spin)
    assert found.verdict == "unknown"
    assert "stopped by the clock after 0.1 s" in found.reason


def test_without_a_clock_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(seconds: float) -> None:
        raise AssertionError("asked for a clock")

    monkeypatch.setattr("symloss.theory.budget.time_limit", never)
    loss = sl.parse("y*abs(log(1.3*p))")
    assert sl.analyze(loss, 10, patience=None).findings["attractor"].verdict == "proved"
    with pytest.raises(AssertionError, match="asked for a clock"):
        sl.analyze(loss, 10)


def test_verdicts_do_not_depend_on_what_was_asked_before() -> None:
    loss = sl.parse("-y*log(p) + 0.1*(1 - y)*sin(9*p)")
    alone = sl.analyze(loss, 10, ["lipschitz_in_logits"]).findings["lipschitz_in_logits"]
    sl.analyze(loss, 10)
    assert sl.analyze(loss, 10, ["lipschitz_in_logits"]).findings["lipschitz_in_logits"] == alone
    tight = [Budget(None, steps=3000) for _ in range(2)]
    again = [each.settle(lambda: _work(2000)) for each in tight]
    assert again[0] == again[1]


def test_algebra_that_gives_up_is_unknown() -> None:
    def give_up(error: Exception) -> Finding:
        raise error

    budget = Budget()
    for error in (DomainError("no enclosure"), ZeroDivisionError("zero"), NotImplementedError("open")):
        assert budget.settle(give_up, error).verdict == "unknown"
    assert budget.settle(give_up, Undecided("the sign is open")).reason == "the sign is open"
    with pytest.raises(AttributeError, match="a defect"):
        budget.settle(give_up, AttributeError("a defect"))


def test_only_what_is_asked_for() -> None:
    loss = sl.parse("-y*log(p)")
    for classes in (10, None):
        found = sl.analyze(loss, classes, only=["label_smoothing", "proper"]).findings
        assert list(found) == ["label_smoothing", "proper"]
        whole = sl.analyze(loss, classes).findings
        assert all(found[key] == whole[key] for key in found)
    with pytest.raises(DomainError, match="no finding 'propper'"):
        sl.analyze(loss, 10, only=["propper"])

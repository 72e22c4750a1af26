import time

import pytest

from symloss.errors import DomainError
from symloss.theory.budget import TOO_LONG, Budget
from symloss.theory.certificate import Finding, proved, unknown


def _spin() -> Finding:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        pass
    return proved("never")


def test_a_hanging_finding_is_unknown() -> None:
    budget = Budget(each=0.1, whole=0.2)
    assert [budget.settle(_spin) for _ in range(3)] == [unknown(TOO_LONG)] * 3


def test_algebra_that_gives_up_is_unknown() -> None:
    def give_up(error: Exception) -> Finding:
        raise error

    budget = Budget()
    for error in (DomainError("no enclosure"), ZeroDivisionError("zero"), NotImplementedError("open")):
        assert budget.settle(give_up, error).verdict == "unknown"
    with pytest.raises(AttributeError, match="a defect"):
        budget.settle(give_up, AttributeError("a defect"))

"""Work that takes too long is stopped where it is."""

from __future__ import annotations

import threading
import time

import pytest

from symloss.deadline import OutOfTime, time_limit


def _spin() -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        pass


def test_the_limit_reaches_other_threads_and_leaves_nothing_behind() -> None:
    seen: list[str] = []

    def work() -> None:
        try:
            with time_limit(0.1):
                _spin()
        except OutOfTime:
            seen.append("stopped")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert seen == ["stopped"]
    for _ in range(200):  # ends at about the time the limit strikes
        try:
            with time_limit(0.0):
                time.sleep(0)
        except OutOfTime:
            pass
    assert sum(range(100_000)) == 4_999_950_000


class _Swallows:
    """Takes the first limit for itself, as an object does that is being finalised."""

    def work(self) -> None:
        try:
            _spin()
        except OutOfTime:
            self.first = time.monotonic()
        _spin()


def test_a_limit_that_got_lost_strikes_again() -> None:
    work = _Swallows()
    try:
        with time_limit(0.05):
            work.work()
    except OutOfTime:
        assert time.monotonic() - work.first < 5
    else:
        raise AssertionError("the limit did not strike again")


def test_an_inner_limit_does_not_extend_the_outer_one() -> None:
    handled: list[bool] = []

    @time_limit(0.1)
    def work() -> None:
        try:
            with time_limit(60):
                _spin()
        except OutOfTime:  # of the inner limit, whose time is not up
            handled.append(True)
        _spin()

    start = time.monotonic()
    with pytest.raises(OutOfTime):
        work()
    assert not handled
    assert time.monotonic() - start < 10


def test_an_outer_limit_holds_after_inner_ones_have_ended() -> None:
    ended = {"in time": 0, "too late": 0}

    @time_limit(0.3)
    def work() -> None:
        while time.monotonic() - start < 20:
            try:
                with time_limit(0.02):
                    if ended["in time"] > ended["too late"]:
                        _spin()
                ended["in time"] += 1
            except OutOfTime:
                ended["too late"] += 1

    start = time.monotonic()
    with pytest.raises(OutOfTime):
        work()
    assert time.monotonic() - start < 10
    assert min(ended.values()) > 0
    with time_limit(60):  # of those limits nothing is left
        assert sum(range(100_000)) == 4_999_950_000


def test_an_inner_limit_that_is_up_leaves_the_outer_one_its_time() -> None:
    with time_limit(60):
        with pytest.raises(OutOfTime), time_limit(0.05), time_limit(60):
            _spin()
        assert sum(range(100_000)) == 4_999_950_000

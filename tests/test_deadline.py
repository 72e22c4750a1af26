"""Work that takes too long is stopped where it is."""

from __future__ import annotations

import threading
import time

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

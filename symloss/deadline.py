"""A wall-clock limit on a piece of work, enforced from another thread by an asynchronous exception."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["OutOfTime", "time_limit"]

_AGAIN = (1.0,) * 30
"""Seconds from one interruption to the next, until one gets through."""


class OutOfTime(BaseException):
    """The time is up. Not an `Exception`, so that no `except Exception` on the way swallows it."""


class _Outer(BaseException):
    """The time of an outer limit is up: its exception on the way to it, past who handles that of a limit inside."""


class _Limit:
    """One limit.

    Args:
        around: the limits that hold in this thread, the outermost first; this one is put at their end.
    """

    def __init__(self, around: list[_Limit]) -> None:
        self.limits, self.thread = around, threading.get_ident()
        self.over, self.ended, self.lock = False, threading.Event(), threading.Lock()
        around.append(self)

    def watch(self, seconds: float) -> None:
        """Interrupts the work when its time is up, until it ends."""
        # An asynchronous exception can be lost: in a finaliser, or cleared by the end of a limit inside this one.
        for wait in (seconds, *_AGAIN):
            if self.ended.wait(wait):
                return
            # Without the lock the work could end between the check and the call, and the exception would strike
            # whatever the thread does next.
            with self.lock:
                if not self.ended.is_set():
                    self.over = True
                    _raise_in(self.thread, OutOfTime if self.limits[-1] is self else _Outer)

    def end(self) -> None:
        """Nothing is interrupted any more."""
        with self.lock:
            self.ended.set()


_running = threading.local()
"""`limits`: those that hold in a thread, the outermost first."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises `OutOfTime` in this thread, wherever it is, once `seconds` of wall time have passed.

    Works in every thread and touches no signal handler. A single long operation in C is not interrupted. What is
    raised while an object is being finalised is lost, so it is raised again until the work has ended. Limits nest: an
    inner one neither extends an outer one nor ends it, and who handles `OutOfTime` of the inner one does not see that
    of the outer.
    """
    limits: list[_Limit] = _running.__dict__.setdefault("limits", [])
    depth = len(limits)
    _hand_on(limits)
    limit = _Limit(limits)
    # The thread starts inside `try`: an exception that strikes before the work has begun still ends it.
    try:
        threading.Thread(target=limit.watch, args=(seconds,), daemon=True).start()
        yield
    except _Outer:  # of this limit, or of one further out, for which it is raised again below
        raise OutOfTime from None
    finally:
        try:
            limit.end()
        except (OutOfTime, _Outer):  # it struck just now, and does not again for a while
            limit.end()
        # What was sent and has not arrived yet must not arrive outside.
        _raise_in(limit.thread, None)
        del limits[depth:]
        _hand_on(limits)


def _hand_on(limits: list[_Limit]) -> None:
    """Raises for the limits whose time is up: what was sent for them may have been lost, or handled by one inside."""
    if any(limit.over for limit in limits):
        raise _Outer


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    # NULL, which is how ctypes passes None, cancels an exception that is pending but not delivered.
    raised = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)

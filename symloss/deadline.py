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


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises `OutOfTime` in this thread, wherever it is, once `seconds` of wall time have passed.

    Works in every thread and touches no signal handler. A single long operation in C is not interrupted. What is
    raised while an object is being finalised is lost, so it is raised again until the work has ended.
    """
    thread, ended, lock = threading.get_ident(), threading.Event(), threading.Lock()

    def interrupt() -> None:
        # An asynchronous exception can be lost: in a finaliser, or cleared by the end of a limit nested inside this
        # one. A nested limit raises the same class: its handler may take the outer limit's exception for its own.
        for wait in (seconds, *_AGAIN):
            if ended.wait(wait):
                return
            # Without the lock the work could end between the check and the call, and the exception would strike
            # whatever the thread does next.
            with lock:
                if not ended.is_set():
                    _raise_in(thread, OutOfTime)

    # The thread starts inside `try`: an exception that strikes before the work has begun still ends it.
    try:
        threading.Thread(target=interrupt, daemon=True).start()
        yield
    finally:
        try:
            with lock:
                ended.set()
        except OutOfTime:  # it struck just now, and does not again for a while
            with lock:
                ended.set()
        # What was sent and has not arrived yet must not arrive outside.
        _raise_in(thread, None)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    # NULL, which is how ctypes passes None, cancels an exception that is pending but not delivered.
    raised = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)

"""A bound on the time that one piece of work may take in its thread."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["OutOfTime", "time_limit"]

_AGAIN = (1.0,) * 30
"""Seconds between one interruption and the next, as long as none has been heard."""


class OutOfTime(BaseException):
    """The time is up. Not an `Exception`, so that no handler in between takes it for its own."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises `OutOfTime` in this thread, wherever it is, once `seconds` of wall time have passed.

    Works in every thread and touches no signal handler. A single long operation in C is not interrupted. What is
    raised while an object is being finalised is lost, so it is raised again until the work has ended.
    """
    thread, ended, lock = threading.get_ident(), threading.Event(), threading.Lock()

    def interrupt() -> None:
        for wait in (seconds, *_AGAIN):
            if ended.wait(wait):
                return
            with lock:
                if not ended.is_set():
                    _raise_in(thread, OutOfTime)

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
    raised = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)

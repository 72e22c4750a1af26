"""A bound on the time of an argument: computer algebra may hang, a certificate must not."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import ParamSpec

from sympy.polys.polyerrors import PolynomialError

from symloss.errors import SymlossError
from symloss.theory.certificate import Finding, unknown

__all__ = ["EACH", "TOO_LONG", "WHOLE", "Budget", "OutOfTime", "time_limit"]

EACH, WHOLE = 8.0, 25.0
"""Seconds of wall time that one finding may take, and the whole certificate."""
TOO_LONG = "not settled in the time that a finding may take"
_Arguments = ParamSpec("_Arguments")


class OutOfTime(BaseException):
    """The time is up. Not an `Exception`, so that no handler in between takes it for its own."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises `OutOfTime` in this thread, wherever it is, once `seconds` of wall time have passed.

    Works in every thread and touches no signal handler. A single long operation in C is not interrupted.
    """
    thread = threading.get_ident()
    lock, running = threading.Lock(), True

    def interrupt() -> None:
        with lock:
            if running:
                _raise_in(thread, OutOfTime)

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            running = False
        timer.cancel()
        # What was sent and has not arrived yet must not arrive outside.
        _raise_in(thread, None)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    raised = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)


class Budget:
    """The time of one certificate, shared by its findings."""

    def __init__(self, each: float = EACH, whole: float = WHOLE) -> None:
        self.each, self._end = each, time.monotonic() + whole

    def limit(self) -> AbstractContextManager[None]:
        """The limit of the next finding: its own, or what is left of the whole."""
        return time_limit(max(0.05, min(self.each, self._end - time.monotonic())))

    def settle(
        self, find: Callable[_Arguments, Finding], *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> Finding:
        """What `find` finds; `unknown` where algebra gives up or the time is up."""
        try:
            with self.limit():
                return find(*arguments, **named)
        except OutOfTime:
            return unknown(TOO_LONG)
        except (SymlossError, PolynomialError, ArithmeticError, NotImplementedError, RecursionError) as error:
            return unknown(f"the algebra gave up: {error}")

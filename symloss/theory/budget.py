"""A bound on the time of an argument: computer algebra may hang, a certificate must not."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import ParamSpec

from sympy.polys.polyerrors import PolynomialError

from symloss.deadline import OutOfTime, time_limit
from symloss.errors import SymlossError
from symloss.theory.certificate import Finding, unknown

__all__ = ["EACH", "TOO_LONG", "WHOLE", "Budget", "OutOfTime"]

EACH, WHOLE = 8.0, 25.0
"""Seconds of wall time that one finding may take, and the whole certificate."""
TOO_LONG = "not settled in the time that a finding may take"
_Arguments = ParamSpec("_Arguments")


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

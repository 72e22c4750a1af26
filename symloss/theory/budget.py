"""What one finding may cost: steps, counted; and a clock as the last resort where SymPy does not come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

from sympy.polys.polyerrors import PolynomialError

from symloss.deadline import OutOfTime, time_limit
from symloss.errors import SymlossError
from symloss.theory.certificate import Finding, unknown
from symloss.theory.functions.pieces import Undecided, Undefined
from symloss.theory.functions.work import Exhausted, limited

__all__ = ["PATIENCE", "STEPS", "Budget", "Stopped"]

STEPS = 400_000
"""Steps that one finding may take, a few seconds' worth; most findings take a few hundredths of a second."""
PATIENCE = 60.0
"""Seconds of wall time after which a finding is given up whose steps have not run out."""


_Arguments = ParamSpec("_Arguments")


class Stopped(SymlossError):
    """The clock ended a finding."""


class Budget:
    """What each finding of a certificate may cost.

    Which findings are settled depends on the count alone, unless the clock steps in: then the finding says so.

    Args:
        patience: seconds of wall time for one finding; None for no clock, as where a search hangs on the verdict.
        steps: steps for one finding.
    """

    def __init__(self, patience: float | None = PATIENCE, steps: int = STEPS) -> None:
        self.patience, self.steps = patience, steps

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """What one finding may cost.

        Raises:
            Exhausted, Stopped: where it costs more.
        """
        with limited(self.steps):
            if self.patience is None:
                yield
                return
            try:
                with time_limit(self.patience):
                    yield
            except OutOfTime:
                raise Stopped(
                    f"stopped by the clock after {self.patience:g} s: a faster machine might have settled it"
                ) from None

    def settle(
        self, find: Callable[_Arguments, Finding], *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> Finding:
        """What `find` finds; `unknown` where it does not settle it, algebra gives up, or it costs too much."""
        try:
            with self.bounded():
                return find(*arguments, **named)
        # What theory itself could not settle speaks for itself; what SymPy gave up on is said to be that.
        except (Undecided, Undefined, Exhausted, Stopped) as error:
            return unknown(str(error))
        except (SymlossError, PolynomialError, ArithmeticError, NotImplementedError, RecursionError) as error:
            return unknown(f"the algebra gave up: {error}")

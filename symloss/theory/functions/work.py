"""Work, counted: what a proof may cost is so many steps, the same on every machine and whatever runs beside it.

One step is one operation of interval arithmetic on up to `_CELLS` boxes, about as long as SymPy takes to rebuild one
node of a formula; algebra counts the nodes that it looks at. Results that are remembered cost what they did when they
were found, so that a proof does not depend on what was asked before it.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

from symloss.errors import SymlossError

__all__ = ["Exhausted", "Meter", "limited", "remembered", "spend", "steps_on"]

_CELLS = 256
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Exhausted(SymlossError):
    """The steps that a proof may take are used up."""


@dataclass
class Meter:
    """Steps taken, and how many there may be."""

    limit: float
    used: int = 0


_METER: ContextVar[Meter] = ContextVar("_METER", default=Meter(math.inf))  # noqa: B039 - counts without a limit


def spend(steps: int) -> None:
    """Counts steps.

    Raises:
        Exhausted: where they are more than is left.
    """
    meter = _METER.get()
    meter.used += steps
    if meter.used > meter.limit:
        raise Exhausted(f"not settled within {meter.limit:,.0f} steps")


def steps_on(operations: int, boxes: int) -> int:
    """The steps of so many operations on so many boxes."""
    # An operation on few boxes costs numpy's call, not its arithmetic.
    return operations * (1 + boxes // _CELLS)


@contextmanager
def limited(steps: float) -> Iterator[Meter]:
    """Allows so many steps inside; the count outside is not touched."""
    meter = Meter(steps)
    token = _METER.set(meter)
    try:
        yield meter
    finally:
        _METER.reset(token)


def remembered(
    most: int,
) -> Callable[[Callable[_Arguments, _Result]], Callable[_Arguments, _Result]]:
    """The latest results of a function of hashable arguments, at the price that they had.

    Args:
        most: how many are kept.
    """

    def wrap(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
        known: OrderedDict[Hashable, tuple[_Result, int]] = OrderedDict()

        @wraps(function)
        def asked(*args: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
            key = (args, *named.items())
            if key in known:
                result, price = known[key]
                spend(price)
                return result
            # The inner meter counts this result alone, so that its price is known; what is left outside bounds it, and
            # what it used is counted outside even where it was not enough.
            outside = _METER.get()
            with limited(outside.limit - outside.used) as meter:
                try:
                    result = function(*args, **named)
                finally:
                    outside.used += meter.used
            # Only results: an `Exhausted` says how much was left, not what the function is.
            known[key] = result, meter.used
            if len(known) > most:
                known.popitem(last=False)
            return result

        return asked

    return wrap

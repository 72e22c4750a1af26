"""Numbers that users give, as Python's own: a record is JSON, and torch's generators take no other."""

from __future__ import annotations

from typing import Any

from symloss.errors import TaskError
from symloss.numbers import as_real, as_whole

__all__ = ["number", "whole"]


def whole(name: str, value: Any, least: int | None = None) -> int:
    """The integer that was given, Python's or NumPy's.

    Raises:
        TaskError: for anything else, True and 1.0 among it, and for less than `least`.

    >>> import numpy as np
    >>> whole("seed", np.int64(3))
    3
    """
    number = as_whole(value)
    if number is None or (least is not None and number < least):
        bound = "" if least is None else f" of at least {least}"
        raise TaskError(f"{name} is {value if number is None else number!r}: expected an integer{bound}")
    return number


def number(name: str, value: Any) -> float:
    """The number that was given; an integer stays one, so that records stay as they were.

    Raises:
        TaskError: for anything else.
    """
    number = as_whole(value)
    # An int is not turned into a float: 1 and 1.0 are two texts in JSON, and a record made again must equal the
    # old one.
    real = as_real(value) if number is None else number
    if real is None:
        raise TaskError(f"{name} is {value!r}: expected a number")
    return real

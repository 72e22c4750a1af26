"""What counts as a number: Python's and NumPy's, 0-dimensional arrays and tensors; not booleans, not text."""

from __future__ import annotations

import numbers
from typing import Any

__all__ = ["as_real", "as_whole"]


def as_real(value: Any) -> float | None:
    """The number as a float, NaN and infinities included, or None for anything else.

    >>> as_real(True), as_real("1"), as_real(2)
    (None, None, 2.0)
    """
    value = _scalar(value)
    # bool is an int to Python: True would pass as a coefficient of 1.
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer beyond the floats
        return None


def as_whole(value: Any) -> int | None:
    """The integer as Python's, or None for anything else; 2.0 is not one.

    >>> as_whole(2), as_whole(2.0)
    (2, None)
    """
    value = _scalar(value)
    return None if isinstance(value, bool) or not isinstance(value, numbers.Integral) else int(value)


def _scalar(value: Any) -> Any:
    """The Python number in a 0-dimensional array or tensor; anything else unchanged."""
    # By what it can do rather than by its class: this file must not import torch.
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value

"""Checks of the numbers that define an episode."""

from __future__ import annotations

from symloss.errors import TaskError
from symloss.tasks.episodes.episode import PARTS

__all__ = ["check_counts", "check_part"]


def check_part(part: str) -> None:
    """Raise `TaskError` for a part that is not one of `PARTS`."""
    if part not in PARTS:
        raise TaskError(f"unknown part {part!r} of an episodic data set: expected one of {', '.join(PARTS)}")


def check_counts(**counts: int) -> None:
    """Raise `TaskError` for a count below 1.

    >>> check_counts(ways=5, shots=0)
    Traceback (most recent call last):
        ...
    symloss.errors.TaskError: shots is 0: expected 1 or more
    """
    for name, count in counts.items():
        if count < 1:
            raise TaskError(f"{name} is {count}: expected 1 or more")

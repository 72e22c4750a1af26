"""Seeds by name: each from the run's seed and what it is for, never from the order of events."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["derive", "generator"]


def derive(seed: int, *path: int | str) -> int:
    """The seed for one purpose, 0 to 2**63 - 1: the same for the same words on every machine.

    Args:
        seed: the run's seed, 0 or more.
        path: what the derived seed is for, such as `"variation", generation, slot`.

    >>> derive(0, "training", 1) == derive(0, "training", 1) != derive(0, "training", 2)
    True
    """
    import numpy as np  # late: the command line's help does without

    words = [_word(step) for step in path]
    # The whole key is hashed. With seed + slot, slot 1 of run 0 would be slot 0 of run 1.
    state = np.random.SeedSequence(seed, spawn_key=words).generate_state(1, np.uint64)
    # 63 bits fit a signed 64-bit integer.
    return int(state[0] >> np.uint64(1))


def generator(seed: int, *path: int | str) -> np.random.Generator:
    """NumPy's generator on the derived seed."""
    import numpy as np

    return np.random.default_rng(derive(seed, *path))


def _word(step: int | str) -> int:
    # A checksum, as Python's own hash of a string differs from process to process; beyond 32 bits, so that no word is
    # taken for a generation or slot.
    return step if isinstance(step, int) else 2**32 + zlib.crc32(step.encode())

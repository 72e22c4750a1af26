"""Losses on a CUDA device: a formula becomes Triton kernels that read the logits as they are.

Triton comes with torch where there is a CUDA device; without it, and for what the kernels do not take, a loss is
computed as everywhere else.
"""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache

import torch

__all__ = ["MANY", "OVER_TORCH", "current", "works_on"]

MANY = 1 << 17
"""So many outputs are worth a kernel, unless one is asked for: with fewer a step is all calls, and few steps save what
building the kernel takes."""
OVER_TORCH = 1 << 24
"""The same of a loss that torch has kernels for: below, two calls of ours take as long as all of torch's."""


@lru_cache
def works_on(device: torch.device) -> bool:
    """Whether a kernel can be built and run there: Triton needs a C compiler, and not every device will do."""
    try:
        from symloss.codegen.accelerator.kernels import copied

        ones = torch.ones(2, device=device)
        with current(ones):
            copied[(1,)](ones, torch.empty_like(ones))
        return True
    except Exception as error:  # of Triton, of a compiler, of the driver
        reason = str(error).strip().splitlines() or [type(error).__name__]
        warnings.warn(
            f"losses on {device} are computed by torch's operations: Triton can build no kernel ({reason[0]})",
            stacklevel=2,
        )
        return False


def current(x: torch.Tensor) -> AbstractContextManager[object]:
    """A context in which the device of `x` is the one that kernels are started on."""
    if not x.is_cuda or x.get_device() == torch.cuda.current_device():
        return nullcontext()
    return torch.cuda.device(x.device)

"""torch's functions as the operators' rows call them (see `symloss.expr.arrays`)."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from symloss.expr.arrays import array_module

__all__ = ["TORCH"]

TORCH = array_module(
    torch,
    pow=torch.pow,
    rsqrt=torch.rsqrt,
    relu=torch.relu,
    sigmoid=torch.sigmoid,
    # Above its threshold torch returns `a`: at 20, its default, that is off by 2e-9.
    softplus=lambda a: F.softplus(a, threshold=40.0),
    floored=lambda a, low: a.clamp(min=low),
    # Without comparisons, which take torch five times as long as arithmetic does.
    direction=lambda a, low: F.hardshrink(a, low).sign(),
    positive=lambda a: a.relu().sign(),
)

"""Whether a formula, as it is computed, keeps its digits; found by trying it once in each precision.

The log domain and `expm1` save most formulas near `p = 1` or a removable singularity such as `q = 0` of
`(1 - p**q)/q`. Where terms of another kind cancel no rewriting is attempted: the loss is computed in float64,
which costs about twice the time on a CPU. Where float64 cancels as well, the loss is refused.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from symloss.codegen.cancellation import check_float64, tried
from symloss.codegen.formula import Formula
from symloss.expr import Loss
from symloss.expr.kinds import Kind

__all__ = ["needs_float64"]

TOLERANCE = 3e-5
"""Relative; a third of the error that is promised, since the trial meets a few points only."""
_RANGE = 1e-30, 1e30
"""Results beyond are not compared: float32 underflows and overflows."""
_LEADS = (0.0, 0.37, 1.1, 2.3, 3.9, 5.3, 7.7, 10.3, 13.1, 16.3, 21.7, 30.1)
"""How far a logit leads the others: up to `p` that float32 rounds to 1."""
_RESIDUALS = (1e-3, 0.031, 0.47, 2.1, 23.0, 190.0)


def needs_float64(formula: Formula, loss: Loss) -> bool:
    """Whether the terms of `loss`, computed by `formula`, cancel in float32.

    Raises:
        CompileError: where they do so in float64 as well.
    """
    # First: where both precisions have lost all digits they agree.
    check_float64(formula, loss)
    return _cancels(formula, tuple(loss.coefficients[name] for name in formula.coefficients))


@lru_cache(maxsize=512)
def _cancels(formula: Formula, coefficients: tuple[float, ...]) -> bool:
    """Whether losses or gradients of float32 differ from those of float64 in a trial."""
    outputs, targets = _trial(formula.kind)
    single, double = (tried(formula, coefficients, z, targets) for z in (outputs, outputs.double()))
    low, high = _RANGE
    for a, b in zip(single, double, strict=True):
        size = b.abs()
        wrong = (a.double() - b).abs() > TOLERANCE * size.clamp(min=low)
        if bool((wrong & (size < high)).any()):
            return True
    return False


def _trial(kind: Kind) -> tuple[Tensor, Tensor]:
    """Outputs and targets on which the two precisions are compared; in classification the target is class 0."""
    if not kind.probabilities:
        residuals = torch.tensor([sign * r for r in _RESIDUALS for sign in (1, -1)]).unsqueeze(1)
        y = torch.tensor([0.7, 2.3]).expand(len(residuals), 2)
        return y + residuals, y
    leads = torch.tensor([sign * d for d in _LEADS for sign in (1, -1)])
    if not kind.exclusive:
        z, y = torch.broadcast_tensors(leads.unsqueeze(1), torch.tensor([0.0, 0.3, 1.0]))
        return z, y
    z = torch.tensor([0.0, 0.11, -0.23, 0.05]).repeat(2 * len(leads), 1)
    z[: len(leads), 0] += leads
    z[len(leads) :, 1] += leads
    return z, torch.zeros(len(z), dtype=torch.int64)

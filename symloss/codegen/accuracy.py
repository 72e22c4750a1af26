"""Whether a formula, as it is computed, keeps its digits; found by trying it once in each precision.

The log domain and `expm1` save most formulas near `p = 1` or a removable singularity such as `q = 0` of
`(1 - p**q)/q`. Where terms of another kind cancel no rewriting is attempted: the loss is computed in float64,
which costs about twice the time on a CPU. Where float64 cancels as well, the loss is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import mpmath
import torch
from torch import Tensor

from symloss.codegen.compiled import Formula
from symloss.codegen.fused import Reduction, apply
from symloss.codegen.logits import sigmoid_pair
from symloss.codegen.paths import class_path, entry_path
from symloss.codegen.plain_functions import lambdify
from symloss.errors import CompileError
from symloss.expr import PI, C, Loss, W
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
    if not _cancels(formula, tuple(loss.coefficients[name] for name in formula.coefficients)):
        return False
    _check_float64(formula, loss)
    return True


@lru_cache(maxsize=512)
def _cancels(formula: Formula, coefficients: tuple[float, ...]) -> bool:
    """Whether losses or gradients of float32 differ from those of float64 in a trial."""
    outputs, targets = _trial(formula.kind)

    def losses(z: Tensor) -> Tensor:
        k = [z.new_tensor(value) for value in coefficients]
        inputs = {"pi": z.new_full((z.shape[-1],), 0.1), "w": z.new_tensor(1.0), "k": k}
        if formula.kind.exclusive:
            path = class_path(formula, z, None, targets.unsqueeze(1), None, inputs)
        else:
            path = entry_path(formula, z, targets.to(z.dtype), inputs)
        return apply(path, Reduction("none", formula.kind.exclusive), z)

    single, double = (_with_gradient(losses, z) for z in (outputs, outputs.double()))
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


def _with_gradient(losses: Callable[[Tensor], Tensor], outputs: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        z = outputs.detach().requires_grad_()
        found = losses(z)
        (gradient,) = torch.autograd.grad(found.sum(), z)
    return found.detach(), gradient


def _check_float64(formula: Formula, loss: Loss) -> None:
    """Refuses coefficients for which float64 has not four digits of `M(1, p)` anywhere, by mpmath at 50."""
    if loss.value_expr.has(PI) or not loss.coefficients:
        return
    target = formula.target if formula.kind.probabilities else formula.general
    first = torch.tensor([0.9, 0.31, -0.7, -2.3], dtype=torch.float64)
    ones, k = torch.ones_like(first), [first.new_tensor(loss.coefficients[c]) for c in formula.coefficients]
    if not formula.kind.probabilities:
        p = first.exp()
        found = formula.function(target)(p, ones, ones, k)
    else:
        u, v = sigmoid_pair(first)
        p = u.exp()
        found = formula.function(target)(u, v, ones, 10.0, None, ones, k)
    found = torch.as_tensor(found).expand(len(first)).tolist()
    exact = lambdify(loss, "mpmath")
    with mpmath.workdps(50):
        more = {symbol.name: 1 if symbol == W else 10 for symbol in (C, W) if loss.value_expr.has(symbol)}
        wanted = [exact(mpmath.mpf(1), mpmath.mpf(x), **more) for x in p.tolist()]
    pairs = [(a, w) for a, w in zip(found, wanted, strict=True) if w]
    if pairs and all(abs(a - w) > 1e-4 * abs(w) for a, w in pairs):
        values = ", ".join(f"{name}={value:g}" for name, value in loss.coefficients.items())
        raise CompileError(
            f"expected coefficients with which float64 keeps four digits of {loss.formula}, got {values}, "
            "for which its terms cancel; move them away from the value where the formula is 0/0"
        )

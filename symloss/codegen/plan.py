"""Which way a formula is computed, and the code printed for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from symloss.codegen import accelerator, torch_kernels
from symloss.codegen.curves import Curve, dense_curves, entry_curve, regression_curve, row_curve
from symloss.codegen.formula import Formula, formula_of
from symloss.codegen.runtime.fused import composes
from symloss.codegen.torch_kernels import Kernel, recognise
from symloss.expr import Loss

__all__ = ["Plan", "Route", "plan", "route"]


@dataclass(frozen=True)
class Route:
    """The way of a formula.

    Attributes:
        path: "kernel", "linear", "target", "dense" or "entries".
        hard: that of class indices where there is no kernel for them: "linear", "target" or "dense"; else "".
        kernel: torch's own, or None.
    """

    path: str
    hard: str
    kernel: Kernel | None

    def prefers_torch(self, z: Tensor, weight: Tensor | None = None) -> bool:
        """Whether torch's cross-entropy, where it is the formula, is the better way for these logits."""
        few = z.numel() <= torch_kernels.LARGE or z.is_cuda
        return few or z.dim() != 2 or weight is not None or composes()

    def wants_kernels(self, outputs: Tensor, asked: bool | None) -> bool:
        """Whether outputs on a CUDA device go to kernels of their own, see `accelerator`."""
        many = accelerator.MANY if self.kernel is None else accelerator.OVER_TORCH
        return outputs.numel() >= many if asked is None else asked


@lru_cache(maxsize=512)
def route(formula: Formula) -> Route:
    """The only place that chooses a path."""
    kernel = recognise(formula)
    hard = ""
    if formula.kind.exclusive:
        hard = "dense" if formula.affine is None else "target"
        if formula.linear is not None and formula.other != 0:
            hard = "linear"
    return Route("kernel" if kernel is not None else hard or "entries", hard, kernel)


@dataclass(frozen=True)
class Plan:
    """How a loss is computed for hard labels (or for entries).

    Attributes:
        path: "kernel", "linear", "target", "dense" or "entries".
        reason: why.
        functions: the printed source of each function, by what it computes.
    """

    path: str
    reason: str
    functions: dict[str, str]

    def __str__(self) -> str:
        parts = [f"path: {self.path}\nwhy: {self.reason}"]
        parts += [f"# {title}\n{source.rstrip()}" for title, source in self.functions.items()]
        return "\n\n".join(parts) + "\n"


def plan(loss: Loss) -> Plan:
    """The way that `compile_loss(loss)` computes class indices, label vectors or predictions.

    Raises:
        CompileError: for a formula that cannot be compiled.

    >>> from symloss.expr import parse
    >>> plan(parse("y*abs(log(1.3*p))")).path
    'target'
    """
    formula = formula_of(loss.value_expr, loss.kind)
    formula.check()
    kernel = route(formula).kernel
    if kernel is not None:
        scale = "" if kernel.scale == 1 else f"{kernel.scale:g} * "
        beyond = f"; the target path beyond {torch_kernels.LARGE} logits" if formula.kind.exclusive else ""
        return Plan("kernel", f"the formula is {scale}{kernel.name}{beyond}", {})
    if not formula.kind.probabilities:
        curve = regression_curve(formula)
        reason = f"a {loss.kind} loss is a sum over entries" + _care(curve)
        reason += "; p is the margin m" if formula.kind.signed else ""
        name = f"{formula.kind.signature} and its derivative by p"
        return Plan("entries", reason, {name: curve.printed.source})
    if not formula.kind.exclusive:
        curve, other = entry_curve(formula, formula.general), entry_curve(formula, formula.other)
        functions = {"M(y, p) and its derivative by the logit": curve.printed.source}
        if formula.singular_at_zero:
            functions["M(0, p) and its derivative by the logit"] = other.printed.source
        return Plan("entries", f"a {loss.kind} loss is a sum over entries" + _care(curve, other), functions)
    return _classification(formula)


def _classification(formula: Formula) -> Plan:
    path = route(formula).path
    if path == "linear":
        assert formula.linear is not None
        a, b = formula.linear
        reason = (
            f"both branches are multiples of log p: L = a log p_t + b (sum of the others), a = {a}, b = {b}"
        )
        return Plan(path, reason, {})
    if path == "target":
        curve = row_curve(formula)
        reason = f"M(0, p) is affine in p, so the loss depends on p_t alone; differentiated by its logit{_care(curve)}"
        if formula.reach is not None:
            low, high = formula.reach
            reason += f"; higher derivatives by the tangent where the logit is outside [{low:g}, {high:g}]"
        return Plan(path, reason, {"the instance loss and its derivative": curve.printed.source})
    first, other = dense_curves(formula, False)
    by = "log p" if first.one_sided else "the logit (it is singular at p = 1)"
    reason = f"M(0, p) is not affine in p, so every class counts; differentiated by {by}{_care(first, other)}"
    return Plan(
        path,
        reason,
        {
            "M(0, p) and its derivative": other.printed.source,
            "M(1, p) and its derivative": first.printed.source,
        },
    )


def _care(*curves: Curve) -> str:
    if any(curve.fragile for curve in curves):
        return "; results that are not finite are computed again on signed logarithms"
    return ""

"""Which way a formula is computed, and the code printed for it."""

from __future__ import annotations

from dataclasses import dataclass

from symloss.codegen.compiled import Formula, formula_of
from symloss.codegen.curves import Curve, entry_curve, regression_curve
from symloss.codegen.dense_path import dense_curves
from symloss.codegen.kernels import LARGE, recognise
from symloss.codegen.paths import hard_path
from symloss.codegen.target_path import row_curve
from symloss.expr import Loss

__all__ = ["Plan", "plan"]


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
    kernel = recognise(formula)
    if kernel is not None:
        scale = "" if kernel.scale == 1 else f"{kernel.scale:g} * "
        beyond = f"; the target path beyond {LARGE} logits" if formula.kind.exclusive else ""
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
    path = hard_path(formula)
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

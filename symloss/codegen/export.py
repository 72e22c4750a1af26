"""A loss as one readable Python file that needs torch alone."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

from sympy import Expr

from symloss.codegen import logits, precision, templates
from symloss.codegen.accuracy import needs_float64
from symloss.codegen.compiled import Formula, formula_of
from symloss.codegen.curves import Curve, entry_curve, regression_curve
from symloss.codegen.dense_path import dense_curves
from symloss.codegen.dialects import HELPERS
from symloss.codegen.kernels import Kernel, recognise
from symloss.codegen.paths import hard_path
from symloss.codegen.target_path import row_curve
from symloss.expr import KINDS, Loss

__all__ = ["export_python"]

_HEAD = """import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
"""
_PI = "self.priors.to(logits).view(shape)"
_W = """
        w = w.unsqueeze(1) if torch.is_tensor(w) and w.dim() else w"""
_BOUNDED = """# Where the logit is so large that a step on the way to the loss overflows, the tangent stands for it.
        near = d.clamp(@LOW@, @HIGH@)
        far, (u, v) = d - near, sigmoid_pair(near)
        """
_CONTINUED = """
        value = value + slope * far"""
_WORD = re.compile(r"[A-Za-z_]\w*")


def export_python(loss: Loss) -> str:
    """One readable file that computes the loss with torch alone: `SymbolicLoss()(outputs, targets)`.

    The functions of the formula are printed as the in-process form computes them, derivative included; what
    is left out is the repair of gradients that leave the floating-point range on the way.

    Args:
        loss: the formula; its coefficients' values are put in.

    Raises:
        CompileError: for a formula that cannot be compiled.

    >>> from symloss.expr import parse
    >>> "class SymbolicLoss(nn.Module):" in export_python(parse("y*abs(log(1.3*p))"))
    True
    """
    return _Export(loss).text()


class _Export:
    """Collects the printed functions while the templates are filled in."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.formula: Formula = formula_of(loss.value_expr, loss.kind)
        self.formula.check()
        self.functions: dict[str, str] = {}
        self.helpers: list[str] = []

    def text(self) -> str:
        kind, kernel = KINDS[self.loss.kind], recognise(self.formula)
        if kernel is not None and not (kind.exclusive or kind.signed):
            return self.of_kernel(kernel)
        composed = self.filled(templates.COMPOSED[kind.link.name])
        fused = self.fused()
        call = templates.FUSED_CALL if fused else templates.UNFUSED_CALL
        if kind.exclusive and self.formula.other == 0:
            call = templates.AT_TARGET_CALL
        module = templates.MODULES[kind.link.name].replace("@FUSED@", call)
        torchs = templates.CROSS_ENTROPY if kernel is not None and kind.exclusive else ""
        module = module.replace("@KERNEL@", torchs and torchs.replace("@SCALE@", _factor(kernel)))
        priors = (
            "\n\n    `priors` [C] is the class prior pi of the formula." if self.formula.uses_priors else ""
        )
        module = module.replace("@PRIORS_DOC@", priors)
        module = module.replace("@PI@", _PI if self.formula.uses_priors else "None")
        module = module.replace("@W@", _W if self.formula.uses_weights else "")
        shared: list[Callable[..., Any]] = [precision.widened, precision.narrowed, logits.like]
        if kind.probabilities:
            shared += [logits.sigmoid_pair, logits.others, logits.all_pairs]
        if kind.exclusive:
            shared.append(logits.voided)
        wide = kernel is None and needs_float64(self.formula, self.loss)
        if wide:
            shared.insert(1, precision.doubled)
        module = module.replace("@WIDENED@", "doubled" if wide else "widened")
        sources = map(inspect.getsource, shared)
        helpers = [HELPERS["torch"][name] for name in self.helpers]
        parts = [self.head(), *helpers, *sources, *self.functions.values(), composed, fused, module]
        return "\n\n".join(part for part in parts if part)

    def of_kernel(self, kernel: Kernel) -> str:
        """The file of a loss that torch has."""
        outputs = KINDS[self.loss.kind].outputs
        module = templates.KERNEL_MODULE.replace("@OUTPUTS@", outputs).replace("@KERNEL@", kernel.name)
        module = module.replace("@OPTIONS@", kernel.options)
        head = self.head().replace("import math\n\n", "")
        shared = [inspect.getsource(f) for f in (precision.widened, precision.narrowed)]
        return "\n\n".join([head, *shared, module.replace("@SCALE@", _factor(kernel))])

    def head(self) -> str:
        what = {
            "softmax": "L = sum_i M(y_i, p_i) over classes, p = softmax(logits)",
            "sigmoid": "M of every entry, p = sigmoid(logits)",
            "identity": "M of every entry, p the prediction",
            "sign": "M of every entry; p below is the margin m",
        }[KINDS[self.loss.kind].link.name]
        title = (
            f"{KINDS[self.loss.kind].signature} = {self.loss}, a {self.loss.kind} loss exported by symloss."
        )
        names = "u = log p, v = log(1 - p), q = 1 - p, y the target entry, C the number of classes"
        note = f"\n\nIn the functions below {names}." if KINDS[self.loss.kind].probabilities else ""
        return f'"""{title}\n\n{what}.{note}\n"""\n\n{_HEAD}'

    def fused(self) -> str:
        kind, formula = KINDS[self.loss.kind], self.formula
        if not kind.probabilities:
            return self.filled(templates.FUSED[kind.link.name])
        if kind.independent:
            text = templates.FUSED[kind.link.name]
            call = self.call("soft_and_slope", self.curve(entry_curve(formula, formula.general)))
            return self.filled(
                text.replace("soft_and_slope_at(u, v, y_or_1, C, pi, w)", re.sub(r"\by\b", "y_or_1", call))
            )
        path = hard_path(formula)
        if path == "linear":
            assert formula.linear is not None
            self.call("coefficients", list(formula.linear))
            return templates.FUSED[path]
        if path == "dense":
            first, _ = dense_curves(formula, False)
            return self.filled(templates.FUSED[path]) if first.one_sided else ""
        curve = row_curve(formula)
        text = templates.FUSED[path]
        bounded, continued = ("", "") if formula.reach is None else (_BOUNDED, _CONTINUED)
        low, high = formula.reach or (0.0, 0.0)
        bounded = bounded.replace("@LOW@", repr(low)).replace("@HIGH@", repr(high))
        text = text.replace("@BOUNDED@", bounded).replace("@CONTINUED@", continued)
        if curve.of_entries:
            text = text.replace("like(value, u)", "value").replace("like(slope, u)", "slope")
        return self.filled(text)

    def filled(self, template: str) -> str:
        formula = self.formula
        at_target = "\n        pi = pi if pi is None else pi.flatten()[t]" if formula.uses_priors else ""
        text = template.replace("@PI_AT_T@", at_target)
        if "@OTHER@" in text:
            text = text.replace("@OTHER@", self.call("other_loss", [formula.sound(formula.other)]))
        if "@TARGET@" in text:
            text = text.replace("@TARGET@", self.call("target_loss", [formula.sound(formula.target)]))
        if "@SOFT@" in text:
            text = text.replace("@SOFT@", self.call("soft_loss", [formula.sound(formula.general)]))
        if "@ROW_AND_SLOPE@" in text:
            text = text.replace("@ROW_AND_SLOPE@", self.call("row_and_slope", self.curve(row_curve(formula))))
        if "@SOFT_AND_SLOPE@" in text:
            curve = self.curve(regression_curve(formula))
            text = text.replace("@SOFT_AND_SLOPE@", self.call("soft_and_slope", curve))
        if "@OTHER_AND_SLOPE@" in text:
            first, other = (
                dense_curves(formula, False)
                if KINDS[self.loss.kind].exclusive
                else (None, entry_curve(formula, formula.other))
            )
            text = text.replace("@OTHER_AND_SLOPE@", self.call("other_and_slope", self.curve(other)))
            if first is not None:
                text = text.replace("@TARGET_AND_SLOPE@", self.call("target_and_slope", self.curve(first)))
        return text

    def curve(self, curve: Curve) -> list[Expr]:
        self.one_sided = curve.one_sided
        return [curve.value, curve.slope]

    def call(self, name: str, results: Sequence[Expr]) -> str:
        """Prints a function of the arguments that it uses; the call of it."""
        is_curve = len(results) == 2 and name != "coefficients"
        one_sided = is_curve and self.one_sided
        printed = self.formula.printed(*results, name=name, one_sided=one_sided, differentiable=not is_curve)
        self.helpers += [helper for helper in printed.helpers if helper not in self.helpers]
        body = printed.source.split("\n", 1)[1]
        order = (
            ("u", "v", "p", "q", "y", "C", "pi", "w")
            if KINDS[self.loss.kind].probabilities
            else ("p", "y", "w")
        )
        defined = set(re.findall(r"^    (\w) = ", body, re.MULTILINE))
        words = set(_WORD.findall(body)) - defined
        arguments = [x for x in order if x in words] or (["C"] if name == "coefficients" else [])
        if name == "coefficients":
            arguments = ["C"]
        title = _TITLES[name].replace("M(y, p)", KINDS[self.loss.kind].signature)
        self.functions[name] = f"def {name}({', '.join(arguments)}):\n    {title}\n{body}"
        return f"{name}({', '.join(arguments)})"


def _factor(kernel: Kernel | None) -> str:
    return "" if kernel is None or kernel.scale == 1.0 else f"{kernel.scale!r} * "


_TITLES = {
    "other_loss": '"""M(0, p), the loss of an entry that is not the target."""',
    "target_loss": '"""M(1, p), the loss of the target\'s entry."""',
    "soft_loss": '"""M(y, p), the loss of an entry."""',
    "row_and_slope": '"""The instance loss as a function of the target\'s p, and its derivative."""',
    "soft_and_slope": '"""M(y, p) and its derivative."""',
    "other_and_slope": '"""M(0, p) and its derivative."""',
    "target_and_slope": '"""M(1, p) and its derivative."""',
    "coefficients": '"""a and b of M(1, p) = a log p and M(0, p) = b log p."""',
}

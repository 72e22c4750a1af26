"""A loss as one readable Python file that needs torch alone.

The file is the formula's functions, the part of `symloss.codegen.runtime` that its path needs, word for word, and a
module of a few lines.
"""

from __future__ import annotations

from functools import lru_cache

from sympy import Expr

from symloss.codegen.accuracy import needs_float64
from symloss.codegen.curves import Curve, dense_curves, label_curves, regression_curve, row_curve
from symloss.codegen.formula import Formula, formula_of
from symloss.codegen.plan import plan, route
from symloss.codegen.source.excerpts import imports_of, needed
from symloss.codegen.source.languages import HELPERS
from symloss.codegen.source.printer import Printed
from symloss.codegen.torch_kernels import Kernel
from symloss.expr import Loss
from symloss.zoo import entry, named, names

__all__ = ["export_python"]

_OUTPUTS = {
    "softmax": "The loss of an instance is the sum of M(y, p) over the classes, p = softmax(logits).",
    "sigmoid": "The loss of an entry is M(y, p), p = sigmoid(logit).",
    "identity": "The loss of an entry is M(y, p), p the prediction.",
    "sign": "The loss of an entry is M(m), m its margin, which is called p in the functions below.",
}
_SYMBOLS = """In the functions below u = log p, v = log(1 - p), q = 1 - p, d = u - v is the logit of p, y the target
entry, C the number of classes, pi a class's prior and w an instance's weight."""
_IN_PROCESS = ("results that are not finite", "the target path beyond", "higher derivatives")
"""What plans say of the module and not of the file."""
_TRIALS = {
    "softmax": "torch.randn(6, 4), torch.tensor([0, 3, 1, 2, 2, 0])",
    "sigmoid": "torch.randn(6, 4), torch.rand(6, 4)",
    "identity": "torch.rand(6), torch.rand(6)",
    "sign": "torch.randn(6), torch.tensor([0, 1, 1, 0, 1, 0])",
}


def export_python(loss: Loss) -> str:
    """One readable file that computes the loss with torch alone: `SymbolicLoss()(outputs, targets)`.

    The functions of the formula are printed as the in-process form computes them, derivative included; what
    is left out is the repair of gradients that leave the floating-point range on the way, and for most formulas the
    gradient by hand for soft labels. Run as a program, the file checks its gradient against finite differences.

    Args:
        loss: the formula; its coefficients' values are put in.

    Raises:
        CompileError: for a formula that cannot be compiled.

    >>> from symloss.expr import parse
    >>> "class SymbolicLoss(ClassLoss):" in export_python(parse("y*abs(log(1.3*p))"))
    True
    """
    formula = formula_of(loss.value_expr, loss.kind)
    formula.check()
    writer = _Writer(formula)
    # Of margins the module has options that torch's own loss lacks.
    kernel = None if formula.kind.signed else route(formula).kernel
    base, members = writer.of_kernel(kernel) if kernel is not None else writer.of_paths()
    if kernel is None and needs_float64(formula, loss):
        members.append("widen = staticmethod(doubled)  # in float32 the formula's terms cancel")
    module = f'class SymbolicLoss({base}):\n    """{loss}, as a loss of {formula.kind.outputs}."""\n'
    module += "".join(f"\n    {line}" for line in members) + "\n" * bool(members)
    priors = "priors=torch.tensor([0.1, 0.2, 0.3, 0.4])" if formula.uses_priors else ""
    trial = _TRIALS[formula.kind.link.name]
    main = (
        'if __name__ == "__main__":\n    torch.manual_seed(0)\n'
        f"    print(checked(SymbolicLoss({priors}), {trial}))\n"
    )
    written = "\n\n".join([*writer.functions, module, main])
    body = "\n\n".join(
        [*writer.functions, *(f"{source}\n" for source in needed(written)), module.rstrip("\n") + "\n", main]
    )
    return f'"""{_title(loss)}\n"""\n\n{imports_of(body)}\n\n\n{body}'


def _title(loss: Loss) -> str:
    """The docstring of the file."""
    formula = formula_of(loss.value_expr, loss.kind)
    known = _named(loss.kind).get(loss.expr)
    way = "; ".join(x for x in plan(loss).reason.split("; ") if not x.startswith(_IN_PROCESS))
    parts = [
        f"{formula.kind.signature} = {loss}, a {loss.kind} loss{f' known as {known}' if known else ''}.",
        _OUTPUTS[formula.kind.link.name],
        *([f"Reference: {entry(known, loss.kind).reference}."] if known else []),
        f"How it is computed: {way}.",
        *([_SYMBOLS] if route(formula).kernel is None and formula.kind.probabilities else []),
        "Written by symloss; needs torch alone. Run as a program, this file checks its gradient against finite\n"
        "differences.",
    ]
    return "\n\n".join(parts)


@lru_cache(maxsize=8)
def _named(kind: str) -> dict[Expr, str]:
    """The zoo's names by formula."""
    return {
        expr: name
        for name in names(kind)
        for loss in [named(name, kind=kind)]
        for expr in (loss.value_expr, loss.expr)
    }


class _Writer:
    """Collects the printed functions of a formula; a method of it gives the module's base class and its attributes."""

    def __init__(self, formula: Formula) -> None:
        self.formula, self.kind = formula, formula.kind
        self.functions: list[str] = []
        self.helpers: set[str] = set()

    def of_kernel(self, kernel: Kernel) -> tuple[str, list[str]]:
        """Of a formula that torch has."""
        members = [] if kernel.scale == 1 else [f"scale = {kernel.scale!r}"]
        if self.kind.exclusive:
            return "CrossEntropy", members
        options = "".join(f", {name}={value!r}" for name, value in kernel.options.items())
        function = f"partial({kernel.name}{options})" if options else kernel.name
        return "TorchLoss", [*members, f"kernel = staticmethod({function})"]

    def of_paths(self) -> tuple[str, list[str]]:
        """Of all others."""
        formula = self.formula
        if not self.kind.probabilities:
            name = self.kind.signature
            doc = f"{name} and its derivative by p."
            curve = self.curve("loss_and_slope", doc, regression_curve(formula))
            value = self.value("entry_loss", f"{name}, the loss of an entry.", formula.general)
            base = "MarginLoss" if self.kind.signed else "NumberLoss"
            return base, [f"path = NumberPath(Branch({value}, {curve}))"]
        if not self.kind.exclusive:
            return "LabelLoss", [f"path = {self.label_path()}"]
        return "ClassLoss", self.class_paths()

    def label_path(self) -> str:
        """The path of labels."""
        first, at_zero = label_curves(self.formula)
        general = f"Branch({self.soft()}, {self.curve('soft_and_slope', _BY_LOGIT.format('M(y, p)'), first)})"
        other = "None"
        if at_zero is not None:
            curve = self.curve("other_and_slope", _BY_LOGIT.format("M(0, p)"), at_zero)
            other = f"Branch({self.other()}, {curve})"
        return f"LabelPath({general}, {other})"

    def class_paths(self) -> list[str]:
        """The paths of class indices, with and without weights, and of class probabilities."""
        formula, path = self.formula, route(self.formula).hard
        before = ""
        weighted = "None"
        if path == "dense":
            before, hard, weighted = f"dense = {self.dense_path()}", "dense", "dense"
        else:
            hard = self.linear_path() if path == "linear" else self.target_path()
            if formula.other != 0:
                target = self.value("target_loss", "M(1, p), the loss of the target's entry.", formula.target)
                weighted = f"ComposedHardPath({target}, {self.other()})"
        soft = f"ComposedSoftPath({self.soft()}, {self.other() if formula.singular_at_zero else None})"
        return [*([before] if before else []), f"paths = ClassPaths({hard}, {soft}, {weighted})"]

    def linear_path(self) -> str:
        """The path of a loss that is linear in `log p`."""
        printed = self.formula.linear_printed("a and b of M(1, p) = a log p and M(0, p) = b log p.")
        return f"LinearPath({self.written(printed)})"

    def target_path(self) -> str:
        """The path of a loss that depends on the target's probability alone."""
        formula, curve = self.formula, row_curve(self.formula)
        doc = "The instance loss as a function of the target's p, and minus its derivative by its logit d."
        both = self.written(curve.printed_as("row_and_slope", doc, -1))
        value = self.value(
            "row", "The instance loss as a function of the target's p.", formula.row, of_logit=True
        )
        if formula.reach is None:
            return f"TargetPath(Branch({value}, {both}))"
        return f"ContinuedTargetPath(Branch({value}, {both}), {formula.reach})"

    def dense_path(self) -> str:
        """The path of a loss in which every class counts."""
        formula = self.formula
        first, other = dense_curves(formula, False)
        by = "{} and its derivative by log p." if first.one_sided else _BY_LOGIT
        target = self.value("target_loss", "M(1, p), the loss of the target's entry.", formula.target)
        branches = (
            f"Branch({target}, {self.curve('target_and_slope', by.format('M(1, p)'), first)})",
            f"Branch({self.other()}, {self.curve('other_and_slope', by.format('M(0, p)'), other)})",
        )
        reads = f"reads=({first.uses_log or other.uses_log}, {first.uses_rest or other.uses_rest})"
        return f"{'DensePath' if first.one_sided else 'SingularDensePath'}({', '.join(branches)}, {reads})"

    def other(self) -> str:
        """The function of `M(0, p)`."""
        doc, of_logit = "M(0, p), the loss of an entry that is not the target.", not self.kind.exclusive
        return self.value("other_loss", doc, self.formula.other, of_logit=of_logit)

    def soft(self) -> str:
        """The function of `M(y, p)`."""
        of_logit = not self.kind.exclusive
        return self.value(
            "soft_loss", "M(y, p), the loss of an entry.", self.formula.general, of_logit=of_logit
        )

    def value(self, name: str, doc: str, expr: Expr, *, of_logit: bool = False) -> str:
        """Prints what autograd differentiates."""
        printed = self.formula.printed(self.formula.sound(expr), name=name, of_logit=of_logit, docstring=doc)
        return self.written(printed)

    def curve(self, name: str, doc: str, curve: Curve) -> str:
        """Prints a value together with its derivative."""
        return self.written(curve.printed_as(name, doc))

    def written(self, printed: Printed) -> str:
        """Adds a function and the helpers that it calls, once; its name."""
        for helper in printed.helpers:
            if helper not in self.helpers:
                self.helpers.add(helper)
                self.functions.insert(0, HELPERS["torch"][helper])
        source = printed.trimmed(*(["y"] if printed.name.startswith("soft") else []))
        if source not in self.functions:
            self.functions.append(source)
        return printed.name


_BY_LOGIT = "{} and its derivative by the logit d."

"""A formula as functions of Triton's, to be called inside the kernels."""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import triton
from sympy import Add, Expr, Mul, Pow, Symbol, log, preorder_traversal

from symloss.codegen.accelerator import functions
from symloss.codegen.curves import dense_curves, label_curves, regression_curve, row_curve
from symloss.codegen.formula import OF_ENTRIES, Formula
from symloss.codegen.plan import route
from symloss.codegen.source.printer import Printed, build, print_function
from symloss.codegen.symbols.log_domain import LOG_P, LOG_Q, P_, Q_, RESIDUAL, TARGET
from symloss.errors import CompileError
from symloss.expr import C, P, Y

__all__ = ["Kernels", "kernels_of"]

_OF_LOGIT = {
    Q_: "q = sigmoid(-d)",
    P_: "p = sigmoid(d)",
    LOG_Q: "v = logsigmoid(-d)",
    LOG_P: "u = logsigmoid(d)",
}
_NAMES = {P_: "p", Q_: "q", LOG_P: "u", LOG_Q: "v", TARGET: "y", C: "C"}


class Kernels(NamedTuple):
    """What a formula is on a device.

    Attributes:
        way: "target", "linear", "dense" or "elements".
        curves: functions of Triton's that return a value and its slope (of the target path, minus its slope).
        reach: see `Formula.reach`.
        linear: `a` and `b` as functions of the number of classes.
    """

    way: str
    curves: tuple[Any, ...] = ()
    reach: tuple[float, float] | None = None
    linear: Any = None


@lru_cache(maxsize=512)
def kernels_of(formula: Formula) -> Kernels | None:
    """The kernels of a formula, or None.

    There are none with priors, weights or coefficients, with an operator or a number that they cannot hold, and where
    results that leave the floating-point range on the way are computed again (`Curve.fragile`): of a loss of the
    target alone that happens on a CPU only.
    """
    if formula.uses_priors or formula.uses_weights or formula.coefficients:
        return None
    try:
        return _of_classes(formula) if formula.kind.exclusive else _of_elements(formula)
    except CompileError:
        return None


def _of_classes(formula: Formula) -> Kernels | None:
    way = route(formula).hard
    if way == "linear":
        return Kernels(way, linear=formula.linear_coefficients)
    if way == "target":
        curve = row_curve(formula)
        row = _written((curve.value, -curve.slope), ("d", "C"), _NAMES, "d", _OF_LOGIT)
        return Kernels(way, (row,), formula.reach)
    first, other = dense_curves(formula, False)
    if not first.one_sided or first.fragile or other.fragile:
        return None
    names = {symbol: name for symbol, name in _NAMES.items() if symbol != LOG_Q}
    curves = ((each.value, each.slope) for each in (first, other))
    return Kernels(way, tuple(_written(pair, ("u", "p", "q", "C"), names, "p", {}) for pair in curves))


def _of_elements(formula: Formula) -> Kernels | None:
    if formula.kind.probabilities:
        first, second = label_curves(formula)
        if second is not None or first.fragile:
            return None
        curve = _written((first.value, first.slope), ("d", "y", "C"), _NAMES, "d", _OF_LOGIT)
    else:
        found = regression_curve(formula)
        if found.fragile:
            return None
        names = {P: "p", Y: "y", RESIDUAL: "r"}
        curve = _written((found.value, found.slope), ("p", "y", "C"), names, "p", {RESIDUAL: "r = p - y"})
    return Kernels("elements", (curve,))


def _written(
    results: tuple[Expr, ...],
    arguments: tuple[str, ...],
    names: Mapping[Symbol, str],
    entry: str,
    prelude: Mapping[Symbol, str],
) -> Any:
    """The function of `arguments` that returns `results`.

    Raises:
        CompileError: for an operator that Triton lacks, or a number that float32 may not hold.
    """
    if not all(map(_holds, results)):
        raise CompileError("expected the number of classes in sums, products and small powers alone")
    printed = print_function(
        "value_and_slope",
        results,
        arguments,
        names,
        language="triton",
        prelude=prelude,
        differentiable=False,
        entries=(entry, OF_ENTRIES),
    )
    return _jitted(printed)


def _holds(expr: Expr) -> bool:
    """Whether what depends on `C` alone, which torch's form computes in float64, cannot leave float32."""
    alone = [node for node in preorder_traversal(expr) if node.free_symbols == {C}]
    powers = [node.exp for node in alone if isinstance(node, Pow)]
    known = all(node.is_Symbol or isinstance(node, Add | Mul | Pow | log) for node in alone)
    return known and all(power.is_Rational and abs(power) <= 4 for power in powers)


def _jitted(printed: Printed) -> Any:
    """A printed function; Triton reads its text by way of `linecache`, as a debugger would."""
    text = printed.text
    where = f"<symloss kernel {hashlib.sha256(text.encode()).hexdigest()[:16]}>"
    linecache.cache[where] = len(text), None, text.splitlines(keepends=True), where
    names = {**vars(functions), "__name__": functions.__name__}
    return triton.jit(build(printed, names, where))

"""Whether float64 keeps the digits of a formula with the numbers that stand in it, by comparison with mpmath.

Near a removable singularity of a coefficient terms cancel: `(cos(a*x) - 1)/a**2` is 0 in float64 for `a = 1e-8`,
whatever x. In float32 it is 0 as well, so that comparing the two precisions finds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import accumulate
from types import FunctionType
from typing import Any, NamedTuple

import mpmath
import torch
from sympy import Expr, Rational, Symbol
from torch import Tensor

from symloss.codegen.formula import Formula, formula_of
from symloss.codegen.paths import class_paths, entry_path
from symloss.codegen.runtime.branch import Batch
from symloss.codegen.source.printer import build, print_function
from symloss.codegen.symbols.log_domain import plain
from symloss.errors import CompileError
from symloss.expr import PI, C, Loss, P, W, Y, at_zero
from symloss.expr.kinds import Kind

__all__ = ["PRIOR", "check_float64", "tried"]

PRIOR = 0.1
"""Of every class, on trial."""
_TOLERANCE = 1e-4
"""Relative: four digits."""
_RANGE = 1e-290, 1e290
"""Results beyond are not compared: float64 underflows and overflows."""
_TELLING = 100
"""Fractions of smaller integers are too far from each other for terms to cancel in float64."""
_ELSEWHERE = (0.7, 1.9)
"""Where coefficients are moved to, to see whether it is their values that make terms cancel."""
_USUAL = 0.9, 0.31, -0.7, -2.3
_NEAR = tuple(math.log1p(-rest) - math.log(rest) for rest in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7))
"""The logits of `p = 1 - 1e-3` and so on: a formula in `a*(1 - p)` comes near `a = 0` there long before."""
_RESIDUALS = 0.47, -0.31, 2.1, -7.3
_SMALL_RESIDUALS = 1e-3, -1e-4, 1e-5, -1e-6, 1e-7


class _Trial(NamedTuple):
    """Points at which loss and gradient are compared.

    Attributes:
        labels: the targets of the entries.
        outputs: `[points, entries]`.
        groups: where each sort of points stands: float64 has to keep the digits of one of a sort at least.
    """

    labels: tuple[float, ...]
    outputs: Tensor
    groups: tuple[slice, ...]


_Lost = frozenset[tuple[int, int]]
"""Trial and group of the points at which digits are lost; group 0 is the middle of the domain."""


def check_float64(formula: Formula, loss: Loss) -> None:
    """Refuses numbers for which float64 has four digits of neither loss nor gradient anywhere.

    At the ends of the domain, such as `p = 1`, formulas like `1 - cos(1 - p)` cancel by themselves: there only
    what other coefficients would mend is refused.

    Raises:
        CompileError: names the coefficients.
    """
    if _size(loss.value_expr) < _TELLING:
        return
    lost = _lost(formula, tuple(loss.coefficients.items()))
    if not lost:
        return
    usual = frozenset((trial, group) for trial, group in lost if group == 0)
    culprits = _culprits(loss, usual or lost)
    if not culprits and not usual:
        return
    if not loss.coefficients:
        raise CompileError(
            f"expected numbers with which float64 keeps four digits, got {loss.formula}, of which terms cancel; "
            "move its numbers away from the value where the formula is 0/0"
        )
    values = ", ".join(f"{name}={loss.coefficients[name]!r}" for name in culprits or loss.coefficients)
    raise CompileError(
        f"expected coefficients with which float64 keeps four digits of {loss.formula}, got {values}, "
        "for which its terms cancel; move them away from the value where the formula is 0/0"
    )


def _culprits(loss: Loss, lost: _Lost) -> list[str]:
    """The coefficients of which other values help, each or all together."""
    names = tuple(loss.coefficients)
    free = formula_of(loss.expr, loss.kind, names)

    def helps(*moved: str) -> bool:
        for value in _ELSEWHERE:
            # Apart from each other: two of the same value may be a singularity as well.
            there = {name: value + 0.13 * i for i, name in enumerate(moved)}
            try:
                free.check()
                # One point may be right by chance.
                still = _lost(free, tuple({**loss.coefficients, **there}.items()), enough=2)
            except CompileError:
                continue
            if not lost <= still:
                return True
        return False

    if not names or not helps(*names):
        return []
    return [name for name in names if helps(name)] or list(names)


def tried(
    formula: Formula, coefficients: tuple[float, ...], outputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """The losses of instances or entries as the module computes them, and their gradient by the outputs.

    Args:
        formula: the formula.
        coefficients: the values of those that are its inputs.
        outputs: `[N, C]`.
        targets: class indices `[N]`, or numbers `[N, C]`.
    """
    k = [outputs.new_tensor(value) for value in coefficients]
    priors = outputs.new_full((outputs.shape[-1],), PRIOR)
    w = outputs.new_tensor(1.0)
    context = (float(outputs.shape[-1]), priors, w, k) if formula.kind.probabilities else (w, k)
    with torch.enable_grad():
        z = outputs.detach().requires_grad_()
        if not formula.kind.exclusive:
            found = entry_path(formula)(z, Batch(targets.to(z.dtype), context), "none")
        elif targets.is_floating_point():
            # Composed: the derivatives for soft labels would have to be found for this alone.
            found = class_paths(formula).soft.composed(z, Batch(targets, context))
        else:
            found = class_paths(formula).hard(z, Batch(targets.unsqueeze(1), context), "none")
        (gradient,) = torch.autograd.grad(found.sum(), z)
    return found.detach(), gradient


@lru_cache(maxsize=16)
def _trials(kind: Kind) -> tuple[_Trial, ...]:
    """Two classes, or a single entry, with a hard label and with a soft one."""

    def trial(labels: tuple[float, ...], *sets: tuple[float, ...]) -> _Trial:
        first = torch.tensor([x for group in sets for x in group], dtype=torch.float64).unsqueeze(1)
        ends = list(accumulate(map(len, sets), initial=0))
        outputs = torch.cat([first, torch.zeros_like(first)], 1)[:, : len(labels)]
        return _Trial(labels, outputs, tuple(map(slice, ends, ends[1:])))

    if not kind.probabilities:
        y = 0.7
        return (trial((y,), *(tuple(y + r for r in group) for group in (_RESIDUALS, _SMALL_RESIDUALS))),)
    sets = _USUAL, _NEAR, tuple(-d for d in _NEAR)
    if kind.exclusive:
        return trial((1.0, 0.0), *sets), trial((0.3, 0.7), _USUAL)
    return trial((1.0,), *sets), trial((0.0,), *sets), trial((0.3,), _USUAL)


@lru_cache(maxsize=512)
def _lost(formula: Formula, coefficients: tuple[tuple[str, float], ...], enough: int = 1) -> _Lost:
    """The groups with fewer than `enough` points at which loss and gradient have four digits.

    Args:
        formula: with or without coefficients as inputs.
        coefficients: all that the loss has.
    """
    values: dict[Expr, Expr] = {Symbol(name, real=True): Rational(repr(x)) for name, x in coefficients}
    source = formula.source.xreplace(values)
    known, lost = dict(coefficients), set()
    k = tuple(known[name] for name in formula.coefficients)
    # What cancels to the fourth power of the number leaves 50 digits.
    with mpmath.workdps(50 + 4 * math.ceil(math.log10(_size(source)))):
        exact = _exact_loss(formula, source, values)
        for i, trial in enumerate(_trials(formula.kind)):
            results = _results(formula, k, trial)
            for j, group in enumerate(trial.groups):
                verdicts = (_is_right(*result, trial.labels, exact) for result in results[group])
                if _fails(verdicts, enough):
                    lost.add((i, j))
    return frozenset(lost)


def _size(expr: Expr) -> int:
    """The largest integer that the fractions of a formula are made of."""
    return max((max(abs(x.p), x.q) for x in expr.atoms(Rational)), default=1)


def _fails(verdicts: Iterable[bool | None], enough: int) -> bool:
    """Whether some points are wrong, and fewer than `enough` right; looks no further than it has to."""
    right = wrong = 0
    for verdict in verdicts:
        right += verdict is True
        wrong += verdict is False
        if right == enough:
            return False
    return wrong > 0


def _results(formula: Formula, k: tuple[float, ...], trial: _Trial) -> list[tuple[float, float, float]]:
    """Of every point of a trial the first output, the loss, and its derivative by that output, in float64."""
    targets = trial.outputs.new_tensor(trial.labels).expand_as(trial.outputs)
    hard = formula.kind.exclusive and 1.0 in trial.labels
    losses, gradients = tried(formula, k, trial.outputs, targets.argmax(1) if hard else targets)
    columns = trial.outputs[:, 0], losses.flatten(), gradients[:, 0]
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _is_right(
    x: float, loss: float, slope: float, labels: tuple[float, ...], exact: Callable[..., Any]
) -> bool | None:
    """Whether loss and derivative at an output have four digits; None where they cannot be compared."""
    if not (math.isfinite(loss) and math.isfinite(slope)):
        return None
    h = mpmath.mpf(10) ** -(mpmath.mp.dps // 4)
    try:
        below, here, above = (exact(mpmath.mpf(x) + step, labels) for step in (-h, 0, h))
        low, high = _RANGE
        # What is smaller is 0: the entries add up to it, or the loss is flat.
        low = max(low, 1e-25 * sum(map(abs, here)))
        pairs = (loss, sum(here)), (slope, (sum(above) - sum(below)) / (2 * h))
        wrong = [
            bool(abs(found - wanted) > _TOLERANCE * abs(wanted))
            for found, wanted in pairs
            if low < abs(wanted) < high
        ]
    except (ArithmeticError, ValueError, TypeError):  # no real number, or one that is too large
        return None
    return not any(wrong) if wrong else None


def _exact_loss(formula: Formula, source: Expr, values: dict[Expr, Expr]) -> Callable[..., Any]:
    """The losses of the entries by mpmath, given the first output and their labels."""
    probabilities = formula.kind.probabilities
    general = _exact_entry(source)
    other = _exact_entry(at_zero(formula.source).expr.xreplace(values)) if probabilities else general

    def exact(x: Any, labels: tuple[float, ...]) -> list[Any]:
        p = 1 / (1 + mpmath.exp(-x)) if probabilities else x
        entries = zip(labels, (p, 1 - p), strict=False)
        return [(general if y else other)(y, p, len(labels)) for y, p in entries]

    return exact


def _exact_entry(expr: Expr) -> Callable[..., Any]:
    """`M(y, p)` by mpmath, of `y`, `p` and the number of classes."""
    if expr.is_Rational:
        return lambda y, p, classes: mpmath.mpf(expr.p) / expr.q
    symbols = {Y: "y", P: "p", C: "C", PI: "pi", W: "w"}
    arguments = tuple(symbols.values())
    exact = build(print_function("entry", [plain(expr)], arguments, symbols, language="mpmath"))
    # In floats, a tower of exponentials that mpmath would work on for hours is an `OverflowError`.
    rough = FunctionType(exact.__code__, {**exact.__globals__, "mpmath": mpmath.fp})

    def entry(y: float, p: Any, classes: int) -> Any:
        rough(y, float(p), classes, PRIOR, 1.0)
        return exact(mpmath.mpf(y), p, classes, mpmath.mpf(PRIOR), 1)

    return entry

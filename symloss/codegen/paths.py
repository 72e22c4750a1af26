"""The paths of `symloss.codegen.runtime` for a formula, as `plan` chooses them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, NoReturn

from sympy import Expr
from torch import Tensor

from symloss.codegen.curves import Curve, dense_curves, label_curves, regression_curve, row_curve
from symloss.codegen.formula import Formula
from symloss.codegen.plan import route
from symloss.codegen.repair import (
    RepairedDensePath,
    RepairedLabelPath,
    RepairedNumberPath,
    RepairedSingularPath,
    RepairedTargetPath,
)
from symloss.codegen.runtime.branch import Batch, Branch, Value
from symloss.codegen.runtime.classes import ClassPaths
from symloss.codegen.runtime.composed import ComposedHardPath, ComposedSoftPath
from symloss.codegen.runtime.dense import DensePath, SingularDensePath
from symloss.codegen.runtime.entries import LabelPath, NumberPath
from symloss.codegen.runtime.fused import ComposedPath, Path
from symloss.codegen.runtime.linear import LinearPath
from symloss.codegen.runtime.target import ContinuedTargetPath, TargetPath, TracedTargetPath

__all__ = ["class_paths", "entry_path"]


class Traced(ComposedPath):
    """The composed form of a path, for coefficients that want a gradient."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def composed(self, z: Tensor, batch: Batch) -> Tensor:
        """See `Path`."""
        return self.path.composed(z, batch)


class Deferred(Traced):
    """A path whose derivatives are found when a batch first needs them; the composed form is there at once.

    Args:
        path: the composed form.
        make: makes the path.
    """

    def __init__(self, path: ComposedPath, make: Callable[[], Path]) -> None:
        super().__init__(path)
        self.make = make

    @cached_property
    def made(self) -> Path:
        """The path."""
        return self.make()

    def run(self, z: Tensor, batch: Batch, reduction: str) -> Tensor:
        """See `Path`."""
        return self.made.run(z, batch, reduction)


@lru_cache(maxsize=512)
def class_paths(formula: Formula) -> ClassPaths:
    """The paths of a classification formula."""
    soft = ComposedSoftPath(
        _differentiable(formula, formula.general),
        _differentiable(formula, formula.other) if formula.singular_at_zero else None,
    )
    composed = ComposedHardPath(
        _differentiable(formula, formula.target), _differentiable(formula, formula.other)
    )
    weighted = None if formula.other == 0 else composed
    if formula.coefficients:
        return ClassPaths(_hard(formula, composed), soft, weighted)
    dense = None if weighted is None else Deferred(composed, lambda: _dense(formula, False))
    return ClassPaths(_hard(formula, composed), Deferred(soft, lambda: _dense(formula, True)), dense)


def _hard(formula: Formula, composed: Path) -> Path:
    name = route(formula).hard
    if name == "linear":
        path = LinearPath(formula.linear_coefficients)
        return Traced(path) if formula.coefficients else path
    if name == "dense":
        return composed if formula.coefficients else _dense(formula, False)
    value = formula.function(formula.sound(formula.row), of_logit=True)
    if formula.coefficients:
        return TracedTargetPath(Branch(value, _underived))
    curve = row_curve(formula)
    row = Branch(value, curve.descending)
    by_target = TargetPath(row) if formula.reach is None else ContinuedTargetPath(row, formula.reach)
    return RepairedTargetPath(row, formula, by_target) if curve.fragile else by_target


def _dense(formula: Formula, soft: bool) -> DensePath:
    first, other = dense_curves(formula, soft)
    fragile = first.fragile or other.fragile
    arguments = (
        _branch(formula, formula.general if soft else formula.target, first),
        _branch(formula, formula.other, other),
        (first.uses_log or other.uses_log, first.uses_rest or other.uses_rest),
    )
    repaired, plain = (
        (RepairedDensePath, DensePath) if first.one_sided else (RepairedSingularPath, SingularDensePath)
    )
    path = (repaired if fragile else plain)(*arguments, soft=soft, singular=formula.singular_at_zero)
    if isinstance(path, RepairedDensePath | RepairedSingularPath):
        path.formula = formula
    return path


@lru_cache(maxsize=512)
def entry_path(formula: Formula) -> Path:
    """The path of a formula whose entries are apart."""
    if not formula.kind.probabilities:
        value = formula.function(formula.sound(formula.general))
        if formula.coefficients:
            return Traced(NumberPath(Branch(value, _underived)))
        curve = regression_curve(formula)
        general = Branch(value, curve.both)
        return RepairedNumberPath(general, formula) if curve.fragile else NumberPath(general)
    if formula.coefficients:
        general = _by_autograd(formula, formula.general)
        at_zero = _by_autograd(formula, formula.other) if formula.singular_at_zero else None
        return Traced(LabelPath(general, at_zero))
    first, second = label_curves(formula)
    branches = (
        _branch(formula, formula.general, first),
        None if second is None else _branch(formula, formula.other, second),
    )
    if first.fragile or (second is not None and second.fragile):
        return RepairedLabelPath(*branches, formula)
    return LabelPath(*branches)


def _branch(formula: Formula, expr: Expr, curve: Curve) -> Branch:
    return Branch(formula.function(formula.sound(expr), of_logit=curve.of_logit), curve.both)


def _differentiable(formula: Formula, expr: Expr) -> Value:
    """A branch that only composed forms use."""
    return formula.function(formula.sound(expr))


def _by_autograd(formula: Formula, expr: Expr) -> Branch:
    """A branch of labels, for coefficients that want a gradient."""
    return Branch(formula.function(formula.sound(expr), of_logit=True), _underived)


def _underived(*_: Any) -> NoReturn:
    """The curve of a branch that only composed forms use."""
    raise AssertionError("coefficients are trained by autograd")

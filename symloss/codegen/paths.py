"""Which path computes a batch: by formula, by targets, and by whether a transform has to see through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from symloss.codegen.compiled import Formula
from symloss.codegen.dense_path import DensePath
from symloss.codegen.entry_path import MultilabelPath, RegressionPath
from symloss.codegen.fused import ComposedPath, Path, composes
from symloss.codegen.instance import entry_losses, instance_losses, regression_losses
from symloss.codegen.linear_path import LinearPath
from symloss.codegen.target_path import TargetPath

__all__ = ["HARD_PATHS", "class_path", "entry_path", "hard_path"]

HARD_PATHS: dict[str, Callable[[Formula, Tensor, dict[str, Any]], Path]] = {
    "linear": LinearPath,
    "target": TargetPath,
    "dense": lambda formula, t, inputs: DensePath(formula, None, t, None, inputs),
}
"""The paths of valid class indices `[N, 1, ...]`."""


def hard_path(formula: Formula) -> str:
    """The path of a formula for class indices: "linear", "target" or "dense"."""
    if formula.linear is not None and formula.other != 0:
        return "linear"
    return "dense" if formula.affine is None else "target"


def class_path(
    formula: Formula,
    z: Tensor,
    soft: Tensor | None,
    t: Tensor | None,
    weight: Tensor | None,
    inputs: dict[str, Any],
) -> Path | ComposedPath:
    """The path of logits `[N, C, ...]`, given probabilities `soft` or valid class indices `t` `[N, 1, ...]`."""
    if formula.coefficients or composes(z):
        return ComposedPath(lambda z: instance_losses(formula, z, soft, t, weight, inputs))
    if t is None or weight is not None:
        return DensePath(formula, soft, t, weight, inputs)
    return HARD_PATHS[hard_path(formula)](formula, t, inputs)


def entry_path(formula: Formula, outputs: Tensor, y: Tensor, inputs: dict[str, Any]) -> Path | ComposedPath:
    """The path of a multilabel or regression loss, with targets `y` of the shape of the outputs."""
    losses, fused = (
        (entry_losses, MultilabelPath) if formula.kind.probabilities else (regression_losses, RegressionPath)
    )
    if formula.coefficients or composes(outputs):
        return ComposedPath(lambda outputs: losses(formula, outputs, y, inputs))
    return fused(formula, y, inputs)

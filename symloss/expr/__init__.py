"""What a loss IS: the value object, its primitives, safe parser, canonical form and printing. No torch."""

from __future__ import annotations

from symloss.expr.canonical import agrees, canonicalise
from symloss.expr.functions import GUARD, elementary, plog, psqrt, sigmoid, softplus
from symloss.expr.limit import HardValue, UnknownLimit, at_one, at_zero
from symloss.expr.loss import Loss, parse
from symloss.expr.primitives import FUNCTIONS, PRIMITIVES, Primitive, apply_body
from symloss.expr.printing import to_latex, to_string
from symloss.expr.register import register_primitive, registered_primitives
from symloss.expr.symbols import KINDS, PI, C, P, W, Y, coefficient
from symloss.expr.trees import Program

__all__ = [
    "FUNCTIONS", "GUARD", "KINDS", "PI", "PRIMITIVES", "C", "HardValue", "Loss", "P", "Primitive", "Program",
    "UnknownLimit", "W", "Y", "agrees", "apply_body", "at_one", "at_zero", "canonicalise", "coefficient",
    "elementary", "parse", "plog", "psqrt", "register_primitive", "registered_primitives", "sigmoid",
    "softplus", "to_latex", "to_string",
]  # fmt: skip

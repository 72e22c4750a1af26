"""What a loss IS: the value object, its primitives, safe parser, canonical form and printing. No torch."""

from __future__ import annotations

from symloss.expr.canonical import agrees, canonicalise
from symloss.expr.functions import GUARD, elementary, plog, psqrt, sigmoid, softplus
from symloss.expr.loss import Loss, parse
from symloss.expr.primitives import FUNCTIONS, PRIMITIVES, Primitive, apply_body
from symloss.expr.printing import to_latex, to_string
from symloss.expr.register import register_primitive, registered_primitives
from symloss.expr.symbols import KINDS, PI, C, P, W, Y, coefficient
from symloss.expr.trees import Program

__all__ = [
    "FUNCTIONS", "GUARD", "KINDS", "PI", "PRIMITIVES", "C", "Loss", "P", "Primitive", "Program", "W", "Y",
    "agrees", "apply_body", "canonicalise", "coefficient", "elementary", "parse", "plog", "psqrt",
    "register_primitive", "registered_primitives", "sigmoid", "softplus", "to_latex", "to_string",
]  # fmt: skip

"""What a loss IS: the value object, its operators, safe parser, canonical form and printing. No torch."""

from __future__ import annotations

from symloss.expr.agreement import agrees
from symloss.expr.canonical import canonicalise
from symloss.expr.functions import RealFunction, elementary, log_cosh
from symloss.expr.kinds import DEFAULT_KIND, KINDS, Kind, kind_of
from symloss.expr.limit import HardValue, UnknownLimit, at_one, at_zero
from symloss.expr.loss import Loss, parse
from symloss.expr.operator import Operator, apply_body
from symloss.expr.operators import BY_HEAD, GUARD, OPERATORS, plog, psqrt, sigmoid, softplus
from symloss.expr.printing import to_latex, to_string
from symloss.expr.registry import Registry, default_registry, register_primitive
from symloss.expr.symbols import PI, C, M, P, W, Y, coefficient
from symloss.expr.trees import Program

__all__ = [
    "BY_HEAD", "DEFAULT_KIND", "GUARD", "KINDS", "OPERATORS", "PI", "C", "HardValue", "Kind", "Loss",
    "M", "Operator", "P", "Program", "RealFunction", "Registry", "UnknownLimit", "W", "Y", "agrees", "apply_body",
    "at_one", "at_zero", "canonicalise", "coefficient", "default_registry", "elementary", "kind_of", "log_cosh",
    "parse", "plog", "psqrt", "register_primitive", "sigmoid", "softplus", "to_latex", "to_string",
]  # fmt: skip

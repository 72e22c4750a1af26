"""symloss: discover, compile and prove things about closed-form loss functions."""

from __future__ import annotations

from symloss.expr import Loss, parse, register_primitive
from symloss.zoo import named, names

__all__ = ["Loss", "named", "names", "parse", "register_primitive"]

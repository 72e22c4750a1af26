"""symloss: discover, compile and prove things about closed-form loss functions."""

from symloss.expr import Loss, parse

__all__ = ["Loss", "parse"]

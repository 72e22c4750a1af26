"""What a loss DOES: formula to torch, in the log domain, no one-hot tensors; export, plain functions."""

from __future__ import annotations

from symloss.codegen.module import SymbolicLoss, compile_loss
from symloss.codegen.plain_functions import lambdify

__all__ = ["SymbolicLoss", "compile_loss", "lambdify"]

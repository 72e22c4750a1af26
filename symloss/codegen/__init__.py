"""What a loss DOES: formula to torch, in the log domain, no one-hot tensors; export, plain functions.

A formula is rewritten (`symbols`), taken apart (`formula`, `curves`), printed (`source`), given a path (`plan`,
`paths`) and computed (`runtime`): in a module (`module`), or in a file of its own (`export`). Evolved trees are
evaluated as they are (`trees`).
"""

from __future__ import annotations

from symloss.codegen.export import export_python
from symloss.codegen.module import SymbolicLoss, compile_loss
from symloss.codegen.plan import Plan, plan
from symloss.codegen.preferences import dpo_margins
from symloss.codegen.source.plain import lambdify

__all__ = ["Plan", "SymbolicLoss", "compile_loss", "dpo_margins", "export_python", "lambdify", "plan"]

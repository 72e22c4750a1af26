"""A loss as a tree: evolved, weighted, merged, written as text and read from a formula.

`evaluate`, which loads SciPy, is imported by its own name.
"""

from __future__ import annotations

from symloss.expr.trees.from_formula import weighted_from
from symloss.expr.trees.merge import merge
from symloss.expr.trees.program import TERMINALS, Program
from symloss.expr.trees.text import infix, symbols
from symloss.expr.trees.weighted import Weighted

__all__ = ["TERMINALS", "Program", "Weighted", "infix", "merge", "symbols", "weighted_from"]

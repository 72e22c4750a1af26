"""Grammars inside a theorem: every loss that they make has the property by construction, whatever its coefficients."""

from __future__ import annotations

from symloss.search.propose.inside.coverage import Reach, coverage
from symloss.search.propose.inside.theorem import Inside, inside_of
from symloss.search.propose.inside.typed import TypedLoss

__all__ = ["Inside", "Reach", "TypedLoss", "coverage", "inside_of"]

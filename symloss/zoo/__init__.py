"""Losses with names: formulas, domains and references, nothing else."""

from __future__ import annotations

from symloss.zoo.catalogue import entry, named, names
from symloss.zoo.formulas import parse
from symloss.zoo.named_loss import Entry

__all__ = ["Entry", "entry", "named", "names", "parse"]

"""Discover losses: gate, genetic programming, tuning and training, and the front they leave."""

from __future__ import annotations

from symloss.search.result import Baseline, Evaluation, FrontRow, Generation, Result

__all__ = ["Baseline", "Evaluation", "FrontRow", "Generation", "Result"]

"""Discover losses: gate, genetic programming, tuning and training, and the front they leave."""

from __future__ import annotations

from symloss.search.baselines import baselines
from symloss.search.discover import discover, open_run, resume
from symloss.search.fingerprint import fingerprint
from symloss.search.gate import GateVerdict, gate
from symloss.search.grammar import Grammar
from symloss.search.result import Baseline, Evaluation, FrontRow, Generation, Result
from symloss.search.settings import METHODS, PRESETS, SearchSettings
from symloss.search.verify import Check, verify

__all__ = [
    "METHODS",
    "PRESETS",
    "Baseline",
    "Check",
    "Evaluation",
    "FrontRow",
    "GateVerdict",
    "Generation",
    "Grammar",
    "Result",
    "SearchSettings",
    "baselines",
    "discover",
    "fingerprint",
    "gate",
    "open_run",
    "resume",
    "verify",
]  # fmt: skip

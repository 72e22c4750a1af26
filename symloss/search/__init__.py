"""Discover losses: gate, genetic programming, tuning and training, and the front they leave."""

from __future__ import annotations

from symloss.search.baselines import baselines
from symloss.search.discover import discover, open_run, resume
from symloss.search.propose.grammar import Grammar
from symloss.search.record.result import Baseline, Evaluation, FrontRow, Generation, Result
from symloss.search.record.verify import Check, verify
from symloss.search.screen.fingerprint import fingerprint
from symloss.search.screen.gate import GateVerdict, gate
from symloss.search.settings import METHODS, PRESETS, SearchSettings

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

"""Discover losses: gate, genetic programming, tuning and training, and the front they leave."""

from __future__ import annotations

from symloss.search.ask_tell import Search
from symloss.search.discover import check_search, discover, headroom, open_row, open_run, resume
from symloss.search.distill import distill
from symloss.search.distilling.result import Distillation, DistilledRow, Fidelity
from symloss.search.loop.headroom import Headroom
from symloss.search.loop.race import RaceCheck
from symloss.search.methods import METHODS, Method
from symloss.search.propose.grammar import Grammar
from symloss.search.propose.inside import Inside, Reach, coverage, inside_of
from symloss.search.record.races import race_checks
from symloss.search.record.result import Baseline, Evaluation, FrontRow, Generation, Network, Result
from symloss.search.record.verify import Check, verify
from symloss.search.screen.fingerprint import fingerprint
from symloss.search.screen.gate import GateVerdict, gate
from symloss.search.settings import PRESETS, Blocks, Cma, Neural, Screening, SearchSettings, Tuning

__all__ = [
    "METHODS",
    "PRESETS",
    "Baseline",
    "Blocks",
    "Check",
    "Cma",
    "Distillation",
    "DistilledRow",
    "Evaluation",
    "Fidelity",
    "FrontRow",
    "GateVerdict",
    "Generation",
    "Grammar",
    "Headroom",
    "Inside",
    "Method",
    "Network",
    "Neural",
    "RaceCheck",
    "Reach",
    "Result",
    "Screening",
    "Search",
    "SearchSettings",
    "Tuning",
    "check_search",
    "coverage",
    "discover",
    "distill",
    "fingerprint",
    "gate",
    "headroom",
    "inside_of",
    "open_row",
    "open_run",
    "race_checks",
    "resume",
    "verify",
]  # fmt: skip

"""Remember and dispatch: the run store, seeds and executors. Knows nothing of losses."""

from __future__ import annotations

from symloss.runs.answers import Keyed, Records, answers
from symloss.runs.executors import EXECUTORS, Executor, executor
from symloss.runs.limited import Died, Overrun, call_limited
from symloss.runs.log import LOG, RunLog
from symloss.runs.origin import Origin, began_with
from symloss.runs.seeds import derive, generator
from symloss.runs.store import SCHEMA, RunStore, check_free, list_runs, verb_of

__all__ = [
    "EXECUTORS", "LOG", "SCHEMA", "Died", "Executor", "Keyed", "Origin", "Overrun", "Records", "RunLog", "RunStore",
    "answers", "began_with", "call_limited", "check_free", "derive", "executor", "generator", "list_runs", "verb_of",
]  # fmt: skip

"""Checks the race on the scores that a run has stored."""

from __future__ import annotations

from symloss.search.loop.field import row_of
from symloss.search.loop.race import RaceCheck, check_race
from symloss.search.record.result import Result

__all__ = ["race_checks"]


def race_checks(result: Result) -> dict[str, RaceCheck]:
    """How often the race would drop the best loss, on each full table of scores that the run holds.

    Nobody is raced in the sweep and on the final blocks; of a run without a race (`blocks={"race": False}`) the
    generations' blocks are such a table too.
    """
    trained = [entry for entry in result.evaluations if entry.outcome == "trained" and entry.blocks]
    sweep = int(result.settings["blocks"]["sweep"])
    # Only losses seen on all of the sweep's blocks: a race needs a full table.
    tables = {"the sweep": [e for e in trained if set(range(sweep)) <= set(e.blocks) and e.generation == 0]}
    if not result.settings["blocks"]["race"]:
        most = max((len(entry.blocks) for entry in trained), default=0)
        tables["all blocks"] = [entry for entry in trained if len(entry.blocks) == most]
    checks = {}
    for name, entries in tables.items():
        scores = {
            entry.number: {
                block: value
                for block, value in row_of(entry.blocks, result.signs, result.noises).items()
                if name != "the sweep" or block < sweep
            }
            for entry in entries
        }
        check = check_race(scores)
        if check is not None:
            checks[name] = check
    sign = result.signs[0] if len(result.signs) == 1 else 1.0
    finals = check_race(
        {row.evaluation: {i: sign * value for i, value in enumerate(row.finals)} for row in result.finalists}
    )
    if finals is not None:
        checks["the final blocks"] = finals
    return checks

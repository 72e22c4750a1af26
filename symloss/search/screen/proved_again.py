"""Proves the theorem of a grammar again for the losses with which a search ends."""

from __future__ import annotations

from collections.abc import Sequence

from symloss.search.propose.inside import Inside
from symloss.search.propose.inside.prove import verdicts_of
from symloss.search.record.result import FrontRow

__all__ = ["proved_again"]


def proved_again(inside: Inside, front: Sequence[FrontRow], classes: int | None) -> list[str]:
    """In words: of which rows the certificate proves it too, and what it says of the others.

    The grammar's argument does not rest on it; a refutation would be a fault of one of the two, and is said as one.

    Args:
        inside: what the search stayed inside of.
        front: its rows.
        classes: of the tasks, where they have one number of them.
    """
    verdicts = {row.row: verdicts_of(row.loss, inside, classes) for row in front}
    proved = [
        row for row, found in verdicts.items() if all(verdict == "proved" for verdict, _ in found.values())
    ]
    said = []
    if proved:
        said.append(f"inside {inside.name}: analyze proves it again of rows {', '.join(map(str, proved))}")
    for row, found in verdicts.items():
        for name, (verdict, why) in found.items():
            if verdict == "refuted":
                said.append(
                    f"inside {inside.name}: analyze REFUTES {name} of row {row}, please report it: {why}"
                )
            elif verdict != "proved":
                said.append(f"inside {inside.name}: of row {row} analyze does not settle {name}: {why}")
    return said

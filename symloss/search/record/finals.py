"""The results on the final blocks, and their record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symloss.errors import RunError
from symloss.search.loop.evidence import Evidence, Shrunk, shrink
from symloss.search.loop.field import row_of

__all__ = ["Finals", "Own", "finals_from", "finals_record"]


@dataclass(frozen=True)
class Own:
    """The learning rates and numbers of steps at which a loss does best, one a task.

    Attributes:
        rates: times the task's learning rate.
        steps: of the training.
        edge: whether the best lies at an end of the grid that could not be widened further.
    """

    rates: tuple[float, ...]
    steps: tuple[int, ...]
    edge: bool = False


@dataclass(frozen=True)
class Finals:
    """What came of the final blocks.

    Attributes:
        scores: by finalist, by block, the metric of each task.
        own: by finalist the learning rates and steps of its training.
        ordinary: the number of the finalist that is the ordinary loss.
    """

    scores: Mapping[int, Mapping[int, tuple[float | None, ...]]]
    own: Mapping[int, Own]
    ordinary: int | None = None

    def evidence(self, signs: Sequence[float], noises: Sequence[float]) -> Evidence:
        """The field of the finalists."""
        return Evidence({i: row_of(blocks, signs, noises) for i, blocks in self.scores.items()})

    def estimates(self, signs: Sequence[float], noises: Sequence[float]) -> dict[int, Shrunk]:
        """The mean of each over the final blocks, drawn towards the others."""
        evidence = self.evidence(signs, noises)
        alive = evidence.candidates
        # The winner of many owes its place to luck too; shrinking takes out what that is expected to be.
        errors = {i: evidence.standard_error(i) for i in alive}
        return shrink({i: evidence.mean(i) for i in alive}, errors)


def finals_record(finals: Finals) -> dict[str, Any]:
    """JSON-ready data."""
    return {
        "ordinary": finals.ordinary,
        "rows": [
            {
                "number": number, "rates": list(own.rates), "steps": list(own.steps), "edge": own.edge,
                "blocks": [[block, list(values)] for block, values in finals.scores[number].items()],
            }
            for number, own in finals.own.items()
        ],
    }  # fmt: skip


def finals_from(data: Any) -> Finals:
    """The finals that `finals_record` wrote.

    Raises:
        RunError: for data that it does not write.
    """
    try:
        rows = data["rows"]
        ordinary = data["ordinary"]
        return Finals(
            scores={
                int(row["number"]): {int(block): _values(values) for block, values in row["blocks"]}
                for row in rows
            },
            own={
                int(row["number"]): Own(
                    tuple(map(float, row["rates"])), tuple(map(int, row["steps"])), bool(row["edge"])
                )
                for row in rows
            },
            ordinary=None if ordinary is None else int(ordinary),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"the finals of the run cannot be read: {error}") from None


def _values(values: Any) -> tuple[float | None, ...]:
    return tuple(None if value is None else float(value) for value in values)

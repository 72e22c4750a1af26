"""Serialises a search and reads it back: plain JSON, with formulas parsed by the safe parser."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from symloss.errors import RunError, SymlossError
from symloss.expr import Loss
from symloss.meta import NeuralLoss
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.headroom import Headroom, HeadroomRow
from symloss.search.record.result import Baseline, Evaluation, FrontRow, Network, Result

__all__ = [
    "baseline_from",
    "baseline_record",
    "evaluation_from",
    "evaluation_of",
    "evaluation_record",
    "files_of",
    "front_csv",
    "front_json",
    "headroom_from",
    "network_from",
    "network_json",
    "network_record",
]  # fmt: skip

_COLUMNS = (
    "row",
    "picked",
    "complexity",
    "validation",
    "se",
    "score",
    "scale",
    "evaluation",
    "name",
    "formula",
)


def evaluation_of(candidate: Candidate, kind: str, surcharge: float) -> Evaluation:
    """The record of a candidate; what the evidence says of it is not part of it.

    Args:
        candidate: with an outcome.
        kind: of the loss.
        surcharge: what its operators cost beyond 1 each.
    """
    return Evaluation(
        number=candidate.number, generation=candidate.generation, slot=candidate.slot,
        tokens=_tokens(candidate), outcome=candidate.outcome,
        reason=candidate.reason, kind=kind,
        formula=candidate.formula, seconds=candidate.seconds, scale=candidate.scale,
        complexity=candidate.complexity + round(surcharge) if candidate.formula else None,
        blocks=dict(candidate.scores), name=candidate.name, source=candidate.source,
        parents=candidate.parents if candidate.parent is None else (candidate.parent,),
        way=candidate.way if candidate.parent is None else "rounder numbers",
    )  # fmt: skip


def _tokens(candidate: Candidate) -> tuple[str, ...]:
    """What was proposed: a tree, a network or nothing."""
    if candidate.nonsense:
        return ()
    return candidate.program.tokens if candidate.network is None else candidate.graph[0]


def evaluation_record(entry: Evaluation) -> dict[str, Any]:
    """JSON-ready data of a candidate; what the evidence says of it is worked out when it is read."""
    return {
        "generation": entry.generation, "slot": entry.slot, "tokens": list(entry.tokens),
        "outcome": entry.outcome, "reason": entry.reason, "kind": entry.kind, "formula": entry.formula,
        "seconds": entry.seconds, "scale": entry.scale, "complexity": entry.complexity, "name": entry.name,
        "source": entry.source, "parents": list(entry.parents), "way": entry.way,
        "blocks": [[block, list(values)] for block, values in entry.blocks.items()],
    }  # fmt: skip


def evaluation_from(number: int, data: Mapping[str, Any]) -> Evaluation:
    """The candidate that `evaluation_record` wrote; its formula is parsed when it is first read.

    Raises:
        RunError: for data that it does not write.
    """
    try:
        complexity, source = data["complexity"], data["source"]
        return Evaluation(
            number=number, generation=int(data["generation"]), slot=int(data["slot"]),
            tokens=tuple(map(str, data["tokens"])), outcome=str(data["outcome"]), reason=str(data["reason"]),
            kind=str(data["kind"]), formula=str(data["formula"]), seconds=float(data["seconds"]),
            scale=float(data["scale"]), complexity=None if complexity is None else int(complexity),
            name=str(data["name"]), source=None if source is None else int(source),
            blocks={int(block): tuple(map(_number, values)) for block, values in data["blocks"]},
            # A run from before this was kept says nothing of them.
            parents=tuple(map(int, data.get("parents", ()))), way=str(data.get("way", "")),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError, SymlossError) as error:
        raise RunError(f"evaluation {number} of the run cannot be read: {error}") from None


def headroom_from(data: Mapping[str, Any]) -> Headroom:
    """The headroom that `Headroom.to_dict` wrote.

    Raises:
        RunError: for data that it does not write.
    """
    try:
        clean = data["detectable_clean"]
        return Headroom(
            task=str(data["task"]), metric=str(data["metric"]), noise=_nan(data["noise"]),
            detectable=_nan(data["detectable"]), detectable_clean=None if clean is None else float(clean),
            headroom=_nan(data["headroom"]), interval=_interval(data["headroom_interval"]),
            leader=str(data["leader"]), ordinary=str(data["ordinary"]), candidates=int(data["candidates"]),
            rows=tuple(
                HeadroomRow(
                    str(row["name"]), str(row["formula"]), _nan(row["mean"]), _interval(row["interval"])
                )
                for row in data["rows"]
            ),
            said=tuple(map(str, data["notes"])),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"the headroom of the run cannot be read: {error}") from None


def baseline_record(entry: Baseline) -> dict[str, Any]:
    """JSON-ready data of a baseline."""
    return {
        "name": entry.name, "role": entry.role, "loss": entry.loss and entry.loss.to_dict(),
        "learning_rate": entry.learning_rate, "steps": entry.steps, "validation": entry.validation,
        "test": entry.test, "tests": list(entry.tests), "p_value": entry.p_value,
    }  # fmt: skip


def baseline_from(data: Mapping[str, Any]) -> Baseline:
    """The baseline that `baseline_record` wrote.

    Raises:
        RunError: for data that it does not write.
    """
    try:
        loss = data["loss"]
        return Baseline(
            name=str(data["name"]), role=str(data["role"]), loss=loss and Loss.from_dict(loss),
            learning_rate=float(data["learning_rate"]), steps=int(data["steps"]),
            validation=float(data["validation"]), test=float(data["test"]),
            tests=tuple(map(float, data["tests"])), p_value=_number(data["p_value"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, SymlossError) as error:
        raise RunError(f"a baseline of the run cannot be read: {error}") from None


def network_record(network: Network) -> dict[str, Any]:
    """JSON-ready data of a network that is a loss."""
    return {"evaluation": network.evaluation, **network.loss.to_dict()}


def network_from(data: Any) -> Network:
    """The network that `network_record` wrote.

    Raises:
        RunError: for data that it does not write.
    """
    try:
        return Network(int(data["evaluation"]), NeuralLoss.from_dict(data))
    except (KeyError, TypeError, ValueError, SymlossError) as error:
        raise RunError(f"the network of the run cannot be read: {error}") from None


def files_of(result: Result) -> dict[str, str]:
    """The files that a search writes, by name: as they follow from its record."""
    files = {"front.csv": front_csv(result.front), "front.json": front_json(result.front)}
    return files if result.network is None else {**files, "neural.json": network_json(result.network)}


def network_json(network: Network) -> str:
    """The same as a file."""
    return json.dumps(network_record(network), allow_nan=False) + "\n"


def front_csv(front: Sequence[FrontRow]) -> str:
    """The front as a table that any spreadsheet reads; numbers as Python prints them, to the last bit."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for row in front:
        score, error = ("" if value is None else repr(value) for value in (row.score, row.se))
        table.writerow(
            [row.row, int(row.picked), row.complexity, repr(row.validation), error, score, repr(row.scale),
             row.evaluation, row.name, row.text]
        )  # fmt: skip
    return text.getvalue()


def front_json(front: Sequence[FrontRow]) -> str:
    """The same as JSON, with kinds, LaTeX, final blocks, and what holds on soft labels too (`exact`)."""
    rows = [
        {
            "row": row.row, "picked": row.picked, "complexity": row.complexity, "validation": row.validation,
            "se": row.se, "score": row.score, "scale": row.scale, "evaluation": row.evaluation,
            "name": row.name, "formula": row.text, "exact": row.exact, "kind": row.kind,
            "latex": row.latex, "scores": dict(row.scores),
            "finals": [_finite(value) for value in row.finals], "rates": list(row.rates),
            "steps": list(row.steps),
        }
        for row in front
    ]  # fmt: skip
    return json.dumps({"front": rows}, indent=1, allow_nan=False) + "\n"


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _nan(value: Any) -> float:
    return math.nan if value is None else float(value)


def _interval(values: Any) -> tuple[float, float]:
    low, high = values
    return _nan(low), _nan(high)

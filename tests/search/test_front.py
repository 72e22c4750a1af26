"""The archive of all that is not dominated, of the evidence and of the finals."""

from __future__ import annotations

import math

import pytest

from symloss.expr import parse
from symloss.search.record.finals import Finals, Own, finals_from, finals_record
from symloss.search.record.front import finalist_rows, front_of, presented, scored
from symloss.search.record.result import Evaluation, FrontRow

FORMULAS = ("(y - p)**2", "abs(y - p)", "log(cosh(y - p))", "(y - p)**2 + 0.1*abs(y - p)")


def entry(number: int, blocks: dict[int, tuple[float | None, ...]], **changes: object) -> Evaluation:
    formula = FORMULAS[number % 4]
    values: dict[str, object] = {
        "number": number, "generation": 0, "slot": number, "tokens": ("y",), "outcome": "trained",
        "reason": "", "kind": "regression", "formula": formula, "complexity": len(formula), "blocks": blocks,
    }  # fmt: skip
    return Evaluation(**{**values, **changes})  # type: ignore[arg-type]


def front(entries: list[Evaluation], sign: float = 1.0, finals: Finals | None = None) -> tuple[FrontRow, ...]:
    known = scored(entries, [sign], [1.0])
    return front_of(known, classes=None, signs={"a": sign}, noises=[1.0], finals=finals)


def test_what_is_shown_of_a_trained_formula() -> None:
    exact, shown = presented("min(1.252*y, 1.253*y)**2*-log(p)", "classification", True)
    assert str(exact) == "-log(p)*(1.252*y)**2"
    assert shown == parse("-1.567504*y*log(p)")
    assert presented("abs(y)**3*p", "regression", False)[1] == parse("abs(y)**3*p", kind="regression")


def test_rows_are_numbered_and_scored_by_what_a_symbol_gains() -> None:
    rows = front([entry(1, {0: (0.8,)}), entry(2, {0: (0.4,)}), entry(3, {0: (0.9,)})])
    assert [(row.row, row.evaluation) for row in rows] == [(1, 1), (2, 2)]
    assert rows[0].score is None
    assert rows[1].score == pytest.approx(math.log(2) / (rows[1].complexity - rows[0].complexity))
    assert [row.picked for row in rows] == [False, True]


def test_an_accuracy_is_scored_by_plain_difference() -> None:
    rows = front([entry(1, {0: (0.8,)}), entry(2, {0: (0.9,)})], sign=-1.0)
    assert [row.validation for row in rows] == pytest.approx([0.8, 0.9])
    assert rows[1].score == pytest.approx(0.1 / (rows[1].complexity - rows[0].complexity))


def test_what_failed_on_any_block_or_was_rejected_is_in_no_front() -> None:
    rows = front(
        [
            entry(0, {0: (0.5,), 1: (None,)}),
            entry(1, {0: (0.7,), 1: (0.6,)}),
            entry(2, {}, outcome="rejected"),
        ]
    )
    assert [row.evaluation for row in rows] == [1]


def test_a_shared_training_counts_once_for_both() -> None:
    entries = [entry(0, {0: (0.5,)}), entry(1, {}, outcome="reused", source=0)]
    known = scored(entries, [1.0], [1.0])
    assert known[0].fitness == known[1].fitness == pytest.approx(0.5)


def test_several_tasks_are_averaged_in_units_of_their_noise() -> None:
    entries = [entry(0, {0: (1.0, 10.0)}), entry(1, {0: (2.0, 5.0)})]
    known = scored(entries, [1.0, 1.0], [1.0, 10.0])
    assert [each.fitness for each in known] == pytest.approx([1.0, 1.25])
    rows = front_of(known, classes=None, signs={"a": 1.0, "b": 1.0}, noises=[1.0, 10.0])
    assert rows[0].scores == {"a": 1.0, "b": 10.0} or rows[0].scores == {"a": 2.0, "b": 5.0}


def finals(table: dict[int, tuple[float, ...]], ordinary: int | None = None) -> Finals:
    scores = {i: {j: (value,) for j, value in enumerate(row)} for i, row in table.items()}
    return Finals(scores, dict.fromkeys(table, Own((1.0,), (10,))), ordinary)


def test_the_finals_decide_and_are_shrunken() -> None:
    entries = [entry(0, {0: (0.1,)}), entry(1, {0: (0.9,)}), entry(2, {0: (0.9,)})]
    held = finals({0: (0.50, 0.52, 0.51), 1: (0.46, 0.47, 0.48), 2: (0.40, 0.42, 0.41)}, ordinary=0)
    rows = front(entries, finals=held)
    picked = next(row for row in rows if row.picked)
    assert picked.evaluation == 2
    assert picked.finals == (0.40, 0.42, 0.41)
    assert picked.se is not None
    assert 0.41 <= picked.validation < 0.45, "drawn towards the others"
    everyone = finalist_rows(
        scored(entries, [1.0], [1.0]), held, classes=None, signs={"a": 1.0}, noises=[1.0]
    )
    assert [row.evaluation for row in everyone] == [2, 1, 0]


def test_the_pick_is_always_on_the_front() -> None:
    """A simpler loss that keeps nine tenths of the gain is no more complex than any that is better."""
    entries = [entry(i, {0: (0.5,)}) for i in range(4)]
    held = finals({0: (0.30, 0.32), 1: (0.205, 0.204), 2: (0.20, 0.20), 3: (0.1999, 0.1999)}, ordinary=0)
    rows = front(entries, finals=held)
    assert sum(row.picked for row in rows) == 1
    assert next(row for row in rows if row.picked).loss == parse("abs(y - p)", kind="regression")


def test_a_finalist_that_diverges_once_is_not_on_the_front() -> None:
    held = finals({0: (0.4, 0.4), 1: (0.5, 0.5)})
    broken = Finals({**held.scores, 0: {0: (0.1,), 1: (None,)}}, held.own)
    rows = front([entry(0, {0: (0.4,)}), entry(1, {0: (0.5,)})], finals=broken)
    assert [row.evaluation for row in rows] == [1]


def test_finals_are_read_as_they_were_written() -> None:
    held = finals({0: (0.4, 0.5), 3: (0.3, 0.1)}, ordinary=3)
    assert finals_from(finals_record(held)) == held

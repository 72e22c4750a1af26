"""What is printed of a distillation."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

import symloss as sl
from symloss.report import distillation_sentences, distillation_table
from symloss.search import Distillation, DistilledRow, Fidelity

ROWS = (
    DistilledRow(1, sl.parse("-y*log(p)"), 5, 0.97123, 1.0, False, 10),
    DistilledRow(2, sl.parse("-p**0.7*y"), 6, 0.99987, 2.5, True, 10),
)
FOUND = Distillation(
    "classification", 10, 0, ROWS, 1000, "three trainings on digits of 500 steps", "gce(q=0.7)", 0.9
)
FIDELITY = Fidelity("digits", "accuracy", 5, 0.95, 0.96, 0.01, (-0.01, 0.03), 0.987)


def test_the_table_names_what_is_known() -> None:
    written = StringIO()
    Console(width=120, file=written).print(distillation_table(FOUND))
    lines = [line.split() for line in written.getvalue().splitlines() if line.strip()]
    assert lines[0] == ["row", "complexity", "R2", "scale", "loss", "known", "as"]
    assert lines[2] == ["1", "5", "0.9712", "1", "-y*log(p)", "ce"]
    assert lines[3] == ["2", "6", "0.9999", "2.5", "-p**0.7*y", "gce(q=0.7)"]


def test_the_sentences_tell_the_pick_its_scale_and_no_more_where_no_task_was_given() -> None:
    said = distillation_sentences(FOUND)
    assert said == [
        "Gradients were compared at three trainings on digits of 500 steps; 1,000 formulas were looked at.",
        "Row 2 explains 99.99% of the network's gradient: M(y, p) = -p**0.7*y. At the network's own scale it is 2.5 "
        "times that.",
    ]


def test_the_nearest_name_stands_where_the_pick_has_none() -> None:
    nameless = replace(ROWS[1], loss=sl.parse("y*(1 - p)**3*(p + 1)"))
    said = distillation_sentences(replace(FOUND, rows=(nameless,)))
    assert said[-1] == "The nearest loss with a name, gce(q=0.7), explains 90.00%."


def test_fidelity_is_told_with_its_interval_and_what_failed() -> None:
    said = distillation_sentences(replace(FOUND, fidelity=replace(FIDELITY, failed=2)))
    assert said[-2].startswith(
        "5 pairs of trainings on digits: accuracy 0.9600 with the formula, 0.9500 with"
    )
    assert "(95 % interval -0.01 to +0.03); the two models agree to 98.70%." in said[-2]
    assert said[-1] == "2 more diverged with one of the two, and are left out."
    one = distillation_sentences(replace(FOUND, fidelity=replace(FIDELITY, seeds=1, interval=None)))[-1]
    assert one.startswith("1 pair of trainings")
    assert "interval" not in one

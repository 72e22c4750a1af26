"""Tables for the terminal and for LaTeX, the live table, and the verdict."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from symloss.expr import parse
from symloss.report import LiveFront, baseline_table, front_table, losses_tex, outcomes, verdict
from symloss.report.summary import baseline_note, front_note
from symloss.report.tables import escape


def printed(*things) -> str:
    console = Console(file=io.StringIO(), width=140)
    for thing in things:
        console.print(thing)
    return console.file.getvalue()


def test_front_table_marks_the_pick(result):
    lines = printed(front_table(result.front, "mse")).splitlines()
    (picked,) = [line for line in lines if line.lstrip().startswith(">")]
    assert str(result.front[2].loss) in picked
    assert "0.5" in picked


def test_what_holds_for_hard_labels_only_is_said(result):
    loss = parse("-y**2*log(p)")
    rows = [replace(result.front[0], written=loss, hard=loss.simplify(hard_labels=True))]
    assert "-y*log(p)" in printed(front_table(rows, "mse"))
    assert "Labels are 0 or 1" in printed(front_table(rows, "mse"))
    assert "Labels are 0 or 1" in losses_tex(replace(result, front=tuple(rows)))
    assert "Labels are 0 or 1" not in losses_tex(result)


def test_every_task_has_its_score(result):
    front = [replace(row, scores={"diabetes": 0.25, "boston": 0.75}) for row in result.front]
    text = printed(front_table(front, "mean rank"))
    assert "diabetes" in text
    assert text.count("0.7500") == len(front)


def test_baseline_table(result):
    text = printed(baseline_table(result.baselines, "mse"))
    assert "best zoo: huber" in text
    assert "test mse" in text


def test_latex_table_is_a_whole_document(result):
    task = {**result.task, "name": "my_data & 50 %"}
    text = losses_tex(replace(result, task=task))
    assert text.startswith(r"\documentclass")
    assert r"my\_data \& 50 \%" in text
    assert text.count(r"\begin{") == text.count(r"\end{")
    assert text.count("$") % 2 == 0
    assert text.count(r"\star") == 1
    assert result.front[1].loss.latex() in text
    assert r"\left" not in text.splitlines()[-4], "no line can be broken inside"


def test_escape_leaves_no_special_character():
    assert escape(r"\{}") == r"\textbackslash{}\{\}"


@pytest.mark.parametrize(
    ("test", "p_value", "says"),
    [
        (0.47, 0.01, "beats the tuned baseline (mse tuned): test mse 0.4700 against 0.5000, paired p = 0.01"),
        (0.47, 0.2, "does not beat the tuned baseline (mse tuned) beyond chance"),
        (0.47, None, "too few seeds"),
        (
            0.53,
            0.01,
            "does not beat the tuned baseline (mse tuned): test mse 0.5300 against 0.5000, paired p",
        ),
    ],
)
def test_the_verdict_is_plain(result, test, p_value, says):
    discovered = replace(result.baselines[-1], test=test, p_value=p_value)
    assert says in verdict(replace(result, baselines=(*result.baselines[:-1], discovered)))


def test_a_pick_that_is_the_ordinary_loss_is_not_compared_with_itself(result):
    tuned = next(row for row in result.baselines if row.role == "ordinary tuned")
    discovered = replace(tuned, name="discovered", role="discovered", p_value=1.0)
    said = verdict(replace(result, baselines=(*result.baselines[:-1], discovered)))
    assert said.startswith(
        "The pick is the ordinary loss itself (mse tuned): nothing that was searched did better"
    )
    assert "does not beat" not in said


def test_a_pick_that_diverged_once_is_not_judged_by_a_number_that_is_none(result):
    tuned = next(row for row in result.baselines if row.role == "ordinary tuned")
    tests = (math.nan, *(value - 0.1 for value in tuned.tests[1:]))
    discovered = replace(result.baselines[-1], test=math.nan, tests=tests, p_value=None)
    rows = (*result.baselines[:-1], discovered)
    said = verdict(replace(result, baselines=rows))
    assert "was not told apart from the tuned baseline (mse tuned): 1 of the " in said
    assert "where both trained, test mse" in said
    assert "nan" not in said
    table = printed(baseline_table(rows, "mse"))
    assert f"1 of {len(tests)} diverged" in table
    assert "nan" not in table


def test_every_task_has_its_verdict(result):
    names = ["diabetes", "boston"]
    task = {"tasks": [dict(result.task)] * 2, "names": names}
    rows = tuple(replace(row, name=f"{name}: {row.name}") for name in names for row in result.baselines)
    first, second = verdict(replace(result, task=task, baselines=rows)).splitlines()
    assert first.startswith("diabetes: The discovered loss beats")
    assert second.startswith("boston: The discovered loss beats")


def test_no_verdict_without_baselines(result):
    assert "not compared" in verdict(replace(result, baselines=()))


def test_outcomes_are_counted(result):
    assert outcomes(result) == "12 candidates: 6 trained, 4 reused, 1 rejected, 1 failed"


def test_a_log_gets_plain_lines(result):
    console = Console(file=io.StringIO(), width=80)
    with LiveFront(console, "mse") as live:
        for generation in result.generations:
            live(generation)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("generation 1/3  4 considered  10 s, 20 s left  mse 0.5000  ")


def test_an_estimate_of_a_share_is_shown_as_one(result):
    row = replace(result.front[2], validation=1.006)
    console = Console(file=io.StringIO(), width=140)
    with LiveFront(console, "accuracy") as live:
        live(replace(result.generations[0], front=(row,)))
    assert "accuracy 1.000" in console.file.getvalue()
    assert "1.000" in printed(front_table([row], "accuracy"))
    assert "1.006" in printed(front_table([row], "mse"))


def test_a_terminal_gets_a_live_table(result):
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with LiveFront(console, "mse") as live:
        for generation in result.generations:
            live(generation)
    text = console.file.getvalue()
    assert "12 candidates considered" in text
    assert "3/3" in text


def test_numbers_say_which_blocks_they_come_from(result):
    rows = tuple(replace(row, se=0.01) for row in result.front)
    assert front_note(replace(result, front=rows)) == (
        "mse (se: its standard error): the mean over the splits that the search scored it on; "
        "score: the gain over the row before, per symbol."
    )
    row = replace(result.front[0], finals=(0.5,) * 12, se=None)
    ended = replace(result, front=(row,), finalists=(row,))
    assert front_note(ended).startswith("mse: the mean over the 12 final blocks, ")
    assert "score" not in front_note(ended)
    assert "mean of 3 trainings each" in baseline_note(result)
    empty = replace(result, front=(), baselines=())
    assert front_note(empty) + baseline_note(empty) == ""

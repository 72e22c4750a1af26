"""`discover --config`: options from a file, as if they had been typed, and the file that repeats a run."""

from __future__ import annotations

import json
import tomllib

import pytest
import typer
from typer.main import get_command

from symloss.cli import app
from symloss.cli.config import ARGUMENT, config_text

QUICK = """
from symloss.tasks import load_task

def make():
    return load_task("diabetes", model="linear").with_settings(steps=10)
"""
SMALL = """
task = "quick:make"
population = 3
generations = 1
blocks = 2
zoo = false
headroom = false
no-baselines = true
meta-steps = 1
operators = ["add", "sub", "mul", "square"]
nesting = ["square(square)=0"]
"""


def parsed(tmp_path, text: str, *typed) -> typer.Context:
    """The context of `discover` with a file of that text, and nothing run."""
    path = tmp_path / "given.toml"
    path.write_text(text, encoding="utf-8")
    verb = get_command(app).commands["discover"]  # type: ignore[attr-defined]
    context: typer.Context = verb.make_context("discover", ["--config", str(path), *typed])
    return context


def test_a_run_writes_the_file_that_repeats_it(run, folder):
    (folder / "quick.py").write_text(QUICK)
    (folder / "small.toml").write_text(SMALL)
    code, out, err = run("discover", "--config", "small.toml", "--out", "a", "--json", "--quiet")
    assert code == 0, err
    assert err == "", "quiet"
    settings = json.loads(out)["settings"]
    assert settings["grammar"]["operators"] == ["add", "sub", "mul", "square"]
    code, again, err = run("discover", "--config", "a/config.toml", "--out", "b", "--quiet")
    assert code == 0, err
    assert "generation" not in again, "quiet"
    assert "M(y, p) = " in again
    for name in ("front.csv", "front.json", "config.toml"):
        assert (folder / "a" / name).read_bytes() == (folder / "b" / name).read_bytes()
    log = (folder / "b" / "run.log").read_text()
    assert "discover diabetes by evomal, seed 0" in log
    assert " candidates, a front of " in log


def test_every_option_of_discover_may_stand_in_a_file(tmp_path):
    """What is written down of every option but those of the call itself is read back as it was."""
    typed = [
        "wine,digits", "--data", "a b.csv", "--target", 'the "price" \\ ö', "--group", "g", "--weight", "w",
        "--encoding", "latin-1", "--decimal", ",", "--kind", "regression", "--task", "m:f", "--model", "linear",
        "--metric", "mae", "--split-seed", "3", "--label-noise", "0.4", "--imbalance", "10", "--outliers", "0.1",
        "--target-scale", "minmax", "--method", "taylorglo", "--seed", "7", "--no-headroom", "--zoo", "--propose",
        "python p.py", "--keep-scale", "--require", "proper", "--inside", "bounded",
        "--seed-loss", "-y*log(p)", "--seed-loss", "ce, brier",
        "--meta-steps", "5", "--meta-rate", "1e-05", "--hidden", "3,2", "--sigma", "0.5", "--with", "pi,w",
        "--operators", "add,mul", "--define", "f(x) = x*2", "--cost", "add=2", "--nesting", "tanh(tanh)=0",
        "--max-height", "4", "--demo", "--preset", "paper", "--population", "5", "--generations", "2",
        "--time-limit", "inf", "--max-evaluations", "9", "--patience", "2", "--folds", "3", "--blocks", "4",
        "--val-size", "0.2", "--no-baselines", "--workers", "2", "--executor", "ray", "--ray-address", "auto",
        "--ray-gpus", "0.5", "--device", "cpu",
    ]  # fmt: skip
    verb = get_command(app).commands["discover"]  # type: ignore[attr-defined]
    before = verb.make_context("discover", list(typed))
    text = config_text(before)
    keys = set(tomllib.loads(text))
    own = {"config", "json", "out", "quiet"}
    options = {
        parameter.opts[0].removeprefix("--") for parameter in verb.params if parameter.opts[0][0] == "-"
    }
    given = options - own - {"help"}
    assert keys - {ARGUMENT} == given
    after = parsed(tmp_path, text)
    assert {k: v for k, v in after.params.items() if k != "config"} == {
        k: v for k, v in before.params.items() if k != "config"
    }


def test_what_is_typed_goes_before_the_file(tmp_path):
    context = parsed(tmp_path, 'tasks = ["wine", "digits"]\nseed = 3\nlabel-noise = 0.4\n', "--seed", "5")
    assert (context.params["names"], context.params["seed"], context.params["label_noise"]) == (
        "wine,digits", 5, 0.4,
    )  # fmt: skip
    assert parsed(tmp_path, 'tasks = "wine"', "digits").params["names"] == "digits"


BAD = [
    ("popluation = 3", "given.toml: unknown key 'popluation'; did you mean 'population'?"),
    ("no-headroom = true", "did you mean 'headroom'?"),
    ("xyzzy = 3", "takes the options of the verb without their dashes"),
    ("config = 'a.toml'", "unknown key 'config'"),
    ("seed = ", "is no TOML"),
    ("[search]\nseed = 3", "unknown key 'search'"),
    ("[seed]\nvalue = 3", "seed is a table"),
    ("population = [1, 2]", "--population"),
    ("population = 2.5", "valid integer"),
    ("seed = -1", "--seed"),
    ('method = "nosuch"', "nosuch"),
    ("demo = 3", "demo"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[text for text, _ in BAD])
def test_a_mistake_in_the_file_is_one_line(run, folder, text, message):
    (folder / "given.toml").write_text(text)
    code, out, err = run("discover", "wine", "--config", "given.toml")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_no_such_file_is_one_line(run):
    code, _, err = run("discover", "--config", "none.toml")
    assert (code, err) == (2, "symloss: --config none.toml: No such file or directory\n")

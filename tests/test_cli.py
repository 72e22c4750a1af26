"""The command line: what it prints, and that a user's mistake is one line and exit code 2."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from typer.main import get_command

from symloss import named, parse
from symloss.cli import app
from symloss.cli.arguments import Kind
from symloss.expr import KINDS, Loss
from symloss.tasks import MODELS

VERBS = get_command(app).commands


def test_version_and_help(run):
    assert run("--version")[:2] == (0, f"symloss {version('symloss')}\n")
    assert "-y*log(p)" in run("analyze", "--help")[1]


def test_zoo(run):
    code, out, _ = run("zoo", "--kind", "regression", "--json")
    assert code == 0
    huber = next(entry for entry in json.loads(out) if entry["name"] == "huber")
    assert huber["coefficients"] == {"delta": 1.0}
    assert huber["latex"]
    assert "Lin et al." in run("zoo")[1]


def test_tasks(run):
    code, out, _ = run("tasks", "--json")
    assert code == 0
    assert "diabetes" in [task["name"] for task in json.loads(out)]
    assert "digits" in run("tasks")[1]
    few = {task["name"]: task for task in json.loads(out) if task["kind"].startswith("few-shot")}
    assert [*few] == ["sinusoid", "glyphs", "omniglot", "cifar-fs", "fc100"]
    assert few["glyphs"]["availability"] == "ready"


@pytest.mark.parametrize(
    ("arguments", "loss"),
    [
        (("-y*log(p)",), named("ce")),
        (("--json", "-y*log(p)"), named("ce")),
        (("ace", "--set", "phi1=1.5"), named("ace", phi1=1.5)),
        (("a*y*p", "--set", "a=-2"), parse("-2*y*p")),
        (("mae", "--kind", "regression"), named("mae", "regression")),
        (("(y - p)**2", "--kind=regression"), named("mse")),
        (("--", "-y*log(p)"), named("ce")),
    ],
)
def test_a_loss_as_users_type_it(run, arguments, loss):
    code, out, _ = run("show", *(() if "--json" in arguments else ("--json",)), *arguments)
    assert code == 0
    facts = json.loads(out)
    assert Loss.from_dict({**facts, "coefficients": {}}) == loss


def test_show_is_a_page_for_people(run):
    code, out, _ = run("show", "ce")
    assert code == 0
    assert "-y*log(p)" in out
    assert r"\log" in out


def test_show_the_plan(run):
    assert "path: target" in run("show", "ace", "--plan")[1]
    facts = json.loads(run("show", "ace", "--plan", "--json")[1])
    assert facts["path"] == "target"
    assert facts["functions"]


def test_derive(run, tmp_path):
    code, out, _ = run("derive", "--theorem", "sparse-lsr")
    assert code == 0
    assert "KL(uniform||q)" in out
    facts = json.loads(run("derive", "lsr", "--set", "xi=0.2", "--json")[1])
    assert len(facts["steps"]) >= 3
    assert run("derive", "--theorem", "ace-lsr", "--latex", "--out", "a.tex")[1] == "wrote a.tex\n"
    assert (tmp_path / "a.tex").read_text().startswith(r"\documentclass")


def test_exported_python_computes_the_loss(run, tmp_path):
    assert run("export", "ace", "--format", "python", "--out", "ace.py")[0] == 0
    code = (tmp_path / "ace.py").read_text()
    scope: dict[str, object] = {"__name__": "ace"}
    exec(compile(code, "ace.py", "exec"), scope)
    logits, target = torch.tensor([[1.0, -2.0, 0.5]]), torch.tensor([2])
    mine = scope["SymbolicLoss"]()(logits, target)
    torch.testing.assert_close(mine, named("ace").to_torch()(logits, target))


def test_export(run, tmp_path):
    assert run("export", "ce")[1].startswith("M(y, p) = ")
    assert "digraph" in run("export", "ce", "--format", "dot")[1]
    assert Loss.from_dict(json.loads(run("export", "ace", "--format", "json")[1])) == named("ace")
    code, out, _ = run("export", "ce", "--out", "ce.tex")
    assert (code, out) == (0, "wrote ce.tex\n")
    assert (tmp_path / "ce.tex").read_text().startswith("M(y, p)")


@pytest.mark.parametrize("what", ["loss", "gradient", "tree", "posterior"])
def test_plot_names_its_file(run, tmp_path, what):
    code, out, _ = run("plot", "-y*log(p)", "--what", what)
    assert (code, out) == (0, f"wrote y-log-p-{what}.png\n")
    assert (tmp_path / f"y-log-p-{what}.png").read_bytes().startswith(b"\x89PNG")


def test_analyze(run):
    code, out, _ = run("analyze", "-y*log(p)", "--classes", "10", "--json")
    assert code == 0
    facts = json.loads(out)
    assert (facts["loss"], facts["classes"]) == ("-y*log(p)", 10)
    assert facts["findings"]["proper"]["verdict"] == "proved"
    assert "because" in run("analyze", "ace", "--classes", "10", "--why")[1]
    assert "0.77" in run("analyze", "ace", "--classes", "10")[1]
    latex = run("analyze", "ace", "--classes", "10", "--latex")[1]
    assert r"\frac{10}{13}" in latex
    assert r"label smoothing & proved" in latex


BAD = [
    ("analyze", "ce", "--classes", "1", "classes"),
    ("derive", "one of the two"),
    ("derive", "ce", "--theorem", "ace-lsr", "one of the two"),
    ("derive", "mse", "regression"),
    ("analyze", "-y*log(p", "not closed"),
    ("show", "huberr", "did you mean 'huber'"),
    ("show", "-y*log(p", "not closed"),
    ("show", "q*y", "unknown name 'q'"),
    ("analyze", "a*y*log(p)", "give a coefficient its value by --set a=1"),
    ("analyze", "inf*y", "numbers are finite"),
    ("analyze", "nan*y", "numbers are finite"),
    ("analyze", "foo(y)", "the functions are abs, aq, "),
    ("analyze", "y*lgo(p)", "did you mean log?"),
    ("analyze", "foo", "no loss is named 'foo'; known: ce, "),
    ("show", "ace", "--set", "phi1", "expected NAME=NUMBER"),
    ("show", "ace", "--set", "phi1=nan", "expected NAME=NUMBER"),
    ("show", "ace", "--set", "phi7=1", "no coefficient 'phi7'"),
    ("show", "gce", "--set", "q=7", "expected 1e-06 to 1"),
    ("show", "ce", "--kind", "regression", "no regression loss is named 'ce'"),
    ("show", "ce", "--kind", "other", "'other' is not one of"),
    ("show", "nowhere/run", "neither a run folder nor a formula"),
    *(
        (verb, text, "the formula or name is empty")
        for verb in ("analyze", "export", "plot", "show")
        for text in ("", " ")
    ),
    *((verb, ".", ". is not a run folder") for verb in ("analyze", "export", "plot", "show")),
    ("show", "Missing argument"),
    ("shaw", "No such command"),
    ("zoo", "--nope", "No such option"),
    ("export", "ce", "--format", "exe", "'exe' is not one of"),
    ("export", "ce", "--out", "no/such/folder/a.tex", "cannot write no/such/folder/a.tex"),
    ("plot", "ce", "--out", "a.exe", "no picture format"),
    ("plot", "ce", "--classes", "1", "expected at least 2"),
    ("plot", "ce", "--classes", "two", "valid integer"),
    ("plot", "ce", "--what", "front", "no run folder"),
    ("plot", "mse", "--what", "posterior", "not of a regression loss"),
    ("plot", "abs(log(y*p))", "write y*abs(log(p))"),
]


@pytest.mark.parametrize("case", BAD, ids=[" ".join(case[:-1]) for case in BAD])
def test_a_mistake_is_one_line(run, tmp_path, case):
    *arguments, message = case
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("symloss: ")
    assert message in err
    assert not list(tmp_path.iterdir()), "nothing is written"


def examples(verb: str) -> list[str]:
    """The commands that the help of a verb shows."""
    return re.findall(rf"`(symloss {verb}\b[^`]*)`", VERBS[verb].callback.__doc__ or "")


@pytest.mark.parametrize("verb", VERBS)
def test_help_teaches_by_examples_that_can_be_typed(run, verb):
    assert verb in run("--help")[1]
    assert "Example" in run(verb, "--help")[1]
    shown = examples(verb)
    assert shown
    for example in shown:
        name, *arguments = shlex.split(example)[1:]
        # Every option and choice is one that there is; nothing is run.
        if "--config" in arguments:
            del arguments[(i := arguments.index("--config")) : i + 2]
        VERBS[verb].make_context(name, arguments)


def test_shells_can_complete_it(run, monkeypatch):
    """What a shell asks for when Tab is pressed behind `symloss disc`."""
    monkeypatch.setenv("_SYMLOSS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "symloss disc")
    monkeypatch.setenv("COMP_CWORD", "1")
    command = [sys.executable, "-c", "from symloss.cli import main; main()"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["discover"]), done.stderr
    assert "--install-completion" in run("--help")[1]


@pytest.mark.parametrize("verb", ["discover", "headroom"])
def test_help_and_page_list_every_model(run, verb):
    text = run(verb, "--help")[1]
    page = (Path(__file__).parent.parent / "docs/tasks.md").read_text("utf-8")
    for name in MODELS:
        assert re.search(rf"\b{name}\b", text), name
        assert re.search(rf"`{name}[-`]", page), name


def test_a_model_that_does_not_fit_is_one_line(run):
    code, _, err = run("discover", "digits", "--model", "preresnet-20")
    assert (code, err.count("\n")) == (2, 1)
    assert "model preresnet-20 needs images of at least 16 x 16" in err


def test_help_imports_nothing_heavy():
    heavy = "{'torch', 'matplotlib', 'sklearn', 'scipy', 'deap'}"
    code = f"""
import sys
from symloss.cli import app
try:
    app(['--help'])
except SystemExit:
    sys.exit(f'imported {{found}}' if (found := {heavy} & set(sys.modules)) else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_leaves_early_gets_no_traceback():
    read, write = os.pipe()
    os.close(read)
    code = "from symloss.cli import main; import sys; sys.argv = ['symloss', 'zoo']; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert done.stderr == ""


def test_kinds_are_those_of_losses() -> None:
    """Help is shown before SymPy is loaded, so the command line has their names itself."""
    assert [kind.value for kind in Kind] == list(KINDS)


def test_the_verbs_without_json_are_those_that_the_readme_names():
    from typer.main import get_command

    from symloss.cli import app

    verbs = get_command(app).commands
    without = {name for name, verb in verbs.items() if not any("--json" in each.opts for each in verb.params)}
    assert without == {"plot", "export", "report"}

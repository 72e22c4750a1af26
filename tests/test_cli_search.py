"""The verbs that search, as a new user types them: one small run, looked at from every side."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from symloss.cli.problem import Problem
from symloss.expr import parse

QUICK = """
from symloss.tasks import load_task

def make():
    return load_task("diabetes", model="linear").with_settings(steps=20)
"""
SMALL = (
    "--task", "quick:make", "--population", "4", "--generations", "2", "--seed-loss", "log-cosh", "--blocks", "2",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with one finished run, `runs/a`, and what `discover` printed."""
    place = tmp_path_factory.mktemp("work")
    (place / "quick.py").write_text(QUICK)
    done = symloss(place, "discover", *SMALL, "--out", "runs/a")
    assert done.returncode == 0, done.stderr
    (place / "printed.txt").write_text(done.stdout)
    return place


def symloss(place, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from symloss.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


def written(folder):
    """Every file but those that SQLite needs beside a database to read it, whoever comes first."""
    return sorted(path for path in folder.rglob("*") if not path.name.endswith(("-shm", "-wal")))


def test_the_end_of_discover_says_everything(folder):
    text = (folder / "printed.txt").read_text()
    for words in (
        "diabetes: ", "generation 1/2", "generation 2/2", "M(y, p) = ", "LaTeX", "mse as is", "mse tuned", "best zoo",
        "discovered", "the tuned baseline", "front.csv", "front.json", "losses.tex", "front.png",
    ):  # fmt: skip
        assert words in text, words
    assert "times the noise" in text or "nothing told apart" in text
    written = {path.name for path in (folder / "runs/a").iterdir()}
    assert {"front.csv", "front.json", "losses.tex", "loss.py", "front.png", "loss.png"} <= written
    with (folder / "runs/a/front.csv").open() as lines:
        assert len(list(csv.DictReader(lines))) >= 1


def test_its_report_has_the_words_that_began_it(run, folder, tmp_path):
    out = tmp_path / "page.html"
    code, printed, err = run("report", "runs/a", "--out", str(out))
    assert (code, err) == (0, "")
    assert printed == f"wrote {out}\n"
    text = out.read_text()
    assert "symloss discover --task quick:make --population 4 --generations 2" in text
    assert "symloss verify runs/a" in text
    assert "torch 2." in text
    assert run("report", "runs/none")[0] == 2
    code, _, err = run("report", "runs/a", "--out", str(tmp_path / "no" / "page.html"))
    assert code == 2
    assert "there is no folder" in err


def test_a_run_never_keeps_which_command_proposed():
    from symloss.cli.group import _without_secrets

    words = ["discover", "wine", "--propose", "./mine --key x", "--seed", "1", "--propose=./mine"]
    assert _without_secrets(words) == [
        "discover", "wine", "--propose", "COMMAND", "--seed", "1", "--propose=COMMAND",
    ]  # fmt: skip


def test_what_trees_are_made_of_is_said_on_the_command_line(run, tmp_path):
    out = str(tmp_path / "own")
    options = (
        "--operators", "add,sub,mul,square,plog", "--define", "cli_bump(x) = x/(1 + x**2)", "--cost", "plog=5",
        "--nesting", "square(square)=0", "--nesting", "plog(plog)=0", "--max-height", "4", "--patience", "1",
    )  # fmt: skip
    code, printed, err = run("discover", *SMALL, *options, "--out", out, "--json")
    assert code == 0, err
    settings = json.loads(printed)["settings"]
    grammar = settings["grammar"]
    assert grammar["operators"] == ["add", "sub", "mul", "square", "plog", "cli_bump"]
    assert grammar["costs"] == {"plog": 5.0}
    assert grammar["nesting"] == {"square": {"square": 0}, "plog": {"plog": 0}}
    assert (grammar["max_height"], settings["patience"]) == (4, 1)


def test_show_a_run(run):
    code, out, _ = run("show", "runs/a")
    assert code == 0
    assert "finished" in out
    facts = json.loads(run("show", "runs/a", "--json")[1])
    assert facts["status"] == "finished"
    assert facts["best"]["picked"]
    assert [row["name"] for row in facts["baselines"]][-1] == "discovered"
    assert facts["verdict"]
    (headroom,) = facts["headroom"]
    assert headroom["verdict"] in ("losses differ", "nothing told apart")
    assert {row["role"] for row in facts["baselines"]} == {
        "ordinary", "ordinary tuned", "best zoo", "discovered",
    }  # fmt: skip


def test_headroom_alone(run):
    code, out, err = run("headroom", "wine", "--model", "linear", "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert {
        "task",
        "metric",
        "noise",
        "detectable",
        "headroom",
        "headroom_interval",
        "verdict",
        "rows",
    } <= set(facts)
    assert facts["headroom"] is None or facts["headroom_interval"][0] < facts["headroom_interval"][1]
    assert {"ce", "brier"} <= {row["name"] for row in facts["rows"]}


def test_how_blocks_are_drawn_is_said_on_the_command_line(run, tmp_path):
    out = str(tmp_path / "folds")
    plain = ("--no-zoo", "--no-headroom", "--no-baselines", "--folds", "3", "--split-seed", "2")
    options = ("--population", "3", "--generations", "1", "--blocks", "3", "--model", "linear")
    code, printed, err = run("discover", "wine", *plain, *options, "--out", out, "--json")
    assert code == 0, err
    facts = json.loads(printed)
    blocks = facts["settings"]["blocks"]
    assert (blocks["folds"], blocks["final"], blocks["zoo"], blocks["headroom"]) == (3, 3, False, False)
    assert facts["baselines"] == facts["headroom"] == []
    assert facts["task"]["split_seed"] == 2
    assert not any(row["name"] for row in facts["front"])


TINY = (
    "--task", "quick:make", "--population", "3", "--generations", "1", "--blocks", "2", "--no-zoo", "--no-headroom",
    "--no-baselines",
)  # fmt: skip


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (("taylorglo", "--sigma", "0.5"), {"cma": {"sigma": 0.5}}),
        (
            ("ml3", "--hidden", "3,2", "--meta-steps", "2", "--meta-rate", "0.01"),
            {"neural": {"hidden": [3, 2], "steps": 2, "rate": 0.01}},
        ),
        (
            ("evomal", "--meta-steps", "1", "--meta-rate", "0.01"),
            {"tuning": {"steps": 1, "rate": 0.01, "digits": 4, "tidy": True}},
        ),
    ],
)
def test_what_a_method_learns_with(run, tmp_path, options, settings):
    out = str(tmp_path / "run")
    code, printed, err = run("discover", *TINY, "--method", *options, "--out", out, "--json")
    assert code == 0, err
    found = json.loads(printed)["settings"]
    assert {name: found[name] for name in settings} == settings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("evomal", "--sigma", "0.5"), "cma: evomal has no evolution strategy; leave it out"),
        (("taylorglo", "--meta-steps", "9"), "tuning.steps: taylorglo tunes no coefficients by gradients"),
        (("mixture", "--hidden", "9"), "neural: mixture has no network; leave it out"),
        (("ml3", "--hidden", "wide"), "--hidden wide: expected whole numbers with commas between"),
        (("ml3", "--hidden", "0"), "neural.hidden is (0,): expected whole numbers above 0"),
        (("mixture", "--sigma", "-1"), "cma.sigma is -1.0: expected a number above 0"),
    ],
)
def test_what_says_nothing_to_a_method_is_refused(run, options, message):
    code, _, err = run("discover", *TINY, "--method", *options)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err


def test_a_row_is_a_loss_everywhere(run):
    row = json.loads(run("show", "runs/a#1", "--json")[1])
    loss = parse(row["formula"], kind="regression")
    exported = json.loads(run("export", "runs/a#1", "--format", "json")[1])
    assert parse(exported["formula"], kind="regression") == loss
    assert (
        json.loads(run("show", str(loss), "--kind", "regression", "--json")[1])["formula"] == row["formula"]
    )


@pytest.mark.parametrize("what", ["front", "history", "loss", "tree"])
def test_plot_a_run(run, folder, what):
    code, out, _ = run("plot", "runs/a", "--what", what, "--out", f"{what}.svg")
    assert (code, out) == (0, f"wrote {what}.svg\n")
    assert "<svg" in (folder / f"{what}.svg").read_text()


def test_a_table_of_ones_own_is_a_problem(tmp_path):
    path = tmp_path / "a.csv"
    rows = "".join(f"{row},5;{row % 4},25;g{row % 5};1\n" for row in range(30))
    path.write_bytes(f"größe;preis;who;w\n{rows}".encode("latin-1"))
    columns = {"target": "preis", "group": "who", "weight": "w", "encoding": "latin-1", "decimal": ","}
    (task,) = Problem((), path, columns, None, None, {"target_scale": "minmax"}).load()
    assert (task.kind, task.inputs, task.facts["target_scale"]["how"]) == ("regression", (1,), "minmax")


def test_where_there_is_nothing_lists_are_empty(run, tmp_path, monkeypatch):
    assert run("runs", str(tmp_path), "--json")[1] == "[]\n"
    assert run("runs", str(tmp_path))[:2] == (0, f"no runs in {tmp_path}\n")
    monkeypatch.chdir(tmp_path)
    assert run("runs", "--json")[:2] == (0, "[]\n")
    assert run("runs")[0] == 2


def test_runs_are_listed(run):
    (row,) = json.loads(run("runs", "--json")[1])
    assert (row["run"], row["task"], row["status"]) == ("runs/a", "diabetes", "finished")
    assert "diabetes" in run("runs")[1]


def test_every_number_of_the_front_holds(run, folder, tmp_path):
    code, out, err = run("verify", "runs/a", "--task", "quick:make", "--json")
    assert code == 0, err
    assert json.loads(out)["holds"] is True
    copy = tmp_path / "copy"
    shutil.copytree(folder / "runs/a", copy)
    table = copy / "front.csv"
    table.write_text(table.read_text().replace("0.", "1.", 1))
    code, out, _ = run("verify", str(copy), "--task", "quick:make")
    assert code == 1
    assert "NO" in out


def test_the_race_is_shown(run):
    assert run("show", "runs/a", "--race")[0] == 0
    assert isinstance(json.loads(run("show", "runs/a", "--race", "--json")[1]), list)


def test_resuming_a_finished_run_changes_nothing(run, folder):
    before = (folder / "runs/a/front.csv").read_bytes()
    code, _, err = run("resume", "runs/a", "--task", "quick:make")
    assert code == 0, err
    assert (folder / "runs/a/front.csv").read_bytes() == before


BAD = [
    ("discover", "nosuch", "unknown task 'nosuch'"),
    ("discover", "expected one task"),
    ("discover", "diabetes", "--data", "a.csv", "expected one task"),
    ("discover", "diabetes", "--target", "x", "--data FILE, which is missing"),
    ("discover", "--data", "a.csv", "--target COLUMN"),
    ("discover", "--data", "a.csv", "--target", "x", "a.csv"),
    ("discover", "diabetes", "--kind", "regression", "--kind goes with --data FILE"),
    ("discover", "diabetes", "--blocks", "1", "--blocks"),
    ("discover", "diabetes", "--encoding", "latin-1", "--encoding goes with --data FILE"),
    ("discover", "--data", "quick.py", "--target", "x", "--decimal", ";", "expected '.' or ','"),
    ("discover", "--data", "quick.py", "--target", "x", "--encoding", "x", "unknown encoding 'x'"),
    ("discover", "wine", "--target-scale", "minmax", "target scale 'minmax' is for regression"),
    ("discover", "diabetes", "--target-scale", "log", "'standard', 'minmax', 'none'"),
    ("discover", "--task", "quick:make", "--target-scale", "none", "--target-scale does not go with --task"),
    ("discover", "--task", "quick:make", "--split-seed", "3", "--split-seed does not go with --task"),
    ("discover", "--task", "nothing", "MODULE:FUNCTION"),
    ("discover", "diabetes", "--metric", "nosuch", "nosuch"),
    ("discover", "diabetes", "--method", "nosuch", "nosuch"),
    ("discover", "diabetes", "--label-noise", "2", "label"),
    ("discover", "diabetes", "--population", "0", "population"),
    ("discover", "diabetes", "--population", "1000000000000000000000", "expected at most 1,000,000"),
    (
        "discover",
        "diabetes",
        "--generations",
        "1000001",
        "generations is 1000001: expected at most 1,000,000",
    ),
    ("discover", "diabetes", "--blocks", "10000000", "blocks.final is 10000000: expected at most 1,000,000"),
    ("discover", "diabetes", "--population", "-3", "population is -3"),
    ("discover", "diabetes", "--demo", "--preset", "paper", "--demo ends within three minutes"),
    ("discover", "diabetes", "--val-size", "2", "blocks.val_size is 2.0"),
    ("discover", "diabetes", "--inside", "nope", "nope"),
    ("discover", "diabetes", "--require", "nosuch", "nosuch"),
    ("discover", "diabetes", "--workers", "0", "--workers"),
    ("discover", "diabetes", "--seed", "-1", "--seed"),
    ("discover", "diabetes", "--seed-loss", "huberr", "did you mean 'huber'"),
    ("discover", "diabetes", "--out", "runs/a", "runs/a"),
    ("discover", "diabetes", "--out", "/proc/none", "/proc/none"),
    ("discover", "diabetes", "--out", ".", "holds other files, as "),
    ("compare", "wine", "--losses", "gce", "--out", ".", "holds other files, as "),
    ("discover", "diabetes", "--time-limit", "-5", "time limit -5.0"),
    ("discover", "diabetes", "--time-limit", "nan", "time limit nan"),
    ("discover", "diabetes", "--device", "mps", "the device 'mps' cannot be used here"),
    ("discover", "diabetes", "--require", ",", "nothing is named"),
    ("discover", "diabetes", "--seed-loss", "", "nothing is named"),
    ("discover", "diabetes", "--operators", "foo", "unknown operator 'foo'"),
    ("discover", "diabetes", "--operators", "abs", "no operator of two arguments"),
    ("discover", "diabetes", "--define", "swish", "expected NAME(ARGUMENTS) = FORMULA"),
    ("discover", "diabetes", "--define", "f(x)=log(x)", "f: undefined at"),
    ("discover", "diabetes", "--cost", "plog=-1", "expected NAME=COST"),
    ("discover", "diabetes", "--cost", "foo=1", "unknown operator 'foo'"),
    ("discover", "diabetes", "--nesting", "tanh=0", "expected OUTER(INNER)=N"),
    ("discover", "diabetes", "--patience", "-1", "patience is -1"),
    ("discover", "diabetes", "--max-height", "0", "max_height is 0"),
    ("show", "ce", "--race", "no run folder"),
    ("show", "runs/a", "--plan", "name a row, as runs/a#1"),
    ("show", "runs/a", "--classes", "3", "name a row, as runs/a#1"),
    ("plot", "runs/a", "--classes", "3", "name a row, as runs/a#1"),
    ("plot", "runs/a", "--kind", "regression", "name a row, as runs/a#1"),
    ("resume", "quick.py", "is not a run folder"),
    ("verify", "runs/b", "runs/b"),
    ("show", "runs/a#99", "has no row 99"),
    ("show", "runs/a#x", "expected RUN#ROW"),
    ("show", "runs/b#1", "runs/b"),
    ("resume", "runs/b", "runs/b"),
    ("export", "runs/a", "runs/a#1"),
    ("runs", "nowhere", "no folder 'nowhere'"),
]


@pytest.mark.parametrize("case", BAD, ids=[" ".join(case[:-1]) for case in BAD])
def test_a_mistake_is_one_line(run, folder, case):
    *arguments, message = case
    before = written(folder)
    code, printed, err = run(*arguments)
    assert code == 2
    # Whether a folder can be written is known when it is made.
    if arguments[0] == "discover" and "/proc/none" not in arguments:
        assert printed == "", "the task is announced when all is known to be well"
    assert err.count("\n") == 1
    assert message in err
    assert written(folder) == before, "nothing is written"


def test_a_corrupt_run_is_one_line(run, folder, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "run.sqlite").write_bytes(b"not a database" * 100)
    for verb in ("show", "resume"):
        code, _, err = run(verb, str(broken))
        assert (code, err.count("\n")) == (2, 1)


def test_ctrl_c_keeps_and_prints_what_was_found(tmp_path):
    command = [
        sys.executable, "-c", "from symloss.cli import main; main()", "discover", "diabetes",
        "--population", "4", "--generations", "500", "--model", "linear", "--no-headroom", "--out", "b",
    ]  # fmt: skip
    patience = 180.0
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        front = tmp_path / "b/front.csv"
        try:
            deadline = time.monotonic() + patience
            while not (front.exists() and front.read_text().count("\n") > 1) and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=patience)
        finally:
            process.kill()  # the end of `with` waits for it
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "M(y, p) = " in out
    assert out.splitlines()[-1] == "The search was not over: symloss resume b goes on with it."
    assert front.read_text().count("\n") > 1


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("nosuchprogram", "--propose: there is no program 'nosuchprogram'"),
        ("false", "ended with exit code 1: nothing on its standard error"),
        ("echo 'garbage((('", "nothing that came is a loss, beginning with 'garbage((('"),
        ("sh -c 'echo one >&2; echo two >&2; exit 3'", "ended with exit code 3: two"),
    ],
)
def test_a_proposer_that_fails_at_once_ends_the_search(run, folder, tmp_path, command, problem):
    out = tmp_path / "run"
    code, _, err = run("discover", *TINY, "--propose", command, "--out", str(out))
    assert (code, err.count("\n")) == (2, 1)
    assert problem in err
    if out.exists():
        code, printed, err = run("resume", str(out), "--task", "quick:make", "--propose", "echo mse")
        assert code == 0, err
        assert "M(y, p) = " in printed


def test_a_run_of_arrays_is_read_when_it_has_ended_and_asks_for_them_before(run, tmp_path):
    import symloss as sl

    rows = [[float(i), float(i % 7)] for i in range(60)]
    task = sl.Task.from_arrays(rows, [a - b for a, b in rows], kind="regression", model="linear")
    quick = {"population": 3, "generations": 2, "headroom": False, "blocks": {"zoo": False, "final": 2}}
    sl.discover(task.with_settings(steps=10), out=tmp_path / "ended", **quick)
    code, printed, err = run("resume", str(tmp_path / "ended"))
    assert code == 0, err
    assert ": finished, " in printed
    assert "M(y, p) = " in printed
    assert json.loads(run("resume", str(tmp_path / "ended"), "--json")[1])["status"] == "finished"
    sl.discover(task.with_settings(steps=10), out=tmp_path / "begun", time_limit=0.0, **quick)
    code, _, err = run("resume", str(tmp_path / "begun"))
    assert (code, err.count("\n")) == (2, 1)
    assert "in Python as sl.resume(RUN, task=TASK), on the command line as --task MODULE:FUNCTION" in err


def test_ctrl_c_in_the_first_seconds_says_so(run, monkeypatch):
    def stopped(problem):
        raise KeyboardInterrupt

    monkeypatch.setattr(Problem, "load", stopped)
    code, printed, err = run("discover", "wine")
    assert (code, printed) == (130, "")
    assert err.strip() == "symloss: stopped before there was anything to show"


def test_ctrl_c_while_baselines_are_trained_says_how_to_go_on(run, tmp_path, monkeypatch):
    import symloss.compare as compare

    def stopped(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(compare, "baselines", stopped)
    out = str(tmp_path / "run")
    options = [word for word in TINY if word != "--no-baselines"]
    code, printed, err = run("discover", *options, "--out", out)
    assert (code, err) == (130, "")
    last = f"The baselines were not trained to the end: symloss resume {out} goes on with them."
    assert printed.splitlines()[-1] == last

"""The verb that draws, as a user types it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from symloss.compare import load_landscape

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--what", "landscape", "--task", "wine", "--model", "linear", "--steps", "5", "--grid", "3")


@pytest.mark.parametrize(
    "arguments",
    [
        ("ace", "--what", "gradient", "--with", "ce,gce"),
        ("sce", "--what", "heat"),
        ("huber", "--with", "mse,abs(y - p)"),
        ("mse", "--what", "certificates", "--with", "huber"),
        ("-y*log(p)", "--what", "tree"),
    ],
)
def test_pictures_of_losses(run: Run, arguments: tuple[str, ...], tmp_path: Path) -> None:
    code, printed, err = run("plot", *arguments, "--out", "a.svg")
    assert (code, err, printed) == (0, "", "wrote a.svg\n")
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")


def test_a_landscape_has_values_beside_it_and_goes_on(run: Run, tmp_path: Path) -> None:
    code, printed, err = run("plot", "sce", *SMALL, "--directions", "minima", "--out", "a.png")
    assert (code, err) == (0, "")
    assert "wrote a.npz" in printed
    assert "largest eigenvalue" in printed
    found = load_landscape(tmp_path / "a.npz")
    assert found.names == ("sce", "ce")  # the ordinary loss is the second
    assert (found.done, found.directions) == (1.0, "minima")
    again = run("plot", "sce", *SMALL, "--directions", "minima", "--out", "a.png")
    assert again[0] == 0
    assert "training with" not in again[1]
    code, _, err = run("plot", "sce", *SMALL, "--out", "a.png")
    assert code == 2
    assert "a.npz holds another landscape, with another directions" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ce", "--what", "landscape"), "name its task with --task, as --task digits"),
        (("ce", "--task", "wine"), "--task is of a landscape"),
        (("ce", "--what", "tree", "--with", "gce"), "tree draws one loss: leave --with out"),
        (("ce", "--what", "heat", "--with", "gce"), "heat draws one loss: leave --with out"),
        (("ce", "--what", "front", "--with", "gce"), "front draws one run: leave --with out"),
        (("ce", "--what", "history"), "is no run folder"),
        (("ce", "--what", "path"), "is no run folder"),
        (("ce", "--with", "mse"), "no classification loss is named 'mse'"),
        (("mse", *SMALL), "no classification loss is named 'mse'"),
        (("ce", *SMALL, "--grid", "4"), "expected an odd number"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(run: Run, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = run("plot", *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1

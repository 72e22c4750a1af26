"""Formulas read into grammars by algebra, which losses with a name each reaches, what certificates say of members."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from members import GRAMMARS

import symloss as sl
from symloss.errors import DomainError
from symloss.search.propose.inside import coverage, inside_of
from symloss.search.propose.inside.prove import verdict_of, verdicts_of
from symloss.search.propose.inside.read import read
from symloss.search.propose.inside.sample import random_members

REACHED = {
    "proper classification": "ce brier",
    "proper,bounded classification": "brier",
    "symmetric classification": "mae",
    "calibrated classification": "ce brier mae focal lsr gce poly1 sce baikal taylorglo",
    "calibrated,bounded classification": "brier mae gce taylorglo",
    "bounded classification": "brier mae gce ngl taylorglo",
    "smoothing=0.1 classification": "lsr",
    "proper multilabel": "bce",
    "bounded multilabel": "",
    "mean regression": "mse",
}


@pytest.mark.parametrize("name", REACHED)
def test_what_each_grammar_reaches_of_the_zoo(name: str) -> None:
    asked, kind = name.split(" ")
    inside = inside_of(asked.split(","), kind)
    assert inside is not None
    rows = coverage(inside)
    assert [row.name for row in rows] == sl.names(kind)
    assert " ".join(row.name for row in rows if row.reached) == REACHED[name]
    for row in rows:
        assert not (row.reached and row.holds == "refuted"), row
        assert bool(row.why) != row.reached
    if asked in ("proper", "symmetric", "smoothing=0.1"):
        assert all(row.holds == "refuted" for row in rows if not row.reached), "nothing else has the property"


@pytest.mark.parametrize(
    ("text", "asked", "kind", "rules"),
    [
        ("-y*log(p)", ["proper"], "classification", ["score", "entropy"]),
        ("-3*y*log(p) + (y - p)**2 + 5*p", ["proper"], "classification", ["score", "sum", "entropy", "square"]),
        ("(0.4*p - 1.4*y)*p**0.4", ["proper"], "classification", ["score", "power"]),
        ("sqrt(p)/2 + y/(2*sqrt(p))", ["proper"], "classification", ["score", "root"]),
        ("log(p + 0.5) + (y - p)/(p + 0.5)", ["proper", "bounded"], "classification", ["score", "log"]),
        ("(2*(p - y) - 1)*exp(2*p)", ["proper"], "multilabel", ["score", "exp"]),
        ("(0.5*(y - p) - 1)*exp(-p/2)", ["proper"], "multilabel", ["score", "decay"]),
        ("((p - 0.3)*(0.3 - y) - 2)/sqrt((p - 0.3)**2 + 2)", ["proper"], "multilabel", ["score", "hyperbola"]),
        ("(p - y)*2*sigmoid(2*p - 1) - softplus(2*p - 1)", ["proper"], "multilabel", ["score", "softplus"]),
        ("(2*p*(p - y) - 1)*exp(p**2)", ["proper"], "classification", ["score", "exp-of", "square"]),
        ("(p - y)*exp(p) - exp(p)", ["mean"], "regression", ["score", "exp"]),
        ("p**4/4 - y*p**3/3", ["mean"], "regression", None),
        ("exp(p) - y*p", ["mean"], "regression", None),
        ("(1 - C*y)*(tanh(2*p) + p**2)", ["symmetric"], "classification",
         ["symmetric", "sum-up", "power-up", "tanh-up", "p"]),
        ("(1 - C*y)*log(1 + p) - 2*y*p", ["symmetric"], "classification", ["symmetric-tilted", "log-up", "p"]),
        ("(1 - C*y)*log(1 + p) + 2*y*p", ["symmetric"], "classification", None),
        ("cos(p) - y*log(p)", ["calibrated"], "classification", ["calibrated", "tree-cos", "tree-p", "log-rise"]),
        ("abs(p - 0.5) - y*p", ["calibrated"], "classification", None),
        ("y*abs(p - 0.3)", ["bounded"], "classification", None),
        ("y*p", ["proper"], "classification", None),
        ("(p - y)**2 + p", ["proper"], "multilabel", None),
    ],
)  # fmt: skip
def test_formulas(text: str, asked: Sequence[str], kind: str, rules: list[str] | None) -> None:
    inside, loss = inside_of(asked, kind), sl.parse(text, kind=kind)
    assert inside is not None
    if rules is None:
        with pytest.raises(DomainError, match="is not in the grammar of"):
            read(loss, inside, 10)
        return
    found = read(loss, inside, 10)
    assert sorted(rule.name for rule, _ in found.steps) == sorted(rules)
    assert verdict_of(loss, inside, 10) != "refuted"


def test_a_reading_is_exact() -> None:
    """Nearly a member is none: the last digit decides."""
    inside = inside_of(["proper"], "classification")
    assert inside is not None
    assert read(sl.parse("(0.4*p - 1.4*y)*p**0.4"), inside).numbers == (1.0, 1.0, 0.4)
    with pytest.raises(DomainError, match="another loss"):
        read(sl.parse("(0.4*p - 1.40001*y)*p**0.4"), inside)
    # A multiple of p is no loss on the simplex, and one for labels that are each for themselves.
    labels = inside_of(["proper"], "multilabel")
    assert labels is not None
    assert read(sl.parse("-y*log(p) - (1 - y)*log(1 - p)", kind="multilabel"), labels)
    with pytest.raises(DomainError, match="another loss"):
        read(sl.parse("-y*log(p) - (1 - y)*log(1 - p) + p", kind="multilabel"), labels)


@pytest.mark.parametrize("name", GRAMMARS)
def test_no_certificate_refutes_a_member(name: str) -> None:
    """Two arguments that share nothing; `analysis.inside_theorems` does the same for hundreds."""
    inside = GRAMMARS[name]
    counts = (3,) if inside.xi else (2, 3, 10) if inside.kind.exclusive else (2,)
    found = [
        verdict_of(loss.to_loss(inside.kind.name), inside, classes)
        for loss in random_members(inside, 3, seed=5, depth=2)
        for classes in counts
    ]
    assert "refuted" not in found
    assert "proved" in found or inside.theorem.name == "mean", "which is hard to see in general"


def test_the_certificate_s_argument_would_see_what_is_not_so() -> None:
    smoothing = inside_of(["smoothing=0.1"], "classification")
    mean = inside_of(["mean"], "regression")
    assert smoothing is not None
    assert mean is not None
    assert verdict_of(sl.named("lsr", xi=0.1), smoothing, 10) == "proved"
    assert verdict_of(sl.named("lsr", xi=0.2), smoothing, 10) == "refuted"
    said = verdicts_of(sl.named("sparse-lsr", xi=0.1), smoothing, 10)
    assert said["label_smoothing"][0] == "proved"
    assert said["posterior map"][0] == "refuted", "the same attractor, and another posterior map"
    assert verdict_of(sl.named("mse"), mean, None) == "proved"
    assert verdict_of(sl.named("mae", "regression"), mean, None) == "refuted"

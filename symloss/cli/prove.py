"""Verbs that prove: analyze and derive."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from symloss.cli.arguments import Json, KindOption, LossArgument, SetOption, read_loss
from symloss.cli.group import FormulaCommand
from symloss.cli.output import print_json, say, show, write_text
from symloss.errors import DomainError

__all__ = ["register"]


class Theorem(StrEnum):
    """The derivations with names."""

    sparse_lsr = "sparse-lsr"
    ace_lsr = "ace-lsr"
    proper_symmetric_exclusive = "proper-symmetric-exclusive"


def analyze(
    loss: LossArgument,
    classes: Annotated[
        int | None,
        typer.Option(help="Number of classes; without it the findings hold for every C.", show_default=False),
    ] = None,
    weight: Annotated[
        str | None,
        typer.Option(
            metavar="W,...",
            help="A weight for each class: what weights do to start, attractor and label smoothing.",
            show_default=False,
        ),
    ] = None,
    kind: KindOption = None,
    values: SetOption = None,
    as_json: Json = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print a LaTeX table to paste.")] = False,
    why: Annotated[bool, typer.Option("--why", help="Print each argument and counterexample.")] = False,
) -> None:
    """Prove what a loss does: where it drives the target, whether it is proper, robust, bounded, known.

    Every finding is `proved` (with its argument), `refuted` (with a counterexample) or `unknown`.

    Examples:

    - `symloss analyze ace --classes 10 --why`
    - `symloss analyze '-y*log(p) + y*p' --json`
    - `symloss analyze 'log(cosh(y - p))' --kind regression`
    - `symloss analyze lsr --weight 1,1,4`
    """
    from symloss.theory import analyze as prove

    subject = read_loss(loss, kind, values)
    certificate = prove(subject, classes, weight=None if weight is None else _weights(weight))
    classes = certificate.classes
    if as_json:
        print_json(certificate.to_dict())
        return
    from symloss.report.certificate import certificate_table, certificate_tex

    if latex:
        say(certificate_tex(certificate).rstrip("\n"))
        return
    of = f", C = {classes}" if classes else ""
    say(f"{subject}  ({subject.kind}{of})")
    show(certificate_table(certificate, why))
    summary = certificate.summary()
    if summary:
        say(f"In short: {summary}.")


def _weights(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise DomainError(f"weights {text!r}: expected a number for each class, such as 1,1,2.5") from None


def derive(
    loss: Annotated[
        str | None,
        typer.Argument(
            metavar="LOSS",
            help="The loss to make sparse: a formula, zoo name or RUN#ROW.",
            show_default=False,
        ),
    ] = None,
    theorem: Annotated[
        Theorem | None, typer.Option(help="A derivation with a name instead.", show_default=False)
    ] = None,
    kind: KindOption = None,
    values: SetOption = None,
    latex: Annotated[bool, typer.Option("--latex", help="A LaTeX document that compiles.")] = False,
    out: Annotated[Path | None, typer.Option(help="File to write.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Derive the sparse form of a loss, or a theorem, in steps that are each checked by machine.

    Examples:

    - `symloss derive --theorem sparse-lsr`
    - `symloss derive lsr --set xi=0.2`
    - `symloss derive --theorem ace-lsr --latex --out ace.tex`
    """
    import symloss.theory as theory

    if (loss is None) == (theorem is None):
        raise DomainError(f"derive takes a LOSS or --theorem {'|'.join(Theorem)}, one of the two")
    derivation = theory.derive(str(theorem) if loss is None else read_loss(loss, kind, values))
    if as_json:
        print_json(derivation.to_dict())
        return
    text = derivation.to_latex() if latex else derivation.to_text()
    if out:
        write_text(out, text)
    else:
        say(text.rstrip("\n"))


def register(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command("analyze", cls=FormulaCommand)(analyze)
    app.command("derive", cls=FormulaCommand)(derive)

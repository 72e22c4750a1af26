"""A loss as LaTeX, Python, JSON or a graphviz tree."""

from __future__ import annotations

import json

from symloss.errors import DomainError
from symloss.expr import KINDS, Loss
from symloss.report.formula_tree import formula_tree, to_dot

__all__ = ["FORMATS", "export"]

FORMATS = ("latex", "python", "json", "dot")


def export(loss: Loss, format: str = "latex") -> str:
    r"""The loss as text.

    Args:
        loss: any loss.
        format: `"latex"` (for math mode), `"python"` (one readable file that needs torch alone), `"json"`
            (what `Loss.from_dict` reads back) or `"dot"` (its tree, for graphviz).

    Raises:
        DomainError: for another format.

    >>> from symloss.expr import parse
    >>> print(export(parse("-y*log(p)")), end="")
    M(y, p) = - y \log{\left(p \right)}
    """
    if format == "latex":
        return f"{KINDS[loss.kind].signature} = {loss.latex()}\n"
    if format == "python":
        from symloss.codegen import export_python  # torch is imported only when asked for

        return export_python(loss)
    if format == "json":
        return (
            json.dumps({**loss.to_dict(), "latex": loss.latex(), "complexity": loss.complexity}, indent=2)
            + "\n"
        )
    if format == "dot":
        return to_dot(formula_tree(loss)) + "\n"
    raise DomainError(f"unknown format {format!r}: expected one of {', '.join(FORMATS)}")

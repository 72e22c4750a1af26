"""How figures and words are written in tables, on terminals and in LaTeX."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["escape", "number", "signed", "slip_of"]

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}",
}  # fmt: skip


def escape(text: str) -> str:
    r"""Plain text for LaTeX's text mode.

    >>> print(escape("100 % of a_b"))
    100 \% of a\_b
    """
    return "".join(_SPECIAL.get(character, character) for character in text)


def number(value: float | None, digits: int = 4) -> str:
    """A figure in a table: significant digits, or a dash where there is none.

    >>> number(0.123456), number(0.5), number(None), number(float("nan"))
    ('0.1235', '0.5000', '-', 'nan')
    """
    # `#` keeps trailing zeros, so that a column has one number of digits; the point that it leaves behind 1234. goes.
    return "-" if value is None else f"{value:#.{digits}g}".rstrip(".")


def signed(value: float, digits: int = 3) -> str:
    """A difference, with its sign; one that rounding alone made is 0.

    >>> signed(0.01234), signed(-2.0), signed(1e-17)
    ('+0.0123', '-2', '0')
    """
    # Differences of equal means come out near 1e-17 in float64, with a sign that means nothing.
    return "0" if abs(value) < 1e-12 else f"{value:+.{digits}g}"


def slip_of(name: str, known: Iterable[str]) -> str | None:
    """The known name that is one slip away from a name of three letters, or two from one of six; else None.

    A slip is a letter too many, too few, another one, or two that changed places.

    >>> slip_of("focall", ["ce", "focal"]), slip_of("inf", ["sin", "min"]), slip_of("a", ["aq"])
    ('focal', None, None)
    """
    most = min(2, len(name) // 3)
    alike = [each for each in known if abs(len(each) - len(name)) <= most]
    close = [(distance, each) for each in alike if 0 < (distance := _slips(name, each)) <= most]
    return min(close)[1] if close else None


def _slips(a: str, b: str) -> int:
    """The optimal string alignment distance."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], before[j - 2] + 1)
        before, last = last, row
    return last[-1]

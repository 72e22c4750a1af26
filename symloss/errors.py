"""The errors that symloss raises: one line each, saying what was expected, what was got and what to do."""

from __future__ import annotations

__all__ = ["CompileError", "DomainError", "ParseError", "RunError", "SymlossError", "TaskError"]


class SymlossError(Exception):
    """Any error that symloss raises on purpose; the command line prints it in one line and exits with 2."""


class ParseError(SymlossError):
    """A formula that is not in the grammar.

    Attributes:
        position: offset of the offence in the text, from 0.
        expected: what the grammar allows there.
        hint: what to do about it, or ``""``.
    """

    def __init__(self, problem: str, *, position: int = 0, expected: str = "", hint: str = "") -> None:
        self.problem, self.position, self.expected, self.hint = problem, position, expected, hint
        parts = [f"at position {position}: {problem}"]
        if expected:
            parts.append(f"expected {expected}")
        if hint:
            parts.append(hint)
        super().__init__("; ".join(parts))


class DomainError(SymlossError):
    """A formula or value outside the domain on which the question makes sense."""


class CompileError(SymlossError):
    """A formula, tensor or option that cannot be turned into a torch loss."""


class TaskError(SymlossError):
    """A task, data set, model, metric or modifier that does not exist or does not fit."""


class RunError(SymlossError):
    """A run folder that cannot be written, read, resumed or trusted."""

"""What is assumed of protected operators, said with every verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from symloss.theory.certificate import UNKNOWN, Finding

__all__ = ["names_guards"]

_Arguments = ParamSpec("_Arguments")


class _View(Protocol):
    @property
    def guard_note(self) -> str: ...


_AnyView = TypeVar("_AnyView", bound=_View)


def names_guards(
    find: Callable[Concatenate[_AnyView, _Arguments], Finding],
) -> Callable[Concatenate[_AnyView, _Arguments], Finding]:
    """`find`, with what is assumed of protected operators in the reason of every verdict."""

    @wraps(find)
    def noted(view: _AnyView, *args: _Arguments.args, **named: _Arguments.kwargs) -> Finding:
        finding = find(view, *args, **named)
        note = "" if finding.verdict == UNKNOWN else view.guard_note
        return replace(finding, reason=finding.reason + note) if note else finding

    return noted

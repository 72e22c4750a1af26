"""The page of the library's names: their signatures and docstrings, in Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import symloss

__all__ = ["api_page", "documented"]

_WIDTH = 100
_SECTIONS = {"Args", "Attributes", "Raises", "Returns", "References", "Yields", "Example", "Examples"}
_HEAD = """# The library

Every public name, from its docstring; written by `python -m docs.make`. Names that are not here are no promise. Each
is used as `import symloss as sl; sl.NAME`.

"""


def api_page() -> str:
    """The page: functions, then classes with their methods, then errors."""
    names = sorted(symloss.__all__, key=str.lower)
    values = {name: _value(name) for name in names}
    classes = [name for name, value in values.items() if inspect.isclass(value)]
    errors = [name for name in classes if issubclass(values[name], Exception)]
    groups = {
        "Functions": [name for name in names if name not in classes],
        "Classes": [name for name in classes if name not in errors],
        "Errors": errors,
    }
    lines = [_HEAD.rstrip("\n"), ""]
    for title, members in groups.items():
        lines.append(f"{title}: " + ", ".join(f"[`{name}`](#{name.lower()})" for name in members) + ".\n")
    for title, members in groups.items():
        lines += [f"## {title}", ""]
        for name in members:
            lines += _entry(f"### `{name}`", name, values[name])
            if name in classes:
                for member, value in _members(values[name]):
                    lines += _entry(f"#### `{name}.{member}`", f"{name}.{member}", value)
    return "\n".join(lines).rstrip("\n") + "\n"


def documented(page: str) -> set[str]:
    """The names that a page has an entry for."""
    return set(re.findall(r"^### `(\w+)`$", page, flags=re.M))


def _value(name: str) -> Any:
    value = getattr(symloss, name)
    # A room that can be called (`symloss.compare`) stands for its function of that name.
    return getattr(value, name) if isinstance(value, ModuleType) else value


def _members(cls: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that the library gives a class, in the order of their definition."""
    ours = [base for base in reversed(cls.__mro__) if base.__module__.startswith("symloss")]
    seen: dict[str, Any] = {}
    for base in ours:
        for name, raw in vars(base).items():
            if name.startswith("_") or not inspect.getdoc(getattr(cls, name)):
                continue
            if callable(getattr(cls, name)) or hasattr(raw, "__get__"):
                seen[name] = raw
    yield from seen.items()


def _entry(heading: str, name: str, value: Any) -> list[str]:
    signature = _signature(name, value)
    code = ["```python", signature, "```", ""] if signature else []
    return [heading, "", *code, *_docstring(inspect.getdoc(_plain(value)) or ""), ""]


def _plain(value: Any) -> Any:
    return getattr(value, "__func__", getattr(value, "fget", getattr(value, "func", None)) or value)


def _signature(name: str, value: Any) -> str:
    plain = _plain(value)
    if inspect.isclass(plain):
        if issubclass(plain, Exception) or inspect.isabstract(plain):
            return ""
    elif not callable(plain) or (plain is not value and not hasattr(value, "__func__")):
        return ""  # a property
    try:
        parameters = list(inspect.signature(plain).parameters.values())
    except (TypeError, ValueError):
        return ""
    if parameters and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    given = _parameters(parameters)
    returns = (
        "" if inspect.isclass(plain) else f" -> {_annotation(inspect.signature(plain).return_annotation)}"
    )
    line = f"{name}({', '.join(given)}){returns}"
    if len(line) <= _WIDTH:
        return line
    inside = "".join(f"    {each},\n" for each in given)
    return f"{name}(\n{inside}){returns}"


def _parameters(parameters: list[inspect.Parameter]) -> list[str]:
    """As they are written, with the bare star before what goes by name alone."""
    given: list[str] = []
    starred = False
    for each in parameters:
        if each.kind is each.VAR_POSITIONAL:
            starred = True
        elif each.kind is each.KEYWORD_ONLY and not starred:
            given.append("*")
            starred = True
        mark = "*" if each.kind is each.VAR_POSITIONAL else "**" if each.kind is each.VAR_KEYWORD else ""
        text = f"{mark}{each.name}"
        if each.annotation is not each.empty:
            text += f": {_annotation(each.annotation)}"
        if each.default is not each.empty:
            default = (
                "..."
                if "object at 0x" in repr(each.default) or "<" in repr(each.default)
                else repr(each.default)
            )
            text += f" = {default}" if each.annotation is not each.empty else f"={default}"
        given.append(text)
    return given


def _annotation(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _docstring(text: str) -> list[str]:
    """Google's style in Markdown: sections in bold, their items as a list, doctests as code."""
    lines: list[str] = []
    section = ""
    for raw in text.splitlines():
        line = raw.rstrip()
        name = line.removesuffix(":")
        if line.endswith(":") and name in _SECTIONS:
            section = name
            lines += [f"**{name}**", ""]
        elif section and line.startswith("    "):
            lines.append(_item(section, line[4:]))
        elif section and not line:
            lines.append("")
        else:
            section = ""
            lines.append(line)
    return _fenced(lines)


def _item(section: str, line: str) -> str:
    if line.startswith(" "):
        return f"  {line.strip()}"
    if section in ("Returns", "References", "Yields", "Example", "Examples"):
        return line
    names, colon, rest = line.partition(":")
    return f"- `{names}`:{rest}" if colon else f"- {line}"


def _fenced(lines: list[str]) -> list[str]:
    """Doctests, from `>>>` to the next empty line, as code."""
    done: list[str] = []
    inside = False
    for line in lines:
        if line.startswith(">>>") and not inside:
            done.append("```python")
            inside = True
        elif inside and not line:
            done.append("```")
            inside = False
        done.append(line)
    return [*done, "```"] if inside else done

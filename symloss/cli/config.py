"""Options from a file, `discover --config FILE.toml`, and the file of that kind that a run writes of its own."""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from symloss.errors import DomainError

__all__ = ["CONFIG", "ConfigOption", "config_text"]

CONFIG = "config.toml"
ARGUMENT = "tasks"
"""The key of the names that have no option."""
_NOT_OF_THE_RUN = ("config", "help", "json", "quiet", "out")
"""Options about the display of this call and the folder of its run: a repetition has its own."""


def _keys(context: typer.Context) -> Iterator[tuple[str, Any]]:
    """What a file may set: every long option without its dashes, and the argument."""
    for parameter in context.command.params:
        if parameter.param_type_name == "argument":
            yield ARGUMENT, parameter
        else:
            yield from ((name.removeprefix("--"), parameter) for name in parameter.opts)


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Takes the values of a file as the defaults of a verb: what is typed on the command line goes before them.

    Every value passes through the option that it is for, so that it is checked as if it had been typed.

    Raises:
        DomainError: for no such file, one that is no TOML, or a key that is no option.
    """
    if path is None or context.resilient_parsing:
        return path
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DomainError(f"--config {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DomainError(f"--config {path} is no TOML: {error}") from None
    known = {key: parameter for key, parameter in _keys(context) if key not in ("config", "help")}
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = (
                f"did you mean {near[0]!r}?"
                if near
                else "it takes the options of the verb without their dashes"
            )
            raise DomainError(f"--config {path}: unknown key {key!r}; {hint}")
        items = [_typed(item, path, key) for item in (value if isinstance(value, list) else [value])]
        parameter = known[key]
        # A list for an option that takes one value is written as users type lists, with commas.
        values[parameter.name] = items if parameter.multiple else ",".join(items)
    context.default_map = values
    return path


def _typed(value: Any, path: Path, key: str) -> str:
    """A value as a user would have typed it."""
    if isinstance(value, dict | list):
        raise DomainError(f"--config {path}: {key} is a table: expected a value, or a list of values")
    return str(value).lower() if isinstance(value, bool) else str(value)


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Options from a TOML file; what is typed goes before them.",
        callback=read_config,
        is_eager=True,
        rich_help_panel="Where",
        show_default=False,
    ),
]


def config_text(context: typer.Context) -> str:
    """The options of a call as a file that `--config` reads: every value that there is, defaults written out."""
    lines = [
        f"# symloss {metadata.version('symloss')}. The same search again, in a folder of its own:",
        f"# symloss {context.info_name} --config {CONFIG}",
    ]
    written = set(_NOT_OF_THE_RUN)
    for key, parameter in _keys(context):
        value = context.params.get(parameter.name)
        if key in written or value is None or value in ((), []):
            continue
        lines.append(f"{key} = {_toml(value)}")
        # Of two names of one option the first is written.
        written |= {name.removeprefix("--") for name in parameter.opts}
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """A value in TOML, whose strings, numbers and lists are JSON's but for infinities."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    plain = value if isinstance(value, bool | int | float) else str(value)
    # DEL is the one character that JSON leaves as it is and TOML does not.
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")

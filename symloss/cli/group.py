"""How the command line reads a formula that begins with a minus, and how it fails: in one line."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from symloss.errors import SymlossError

__all__ = ["FormulaCommand", "OneLineErrors"]

FAILED, USAGE, INTERRUPTED = 1, 2, 130

# Typer carries its own click from some version on; its exceptions are reached through the public ones.
_ClickException: type[Exception] = typer.BadParameter.__mro__[2]

# Two dashes and a letter: `--y*log(p)` is a formula, minus minus y, and `--set=...` an option.
_OPTION = re.compile(r"--[a-z][a-z-]*(=.*)?\Z", re.DOTALL)


class FormulaCommand(TyperCommand):
    """A verb that takes `-y*log(p)` as the formula it is: no option of symloss has one dash."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Formulas get a leading space, which no option has and the parser of formulas drops."""
        # After `--` a user has said that everything else is an argument.
        if "--" not in args:
            args = [
                f" {arg}" if arg.startswith("-") and not _OPTION.match(arg) and arg != "-" else arg
                for arg in args
            ]
        return super().parse_args(ctx, args)


class OneLineErrors(TyperGroup):
    """All verbs: an error a user can cause is one line on stderr and exit code 2, never a traceback."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> NoReturn:
        """Run a verb and leave the process with its exit code."""
        from symloss.runs import began_with

        # Otherwise click prints errors itself, in several lines and a box, and leaves the process.
        extra["standalone_mode"] = False
        words = list(sys.argv[1:] if args is None else args)
        try:
            with began_with(_without_secrets(words)):
                code = super().main(args, *rest, **extra)
            # Inside `try`: a closed pipe shows when the buffer is written, which otherwise happens at exit.
            sys.stdout.flush()
        except SymlossError as error:
            _fail(str(error))
        except (typer.Abort, KeyboardInterrupt):
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # The reader (`| head`) has what it wanted; nothing more may be written, also not at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)
        except OSError as error:
            # Anything else, as a broken socket of a cluster, is a defect, and its traceback is wanted.
            if error.errno not in _USERS:
                raise
            where = f" {error.filename!r}" if error.filename else ""
            _fail(f"cannot use{where}: {error.strerror}")
        except Exception as error:
            if not isinstance(error, _ClickException):
                raise
            _fail(_usage(error))
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; one that has something to show catches Ctrl-C itself, shows it and says how to go on."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # here, as typer makes a silent exit of it
            _fail("stopped before there was anything to show", INTERRUPTED)


def _without_secrets(words: Sequence[str]) -> list[str]:
    """The words as a run may keep them: never which command of the user proposes formulas."""
    kept = list(words)
    for i, word in enumerate(words):
        if word.startswith("--propose="):
            kept[i] = "--propose=COMMAND"
        elif i and words[i - 1] == "--propose":
            kept[i] = "COMMAND"
    return kept


_USERS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EFBIG, errno.ENOENT, errno.ENOTDIR,
    errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EDQUOT,
)  # fmt: skip
"""What goes wrong with the files that a user names."""


def _usage(error: Any) -> str:
    message = " ".join(error.format_message().replace("Value error, ", "").split())
    context = getattr(error, "ctx", None)
    return f"{message.rstrip('.')}. Try '{context.command_path} --help'." if context else message


def _fail(message: str, code: int = USAGE) -> NoReturn:
    print(f"symloss: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    sys.exit(code)

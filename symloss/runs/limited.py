"""One call in a process of its own, which is ended when it takes too long.

An exception raised from outside would not be noticed in a sleep, or in code that is not Python's: only a process
can be ended wherever it is. It dies with whoever asked for the call, and takes its own children with it.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any

from symloss.errors import RunError
from symloss.runs.processes import end_with_the_driver

__all__ = ["Died", "Overrun", "call_limited"]

_START = 300.0
"""Seconds for a process to begin: a fresh interpreter imports what the call needs first."""
_GRACE = 5.0
"""Seconds for a process that has answered to end by itself, exit handlers included."""
_PR_SET_PDEATHSIG = 1


class Overrun(RunError):
    """The call took longer than it may."""


class Died(RunError):
    """The process of the call ended without an answer."""


def call_limited(function: Callable[[], Any], seconds: float, *, fresh: bool = False) -> Any:
    """What `function()` returns in another process, as JSON has it: numbers, text, lists, dictionaries.

    On Linux the process is a copy of this one (fork), so anything can be called, closures among them, and nothing
    that it changes is seen here. Elsewhere it is a new interpreter (spawn) wherever the function can be sent to
    one. What it prints is printed.

    Args:
        function: to be called; what it raises ends its process, with a traceback.
        seconds: that it may take, once its process has begun.
        fresh: start from a new interpreter on Linux too where the function can be sent to one: by name, from an
            importable module.

    Raises:
        Overrun: when it takes longer; its process is gone by then.
        Died: when its process ends without an answer: a crash, `os._exit`, memory.
        RunError: when there is no fork and the function cannot be sent to a new interpreter.

    >>> call_limited(lambda: {"metric": 1 / 4}, seconds=60)
    {'metric': 0.25}
    """
    context: Any = multiprocessing.get_context(_method(function, fresh))
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(writer, function, os.getpid()))
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns of a fork beside other threads: whoever does not come through it is ended below.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        # The parent's copy: while it is open, half a message of a dead child would be waited for in vain.
        writer.close()
        # The first message is empty and says that the work begins: start and imports do not count against the limit.
        if _received(reader, process, _START) is None:
            raise Died("its process did not start")
        answer = _received(reader, process, seconds)
        if answer is None:
            raise Overrun(f"took longer than {seconds:g} s")
        process.join(_GRACE)
        return json.loads(answer)
    finally:
        # Also after an answer: the call may have left children of its own running.
        _end(process)
        reader.close()


def _method(function: Callable[[], Any], fresh: bool) -> str:
    can_fork = "fork" in multiprocessing.get_all_start_methods()
    # macOS has fork, and libraries that crash after it: only what cannot be sent is forked there.
    if sys.platform == "linux" and not fresh:
        return "fork"
    try:
        content = pickle.dumps(function)
    except (pickle.PicklingError, AttributeError, TypeError):
        if can_fork:
            return "fork"
        raise RunError(
            "the function cannot be sent to another process: define it at the top of a module"
        ) from None
    # A new interpreter would run the script of the user once more.
    return "fork" if can_fork and b"__main__" in content else "spawn"


def _received(reader: Any, process: BaseProcess, seconds: float) -> bytes | None:
    """The next message, or None when there is none in time.

    Raises:
        Died: when the process ends before it.
    """
    # Children of the process may hold its end of the pipe open: its own end is waited for too.
    ready = connection.wait([reader, process.sentinel], min(seconds, threading.TIMEOUT_MAX))
    if not ready:
        return None
    try:
        if reader.poll():
            message: bytes = reader.recv_bytes()
            return message
    except (EOFError, OSError):  # the end of the pipe, or of half a message
        pass
    # The end of the pipe may come a moment before that of the process.
    process.join()
    code = process.exitcode or 0
    if code >= 0:
        raise Died(f"its process ended with exit status {code} and without a result")
    with suppress(ValueError):
        name = signal.Signals(-code).name
        raise Died(f"its process was ended by {name}{', is memory short?' if name == 'SIGKILL' else ''}")
    raise Died(f"its process was ended by signal {-code}")


def _end(process: BaseProcess) -> None:
    """Ends the process, if it runs, and all that it has started."""
    if process.pid is None:  # it was never started
        return
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):
            # The group exists once the child has called setpgid; before that the kill below does.
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()
    process.close()


def _work(writer: Any, function: Callable[[], Any], driver: int) -> None:
    # A group of its own, to be ended as one; Ctrl-C goes to the driver alone, which then ends the group.
    if sys.platform != "win32":
        os.setpgid(0, 0)
    if sys.platform == "linux":
        # From the kernel: a thread that watches does not get its turn while C code holds the interpreter.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # The driver may have died before prctl was called: then its death sends nothing any more.
        if os.getppid() != driver:
            os._exit(1)
    else:
        threading.Thread(target=end_with_the_driver, daemon=True).start()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)  # what is printed before an end by force is not lost
    writer.send_bytes(b"")
    # JSON and not pickle: a trainer's answer is data, and an object that is none fails here, in the child.
    writer.send_bytes(json.dumps(function()).encode())
    writer.close()

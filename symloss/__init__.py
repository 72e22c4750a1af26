"""symloss: discover, compile and prove things about closed-form loss functions.

>>> import symloss as sl
>>> sl.parse("y*abs(log(1.3*p))").latex()
'y \\\\left|{\\\\log{\\\\left(1.3 p \\\\right)}}\\\\right|'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from symloss.errors import CompileError, DomainError, ParseError, RunError, SymlossError, TaskError

if TYPE_CHECKING:
    from symloss.codegen import dpo_margins
    from symloss.compare import (
        Adaptation,
        Comparison,
        FewShot,
        Searched,
        Transfer,
        adapt,
        compare,
        fewshot,
        open_run,
        resume,
        transfer,
        verify,
    )
    from symloss.expr import Loss, Registry, register_primitive
    from symloss.meta import AdaptiveLoss
    from symloss.search import Distillation, Headroom, Result, Search, discover, distill, headroom
    from symloss.tasks import Task, load_csv, load_task, task_names
    from symloss.theory import Certificate, Derivation, analyze, derive, posterior_map, sparsify
    from symloss.zoo import named, names, parse

__all__ = [
    "Adaptation", "AdaptiveLoss", "Certificate", "Comparison", "CompileError", "Derivation", "Distillation",
    "DomainError", "FewShot", "Headroom", "Loss", "ParseError", "Registry", "Result", "RunError", "Search", "Searched",
    "SymlossError", "Task", "TaskError", "Transfer", "adapt", "analyze", "compare", "derive", "discover", "distill",
    "dpo_margins", "fewshot", "headroom", "load_csv", "load_task", "named", "names", "open_run", "parse",
    "posterior_map", "register_primitive", "resume", "sparsify", "task_names", "transfer", "verify",
]  # fmt: skip

# Rooms are opened when first asked for (PEP 562): SymPy, torch and the rest take long to import.
_ROOMS = {
    **dict.fromkeys(("Loss", "Registry", "register_primitive"), "symloss.expr"),
    **dict.fromkeys(("named", "names", "parse"), "symloss.zoo"),
    **dict.fromkeys(
        ("Certificate", "Derivation", "analyze", "derive", "posterior_map", "sparsify"), "symloss.theory"
    ),
    "dpo_margins": "symloss.codegen",
    **dict.fromkeys(("Task", "load_csv", "load_task", "task_names"), "symloss.tasks"),
    "AdaptiveLoss": "symloss.meta",
    **dict.fromkeys(
        (
            "Adaptation",
            "Comparison",
            "FewShot",
            "Searched",
            "Transfer",
            "adapt",
            "compare",
            "fewshot",
            "open_run",
            "resume",
            "transfer",
            "verify",
        ),
        "symloss.compare",
    ),
    **dict.fromkeys(
        ("Distillation", "Headroom", "Result", "Search", "discover", "distill", "headroom"),
        "symloss.search",
    ),
}

_OPENED = {room.removeprefix("symloss.") for room in _ROOMS.values()}
"""The rooms themselves, as in `sl.zoo.entry("ace")`."""


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return getattr(import_module(_ROOMS[name]), name)
    if name in _OPENED:
        return import_module(f"symloss.{name}")
    raise AttributeError(f"module 'symloss' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

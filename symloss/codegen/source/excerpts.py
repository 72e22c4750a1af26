"""Out of `symloss.codegen.runtime` the source that a piece of code needs, and the imports."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import lru_cache
from types import ModuleType

from symloss.codegen.runtime import (
    blocks,
    branch,
    classes,
    composed,
    dense,
    entries,
    fused,
    linear,
    logits,
    modules,
    precision,
    target,
)

__all__ = ["imports_of", "needed"]

_MODULES = (
    precision,
    logits,
    branch,
    blocks,
    fused,
    composed,
    target,
    linear,
    dense,
    entries,
    classes,
    modules,
)
"""In the order in which one builds on another."""
_IMPORTS = {
    "from __future__ import annotations": (),
    "import math": ("math",),
    "from collections.abc import {}": ("Callable", "Sequence"),
    "from functools import {}": ("partial",),
    "from typing import {}": ("Any", "NamedTuple"),
    "import torch": ("torch",),
    "import torch.nn.functional as F": ("F",),
    "from torch import {}": ("Tensor", "nn"),
    "from torch.autograd import {}": ("forward_ad",),
}
"""What the runtime imports, in three groups, by the names that ask for it."""


def needed(code: str) -> list[str]:
    """The definitions of the runtime that `code` refers to, and those that they refer to, in order."""
    table, wanted, found = _definitions(), {*_names(code)}, set[str]()
    while fresh := (wanted & table.keys()) - found:
        found |= fresh
        wanted = {name for each in fresh for name in _names(table[each])}
    return [source for name, source in table.items() if name in found]


def imports_of(code: str) -> str:
    """The import statements that `code` needs."""
    used = set(_names(code))
    groups: list[list[str]] = [[], [], []]
    for statement, names in _IMPORTS.items():
        asked = [name for name in names if name in used]
        if asked or not names:
            group = 0 if "__future__" in statement else 2 if "torch" in statement else 1
            groups[group].append(statement.format(", ".join(asked)))
    return "\n\n".join("\n".join(group) for group in groups if group)


@lru_cache(maxsize=1)
def _definitions() -> dict[str, str]:
    """The source of every function, class and constant of the runtime by name."""
    return {name: source for module in _MODULES for name, source in _of_module(module)}


def _of_module(module: ModuleType) -> Iterator[tuple[str, str]]:
    text = inspect.getsource(module)
    lines, body = text.splitlines(), ast.parse(text).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, "\n".join(lines[node.lineno - 1 : node.end_lineno])
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            # A constant is documented by the string after it.
            last = following if isinstance(following, ast.Expr) else node
            yield node.targets[0].id, "\n".join(lines[node.lineno - 1 : last.end_lineno])


def _names(code: str) -> Iterator[str]:
    return (node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name))

"""A task in words and numbers."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from symloss.tasks.train.models import Architecture

if TYPE_CHECKING:
    from symloss.tasks.task import Task

__all__ = ["describe", "fingerprint"]


def fingerprint(task: Task) -> str:
    """Hexadecimal SHA-256 of the kind and of every number in the three parts."""
    digest = hashlib.sha256(task.kind.encode())
    for part in (task.train, task.val, task._test):
        for tensor in (part.X, part.y, part.w):
            if tensor is not None:
                array = tensor.detach().cpu().contiguous().numpy()
                digest.update(f"{array.dtype}{array.shape}".encode())
                digest.update(array.tobytes())
    return digest.hexdigest()


def describe(task: Task) -> dict[str, Any]:
    """See `Task.describe`."""
    return {
        "name": task.name,
        "kind": task.kind,
        "metric": task.metric,
        "greater_is_better": task.measure.greater_is_better,
        "meta_loss": _name(task.objective) if task.objective else task.base_loss().formula,
        "classes": task.classes,
        "inputs": list(task.inputs),
        "sizes": {"train": len(task.train), "val": len(task.val), "test": len(task._test)},
        "model": _name(task.factory),
        "settings": asdict(task.settings),
        "augment": _name(task.augment) if task.augment else None,
        "has_gradients": task.has_gradients,
        "fingerprint": task.fingerprint,
        **task.facts,
    }


def _name(thing: Any) -> str:
    if isinstance(thing, Architecture):
        return thing.name
    return thing if isinstance(thing, str) else str(getattr(thing, "__qualname__", type(thing).__name__))

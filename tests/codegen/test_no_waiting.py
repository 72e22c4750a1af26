"""A step as an accelerator takes it: nothing is read back, so that the host never waits."""

from __future__ import annotations

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

import symloss as sl
from symloss.codegen import compile_loss, plan
from symloss.codegen.runtime import classes
from symloss.codegen.runtime import target as by_target
from symloss.codegen.runtime.logits import softmax_in_one

WAITS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::is_nonzero"}
"""A number read back, a size that depends on values."""
LOSSES = [
    sl.named(name, kind=kind)
    for kind in ("classification", "multilabel", "regression")
    for name in sl.names(kind)
    if "pi" not in sl.named(name, kind=kind).formula
]


def _careful(loss: sl.Loss) -> bool:
    """Whether results are looked at, since a step on the way to them may overflow."""
    return "computed again" in plan(loss).reason


def _waits(loss: sl.Loss) -> set[str]:
    outputs = torch.rand(8, 3, requires_grad=True)
    targets = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1]) if loss.kind == "classification" else torch.rand(8, 3)
    module = compile_loss(loss)
    module(outputs, targets).backward()
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        module(outputs, targets).backward()
    return {event.key for event in recorded.key_averages()} & WAITS


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_step_reads_nothing_back(loss: sl.Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_target, "softmax_and_total", softmax_in_one)
    monkeypatch.setattr(classes, "all_count", lambda t, ignore_index: False)
    assert _careful(loss) or not _waits(loss)


def test_the_look_at_results_that_may_overflow_is_seen() -> None:
    assert _careful(sl.named("baikal"))
    assert _waits(sl.named("baikal"))

"""The precision that a loss is computed in, whatever the dtype of the outputs."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["doubled", "narrowed", "widened"]


def widened(outputs: Tensor) -> Tensor:
    """float16 and bfloat16 as float32, as torch's own losses: a sum of many terms needs more than eight bits."""
    return outputs.float() if outputs.dtype in (torch.float16, torch.bfloat16) else outputs


def doubled(outputs: Tensor) -> Tensor:
    """Everything as float64, for a formula that cancels in float32; Apple's devices have no float64."""
    return outputs.double() if outputs.device.type != "mps" else widened(outputs)


def narrowed(loss: Tensor, outputs: Tensor) -> Tensor:
    """The loss in the dtype of the outputs; under autocast float32 at least, as torch's own losses."""
    low = outputs.dtype in (torch.float16, torch.bfloat16)
    if low and torch.is_autocast_enabled(outputs.device.type):
        return loss.float()
    return loss.to(outputs.dtype)

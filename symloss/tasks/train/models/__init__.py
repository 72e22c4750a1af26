"""Base models: chains of layers, residual networks, and how they are chosen by name."""

from __future__ import annotations

from symloss.tasks.train.models.layers import Difference
from symloss.tasks.train.models.named import MODELS, Architecture, ModelFactory, architecture

__all__ = ["MODELS", "Architecture", "Difference", "ModelFactory", "architecture"]

"""What losses look like around trained models: values; `report` draws them."""

from __future__ import annotations

from symloss.compare.landscapes.compute import DIRECTIONS, landscape
from symloss.compare.landscapes.record import Landscape, Sharpness, load_landscape, save_landscape

__all__ = ["DIRECTIONS", "Landscape", "Sharpness", "landscape", "load_landscape", "save_landscape"]

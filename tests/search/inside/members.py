"""Every grammar, by theorems and kind."""

from __future__ import annotations

from symloss.search.propose.inside import Inside, inside_of

__all__ = ["GRAMMARS"]


def _inside(name: str) -> Inside:
    asked, kind = name.split(" ")
    found = inside_of(asked.split(","), kind)
    assert found is not None
    return found


GRAMMARS = {
    name: _inside(name)
    for name in (
        "proper classification", "proper,bounded classification", "symmetric classification",
        "calibrated classification", "calibrated,bounded classification", "smoothing=0.2 classification",
        "smoothing=0.2,bounded classification", "bounded classification", "proper multilabel",
        "proper,bounded multilabel", "bounded multilabel", "mean regression",
    )
}  # fmt: skip

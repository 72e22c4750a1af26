"""Episodes of images that lie in memory: eight bits a channel until they are drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symloss.errors import TaskError
from symloss.runs.seeds import generator
from symloss.tasks.episodes.checks import check_counts, check_part
from symloss.tasks.episodes.episode import PARTS, Episode
from symloss.tasks.episodes.splits import by_hash

__all__ = ["ImageClass", "ImageEpisodes", "Scale", "standard_scale"]

_MOST_FOR_SCALE = 5_000
"""Images that the mean and spread of the channels are taken from: more change the third digit."""


@dataclass(frozen=True)
class ImageClass:
    """One class: which images are its own, and how they are turned.

    Attributes:
        name: for people.
        rows: of the array of all images, int64 `[n]`.
        turns: anticlockwise quarter turns.
    """

    name: str
    rows: NDArray[np.int64]
    turns: int = 0


@dataclass(frozen=True)
class Scale:
    """From bytes to floats, channel by channel: `(byte - centre) / spread`."""

    centre: tuple[float, ...] = (0.0,)
    spread: tuple[float, ...] = (255.0,)

    def __call__(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Bytes `[..., channels, height, width]` as float32."""
        # In NumPy: torch would wake all of its threads for a few thousand numbers.
        centre, spread = (
            np.array(each, dtype=np.float32)[:, None, None] for each in (self.centre, self.spread)
        )
        numbers = pixels.astype(np.float32)
        numbers -= centre
        numbers /= spread
        return torch.from_numpy(numbers)


class _Table(NamedTuple):
    """The classes of one part, side by side."""

    rows: NDArray[np.int64]  # [K, most images of a class], filled up with 0
    counts: NDArray[np.int64]  # [K]
    turns: NDArray[np.int64]  # [K]


@dataclass(frozen=True, eq=False)
class ImageEpisodes:
    """An episodic data set of images; see `EpisodeSource`.

    Attributes:
        images: uint8 `[N, channels, height, width]`.
        parts: the classes of each part of `PARTS`.
        scale: what makes floats of the bytes.
        source: where the images come from.
        notes: what else people should know.
    """

    name: str
    images: NDArray[np.uint8]
    parts: Mapping[str, tuple[ImageClass, ...]]
    scale: Scale = Scale()
    source: str = ""
    notes: tuple[str, ...] = ()

    kind = "classification"

    def __post_init__(self) -> None:
        names = [each.name for part in PARTS for each in self.parts[part]]
        if len({*names}) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise TaskError(f"{self.name}: the class {twice!r} is in two parts: expected disjoint classes")

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.images.shape[1:]

    @cached_property
    def fingerprint(self) -> str:
        # Of the images of each class in order, which is all that episodes depend on, wherever they lie in the array.
        digest = hashlib.sha256(f"{self.input_shape} {self.scale}".encode())
        for part in PARTS:
            for each in self.parts[part]:
                digest.update(f"{part} {each.name} {each.turns} {each.rows.size}".encode())
                digest.update(self.images[each.rows].data)
        return digest.hexdigest()

    def classes(self, part: str) -> list[str]:
        check_part(part)
        return [each.name for each in self.parts[part]]

    def check(self, part: str, *, ways: int, shots: int, queries: int) -> None:
        check_part(part)
        check_counts(ways=ways, shots=shots, queries=queries)
        counts = self._tables[part].counts
        if ways > len(counts):
            raise TaskError(
                f"{self.name} has {len(counts)} classes in its {part} part, too few for {ways} ways: ask for fewer ways"
            )
        least = int(counts.argmin())
        if shots + queries > counts[least]:
            raise TaskError(
                f"{shots} shots and {queries} queries are {shots + queries} images, and class "
                f"{self.parts[part][least].name!r} of {self.name} ({part}) has {counts[least]}: ask for fewer shots "
                "or queries"
            )

    def sample(self, part: str, *, ways: int, shots: int, queries: int, seed: int) -> Episode:
        """The episode of this seed; the queries are the same for any number of shots."""
        self.check(part, ways=ways, shots=shots, queries=queries)
        table = self._tables[part]
        random = generator(seed, "episode", part)
        # Sorted uniform numbers: NumPy keeps that stream, while the one of its permutations may change.
        chosen = np.argsort(random.random(table.counts.size))[:ways]
        keys = random.random((ways, table.rows.shape[1]))
        keys[np.arange(keys.shape[1]) >= table.counts[chosen, None]] = 2.0  # behind every image that there is
        order = np.argsort(keys, axis=1)[:, : queries + shots]
        pixels = self._turned(np.take_along_axis(table.rows[chosen], order, axis=1), table.turns[chosen])
        # Queries first: learners with more shots are judged on the same images.
        query, support = pixels[:, :queries], pixels[:, queries:]
        return Episode(
            self._flat(support), torch.arange(ways).repeat_interleave(shots),
            self._flat(query), torch.arange(ways).repeat_interleave(queries),
        )  # fmt: skip

    def pool(self, part: str) -> tuple[Tensor, Tensor]:
        check_part(part)
        members = self.parts[part]
        inputs = torch.cat([
            self.scale(self._turned(each.rows[None], np.array([each.turns]))[0]) for each in members
        ])  # fmt: skip
        sizes = torch.tensor([each.rows.size for each in members])
        return inputs, torch.arange(len(members)).repeat_interleave(sizes)

    def with_classes(self, number: int) -> ImageEpisodes:
        """The same source with `number` classes of its training part, drawn at random: fewer are among more."""
        check_counts(classes=number)
        here = {each.name: each for each in self.parts["train"]}
        if number > len(here):
            raise TaskError(
                f"{self.name} has {len(here)} training classes: ask for {len(here)} or fewer, not {number}"
            )
        kept = {*by_hash(here)[:number]}
        train = tuple(each for name, each in here.items() if name in kept)
        note = f"{number} of {len(here)} training classes"
        return replace(self, parts={**self.parts, "train": train}, notes=(*self.notes, note))

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "inputs": [*self.input_shape],
            "classes": {part: len(self.parts[part]) for part in PARTS},
            "instances": {part: int(self._tables[part].counts.sum()) for part in PARTS},
            "source": self.source,
            "notes": [*self.notes],
        }

    @cached_property
    def _tables(self) -> dict[str, _Table]:
        return {part: _table(self.parts[part]) for part in PARTS}

    def _turned(self, rows: NDArray[np.int64], turns: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Images of rows `[ways, n]`, each way turned by its own quarter turns."""
        pixels = self.images[rows]
        for way in np.flatnonzero(turns):
            pixels[way] = np.rot90(pixels[way], turns[way], axes=(-2, -1)).copy()
        return pixels

    def _flat(self, pixels: NDArray[np.uint8]) -> Tensor:
        return self.scale(pixels.reshape(-1, *self.input_shape))


def standard_scale(images: NDArray[np.uint8], train: tuple[ImageClass, ...]) -> Scale:
    """Mean 0 and standard deviation 1 of each channel over the images of the training classes."""
    rows = np.concatenate([each.rows for each in train])
    some = images[rows[:: -(-rows.size // _MOST_FOR_SCALE)]]
    centre, spread = (
        getattr(some, each)(axis=(0, 2, 3), dtype=np.float64).round(3).tolist() for each in ("mean", "std")
    )
    return Scale(tuple(centre), tuple(each or 1.0 for each in spread))  # a constant channel stays 0


def _table(members: tuple[ImageClass, ...]) -> _Table:
    counts = np.array([each.rows.size for each in members], dtype=np.int64)
    rows = np.zeros((counts.size, counts.max(initial=0)), dtype=np.int64)
    for place, each in enumerate(members):
        rows[place, : each.rows.size] = each.rows
    return _Table(rows, counts, np.array([each.turns for each in members], dtype=np.int64))

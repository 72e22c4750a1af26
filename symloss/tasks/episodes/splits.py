"""The published class splits of Omniglot, CIFAR-FS and FC-100, as `splits.json` holds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from symloss.tasks.episodes.episode import PARTS

__all__ = ["by_hash", "cifar_split", "deal", "omniglot_split", "superclass_of"]


def omniglot_split() -> dict[str, list[str]]:
    """Folders of the characters of each part below `omniglot-py`: 1,028, 172 and 423 (Vinyals et al., 2016).

    >>> omniglot_split()["train"][0]
    'images_background/Alphabet_of_the_Magi/character01'
    """
    published = _published()["omniglot"]
    return {
        part: [
            f"{alphabet}/character{number:02}"
            for alphabet, (first, last) in published[part].items()
            for number in range(first, last + 1)
        ]
        for part in PARTS
    }


def cifar_split(name: str) -> dict[str, list[str]]:
    """Classes of CIFAR-100 in each part.

    `cifar-fs` has 64, 16 and 20 (Bertinetto et al., 2019); `fc100` 60, 20 and 20, of disjoint superclasses
    (Oreshkin et al., 2018).

    >>> [len(classes) for classes in cifar_split("fc100").values()]
    [60, 20, 20]
    """
    published = _published()
    if name == "cifar-fs":
        return {part: [*published[name][part]] for part in PARTS}
    members = published["cifar100"]["superclasses"]
    return {part: [each for group in published[name][part] for each in members[group]] for part in PARTS}


def superclass_of(name: str) -> str:
    """CIFAR-100's superclass of a class.

    >>> superclass_of("dolphin")
    'aquatic_mammals'
    """
    groups = _published()["cifar100"]["superclasses"]
    return next(group for group, members in groups.items() if name in members)


def by_hash(names: Iterable[str]) -> list[str]:
    """Names in the order of their SHA-256: as good as random, and the same for the same names everywhere.

    A name that is added moves no other past another, so that the first n of them are nested.

    >>> by_hash(["a", "b", "c"])
    ['c', 'b', 'a']
    """
    # Not a seeded shuffle, whose result depends on how many names there are.
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def deal(names: Iterable[str]) -> dict[str, list[str]]:
    """Classes dealt to the parts, 64 % to training, 16 % and 20 % to validation and test, each at least one.

    The shares are those of mini-ImageNet and CIFAR-FS.

    >>> [len(part) for part in deal(map(str, range(100))).values()]
    [64, 16, 20]
    """
    order = by_hash(names)
    val, test = (max(1, round(share * len(order))) for share in (0.16, 0.2))
    train = len(order) - val - test
    return {"train": order[:train], "val": order[train : train + val], "test": order[train + val :]}


@cache
def _published() -> dict[str, Any]:
    text = (files("symloss.tasks.episodes") / "splits.json").read_text(encoding="utf-8")
    return dict(json.loads(text))

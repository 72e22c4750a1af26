"""The published splits: sizes, disjointness, and that nothing of the data sets is left over."""

from __future__ import annotations

from collections import Counter

import pytest

from symloss.tasks.episodes import PARTS
from symloss.tasks.episodes.splits import by_hash, cifar_split, deal, omniglot_split, superclass_of


@pytest.mark.parametrize(
    ("split", "sizes"),
    [
        (omniglot_split(), (1028, 172, 423)),
        (cifar_split("cifar-fs"), (64, 16, 20)),
        (cifar_split("fc100"), (60, 20, 20)),
    ],
    ids=["omniglot", "cifar-fs", "fc100"],
)
def test_sizes_and_disjointness(split, sizes):
    assert tuple(len(split[part]) for part in PARTS) == sizes
    assert len({name for part in PARTS for name in split[part]}) == sum(sizes)


def test_omniglot_has_fifty_alphabets_and_validation_is_of_the_background():
    split = omniglot_split()
    alphabets = {name.split("/")[1] for part in PARTS for name in split[part]}
    assert len(alphabets) == 50
    assert {name.split("/")[0] for name in split["val"]} == {"images_background"}
    assert Counter(name.split("/")[0] for part in PARTS for name in split[part]) == {
        "images_background": 964, "images_evaluation": 659,
    }  # fmt: skip
    # One alphabet is shared, by four of its characters.
    assert [name for name in split["test"] if "Gurmukhi" in name] == [
        f"images_evaluation/Gurmukhi/character{number}" for number in range(42, 46)
    ]


def test_fc100_has_disjoint_superclasses_and_cifar_fs_has_not():
    def shared(name):
        groups = [{superclass_of(each) for each in cifar_split(name)[part]} for part in PARTS]
        return groups[0] & groups[2]

    assert not shared("fc100")
    assert shared("cifar-fs")
    counts = Counter(superclass_of(each) for part in PARTS for each in cifar_split("cifar-fs")[part])
    assert (len(counts), {*counts.values()}) == (20, {5})


def test_dealing_is_by_name_alone():
    names = [f"n{number}" for number in range(50)]
    assert deal(names) == deal(reversed(names))
    assert [len(deal(names)[part]) for part in PARTS] == [32, 8, 10]
    assert [len(deal("abc")[part]) for part in PARTS] == [1, 1, 1]
    assert [name for name in by_hash([*names, "new"]) if name != "new"] == by_hash(names)

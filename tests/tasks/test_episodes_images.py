"""Episodes of images: order, balance, seeds, disjoint parts, and the errors of numbers that do not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from symloss.errors import TaskError
from symloss.tasks.episodes import PARTS, EpisodeSource, ImageClass, ImageEpisodes
from symloss.tasks.episodes.images import Scale, standard_scale


def source(classes: tuple[int, int, int] = (8, 4, 6), images: int = 10, turns: int = 0) -> ImageEpisodes:
    """Each image says which one it is: its first pixel is its row, the second its class."""
    parts, row, place = {}, 0, 0
    pixels = np.zeros((sum(classes) * images, 1, 3, 3), dtype=np.uint8)
    for part, count in zip(PARTS, classes, strict=True):
        members = []
        for _ in range(count):
            rows = np.arange(row, row + images)
            pixels[rows, 0, 0, 0], pixels[rows, 0, 0, 1] = rows, place
            members.append(ImageClass(f"c{place:02}", rows, turns))
            row, place = row + images, place + 1
        parts[part] = tuple(members)
    return ImageEpisodes("made-up", pixels, parts, Scale((0.0,), (1.0,)))


def draw(episodes: EpisodeSource, part="train", ways=5, shots=2, queries=3, seed=0):
    return episodes.sample(part, ways=ways, shots=shots, queries=queries, seed=seed)


def test_rows_are_class_major_balanced_and_each_drawn_once():
    episode = draw(source(), ways=3)
    assert episode.support_targets.tolist() == [0, 0, 1, 1, 2, 2]
    assert episode.query_targets.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert episode.support_inputs.dtype == torch.float32
    assert episode.support_targets.dtype == episode.query_targets.dtype == torch.int64
    drawn = episode.support_inputs[:, 0, 0, 1].tolist(), episode.query_inputs[:, 0, 0, 1].tolist()
    classes = drawn[0][::2]
    assert drawn == (np.repeat(classes, 2).tolist(), np.repeat(classes, 3).tolist())
    assert len({*classes}) == 3
    rows = torch.cat([episode.support_inputs, episode.query_inputs])[:, 0, 0, 0]
    assert rows.unique().numel() == 15


@pytest.mark.parametrize(
    ("part", "classes"), [("train", range(8)), ("val", range(8, 12)), ("test", range(12, 18))]
)
def test_a_part_draws_all_of_its_own_classes_and_images_and_no_others(part, classes):
    seen, rows = set(), set()
    for seed in range(60):
        episode = draw(source(), part, ways=4, seed=seed)
        for inputs in (episode.support_inputs, episode.query_inputs):
            seen |= {*inputs[:, 0, 0, 1].int().tolist()}
            rows |= {*inputs[:, 0, 0, 0].int().tolist()}
    assert seen == {*classes}
    assert len(rows) == 10 * len(classes)


def test_the_same_arguments_are_the_same_episode():
    first, again, other = draw(source(), seed=3), draw(source(), seed=3), draw(source(), seed=4)
    for key in ("support_inputs", "support_targets", "query_inputs", "query_targets"):
        assert torch.equal(getattr(first, key), getattr(again, key))
    assert not torch.equal(first.support_inputs, other.support_inputs)
    # Fixed once: NumPy's uniform stream is the same on every machine.
    assert draw(source(), ways=3, shots=1, seed=0).support_inputs[:, 0, 0, 1].tolist() == [7, 6, 3]


def test_more_shots_keep_the_queries():
    few, many = draw(source(), shots=1), draw(source(), shots=5)
    assert torch.equal(few.query_inputs, many.query_inputs)
    assert torch.equal(few.support_inputs, many.support_inputs[::5])


def test_classes_of_different_sizes_never_lend_images():
    rows = (np.arange(2), np.arange(2, 9))
    pixels = np.arange(9, dtype=np.uint8).repeat(4).reshape(9, 1, 2, 2)
    train = tuple(ImageClass(str(place), each) for place, each in enumerate(rows))
    episodes = ImageEpisodes("uneven", pixels, {"train": train, "val": (), "test": ()}, Scale((0.0,), (1.0,)))
    for seed in range(40):
        episode = draw(episodes, ways=2, shots=1, queries=1, seed=seed)
        for inputs in (episode.support_inputs, episode.query_inputs):
            assert sorted((inputs[:, 0, 0, 0] < 2).tolist()) == [False, True]
    assert episodes.pool("train")[1].tolist() == [0] * 2 + [1] * 7


def test_quarter_turns():
    plain, turned = draw(source(), ways=3), draw(source(turns=1), ways=3)
    assert torch.equal(turned.query_inputs, torch.rot90(plain.query_inputs, 1, (-2, -1)))
    inputs, _ = source(turns=3).pool("val")
    assert torch.equal(inputs, torch.rot90(source().pool("val")[0], 3, (-2, -1)))


def test_the_pool_is_a_whole_part():
    inputs, labels = source().pool("val")
    assert [*inputs.shape] == [40, 1, 3, 3]
    assert labels.tolist() == np.repeat(range(4), 10).tolist()
    assert inputs[:, 0, 0, 1].tolist() == np.repeat(range(8, 12), 10).tolist()


def test_fewer_training_classes_are_among_more_and_the_rest_stays():
    whole = source()
    three, five = whole.with_classes(3), whole.with_classes(5)
    assert {*three.classes("train")} < {*five.classes("train")} < {*whole.classes("train")}
    assert three.describe()["classes"] == {"train": 3, "val": 4, "test": 6}
    assert three.describe()["notes"] == ["3 of 8 training classes"]
    assert torch.equal(draw(three, "test").query_inputs, draw(whole, "test").query_inputs)
    assert len({each.fingerprint for each in (whole, three, five)}) == 3
    with pytest.raises(TaskError, match="made-up has 8 training classes: ask for 8 or fewer, not 9"):
        whole.with_classes(9)


def test_the_fingerprint_is_of_pixels_and_classes():
    assert source().fingerprint == source().fingerprint
    other = source()
    other.images[0, 0, 2, 2] = 1
    assert len({each.fingerprint for each in (source(), source(turns=1), source((7, 5, 6)), other)}) == 4


def test_description_is_json():
    facts = json.loads(json.dumps(source().describe()))
    assert facts["inputs"] == [1, 3, 3]
    assert facts["instances"] == {"train": 80, "val": 40, "test": 60}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"ways": 5, "part": "val"},
            "made-up has 4 classes in its val part, too few for 5 ways: ask for fewer ways",
        ),
        (
            {"shots": 8},
            "8 shots and 3 queries are 11 images, and class 'c00' of made-up .train. has 10: ask for fewer",
        ),
        ({"ways": 0}, "ways is 0: expected 1 or more"),
        ({"shots": -1}, "shots is -1: expected 1 or more"),
        ({"queries": 0}, "queries is 0: expected 1 or more"),
        ({"part": "dev"}, "unknown part 'dev' of an episodic data set: expected one of train, val, test"),
    ],
)
def test_episodes_that_cannot_be(asked, message):
    with pytest.raises(TaskError, match=message):
        draw(source(), **asked)


def test_a_class_in_two_parts_is_an_error():
    here = (ImageClass("cat", np.arange(2)),)
    with pytest.raises(TaskError, match="the class 'cat' is in two parts"):
        ImageEpisodes("pets", np.zeros((2, 1, 2, 2), np.uint8), {"train": here, "val": (), "test": here})


def test_standard_scale_is_of_the_training_classes_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 3, 5, 5), dtype=np.uint8)
    pixels[:, 2] = 7
    train = tuple(ImageClass(str(place), np.arange(20) + 20 * place) for place in range(2))
    scale = standard_scale(pixels, train)
    scaled = scale(pixels[:40])
    assert torch.allclose(scaled.mean((0, 2, 3)), torch.zeros(3), atol=1e-3)
    assert torch.allclose(scaled.std((0, 2, 3), correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-3)
    pixels[40:] = 0
    assert standard_scale(pixels, train) == scale

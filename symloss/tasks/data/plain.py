"""Tables that are found as plain files in the data folder: California Housing, Communities and Crime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from symloss.errors import TaskError
from symloss.tasks.data.dataset import DataSet, Numbers
from symloss.tasks.data.downloaded import explained
from symloss.tasks.data.folders import data_folder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["california", "communities"]

_HOUSING = (
    "longitude", "latitude", "housingMedianAge", "totalRooms", "totalBedrooms", "population", "households",
    "medianIncome", "medianHouseValue",
)  # fmt: skip


def california(data: str | Path | None = None) -> DataSet:
    """Median house values of 20,640 districts, in 100,000 dollars, from 8 measurements (Pace and Barry, 1997).

    From the plain `cal_housing.data` (also in the folder `CaliforniaHousing`, as its archive unpacks), with or
    without a header, as scikit-learn prepares it: rooms, bedrooms and occupants a household. Where that file is
    absent, through scikit-learn, which downloads it.
    """
    home = data_folder(data)
    for path in (home / "cal_housing.data", home / "CaliforniaHousing" / "cal_housing.data"):
        if path.is_file():
            return _housing(path)
    from sklearn.datasets import fetch_california_housing

    folder = str(home)
    command = (
        f"python -c \"from sklearn.datasets import fetch_california_housing as f; f(data_home='{folder}')\""
    )
    with explained("california", folder, command):
        X, y = fetch_california_housing(data_home=folder, return_X_y=True)
    return DataSet(
        "california", "regression", Numbers(X), y.astype(np.float64), source="scikit-learn, StatLib"
    )


def communities(data: str | Path | None = None) -> DataSet:
    """Violent crimes in 1,994 communities of the USA from 122 measurements (Redmond and Baveja, 2002; UCI).

    From `communities.data` in the data folder, with a header or without. Its first five columns say which
    community it is and are no features; `?` is a missing value. All is in [0, 1] already.

    Raises:
        TaskError: for a file that is absent or damaged.
    """
    home = data_folder(data)
    path = home / "communities.data"
    if not path.is_file():
        raise TaskError(
            f"communities needs communities.data in {home}: get it from "
            "https://archive.ics.uci.edu/dataset/183/communities+and+crime, or point SYMLOSS_DATA to its folder"
        )
    # With pandas and scikit-learn two seconds to import: only when a table is asked for.
    from symloss.tasks.data.columns import Columns

    table = _read(path, 128, "ViolentCrimesPerPop", text=5)
    features = table.iloc[:, 5:-1].astype(np.float64)
    target = table.iloc[:, -1].to_numpy(np.float64)
    if not np.isfinite(target).all():
        raise TaskError(f"{path}: expected a target in every row")
    note = "the columns that say which community it is left out (state, county, community, name, fold)"
    return DataSet(
        "communities", "regression", Columns(features), target, source=f"UCI, {path}", notes=(note,)
    )


def _housing(path: Path) -> DataSet:
    table = _read(path, len(_HOUSING), _HOUSING[-1])
    table.columns = list(_HOUSING)
    households = table["households"]
    features = {
        "MedInc": table["medianIncome"],
        "HouseAge": table["housingMedianAge"],
        "AveRooms": table["totalRooms"] / households,
        "AveBedrms": table["totalBedrooms"] / households,
        "Population": table["population"],
        "AveOccup": table["population"] / households,
        "Latitude": table["latitude"],
        "Longitude": table["longitude"],
    }
    values = np.stack([column.to_numpy(np.float64) for column in features.values()], axis=1)
    target = table["medianHouseValue"].to_numpy(np.float64) / 100_000
    if not (np.isfinite(values).all() and np.isfinite(target).all()):
        raise TaskError(f"{path}: expected a number in every place, and households in every district")
    return DataSet("california", "regression", Numbers(values), target, source=f"StatLib, {path}")


def _read(path: Path, width: int, target: str, text: int = 0) -> pd.DataFrame:
    """A table of comma-separated values with its header, or with numbered columns where it has none.

    Args:
        path: the file.
        width: the number of columns.
        target: the last column's name, by which a header is known.
        text: how many columns, the first ones, need not be numbers.

    Raises:
        TaskError: for a file that is something else.
    """
    import pandas as pd

    try:
        with path.open(encoding="utf-8") as file:
            first = file.readline()
        # Told by the name of the last column, so that a first row of numbers is never taken for names.
        header = 0 if first.strip().endswith(target) else None
        table = pd.read_csv(path, header=header, na_values=["?"], skipinitialspace=True)
    except (OSError, ValueError) as error:  # pandas' own errors among them
        raise TaskError(f"cannot read {path}: {' '.join(str(error).split())}") from None
    if table.shape[1] != width:
        raise TaskError(f"{path}: expected {width} columns, got {table.shape[1]}")
    if header is None:
        table.columns = [*(f"column {number}" for number in range(1, width)), target]
    for name in table.columns[text:]:
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise TaskError(f"{path}: expected numbers in {name!r}")
    return table

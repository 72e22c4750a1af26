"""One's own data frame: labels as written, what is missing, booleans, dates, duplicates, scales."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from symloss.errors import TaskError
from symloss.tasks import Task, load_csv, load_task, rebuild

ROWS = 60
RNG = np.random.default_rng(0)


def table(**columns):
    return pd.DataFrame({"x": RNG.normal(size=ROWS), "y": np.arange(ROWS) / 3, **columns})


def notes(task):
    return "\n".join(task.describe()["notes"])


def rows(task):
    return len(task.train) + len(task.val) + task.test_size


def test_a_file_and_its_frame_are_one_task(tmp_path):
    frame = table(size=[1, None, 3] * 20, city=["Rome", "Oslo", None] * 20, sold=[True, False] * 30)
    frame.to_csv(tmp_path / "a.csv")
    from_file = load_csv(tmp_path / "a.csv", "y")
    assert "an unnamed column left out" in notes(from_file)
    for made in (frame, pd.read_csv(tmp_path / "a.csv"), pd.read_csv(tmp_path / "a.csv", dtype=str)):
        assert Task.from_frame(made, target="y").fingerprint == from_file.fingerprint
    frame.to_parquet(tmp_path / "a.parquet")
    assert load_csv(tmp_path / "a.parquet", "y").fingerprint == from_file.fingerprint
    assert rebuild(load_csv(tmp_path / "a.parquet", "y").describe()).fingerprint == from_file.fingerprint


@pytest.mark.parametrize(
    "mark", ["#N/A", "<NA>", "None", "none", "NA", "?", "NULL", "nan", "n/a", " ", None, pd.NA]
)
def test_numbers_with_any_mark_of_a_missing_value_stay_numbers(mark):
    task = Task.from_frame(table(size=[1.5, mark, 3.5] * 20), target="y")
    assert "'size': 20 missing values filled with the training median" in notes(task)
    assert task.inputs == (2,)


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA, pd.NaT, "", "None", "?"])
@pytest.mark.parametrize("kind", ["classification", "regression", "multilabel"])
def test_rows_without_a_label_are_left_out_and_counted(gap, kind):
    labels = (
        np.array(["a", "b", "c"] * 20, dtype=object)
        if kind == "classification"
        else np.arange(60.0).astype(object)
    )
    labels = (
        np.stack([np.arange(60) % 2, np.arange(60) % 3 == 0], axis=1).astype(object)
        if kind == "multilabel"
        else labels
    )
    X = np.arange(120.0).reshape(60, 2)
    full = Task.from_arrays(X[2:], labels[2:], kind=kind)
    labels[:2] = gap
    task = Task.from_arrays(X, labels, kind=kind, weights=np.arange(60))
    assert rows(task) == 58
    assert "2 rows without a target left out" in notes(task)
    assert torch.equal(task.train.X, full.train.X)
    assert torch.equal(task.train.y, full.train.y)
    assert min(part.w.min() for part in (task.train, task.val, task._test)) == 2
    columns = dict(zip(["u", "v"], labels.T, strict=True)) if kind == "multilabel" else {"u": labels}
    framed = Task.from_frame(pd.DataFrame({"x": X[:, 0], **columns}), list(columns), kind=kind)
    assert rows(framed) == 58
    assert "2 rows without a target left out" in notes(framed)


def test_nan_among_labels_that_are_numbers():
    y = np.where(np.arange(60) == 3, np.nan, np.arange(60) % 3)
    for labels in (y, torch.tensor(y), pd.Series(y), pd.Series(y).astype("Int64"), y.tolist()):
        task = Task.from_arrays(np.arange(60.0)[:, None], labels, kind="classification")
        assert task.describe()["class_names"] == ["0", "1", "2"]
        assert rows(task) == 59
    with pytest.raises(TaskError, match="no row of y has a value"):
        Task.from_arrays(np.arange(60.0)[:, None], [None] * 60, kind="classification")


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["01", "1", " 1"], ["01", "1"]),
        (["1", "1.0", "1"], ["1", "1.0"]),
        (["10", "2", "9"], ["2", "9", "10"]),
        ([2**53, 2**53 + 1, 2**53], [str(2**53), str(2**53 + 1)]),
        ([2**64, 2**64 + 1, 5], ["5", str(2**64), str(2**64 + 1)]),
        (["a", "a ", "B"], ["B", "a"]),
        ([True, False, True], ["False", "True"]),
    ],
)
def test_labels_are_compared_as_they_are_written(labels, names, tmp_path):
    frame = pd.DataFrame({"x": np.arange(60.0), "y": pd.Series(labels * 20, dtype=object)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    for task in (load_csv(tmp_path / "a.csv", "y"), Task.from_frame(frame, "y")):
        assert task.kind == "classification"
        assert task.describe()["class_names"] == names
    values = Task.from_arrays(np.arange(60.0)[:, None], labels * 20, kind="classification")
    assert sorted(values.describe()["class_names"]) == sorted(names)


def test_large_groups_do_not_collide(tmp_path):
    groups = [2**53 + row % 12 for row in range(60)]
    frame = table(g=groups, h=[f"{'0' * (row % 2)}{row % 5}" for row in range(60)])
    frame.to_csv(tmp_path / "a.csv", index=False)
    for group in ("g", "h"):
        parts = [
            load_csv(tmp_path / "a.csv", "y", group=group),
            Task.from_frame(frame, "y", group=group),
            Task.from_arrays(frame[["x"]], frame["y"], kind="regression", groups=list(frame[group])),
        ]
        sizes = {(len(task.train), len(task.val), task.test_size) for task in parts}
        # Twelve groups of five, or ten of six: no part can be anything else.
        assert sizes == ({(35, 15, 10)} if group == "g" else {(36, 12, 12)})
    with pytest.raises(TaskError, match="groups has 1 missing values"):
        Task.from_arrays(frame[["x"]], frame["y"], kind="regression", groups=[None, *groups[1:]])


def test_booleans_are_zero_and_one():
    plain = Task.from_frame(table(b=[1, 0, None] * 20).assign(x=1.0), target="y")
    for column in ([True, False, None], ["true", "FALSE", "?"], ["True", "False", " "]):
        task = Task.from_frame(table(b=column * 20).assign(x=1.0), target="y")
        assert torch.equal(task.train.X, plain.train.X)
    nullable = table(b=pd.array([True, False, None] * 20, dtype="boolean")).assign(x=1.0)
    assert torch.equal(Task.from_frame(nullable, target="y").train.X, plain.train.X)


@pytest.mark.parametrize("as_text", [False, True])
def test_dates(as_text):
    frame = table(
        day=pd.date_range("2020-01-01", periods=ROWS),
        month=pd.to_datetime(["2020-01-01", "2020-02-01", None] * 20),
    )
    if as_text:
        frame = frame.astype({"day": str, "month": str})
    task = Task.from_frame(frame, target="y")
    assert "'day': left out, dates that are different in more than half of the training rows" in notes(task)
    assert "'month': dates, 3 values as 0/1 features, 20 missing as a value of their own" in notes(task)
    assert task.inputs == (4,)


@pytest.mark.parametrize(
    "how",
    [
        "%d %B %Y", "%B %d, %Y", "%b %d, %Y", "%d-%b-%y", "%d-%b-%Y", "%d/%b/%Y", "%d. %B %Y", "%b. %d %Y", "%d%b%Y",
        "%d %b '%y", "%Y-%b-%d", "%A, %d %B %Y", "%a, %d %b %Y %H:%M:%S", "%d %B %Y, %H:%M", "%b %d, %Y %I:%M %p",
        "%dth %B %Y", "%a %Y-%m-%d",
    ],
)  # fmt: skip
@pytest.mark.parametrize("case", [str, str.upper, str.lower])
def test_dates_with_names_of_months(how, case):
    days = pd.date_range("2020-01-01", periods=ROWS, freq="9D")
    starts = pd.date_range("2020-01-01", periods=12, freq="MS")
    frame = table(
        day=[case(day.strftime(how)) for day in days],
        start=[None if row % 13 == 12 else case(starts[row % 13].strftime(how)) for row in range(ROWS)],
        month=[case(starts[row % 12].strftime("%B %Y" if row % 2 else "%b-%y")) for row in range(ROWS)],
    )
    said = notes(Task.from_frame(frame, target="y"))
    assert "'day': left out, dates that are different in more than half of the training rows" in said
    assert "'start': dates, 13 values as 0/1 features, 4 missing as a value of their own" in said
    assert "'month': dates, 12 values as 0/1 features" in said


@pytest.mark.parametrize(
    "cell",
    [
        "May",
        "12",
        "Mar 1",
        "12 Marbles 2020",
        "March",
        "mayor 12 2020",
        "12 2020",
        "Jun-x",
        "A 12 March 2020",
    ],
)
def test_text_that_is_no_date(cell):
    said = notes(Task.from_frame(table(when=[cell, "12 March 2020"] * 30), target="y"))
    assert "'when': text, 2 values as 0/1 features" in said


def test_columns_that_stand_twice_are_empty_or_have_no_name():
    frame = pd.concat([table(empty=[None] * 60), table()[["x"]]], axis=1)
    frame.columns = ["x", "y", "empty", "x"]
    task = Task.from_frame(frame.rename_axis("when"), target="y")
    assert "another column named 'x' is called 'x (2)'" in notes(task)
    assert "'empty': left out, no training row has a value" in notes(task)
    assert "the index when left out: it is no column" in notes(task)
    assert task.inputs == (2,)
    frame.columns = ["x", "y", "x (2)", "x"]
    assert "is called 'x (3)'" in notes(Task.from_frame(frame, target="y"))
    with pytest.raises(TaskError, match="two columns named 'x', wanted for the target"):
        Task.from_frame(frame, target="x")
    assert Task.from_frame(pd.DataFrame({0: np.arange(60.0), 1: np.arange(60) % 2}), 1).inputs == (1,)


def test_other_types_of_columns():
    frame = table(
        category=pd.Categorical([1, 2, 3] * 20), hours=pd.to_timedelta(np.arange(60), "h"),
        whole=pd.array([1, None, 4] * 20, dtype="Int64"), text=pd.array(["a", "b"] * 30, dtype="string"),
    )  # fmt: skip
    # Three categories, though they are numerals; hours and whole numbers are numbers; of two texts one feature.
    assert Task.from_frame(frame, target="y").inputs == (1 + 3 + 1 + 1 + 1,)


@pytest.mark.parametrize(
    ("frame", "target", "message"),
    [
        ({"a": [1]}, "a", "expected a pandas.DataFrame"),
        (table(z=np.inf), "y", "'z' has the value inf: expected finite numbers"),
        (table(z=1j), "y", "complex numbers"),
        (table().iloc[:0], "y", "no row has a value in the target"),
        (table(), ["x", "x"], "several different ones"),
        (table(), [], "expected a column"),
        (table(z="a"), ["y", "z"], "multilabel expects numbers|always a"),
        (table()[["y"]], "y", "expected columns beside the target"),
        (
            table(z=np.where(np.arange(60) == 7, 1e300, np.arange(60)), x=1.0),
            "y",
            "single precision overflows",
        ),
    ],
)
def test_frames_that_are_refused(frame, target, message):
    with pytest.raises(TaskError, match=message) as caught:
        Task.from_frame(frame, target)
    assert "\n" not in str(caught.value)


def test_the_note_on_the_kind_says_how_to_have_the_other():
    assert "for the other say --kind classification (in Python kind='classification')" in notes(
        Task.from_frame(table(), "y")
    )
    some = table(c=np.arange(60) % 3)
    assert "3 different whole numbers; for the other say --kind regression" in notes(
        Task.from_frame(some, "c")
    )
    assert Task.from_frame(some, "c", kind="regression").kind == "regression"
    mixed = notes(Task.from_frame(table(c=["1", "1.0", "2"] * 20), "c"))
    assert "has 3 different whole numbers" in mixed
    assert "1 and 1.0 are two classes" in mixed


@pytest.mark.parametrize("how", ["standard", "minmax", "none"])
def test_target_scale(how, tmp_path):
    frame = table(y=50 + 7 * RNG.normal(size=60))
    frame.to_csv(tmp_path / "a.csv", index=False)
    task = load_csv(tmp_path / "a.csv", "y", target_scale=how)
    seen, facts = task.train.y.double(), task.describe()["target_scale"]
    assert facts["how"] == how
    low, high = {"standard": (seen.mean(), seen.std(correction=0)), "minmax": (seen.min(), seen.max()),
                 "none": (0, 1)}[how]  # fmt: skip
    assert (float(low), float(high)) == pytest.approx((0, 1), abs=1e-6)
    raw = {"standard": lambda y: y * facts["standard_deviation"] + facts["mean"],
           "minmax": lambda y: facts["low"] + y * (facts["high"] - facts["low"]), "none": lambda y: y}[how]  # fmt: skip
    every = torch.cat([part.y for part in (task.train, task.val, task._test)]).double()
    assert sorted(raw(every).tolist()) == pytest.approx(sorted(frame["y"]), rel=1e-5)
    assert rebuild(task.describe()).fingerprint == task.fingerprint
    others = [
        Task.from_frame(frame, "y", target_scale=how),
        Task.from_arrays(frame[["x"]], frame["y"], kind="regression", target_scale=how),
    ]
    assert all(torch.equal(other.train.y, task.train.y) for other in others)
    shifted = load_csv(tmp_path / "a.csv", "y", target_scale=how, outliers=0.5)
    jump = (shifted.train.y - task.train.y).abs().max()
    assert float(jump) == pytest.approx(5 * float(seen.std(correction=0)), rel=1e-4)


def test_target_scales_that_do_not_fit():
    with pytest.raises(TaskError, match="expected standard, minmax or none"):
        load_task("diabetes", target_scale="log")
    with pytest.raises(TaskError, match="is for regression, this task is classification"):
        load_task("wine", target_scale="minmax")
    with pytest.raises(TaskError, match="targets are so far outside"):
        Task.from_frame(table(y=np.arange(60) * 1e200), "y", target_scale="none")
    assert Task.from_frame(table(y=np.arange(60) * 1e200), "y").train.y.std() > 0.9

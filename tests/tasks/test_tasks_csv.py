"""One's own CSV file: what is inferred, what is handled and said, what is refused."""

from __future__ import annotations

import gzip
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from symloss.errors import TaskError
from symloss.tasks import load_csv, rebuild
from symloss.tasks.data.columns import Columns, read_column

RNG = np.random.default_rng(0)


@pytest.fixture
def houses(tmp_path):
    """60 rows with everything a stranger's file has."""
    rows = ["id,size,rooms,city,heating,planet,owner,sold,price"]
    for row in range(60):
        size = "" if row in (3, 40) else f"{50 + RNG.integers(100)}"
        city = ["Rome", "Oslo", "Lima"][row % 3] if row % 13 != 7 else "?"
        price = "" if row == 50 else f"{100 + 0.37 * row:.2f}"
        rows.append(
            f"r{row},{size},{row % 5},{city},{['oil', 'gas'][row % 2]},earth,o{row // 4},{row % 2},{price}"
        )
    path = tmp_path / "houses.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def write(tmp_path, text, name="my.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def numbered(count, label):
    return "a,b,label\n" + "".join(f"{row},{row * row % 7},{label(row)}\n" for row in range(count))


def test_a_file_becomes_a_task_that_says_what_was_done(houses):
    task = load_csv(houses, "price", group="owner")
    notes = "\n".join(task.describe()["notes"])
    assert task.kind == "regression"
    assert "regression: the target 'price' has 59 different numbers" in notes
    assert "1 rows without a target left out" in notes
    assert "'size': 2 missing values filled with the training median" in notes
    assert "'city': text, 4 values as 0/1 features, 5 missing as a value of their own" in notes
    assert "'planet': left out, constant" in notes
    assert "'id': left out, text that is different" in notes
    assert "no group is in two parts" in notes
    # size, rooms, city (Rome, Oslo, Lima, missing), heating (one of two), sold
    assert task.inputs[0] in (7, 8)
    assert all(torch.isfinite(part.X).all() for part in (task.train, task.val, task._test))
    assert len(task.train) + len(task.val) + task.test_size == 59
    assert task.evaluate(task.fit(task.meta_loss, seed=0))["mse"] > 0
    assert rebuild(task.describe()).fingerprint == task.fingerprint


def test_groups_never_straddle_a_split(tmp_path):
    path = write(tmp_path, "x,g,y\n" + "".join(f"{r // 3},g{r // 3},{r * 0.37 % 1}\n" for r in range(60)))
    task = load_csv(path, "y", group="g")
    parts = [
        {round(value, 4) for value in part.X[:, 0].tolist()} for part in (task.train, task.val, task._test)
    ]
    assert len(set.union(*parts)) == sum(len(part) for part in parts) == 20
    with pytest.raises(TaskError, match="group column 'g' has 1 missing"):
        load_csv(write(tmp_path, path.read_text().replace("g7,", ",", 1)), "y", group="g")


@pytest.mark.parametrize(
    ("label", "kind", "classes", "said"),
    [
        (lambda row: "yes" if row % 3 else "no", "classification", 2, "is text"),
        (lambda row: row % 3, "classification", 3, "3 different whole numbers"),
        (lambda row: (row % 2) / 2, "classification", 2, "2 different numbers"),
        (lambda row: row / 10, "regression", None, "100 different numbers"),
        (lambda row: row % 30, "regression", None, "30 different numbers"),
    ],
)
def test_the_kind_is_inferred_and_said(tmp_path, label, kind, classes, said):
    task = load_csv(write(tmp_path, numbered(100, label)), "label")
    assert (task.kind, task.classes) == (kind, classes)
    assert any(said in note for note in task.describe()["notes"])


def test_the_kind_can_be_chosen(tmp_path):
    path = write(tmp_path, numbered(100, lambda row: row % 3))
    assert load_csv(path, "label", kind="regression").kind == "regression"
    assert load_csv(path, "label").describe()["class_names"] == ["0", "1", "2"]
    with pytest.raises(TaskError, match="unknown kind 'classify'"):
        load_csv(path, "label", kind="classify")
    with pytest.raises(TaskError, match="regression expects numbers"):
        load_csv(write(tmp_path, numbered(30, lambda row: "ab"[row % 2])), "label", kind="regression")


def test_several_targets_are_labels(tmp_path):
    text = "x,even,third\n" + "".join(f"{r},{r % 2},{int(r % 3 == 0)}\n" for r in range(30))
    task = load_csv(write(tmp_path, text), "even, third")
    assert (task.kind, task.classes, task.metric) == ("multilabel", 2, "macro-f1")
    assert task.describe()["class_names"] == ["even", "third"]


def test_weights_are_no_feature(tmp_path):
    path = write(tmp_path, numbered(30, lambda row: row / 7))
    task = load_csv(path, "label", weight="a")
    assert task.inputs == (1,)
    assert sorted(torch.cat([part.w for part in (task.train, task.val, task._test)]).tolist()) == list(
        range(30)
    )
    with pytest.raises(TaskError, match="weight column 'b'"):
        load_csv(write(tmp_path, "a,b,y\n" + "1,-1,0.5\n2,1,0.7\n" * 5), "y", weight="b")


def test_other_dialects(tmp_path):
    german = "größe;preis;\n" + "".join(
        f'"{row},5";{row * 1.5:.2f};{row}\n'.replace(".", ",") for row in range(20)
    )
    task = load_csv(write(tmp_path, b"\xef\xbb\xbf" + german.encode()), "preis")
    assert task.kind == "regression"
    assert task.inputs == (1,)
    assert "an unnamed column left out" in task.describe()["notes"]
    tabs = numbered(20, lambda row: row / 3).replace(",", "\t").replace("\n", "\r\n\r\n")
    assert load_csv(write(tmp_path, tabs), "label").inputs == (2,)


def rows_of(separator, *columns, header="a{0}b{0}y"):
    """60 rows of two numbers and a target, with the numbers' decimal mark as given."""
    lines = [separator.join(cell(row) for cell in columns) for row in range(60)]
    return "\n".join([header.format(separator), *lines]) + "\n"


PLAIN = (lambda row: f"{row * 7 % 11}.5", lambda row: f"{row % 9}.25", lambda row: f"{row / 4}")
COMMAS = tuple((lambda row, cell=cell: cell(row).replace(".", ",")) for cell in PLAIN)
QUOTED = tuple((lambda row, cell=cell: f'"{cell(row)}"') for cell in COMMAS)
THOUSANDS = (*QUOTED[:2], lambda row: f'"1.{row * 8:03},50"')


WIDE = [("utf-16", "utf-16")] + [
    (f"utf-{bits}-{order}", f"utf-{bits}{end}")
    for bits in (16, 32)
    for order in ("le", "be")
    for end in ("", f"-{order}")
]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        *((rows_of(mark, *PLAIN), {}) for mark in ",;\t|:^~ \x1f"),
        (rows_of("; ", *COMMAS, header="size, m2{0}price, EUR{0}y"), {}),
        (rows_of(";", *COMMAS, header="size, m2{0}price, EUR{0}y"), {"decimal": ","}),
        (rows_of(",", *PLAIN, header='"size; m2"{0}"price, ""EUR"""{0}y'), {}),
        (rows_of(",", *QUOTED), {"decimal": ","}),
        ("sep=;\r\n" + rows_of(";", *COMMAS).replace("\n", "\r\n"), {}),
        ("\ufeffsep=|\n" + rows_of("|", *PLAIN), {}),
        ("\ufeff" + rows_of(",", *PLAIN), {}),
        (rows_of(",", *PLAIN).replace("\n", "\r"), {}),
        (rows_of(",", *PLAIN) + ",,\n\n", {}),
        (gzip.compress(rows_of("\t", *PLAIN).encode(), mtime=0), {}),
        (rows_of(",", *PLAIN, header="größe{0}b{0}y").encode("latin-1"), {"encoding": "latin-1"}),
        *(
            (rows_of(",", *PLAIN, header="größe{0}b{0}y").encode(written), {"encoding": said})
            for written, said in WIDE
        ),
        *(
            (("\ufeff" + rows_of("\t", *PLAIN, header="größe{0}b{0}y")).encode(written), {"encoding": said})
            for written, said in WIDE[1:]
        ),
    ],
)
def test_every_dialect_is_the_same_task(tmp_path, content, options):
    task = load_csv(write(tmp_path, content), "y", **options)
    assert task.fingerprint == load_csv(write(tmp_path, rows_of(",", *PLAIN), "plain.csv"), "y").fingerprint
    assert rebuild(task.describe()).fingerprint == task.fingerprint


def test_decimal_commas_are_recognised_or_named(tmp_path):
    path = write(tmp_path, rows_of(";", *COMMAS))
    assert "decimal commas in 'a', 'b', 'y'; for text say --decimal ." in load_csv(path, "y").facts["notes"]
    for target, message in (
        (lambda row: f'"{row},5"', "is it an identifier"),
        (lambda row: f"k{row % 2}", "no column is left"),
    ):
        text = rows_of(",", *(lambda row: f'"{row},5"',) * 2, target)
        with pytest.raises(TaskError, match=f"{message}.* for decimal commas say --decimal ,"):
            load_csv(write(tmp_path, text), "y")
    thousands = load_csv(write(tmp_path, rows_of(",", *THOUSANDS)), "y", decimal=",")
    assert thousands.facts["target_scale"]["mean"] == pytest.approx(1236.5, abs=60)
    with pytest.raises(TaskError, match=r"decimal ';': expected '\.' or ','"):
        load_csv(path, "y", decimal=";")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("header", ["größe,y", "一Ā一,y"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "said",
    ["utf-8", "latin-1", "utf-16", "utf-16-be", "utf-32", "utf-32-le"],
)
def test_wide_text_is_named_not_read_as_something_else(tmp_path, mark, header, encoding, said):
    text = mark + header + "\n" + "".join(f"{row},{row * 7 % 11}\n" for row in range(30))
    path = write(tmp_path, text.encode(encoding))
    if said in (encoding, encoding[:6]):
        assert load_csv(path, "y", encoding=said).describe()["sizes"] == {"train": 18, "val": 6, "test": 6}
        return
    with pytest.raises(
        TaskError, match=rf"is not .*: save it as UTF-8, or .* --encoding {encoding[:6]}$"
    ) as caught:
        load_csv(path, "y", encoding=said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("said", ["utf-16", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("end", ["", " "])
def test_other_text_is_not_read_as_wide(tmp_path, said, end):
    text = "größe,y\n" + "".join(f"{row},{row * 7 % 11}\n" for row in range(30)) + end
    with pytest.raises(TaskError, match=rf"is not {said}: save it as UTF-8, or .* --encoding utf-8$"):
        load_csv(write(tmp_path, text), "y", encoding=said)


@pytest.mark.parametrize(
    ("content", "name", "options", "message"),
    [
        ("größe,y\n1,2\n".encode("latin-1"), "a.csv", {}, "not UTF-8 .* UTF-8, or .* --encoding latin-1"),
        ("größe,y\n1,2\n".encode("utf-16"), "a.csv", {}, "not UTF-8 .* --encoding utf-16"),
        (b"a,y\n1,2\n", "a.csv", {"encoding": "klingon"}, "unknown encoding 'klingon'"),
        (b"a,y\n1,2\n", "a.csv", {"encoding": "hex"}, "unknown encoding 'hex'"),
        (b"a,y\n1\x00,2\n", "a.csv", {}, "NUL characters.* UTF-8, or .* --encoding"),
        ("a,y".encode("utf-16-le"), "a.csv", {}, "NUL characters.* UTF-8, or .* --encoding"),
        (
            gzip.compress("a,y\n1,2\n".encode("utf-16-be"), mtime=0),
            "a.csv.gz",
            {},
            "not UTF-8 .* --encoding utf-16",
        ),
        ("größe,y".encode("utf-32"), "a.csv", {}, "not UTF-8 .* --encoding utf-32"),
        (b"PK\x03\x04 a workbook", "a.xlsx", {}, "Excel workbook"),
        (b"\x1f\x8b\x08 cut", "a.csv.gz", {}, "damaged gzip file"),
        (b"PAR1 cut", "a.parquet", {}, "not a Parquet file"),
    ],
)
def test_contents_that_are_refused(tmp_path, content, name, options, message):
    with pytest.raises(TaskError, match=message) as caught:
        load_csv(write(tmp_path, content, name), "y", **options)
    assert "\n" not in str(caught.value)


def test_parquet_without_its_reader(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TaskError, match=r"pip install 'symloss\[parquet\]'"):
        load_csv(write(tmp_path, b"PAR1", "a.parquet"), "y")


def test_nothing_is_fetched():
    with pytest.raises(TaskError, match="is an address: expected a file on this machine"):
        load_csv("https://example.org/a.csv", "y")


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        ("", "y", "is empty"),
        ("\n\n", "y", "is empty"),
        ("a,y\n", "y", "a header and no rows"),
        ("a,y\n1,2\n", "z", "no column 'z' for the target: expected one of a, y"),
        ("apples,price\n1,2\n", "prices", "did you mean price"),
        ("a,y,y\n1,2,3\n", "y", "two columns named 'y', wanted for the target"),
        ("a,y\n1,2\n1,2,3\n", "y", "line 3: expected 2 values, got 3"),
        ("a,y\n" + "1,5\n" * 9, "y", "the target 'y' is always 5"),
        ("a,y\n" + "1,ja\n" * 9, "y", "the target 'y' is always ja"),
        ("a,y\n" + "1,\n" * 9, "y", "no row has a value in the target"),
        ("y\n" + "1\n2\n" * 9, "y", "columns beside the target"),
        ("a,y\n" + "".join(f"1,{row / 3}\n" for row in range(9)), "y", "no column is left"),
        ("a,y\n" + "".join(f"inf,{row / 3}\n" for row in range(9)), "y", "column 'a' has the value inf"),
        ("a,y\n" + "".join(f"{row},n{row}\n" for row in range(9)), "y", "is it an identifier"),
        (
            "a,y\n" + "".join(f"{row},{'hello' if row == 6 else row / 7}\n" for row in range(80)),
            "y",
            "the target 'y' is nearly all numbers, but 'hello' in row 7 is not a number: ",
        ),
        (
            "a,y\n" + "".join(f"{row},{'x' if row < 2 else row / 7}\n" for row in range(80)),
            "y",
            "'x' in row 1 is not a number, nor is 1 more: ",
        ),
        ("a,y\n1,0\n2,1\n3,0\n", "y", "expected at least 5"),
        (b"a,y\n\xff\xfe,2\n", "y", "is not UTF-8"),
        ('a,y\n"1,2\n', "y", "is not a CSV file"),
    ],
)
def test_files_that_are_refused(tmp_path, text, target, message):
    with pytest.raises(TaskError, match=message) as caught:
        load_csv(write(tmp_path, text), target)
    assert "\n" not in str(caught.value)


def test_a_word_among_whole_numbers_is_said(tmp_path):
    text = "a,y\n" + "".join(f"{row},{'n.b.' if row == 6 else row % 4}\n" for row in range(80))
    notes = load_csv(write(tmp_path, text), "y").describe()["notes"]
    assert "classification: the target 'y' is text: 'n.b.' in row 7 is not a number" in notes


def test_a_word_among_numbers_is_no_target_of_regression(tmp_path):
    text = "a,y\n" + "".join(f"{row},{'n.b.' if row == 6 else row}\n" for row in range(80))
    with pytest.raises(
        TaskError, match=r"'y': 'n\.b\.' in row 7 is not a number, and regression expects numbers"
    ):
        load_csv(write(tmp_path, text), "y", kind="regression")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(TaskError, match=r"cannot read .*nowhere.csv: No such file"):
        load_csv(tmp_path / "nowhere.csv", "y")
    with pytest.raises(TaskError, match="cannot read"):
        load_csv(tmp_path, "y")


def frame(**columns):
    return Columns(
        pd.DataFrame({name: read_column(pd.Series(cells, dtype=object)) for name, cells in columns.items()})
    )


def test_encoders_see_training_rows_only():
    train = np.arange(4)
    columns = frame(number=["1", "3", "", "5", "1000", ""], text=["a", "b", "a", "b", "new", "a"])
    block, notes = columns.prepare(train)
    # The median is 3 and the deviation of (1, 3, 3, 5) the root of 2, whatever the last rows hold.
    assert block[:, 0] == pytest.approx(np.array([-2, 0, 0, 2, 997, 0]) / np.sqrt(2))
    assert block[:, 1].tolist() == [0, 1, 0, 1, 0, 0]
    assert len(notes) == 2


def test_the_most_frequent_values_of_text_are_kept():
    cells = [f"v{row % 60:02}" for row in range(180)] + ["v59"] * 20
    block, notes = frame(t=cells).prepare(np.arange(200))
    assert block.shape == (200, 50)
    assert block[-1].sum() == 1
    assert "the 49 most frequent, and one for the others" in notes[0]


def test_rare_classes_are_said(tmp_path):
    task = load_csv(write(tmp_path, numbered(40, lambda row: "rare" if row == 0 else "ab"[row % 2])), "label")
    assert any("fewer than 3 rows, not in every part: rare" in note for note in task.describe()["notes"])

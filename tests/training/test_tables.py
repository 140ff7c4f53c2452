"""CSV and Parquet tables: read as pandas reads them, in every form in which people write them; and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fastparquet
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from training.data.parts import DataSet
from training.data.sources import load
from training.data.wanted import Wanted
from training.errors import DataError

pytestmark = pytest.mark.training

RANDOM = np.random.default_rng(0)
#: Sixty people: a number with gaps, a category with gaps, and what they earn.
PEOPLE = pd.DataFrame(
    {
        "age": np.where(np.arange(60) % 7, RANDOM.integers(20, 60, 60) + 0.5, np.nan),
        "town": [["Oslo", "Málaga", None][k] for k in RANDOM.integers(0, 3, 60)],
        "pay": RANDOM.normal(size=60).round(4) * 1000,
    }
)


def write_parquet(path: Path, frame: pd.DataFrame, **options: Any) -> str:
    fastparquet.write(str(path), frame, **options)
    return str(path)


def written(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def read(path: Path, content: str | bytes, **wanted: Any) -> DataSet:
    return load(written(path, content), Wanted(**wanted))


def is_people(dataset: DataSet) -> None:
    assert dataset.frame is not None
    assert dataset.frame.names == ("age", "town")
    table = dataset.frame.table(dataset.rest.x)
    assert np.array_equal(table["age"], PEOPLE["age"].to_numpy(), equal_nan=True)
    assert table["town"].tolist() == PEOPLE["town"].fillna("").tolist()
    assert dataset.rest.y == pytest.approx(PEOPLE["pay"].to_numpy(), rel=1e-6)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_common_way_to_write_it(path: Path, delimiter: str, encoding: str) -> None:
    text = PEOPLE.to_csv(index=False, sep=delimiter, lineterminator="\r\n")
    dataset = read(path, text.encode(encoding))
    is_people(dataset)
    assert (dataset.name, dataset.kind, dataset.task) == ("people", "tabular", "regression")
    assert ("read as Windows-1252" in str(dataset.notes)) == (encoding == "cp1252")


def test_decimal_commas_and_old_line_ends(path: Path) -> None:
    is_people(read(path, PEOPLE.to_csv(index=False, sep=";", decimal=",", lineterminator="\r")))
    dataset = read(path, "a;b\n" + "\n".join(f"1.{number:03},5;{'xy'[number % 2]}" for number in range(60)))
    assert dataset.rest.x[:3].ravel().tolist() == [1000.5, 1001.5, 1002.5]


def test_quotes_hold_delimiters_newlines_and_quotes(path: Path) -> None:
    words = ['a,"b"', "two\nlines", " padded "] * 20
    frame = pd.DataFrame({"word": words, "y": ["p", "q"] * 30})
    table = read(path, frame.to_csv(index=False))
    assert table.frame is not None
    assert table.frame.table(table.rest.x)["word"].tolist() == [word.strip() for word in words]


@pytest.mark.parametrize("compression", [None, "SNAPPY", "GZIP", "ZSTD"])
def test_parquet(tmp_path: Path, compression: str | None) -> None:
    dataset = load(write_parquet(tmp_path / "people.parquet", PEOPLE, compression=compression))
    assert dataset.task == "regression"
    is_people(dataset)


def test_parquet_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "whole": pd.array([1, None, 3] * 20, dtype="Int64"),
            "truth": pd.array([True, None, False] * 20, dtype="boolean"),
            "kind": pd.Categorical(["u", "v", None] * 20),
            "day": pd.to_datetime(["2020-01-01", "2021-01-01"] * 30),
            "y": [True, False] * 30,
        }
    )
    dataset = load(write_parquet(tmp_path / "types.pq", frame))
    assert dataset.frame is not None
    table = dataset.frame.table(dataset.rest.x)
    assert table["whole"][:3].tolist() == pytest.approx([1, np.nan, 3], nan_ok=True)
    assert (table["truth"][:3].tolist(), table["kind"][:3].tolist()) == (["true", "", "false"], ["u", "v", ""])
    assert "'day' is a date" in dataset.notes[-1]
    assert dataset.classes == ("false", "true")


def test_scikit_learns_tables(tmp_path: Path) -> None:
    iris, diabetes, cancer = (load_it(as_frame=True).frame for load_it in (load_iris, load_diabetes, load_breast_cancer))
    dataset = read(tmp_path / "iris.csv", iris.to_csv())
    assert (dataset.classes, dataset.rest.x.shape) == (("0", "1", "2"), (150, 4))
    assert "columns left out: 'column 1' numbers the rows" in dataset.notes
    assert np.array_equal(dataset.rest.x, iris.iloc[:, :4])
    dataset = read(tmp_path / "diabetes.csv", diabetes.to_csv(index=False))
    assert dataset.task == "regression"
    assert np.array_equal(dataset.rest.x, diabetes.iloc[:, :10])
    parquet = write_parquet(tmp_path / "cancer.parquet", cancer)
    assert load(parquet).classes == ("0", "1")
    assert load(parquet, Wanted(task="regression")).task == "regression"
    other = load(parquet, Wanted(target="mean radius"))
    assert (other.task, other.rest.y[0]) == ("regression", np.float32(cancer["mean radius"][0]))
    assert other.frame is not None
    assert other.frame.names == tuple(cancer.columns.drop("mean radius"))


def test_what_columns_become_is_learnt_from_training_rows_alone() -> None:
    rows = RANDOM.normal(size=(200, 1)).round(3)
    frame = pd.DataFrame({"number": rows.ravel(), "rare": ["common"] * 200, "y": ["p", "q"] * 100})
    frame.loc[RANDOM.random(200) < 0.1, "number"] = np.nan
    frame.loc[:199:9, "rare"] = [f"word {number}" for number in range(23)]
    dataset = _of(frame)
    split = dataset.split(seed=3)
    assert split.columns is not None
    assert split.problem.input.shape == (None, split.train.x.shape[1]) == (None, len(split.columns.features))
    there = split.train.x[split.train.x[:, 1] == 0, 0]
    assert np.allclose(split.train.x[split.train.x[:, 1] == 1, 0], np.median(there))
    assert split.train.x[:, 2:].sum(axis=0).min() == 1  # no category that only other parts have
    assert (split.test.x[:, 2:].sum(axis=1) == 0).any()  # which are unseen there
    assert split.columns.table([{"number": 1.5, "rare": "common"}])["number"].tolist() == [1.5]


def _of(frame: pd.DataFrame) -> DataSet:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return read(Path(folder) / "table.csv", frame.to_csv(index=False))


def test_what_is_left_out_is_said(path: Path) -> None:
    frame = pd.DataFrame(
        {
            "Customer_ID": 1000 - np.arange(120) * 3,
            "comment": [f"comment {number}" for number in range(120)],
            "same": 1,
            "nothing": np.nan,
            "letter": "x" * 300,
            "temperature": np.arange(120) % 50,
            "y": ["p", "q", ""] * 40,
        }
    )
    dataset = read(path, frame.to_csv(index=False))
    assert dataset.frame is not None
    assert dataset.frame.names == ("temperature",)
    assert "40 rows without a value of 'y' were left out" in dataset.notes
    for told in (
        "'Customer_ID' numbers the rows",
        "'comment' is a text with 80 different values in 80 rows",
        "'same' has one value only",
        "'nothing' has no values",
        "'letter' is a text of up to 300 characters",
    ):
        assert told in dataset.notes[-1]


def lines(make: Any, head: str = "a,b") -> str:
    return "\n".join([head, *(make(number) for number in range(60))])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty; expected a line with the names"),
        (b"\xef\xbb\xbf\n\n", "is empty"),
        ("a,b\n", "a first line with names and no rows"),
        ("a\n1\n2\n", "has one column; expected at least two"),
        ("1,2\n3,4\n", "the first line of .* has numbers only"),
        ("a,b,a\n1,2,3\n", "has two columns 'a'"),
        (lines(lambda n: "1,2,3" if n == 5 else "1,2"), "line 7 of .* has 3 values, expected 2"),
        (lines(lambda n: "1" if n == 5 else "1,2"), "line 7 of .* has 1 values, expected 2"),
        (lines(lambda n: '"1\n2",2,3' if n == 5 else "1,2"), "line 8 of .* has 3 values, expected 2"),
        (lines(lambda n: '1,"2' if n == 5 else "1,2"), "line 61 of .* is no CSV: unexpected end"),
        (lines(lambda n: "1," + "x" * 200_000 if n == 5 else "1,2"), "line 7 of .* is no CSV: field larger"),
        (b"a,b\n1,\x81\n", "is neither UTF-8 nor Windows-1252"),
        (b"a,b\n1,\0\n", "is no text"),
        (lines(lambda n: f"{'inf' if n == 5 else n * 0.5},{'xy'[n % 2]}"), "the column 'a' .* infinite"),
        (lines(lambda n: f"{10**400 if n == 5 else n * 0.5},{'xy'[n % 2]}"), "the column 'a' .* infinite or beyond"),
        (lines(lambda n: f"{n * 0.5},-inf"), "the column 'b' .* infinite"),
        (lines(lambda n: f"{n * 0.5},x"), "the column 'b' .* 60 rows of one class"),
        (lines(lambda n: f"{n * 0.5},3.5"), "the column 'b' .* 60 rows of one value"),
        (lines(lambda n: f"{n * 0.5},"), "the column 'b' .* has no value in any row"),
        (lines(lambda n: f"{n * 0.5},comment {n}"), "60 different values in 60 rows, too many for classes; take another target"),
        (lines(lambda n: f"comment {n},{'xy'[n % 2]}"), "no column to learn 'b' from; left out were 'a' is a text"),
    ],
)
def test_what_cannot_be_read_is_told(path: Path, content: str | bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        read(path, content)
    assert len(str(caught.value)) < 700


def test_an_unknown_target_is_told_with_what_there_is(path: Path) -> None:
    with pytest.raises(DataError, match=r"has no column 'wage'; it has 'age', 'town', 'pay'"):
        read(path, PEOPLE.to_csv(index=False), target="wage")
    with pytest.raises(DataError, match=r"holds values such as .* are no classes"):
        read(path, PEOPLE.to_csv(index=False), task="classification")
    with pytest.raises(DataError, match=r"holds words such as '(Oslo|Málaga)'"):
        read(path, PEOPLE.to_csv(index=False), target="town", task="regression")


def test_a_wrong_parquet_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "people.parquet"
    whole = Path(write_parquet(path, PEOPLE)).read_bytes()
    for content in (b"", b"PAR1" + b"x" * 100 + b"PAR1", whole[:-100], b"age,pay\n1,2\n"):
        with pytest.raises(DataError, match=r"people\.parquet cannot be read as Parquet"):
            read(path, content)
    with pytest.raises(DataError, match="has no rows"):
        load(write_parquet(path, PEOPLE[:0]))


def test_the_hash_is_that_of_the_table(path: Path) -> None:
    first = read(path, PEOPLE.to_csv(index=False)).sha256
    assert read(path, PEOPLE.to_csv(index=False, sep=";")).sha256 == first
    assert read(path, PEOPLE.rename(columns={"age": "years"}).to_csv(index=False)).sha256 != first
    assert read(path, PEOPLE.replace({"town": {"Oslo": "Bergen"}}).to_csv(index=False)).sha256 != first

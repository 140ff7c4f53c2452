"""The columns of tables: encoded rows against plain loops, and what signals find in them again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.manifest import Input
from monitoring.reference import Reference
from monitoring.signals.binning import bin_counts
from monitoring.signals.column import Column
from monitoring.signals.columns import MOST, Columns, missing
from monitoring.signals.measure import Batch, Fitted

WORDS = st.sampled_from(["", "a", "b", "ba", "c"])
NUMBERS = st.floats(-1e9, 1e9) | st.sampled_from([0.0, 1.0, 2.0]) | st.just(math.nan)


@given(st.lists(WORDS, min_size=1, max_size=20), st.lists(st.tuples(WORDS, NUMBERS), min_size=1, max_size=20), st.booleans())
def test_a_table_comes_out_of_encoded_rows_again(training: list[str], rows: list[tuple[str, float]], marked: bool) -> None:
    numbers = np.linspace(-5.0, 5.0, len(training))
    columns = Columns.of(
        {"kind": np.array(training), "size": np.where(np.arange(len(training)) == 0, np.nan, numbers) if marked else numbers}
    )
    words, values = np.array([word for word, _ in rows]), np.array([value for _, value in rows])

    found, unknown = columns.decode(columns.encode({"kind": words, "size": values}))

    known = np.isin(words, [word for word in training if word])
    assert np.array_equal(unknown, ~known & (words != ""))
    assert found["kind"].tolist() == np.where(known, words, "").tolist()
    assert np.allclose(found["size"], values.astype(np.float32), rtol=1e-6, atol=1e-6, equal_nan=True)


@given(st.lists(WORDS, min_size=1, max_size=20), st.lists(WORDS, min_size=1, max_size=40))
def test_categories_by_plain_loops(training: list[str], values: list[str]) -> None:
    columns = Columns.of({"kind": np.array(training)})
    encoded = columns.encode({"kind": np.array(values)})
    measured = columns.signals(encoded)["column:kind"]
    counts = bin_counts(measured, columns.edges("column:kind", measured))

    order = sorted(set(training) - {""})
    marked = [[float(not value)] if "" in training else [] for value in values]
    assert encoded.round(5).tolist() == [[float(value == one) for one in order] + mark for value, mark in zip(values, marked, strict=True)]
    unseen = sum(value not in (*order, "") for value in values)
    assert counts.tolist() == [values.count(one) for one in order] + [unseen, values.count("")]
    assert columns.unseen("column:kind", counts) == unseen / len(values)
    assert missing(counts) == values.count("") / len(values)


@given(st.lists(NUMBERS, min_size=1, max_size=20), st.lists(NUMBERS, min_size=1, max_size=40))
def test_numbers_by_plain_loops(training: list[float], values: list[float]) -> None:
    columns = Columns.of({"age": np.array(training)})
    encoded = columns.encode({"age": np.array(values)})

    there = [value for value in training if value == value]
    median = np.median(there) if there else 0
    assert columns.features == (("age", "age missing") if len(there) < len(training) else ("age",))
    step = float(np.spacing(np.float32(max([1e-6, *map(abs, there)]))))
    expected = [median if value != value else value for value in values]
    assert encoded[:, 0] == pytest.approx(np.array(expected), rel=1e-6, abs=2 * step)
    assert columns.signals(encoded)["column:age"] == pytest.approx(values, rel=1e-6, abs=2 * step, nan_ok=True)


def test_a_number_never_missed_in_training_leaves_a_trace_that_no_number_has() -> None:
    columns = Columns.of({"age": np.array([1.0, 2.0, 3.0])})
    trace = columns.encode({"age": np.array([np.nan])})

    measured = columns.signals(columns.encode({"age": trace[0].astype(np.float64)}))["column:age"]

    assert trace[0, 0] == pytest.approx(2.0, rel=1e-6)
    assert np.isnan(columns.signals(trace)["column:age"]).all()
    assert measured.tolist() == [2.0]


@given(st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), min_size=1, max_size=200))
def test_missing_numbers_have_a_bin_of_their_own(values: list[float]) -> None:
    columns = Columns.of({"age": np.array(values)})
    measured = columns.signals(columns.encode({"age": np.array(values)}))["column:age"]

    counts = bin_counts(measured, columns.edges("column:age", measured))

    assert counts[-1] == np.isnan(values).sum()
    assert counts.sum() == len(values)


def test_a_column_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="'age' has no training rows"):
        Column.of("age", np.empty(0))


def table(rows: int, seed: int) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    fare = rng.exponential(size=rows)
    fare[rng.random(rows) < 0.1] = np.nan
    return {"age": rng.normal(size=rows), "kind": rng.choice(["red", "green", "blue"], rows), "fare": fare}


COLUMNS = Columns.of(table(500, 0))


def test_rows_of_json_become_the_table() -> None:
    read = COLUMNS.table([{"age": 3, "kind": "red", "fare": None}, {"kind": None, "fare": 0.5}, {}])

    assert read["age"].tolist() == pytest.approx([3, math.nan, math.nan], nan_ok=True)
    assert read["kind"].tolist() == ["red", "", ""]
    assert read["fare"].tolist() == pytest.approx([math.nan, 0.5, math.nan], nan_ok=True)
    assert COLUMNS.names == ("age", "kind", "fare")
    assert COLUMNS.features == ("age", "kind=blue", "kind=green", "kind=red", "fare", "fare missing")
    assert COLUMNS.encode(read).shape == (3, 6)
    assert COLUMNS.encode(read).dtype == np.float32
    assert COLUMNS.encode(COLUMNS.table([])).shape == (0, 6)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"agee": 3}, "there is no column 'agee', expected 'age', 'kind', 'fare'"),
        ({"x" * 500: 3}, "there is no column 'xxx"),
        ({"age": "3"}, "the column 'age' has '3', expected a number, or null where it is missing"),
        ({"age": True}, "the column 'age' has True, expected a number"),
        ({"age": [3]}, r"the column 'age' has \[3\], expected a number"),
        ({"age": 10**400}, "the column 'age' has 1000.*, expected a finite number"),
        ({"age": 1e39}, r"the column 'age' has 1e\+39, expected a finite number"),
        ({"age": math.inf}, "the column 'age' has inf, expected a finite number"),
        ({"age": math.nan}, "the column 'age' has nan, expected a finite number"),
        ({"kind": {"a": 1}}, "the column 'kind' has {'a': 1}, expected a text"),
        ({"kind": 2.5}, r"the column 'kind' has 2\.5, expected a text"),
    ],
)
def test_a_wrong_row_is_told_in_one_short_sentence(row: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        COLUMNS.table([{"age": 1}, row])
    assert len(str(caught.value)) < 250


def test_words_that_are_no_texts_and_endless_ones() -> None:
    columns = Columns.of({"member": np.array(["true", "false"]), "floor": np.array(["1", "12"])})

    read = columns.table([{"member": True, "floor": 12}, {"member": "false", "floor": "1" * 1_000_000}])

    assert columns.encode(read).tolist() == [[0, 1, 0, 1], [1, 0, 0, 0]]
    assert read["floor"].nbytes < 100


def batch(rows: dict[str, NDArray[Any]]) -> Batch:
    encoded = COLUMNS.encode(rows)
    return Batch(encoded, np.full((len(encoded), 2), 0.5, dtype=np.float32), np.zeros((len(encoded), 4), dtype=np.float32))


def test_a_reference_of_a_table_counts_its_columns() -> None:
    taken = Input("row", "float32", (None, 6), "tabular", (-1e9, 1e9))
    reference = Reference.of(batch(table(400, 1)), taken, Fitted(columns=COLUMNS))
    live = table(300, 2)
    live["kind"][:60], live["age"][:90], live["kind"][60:75] = "pink", np.nan, ""

    counts = reference.split(reference.count(batch(live), taken)["signals"])

    assert list(counts) == ["class", "confidence", "entropy", "column:age", "column:kind", "column:fare"]
    assert missing(counts["column:age"]) == 0.3
    assert missing(reference.profiles["column:fare"].counts) == pytest.approx(0.1, abs=0.04)
    assert COLUMNS.unseen("column:kind", counts["column:kind"]) == 0.2
    assert missing(counts["column:kind"]) == 0.05
    assert reference.profiles["column:kind"].counts[-2:].tolist() == [0, 0]


def test_columns_are_read_back_as_written() -> None:
    read = Columns.from_arrays(COLUMNS.to_arrays())

    assert read.names == ("age", "kind", "fare")
    assert [known is None for known in read.categories.values()] == [True, False, True]
    assert np.array_equal(read.encode(table(50, 3)), COLUMNS.encode(table(50, 3)))
    assert (
        read.signals(read.encode(table(50, 3)))["column:kind"].tolist()
        == COLUMNS.signals(COLUMNS.encode(table(50, 3)))["column:kind"].tolist()
    )


def test_a_wide_table_is_watched_in_its_first_columns() -> None:
    wide = {str(number): np.arange(3.0) for number in range(500)}
    columns = Columns.of(wide)
    assert columns.encode(wide).shape == (3, 500)
    assert len(columns.signals(columns.encode(wide))) == len(columns.categories) == MOST

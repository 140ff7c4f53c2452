"""The columns of tables, against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.manifest import Input
from monitoring.reference import Reference
from monitoring.signals.binning import bin_counts
from monitoring.signals.columns import MOST, Columns, category_numbers, known_values, missing
from monitoring.signals.measure import Batch, Fitted

TABLE = Input("row", "float32", (None, 3), "tabular", (-1e9, 1e9))


@given(st.lists(st.sampled_from([1.0, 2.5, 7.0, 9.0, np.nan]), max_size=60), st.sets(st.sampled_from([1.0, 2.5, 7.0])))
def test_categories_by_plain_loops(values: list[float], known: set[float]) -> None:
    columns = Columns.of(np.array([[value] for value in known]).reshape(-1, 1), ("kind",), {"kind"})
    measured = columns.signals(np.array(values).reshape(-1, 1))["column:kind"]

    counts = bin_counts(measured, columns.edges("column:kind", measured))

    order = sorted(known)
    unseen = sum(value == value and value not in known for value in values)
    empty = sum(value != value for value in values)
    assert counts.tolist() == [sum(value == one for value in values) for one in order] + [unseen, empty]
    if values:
        assert columns.unseen("column:kind", counts) == unseen / len(values)
        assert missing(counts) == empty / len(values)


@given(st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), min_size=1, max_size=200))
def test_missing_numbers_have_a_bin_of_their_own(values: list[float]) -> None:
    column = np.array(values)

    counts = bin_counts(column, Columns.of(column[:, None], ("age",)).edges("column:age", column))

    assert counts[-1] == np.isnan(column).sum()
    assert counts.sum() == len(values)


def test_words_are_categories_too() -> None:
    known = known_values(np.array(["red", "", "blue", "red"]))

    assert known.tolist() == ["blue", "red"]
    assert category_numbers(np.array(["red", "green", ""]), known).tolist() == pytest.approx([1, 2, np.nan], nan_ok=True)


def table(rows: int, seed: int) -> NDArray[Any]:
    rng = np.random.default_rng(seed)
    found = np.column_stack([rng.normal(size=rows), rng.integers(0, 3, rows), rng.exponential(size=rows)]).astype(np.float32)
    found[rng.random(rows) < 0.1, 2] = np.nan
    return found


def batch(inputs: NDArray[Any]) -> Batch:
    return Batch(inputs, np.full((len(inputs), 2), 0.5, dtype=np.float32), np.zeros((len(inputs), 4), dtype=np.float32))


def test_a_reference_of_a_table_counts_its_columns() -> None:
    fitted = Fitted(columns=Columns.of(table(500, 0), ("age", "kind", "fare"), {"kind"}))
    reference = Reference.of(batch(table(400, 1)), TABLE, fitted)
    live = table(300, 2)
    live[:60, 1], live[:90, 0] = 17, np.nan

    counts = reference.split(reference.count(batch(live), TABLE)["signals"])

    assert list(counts) == ["class", "confidence", "entropy", "column:age", "column:kind", "column:fare"]
    assert missing(counts["column:age"]) == 0.3
    assert missing(reference.profiles["column:fare"].counts) == pytest.approx(0.1, abs=0.04)
    assert fitted.columns is not None
    assert fitted.columns.unseen("column:kind", counts["column:kind"]) == 0.2
    assert reference.profiles["column:kind"].counts[-2:].tolist() == [0, 0]


def test_columns_are_read_back_as_written() -> None:
    written = Columns.of(table(50, 0), ("age", "kind", "fare"), {"kind"})

    read = Columns.from_arrays(written.to_arrays())

    assert list(read.categories) == ["age", "kind", "fare"]
    assert [known is None for known in read.categories.values()] == [True, False, True]
    assert read.signals(table(50, 3))["column:kind"].tolist() == written.signals(table(50, 3))["column:kind"].tolist()


def test_a_wide_table_is_watched_in_its_first_columns() -> None:
    assert len(Columns.of(np.zeros((2, 500))).signals(np.zeros((3, 500)))) == MOST

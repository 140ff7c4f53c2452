"""Repeated rows are found by their bytes, wherever they are in a batch and however the batches are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.signals.duplicates import Recent, signatures


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(1, 50), st.sampled_from([np.float32, np.uint8, np.float64]))
def test_repeats_are_those_of_a_set(numbers: list[int], size: int, kind: type) -> None:
    rows = np.array(numbers, dtype=kind)[:, None] * np.array([1, 0, 2], dtype=kind) % 251
    recent = Recent()

    found = sum(np.count_nonzero(recent.repeats(rows[start : start + size])) for start in range(0, len(rows), size))

    assert found == len(rows) - len({row.tobytes() for row in rows})


@pytest.mark.parametrize("shape", [(1,), (3,), (4,), (7, 1), (28, 28, 1)])
def test_rows_that_differ_in_one_value_differ(shape: tuple[int, ...]) -> None:
    """As images do: whole numbers as floats, of which only the upper half of the bytes is used."""
    values = int(np.prod(shape))
    rows = np.zeros((values * 255 + 1, values), dtype=np.float32)
    rows[np.arange(values * 255), np.repeat(np.arange(values), 255)] = np.tile(np.arange(1, 256), values)
    rows = rows[:: 1 if values < 100 else 37].reshape(-1, *shape)

    assert len(np.unique(signatures(rows))) == len(rows)
    assert np.array_equal(signatures(rows[::-1]), signatures(rows)[::-1])


def test_pixels_are_the_same_as_bytes_and_as_numbers() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1)).astype(np.uint8)
    recent = Recent()

    assert recent.repeats(pixels[:40]).sum() == 0
    assert recent.repeats(pixels.astype(np.float32)).tolist() == [True] * 40 + [False] * 10
    assert recent.repeats(pixels + np.float32(0.5)).sum() == 0


@pytest.mark.parametrize("other", [0.5, -1, 256, np.nan])
def test_what_else_is_in_the_batch_changes_no_signature(other: float) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (6, 12)).astype(np.float32)
    rows[3, 5] = other

    assert [signatures(row[None])[0] for row in rows] == signatures(rows).tolist()
    assert np.array_equal(signatures(rows)[:3], signatures(rows[:3].astype(np.uint8)))


def test_a_row_of_zeros_was_not_there_before() -> None:
    recent = Recent()

    assert [recent.repeats(np.zeros((1, 8))).tolist(), recent.repeats(np.zeros((1, 8))).tolist()] == [[False], [True]]


def test_thousands_of_rows_are_remembered_and_not_more() -> None:
    rows = np.random.default_rng(0).random((300_000, 4))
    recent = Recent()

    assert recent.repeats(rows[:1000]).sum() == 0
    assert recent.repeats(rows[:1000]).sum() > 800  # some came to the same place
    assert recent.repeats(rows[1000:]).sum() == 0
    assert recent.repeats(rows[:1000]).sum() == 0


def test_what_was_longer_ago_may_come_again() -> None:
    rows = np.arange(20.0).reshape(10, 2)
    recent = Recent()

    assert [recent.repeats(rows, now).sum() for now in (100.0, 101.0, 109.9, 110.0, 111.0)] == [0, 10, 10, 0, 10]

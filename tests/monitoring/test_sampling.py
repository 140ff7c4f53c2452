"""What is watched of a load: all of a burst, and of a long one the rows per second that were set, whichever client sends them."""

from __future__ import annotations

import numpy as np
import pytest

from monitoring.counts.sampling import Sampling


def watched(sampling: Sampling, rows: int, per_second: float, start: float, seconds: float) -> list[bool]:
    """Which of the calls that answer so many rows, and come so often, are watched."""
    return [sampling.takes(rows, start + number / per_second) for number in range(round(seconds * per_second))]


@pytest.mark.parametrize(("rows", "per_second"), [(1, 5000), (13, 400), (64, 150)])
def test_of_a_long_load_as_many_rows_are_watched_as_were_set(rows: int, per_second: float) -> None:
    sampling = Sampling(500, np.random.default_rng(1))
    burst = watched(sampling, rows, per_second, 0, 1)
    watched(sampling, rows, per_second, 1, 9)
    found = watched(sampling, rows, per_second, 10, 300)
    assert all(burst)
    assert rows * sum(found) / 300 == pytest.approx(500, rel=0.1)
    gaps = np.diff(np.flatnonzero(found))  # by chance: geometric, whose deviation is about its mean
    assert np.std(gaps) == pytest.approx(np.mean(gaps) - 0.5, rel=0.1)


def test_a_load_below_it_is_watched_whole_whatever_its_calls() -> None:
    sampling = Sampling(500, np.random.default_rng(2))
    assert all(watched(sampling, 400, 1.2, 0, 600))
    assert all(watched(sampling, 1, 490, 600, 60))


def test_after_a_long_load_the_next_burst_is_watched_whole_again() -> None:
    sampling = Sampling(500, np.random.default_rng(3))
    assert not all(watched(sampling, 10, 500, 0, 60))
    assert all(watched(sampling, 10, 500, 90, 1))


def test_clients_with_small_and_large_requests_have_the_same_chance() -> None:
    """Each call has its chance whatever its rows: were rows to wait until there is room for them, large calls would never be watched."""
    sampling, rng = Sampling(500, np.random.default_rng(4)), np.random.default_rng(4)
    sizes = rng.choice([1, 64, 1000], 60_000, p=[0.8, 0.15, 0.05])
    taken = np.array([sampling.takes(int(rows), at / 100) for at, rows in enumerate(sizes)])
    shares = [taken[2000:][sizes[2000:] == rows].mean() for rows in (1, 64, 1000)]
    assert shares == pytest.approx([np.mean(taken[2000:])] * 3, rel=0.15)


def test_without_a_limit_all_is_watched() -> None:
    assert all(watched(Sampling(0, np.random.default_rng(5)), 64, 1000, 0, 30))

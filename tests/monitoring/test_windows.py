"""Windows and cohorts against a plain list of everything that happened."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitoring.windows import WINDOWS, Cohorts, History

NONE = np.empty((0, 2))


def sums(right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What labels add to a cohort in a task of classes: one each, and one more for a hit."""
    return np.stack([np.ones(len(right)), right], axis=1)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.floats(1, 3000), st.integers(0, 50)), min_size=1, max_size=120))
def test_an_increase_is_what_came_within_the_window_or_a_twentieth_earlier(steps: list[tuple[float, int]]) -> None:
    history, now, total = History.empty(1), 1e9, 0
    events: list[tuple[float, int]] = []
    for wait, amount in steps:
        now, total = now + wait, total + amount
        events.append((now, amount))
        history = history.record(now, np.array([float(total)]))

    for seconds in WINDOWS.values():
        # What is recorded at a moment came between the record before and that moment.
        starts = [1e9, *[time for time, _ in events[:-1]]]
        least = sum(amount for start, (_, amount) in zip(starts, events, strict=True) if start > now - seconds)
        most = sum(amount for time, amount in events if time > now - seconds * 1.05 - 1)
        found = history.increase(now, np.array([float(total)]), seconds)[0]
        assert least <= found <= most


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(0.1, 90), st.integers(0, 50)), min_size=1, max_size=80), st.data())
def test_what_came_after_a_moment_is_told_without_anything_from_before(steps: list[tuple[float, int]], data: st.DataObject) -> None:
    ticks = np.cumsum([1e9, *(wait for wait, _ in steps)])
    totals = np.cumsum([0, *(amount for _, amount in steps)]).astype(float)
    history = History.empty(1)
    for now, total in zip(ticks, totals, strict=True):
        history = history.record(now, np.array([total]))
    came = np.diff(totals, prepend=0.0)

    moment = data.draw(st.sampled_from(ticks.tolist()))
    told = history.increase(ticks[-1], totals[-1:], float(ticks[-1]) - moment, not_before=moment)[0]

    assert told <= came[ticks > moment].sum()
    assert told >= came[ticks > moment + 0.05 * max(WINDOWS.values())].sum()
    if moment < ticks[-1]:  # the tick before the last is always remembered
        assert told >= came[-1]


def test_a_history_of_a_month_stays_short() -> None:
    history = History.empty(2)
    for tick in range(30 * 24 * 60 * 6):
        if tick > 8 * 360 and tick % 60:  # the first hours tick by tick, the rest by ten minutes
            continue
        history = history.record(tick * 10.0, np.array([tick, 1.0]))
        assert len(history.times) < 110

    now = history.times[-1]
    assert history.increase(now, np.array([now / 10, 1.0]), 86400)[0] == pytest.approx(8640, rel=0.06)


def test_a_window_longer_than_all_that_is_known_counts_everything() -> None:
    assert History.empty(1).increase(50.0, np.array([3.0]), 60).tolist() == [3.0]


def test_a_clock_that_is_set_back_does_not_break_the_windows() -> None:
    history = History.empty(1).record(1000, np.array([5.0])).record(2000, np.array([7.0])).record(1500, np.array([8.0]))

    assert history.times.tolist() == [1000, 1500]
    assert history.increase(1500, np.array([8.0]), 60).tolist() == [3.0]


def test_coverage_is_the_share_of_the_windows_predictions_that_have_a_label_by_now() -> None:
    cohorts = (
        Cohorts.empty(2)
        .add(10, 1000.0, np.array([]), NONE)
        .add(30, 2000.0, np.array([1000.0, 1001.0, 2000.0]), sums(np.array([True, False, True])))
    )

    assert cohorts.coverage(2000.0, 60) == pytest.approx(1 / 30)
    assert cohorts.coverage(2000.0, 3600) == pytest.approx(3 / 40)
    assert cohorts.coverage(2000.0 + 86400 * 2, 3600) is None
    assert cohorts.lately(2000.0, 3600).tolist() == [3, 2]
    assert cohorts.lately(2000.0 + 86400 * 2, 3600).tolist() == [0, 0]
    assert cohorts.labelled(990.0, 1500.0).tolist() == [2, 1]


def test_a_label_for_a_prediction_before_the_ring_is_left_out_and_the_ring_is_reused() -> None:
    cohorts = Cohorts.empty(2).add(10, 1000.0, np.array([]), NONE)
    later = 1000.0 + 86400 + 30

    cohorts = cohorts.add(5, later, np.array([900.0, 1000.0]), sums(np.array([True, True])))

    assert cohorts.coverage(later, 86400) == 0.0
    assert cohorts.counts.sum() == 15


@given(st.lists(st.floats(0, 86000), min_size=1, max_size=200), st.data())
def test_coverage_and_accuracy_by_brute_force(moments: list[float], data: st.DataObject) -> None:
    labelled = sorted(data.draw(st.lists(st.sampled_from(moments), unique=True)))
    cohorts = Cohorts.empty(2)
    for moment in sorted(moments):
        cohorts = cohorts.add(1, moment, np.array([]), NONE)
    now = 86400.0
    right = np.array(labelled) % 3 < 2
    cohorts = cohorts.add(0, now, np.array(labelled), sums(right))

    for seconds in WINDOWS.values():
        first = (now - seconds) // 10
        inside = [moment for moment in moments if moment // 10 > first]
        expected = len([moment for moment in labelled if moment // 10 > first]) / len(inside) if inside else None
        assert cohorts.coverage(now, seconds) == pytest.approx(expected) if expected is not None else cohorts.coverage(now, seconds) is None
        known = [moment % 3 < 2 for moment in labelled if moment // 10 > first]
        assert cohorts.lately(now, seconds).tolist() == [len(known), sum(known)]

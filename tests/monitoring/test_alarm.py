"""The alarm: it stays until it is seen, does not tell the same change twice, and outlives a restart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from monitoring.arrays import FloatArray
from monitoring.drift.alarm import Promise, Vigil
from monitoring.drift.evidence import Evidence
from tests.monitoring.streams import BINS, SIGNALS, equal, one_gone, references, streams

PROMISE = Promise(days_between_false_alarms=30, tick_seconds=10)


class Traffic:
    """Independent rows, 200 a tick, ticks ten seconds apart; the first signal can be changed."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.streams = streams(references(self.rng, 3_000, 1)[0])
        self.total, self.now = np.zeros(SIGNALS * BINS), 0.0
        self.vigil = Vigil.start(self.streams, self.now, self.total)

    def ticks(self, number: int, shares: FloatArray | None = None, seen: bool = False) -> Vigil:
        first = equal() if shares is None else shares
        for _ in range(number):
            self.now += 10
            self.total = self.total + self.rng.multinomial(200, np.stack([first, *[equal()] * (SIGNALS - 1)])).ravel()
            self.vigil = self.vigil.advance(self.streams, PROMISE, self.now, self.total, seen)
        return self.vigil


def alarmed() -> Traffic:
    traffic = Traffic()
    assert traffic.ticks(60).alarm is None
    traffic.ticks(10, one_gone())
    return traffic


def test_the_levels_are_one_false_alarm_in_so_many_days_of_ticks() -> None:
    assert np.exp(PROMISE.log_alarm) == pytest.approx(30 * 8640)
    assert np.exp(PROMISE.log_warning) == pytest.approx(8640)
    assert Promise(0.001, 3600).log_alarm > 0


def test_an_alarm_names_the_signal_and_about_when_the_change_began() -> None:
    alarm = alarmed().vigil.alarm

    assert alarm
    assert list(alarm.signals) == ["signal 0"]
    assert alarm.signals["signal 0"] >= PROMISE.log_alarm
    assert 590 <= alarm.since <= 610 < alarm.raised_at <= 660


def test_an_alarm_stays_as_it_was_until_it_is_seen_also_when_the_traffic_is_as_before() -> None:
    traffic = alarmed()
    raised = traffic.vigil.alarm

    assert traffic.ticks(300).alarm == raised
    assert traffic.ticks(300, one_gone()).alarm == raised
    assert traffic.vigil.severity(PROMISE) == "alarm"


def test_what_was_seen_is_not_told_again_while_it_lasts() -> None:
    traffic = alarmed()
    traffic.ticks(40, one_gone())

    assert traffic.ticks(1, one_gone(), seen=True).alarm is None
    assert traffic.vigil.adapted
    assert traffic.ticks(500, one_gone()).alarm is None


def test_a_return_to_the_reference_is_no_alarm_and_the_next_change_is() -> None:
    traffic = alarmed()
    traffic.ticks(40, one_gone())
    traffic.ticks(1, one_gone(), seen=True)
    traffic.ticks(100, one_gone())

    assert traffic.ticks(100).alarm is None
    assert not traffic.vigil.adapted
    assert traffic.ticks(20, one_gone()).alarm


def test_after_it_was_seen_another_change_is_an_alarm() -> None:
    traffic = alarmed()
    traffic.ticks(40, one_gone())
    traffic.ticks(1, one_gone(), seen=True)
    traffic.ticks(100, one_gone())
    other = np.full(BINS, 0.5 / (BINS - 1))
    other[3] = 0.5

    assert traffic.ticks(10, other).alarm


def test_a_signal_that_moves_later_joins_the_alarm() -> None:
    traffic = alarmed()
    assert traffic.vigil.alarm
    raised_at = traffic.vigil.alarm.raised_at
    for _ in range(10):
        traffic.now += 10
        shares = np.stack([one_gone(), one_gone(), *[equal()] * (SIGNALS - 2)])
        traffic.total = traffic.total + traffic.rng.multinomial(200, shares).ravel()
        traffic.vigil = traffic.vigil.advance(traffic.streams, PROMISE, traffic.now, traffic.total)

    assert set(traffic.vigil.alarm.signals) == {"signal 0", "signal 1"}
    assert traffic.vigil.alarm.raised_at == raised_at
    assert traffic.vigil.signal_severity("signal 2", traffic.streams, PROMISE) == "ok"


def test_a_vigil_is_the_same_after_it_was_kept_and_read() -> None:
    for vigil in (alarmed().vigil, Traffic().vigil):
        read = Vigil.from_text(vigil.to_text(), Evidence.from_arrays(vigil.evidence.to_arrays()))
        assert dataclasses.replace(read, evidence=vigil.evidence) == vigil

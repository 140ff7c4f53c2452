"""The drill: what it counts is what the live path counts, and its detector behaves as one does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.predictor import Predictor
from models.store import Store
from monitoring.drift.alarm import Promise
from monitoring.drift.drill import DAY_SECONDS, Change, Looked, Outcome, Traffic, replay
from monitoring.drift.evidence import Streams
from monitoring.drift.streams import streams_of, totals
from monitoring.reference import read_samples
from monitoring.signals import shifts
from monitoring.signals.duplicates import Recent
from monitoring.signals.measure import Batch, quality
from monitoring.subject import Subject
from tests.small_models import Data

PROMISE = Promise(30, 10)


@dataclass(frozen=True)
class Watched:
    """A published variant, its streams, and what its held-back rows add to them."""

    subject: Subject
    streams: Streams
    predict: Callable[[NDArray[Any]], Batch]
    inputs: NDArray[Any]
    labels: NDArray[np.int64]

    def rows(self, inputs: NDArray[Any]) -> NDArray[Any]:
        reference = self.subject.reference
        looked = Looked.at(self.predict(inputs), self.subject.manifest.input, reference.fitted)
        return looked.counts(reference.profiles, self.streams)

    def change(self, name: str, strength: float | None = None, share: float = 1.0) -> Change:
        before, rng = self.rows(self.inputs), np.random.default_rng(0)
        if name in shifts.CLASS_SHIFTS:
            return Change(before, before, shifts.weights(name, self.labels, strength, rng), share)
        return Change(before, self.rows(shifts.apply(name, self.inputs, strength, rng)), np.ones(len(before)), share)

    def drill(self, change: Change, per_second: float = 20, clump: float = 1.0, runs: int = 6) -> Outcome:
        return replay(self.streams, change, Traffic(per_second, clump), PROMISE, runs, np.random.default_rng(1))


@pytest.fixture(scope="module")
def watched(shelf: Path) -> Watched:
    published = Store(shelf).open("digits8")
    subject = Subject.load(published)
    predictor = Predictor(published.path(subject.variant), subject.manifest.input, 1, nullcontext())
    samples = read_samples(published.file("reference.npz"))

    def predict(inputs: NDArray[Any]) -> Batch:
        answer = predictor.predict(inputs.astype(np.float32))
        return Batch(inputs.astype(np.float32), answer.outputs, answer.embedding)

    return Watched(subject, streams_of(subject), predict, samples.inputs, samples.labels)


def test_rows_add_up_to_what_the_live_path_counts(watched: Watched) -> None:
    batch, subject = watched.predict(watched.inputs), watched.subject
    live = np.zeros(subject.layout.size)
    parts = subject.layout.split(live)
    for block, counts in subject.reference.count(batch, subject.manifest.input).items():
        parts[block] += counts
    parts["quality"][-3:] = list(quality(batch.inputs, subject.manifest.input, Recent().repeats(batch.inputs)).values())
    expected = totals(subject, live, np.zeros(subject.task.label_layout.size))
    np.testing.assert_array_equal(watched.rows(watched.inputs).sum(axis=0), expected)


def test_rows_that_a_client_repeats_count_for_the_checks_alone(watched: Watched) -> None:
    rows = watched.rows(np.zeros_like(watched.inputs))
    by_stream = dict(zip(watched.streams.names, watched.streams.rows(rows.sum(axis=0)), strict=True))
    assert by_stream["mean"] == by_stream["class"] == 0
    assert by_stream["constant"] == len(rows)


def test_without_a_shift_there_is_no_alarm(watched: Watched) -> None:
    outcome = watched.drill(watched.change("brightness", 0), per_second=5, runs=3)
    assert outcome.missed == 1
    assert outcome.shown == {}
    assert outcome.within(0.5) == float("inf")


def test_a_stronger_shift_and_a_larger_share_are_noticed_sooner(watched: Watched) -> None:
    noise, shares = (
        [watched.drill(change, per_second=2).within(0.5) for change in changes]
        for changes in (
            [watched.change("noise", strength) for strength in (0.5, 60)],
            [watched.change("inversion", share=share) for share in (0.03, 0.2)],
        )
    )
    assert noise[0] > noise[1]
    assert shares[0] > shares[1]


def test_more_traffic_is_sooner_and_clumped_traffic_later(watched: Watched) -> None:
    change = watched.change("class_halved", 3)
    slow, fast, clumped = (watched.drill(change, *traffic).within(0.5) for traffic in ((5, 1.0), (100, 1.0), (5, 6.0)))
    assert fast < slow < clumped


def test_a_class_that_is_gone_shows_in_the_classes_after_some_hundred_predictions(watched: Watched) -> None:
    outcome = watched.drill(watched.change("class_gone", 3))
    assert outcome.shown["class"] > 0.8
    assert 100 < outcome.within(0.5) * 20 < 2500


def test_a_broken_client_shows_in_the_check_of_constants(watched: Watched) -> None:
    outcome = watched.drill(watched.change("constant"))
    assert next(iter(outcome.shown)) == "constant"
    assert outcome.missed == 0


def test_the_time_is_a_whole_number_of_ticks_and_the_same_each_time(watched: Watched) -> None:
    change = watched.change("class_halved", 3)
    first, again = watched.drill(change), watched.drill(change)
    np.testing.assert_array_equal(first.seconds, again.seconds)
    assert (first.seconds % PROMISE.tick_seconds == 0).all()
    assert first.seconds.max() <= DAY_SECONDS


def test_what_was_missed_is_no_time() -> None:
    outcome = Outcome(np.array([10.0, 20.0, np.inf, np.inf]), {})
    assert outcome.missed == 0.5
    assert outcome.within(0.3) == 20
    assert outcome.within(0.95) == float("inf")
    assert dataclasses.replace(outcome, seconds=np.array([5.0])).within(0.95) == 5


def test_the_rows_of_the_drill_are_those_of_the_data(watched: Watched, digits8: Data) -> None:
    np.testing.assert_array_equal(watched.inputs, digits8.test_x)

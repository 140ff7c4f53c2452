"""Watching a regression: an alarm when its errors grow or its inputs move, what the incident says of it, and labels that are absurd."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from models.store import Store
from monitoring.accuracy.labels import Labels
from monitoring.arrays import FloatArray
from monitoring.commands import accuracy_words
from monitoring.drift.alarm import Promise
from monitoring.incidents.incident import Incident
from monitoring.incidents.inquiry import Inquiry
from monitoring.incidents.page import render
from monitoring.signals.measure import Batch
from monitoring.subject import Subject
from monitoring.track import Track
from monitoring.view import windows
from tests.small_models import Data, _answers

PROMISE = Promise(30, 10)
ROWS = 40


@dataclasses.dataclass
class World:
    """A subject, the rows it is asked about, and its answers to them."""

    subject: Subject
    inputs: FloatArray
    values: FloatArray
    embeddings: FloatArray
    actual: FloatArray
    rng: np.random.Generator

    def run(self, ticks: int, track: Track, start: float, added: float = 0.0, change: FloatArray | float = 0.0) -> tuple[Track, float]:
        """So many ticks of some rows each, whose labels have `added` to them and whose inputs a `change`; until an alarm."""
        for tick in range(ticks):
            now = start + 10.0 * tick
            drawn = self.rng.integers(0, len(self.inputs), ROWS)
            batch = Batch(self.inputs[drawn] + change, self.values[drawn, None], self.embeddings[drawn])
            counts = track.counts.copy()
            for block, counted in self.subject.reference.count(batch, self.subject.manifest.input).items():
                self.subject.layout.split(counts)[block] += counted
            times = np.full(ROWS, now)
            labels = Labels(self.values[drawn].astype(float), self.actual[drawn] + added, times, times, np.zeros(ROWS))
            track = track.advance(self.subject, now, counts, labels).weigh(self.subject, PROMISE, now, seen=False)
            if track.vigil.alarm:
                return track, now
        return track, start + 10.0 * ticks


@pytest.fixture(scope="module")
def world(other_shelf: Path, patients: Data) -> World:
    published = Store(other_shelf).open("diabetes")
    subject = Subject.load(published)
    outputs, embeddings = _answers(published.path("int8"), patients, patients.test_x)
    return World(subject, patients.test_x, outputs[:, 0], embeddings, patients.test_y, np.random.default_rng(1))


def test_values_that_are_not_watched_are_counted_as_those_that_are(world: World) -> None:
    outputs, reference = world.values[:200, None], world.subject.reference
    counts = reference.count(Batch(world.inputs[:200], outputs, world.embeddings[:200]), world.subject.manifest.input)
    assert reference.count_answers(outputs).tolist() == reference.answers(counts["signals"]).tolist()


def test_larger_errors_alone_are_a_change_of_concept_told_in_the_unit_of_the_target(world: World) -> None:
    track, now = world.run(60, Track.start(world.subject, 0.0), 10.0)
    assert track.vigil.alarm is None
    before = windows(world.subject, track, now)["24h"].scores
    track, now = world.run(200, track, now, added=150.0)

    assert track.vigil.alarm is not None
    assert list(track.vigil.alarm.signals) == ["error"]
    incident = Inquiry(world.subject, track, track.vigil.alarm, now).incident("diabetes.1.int8.1", PROMISE)
    assert incident.verdict.cause == "concept change"
    assert "By labels the mean absolute error is" in incident.verdict.evidence
    accuracy = incident.accuracy
    assert (accuracy.measure, accuracy.before_by_labels, accuracy.estimated) == ("mae", True, None)
    assert accuracy.before is not None
    assert accuracy.labelled is not None
    assert accuracy.before.value == pytest.approx(before.errors.mae.value, rel=0.1)
    assert accuracy.labelled.value > 2 * accuracy.before.value
    assert "error" in [signal.name for signal in incident.raised]
    assert incident.raised[0].direction.startswith("up: ")
    assert accuracy_words(incident) == f"MAE {accuracy.before.value:.3g} → {accuracy.labelled.value:.3g} by labels"
    page = render(incident)
    assert "Mean absolute error before" in page
    assert f"{accuracy.labelled.value:.3g}<small>" in page
    assert Incident.from_json(incident.to_json(), "here") == incident


def test_an_incident_of_before_there_were_values_can_still_be_read(world: World) -> None:
    track, now = world.run(200, Track.start(world.subject, 0.0), 10.0, added=200.0)
    assert track.vigil.alarm is not None
    incident = Inquiry(world.subject, track, track.vigil.alarm, now).incident("diabetes.1.int8.1", PROMISE)
    text = incident.to_json().replace(', "measure": "mae"', "")

    assert Incident.from_json(text, "here").accuracy.measure == "accuracy"


def test_a_column_that_moves_is_an_input_shift_that_names_no_classes(world: World) -> None:
    change = np.zeros(world.inputs.shape[1], dtype=np.float32)
    change[0] = 25  # all patients are so many years older
    track, now = world.run(30, Track.start(world.subject, 0.0), 10.0)
    track, now = world.run(200, track, now, change=change)

    assert track.vigil.alarm is not None
    assert "column:age" in track.vigil.alarm.signals
    incident = Inquiry(world.subject, track, track.vigil.alarm, now).incident("diabetes.1.int8.1", PROMISE)
    assert incident.verdict.cause == "input shift"
    assert "classes" not in incident.verdict.evidence


def test_an_absurd_label_does_not_drown_all_that_come_after_it(world: World) -> None:
    task, residuals = world.subject.task, world.subject.reference.residuals
    assert residuals is not None
    one, now = np.zeros(1), np.full(1, 5.0)
    spoilt = task.add_labels(np.zeros(task.label_layout.size), Labels(one, one + 3e38, now, now, one))
    errors = np.random.default_rng(0).normal(0, 1, 500)
    times = np.full(500, 6.0)
    after = task.add_labels(spoilt, Labels(errors, np.zeros(500), times, times, np.zeros(500)))

    part = task.label_layout.split(after - spoilt)["errors"]
    assert task.label_layout.split(spoilt)["errors"][1] == pytest.approx(1000 * residuals.half_width)
    assert part[2] == pytest.approx((errors**2).sum(), rel=1e-3)
    assert part[0] == 500

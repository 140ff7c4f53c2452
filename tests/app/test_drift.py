"""Drift moves for changed images and stays quiet for fresh ones of the same data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask import Flask
from numpy.typing import NDArray

from monitoring.accuracy.labels import Labels
from monitoring.signals.measure import Batch
from monitoring.subject import Subject
from monitoring.track import Track
from monitoring.view import windows
from tests.small_models import Data

Images = NDArray[Any]
NONE = Labels(*(np.empty(0, dtype) for dtype in (np.int64, np.int64, float, float, float)))

SHIFTS: dict[str, tuple[Callable[[Images], Images], set[str]]] = {
    "brightened": (lambda x: np.clip(x.astype(int) + 60, 0, 255), {"mean", "saturation", "embedding"}),
    "inverted": (lambda x: 255 - x, {"mean", "ink", "distance", "embedding"}),
    "moved by a pixel": (lambda x: np.roll(x, 1, axis=2), {"centroid_x", "energy", "distance", "embedding"}),
    "noisy": (lambda x: np.clip(x + np.random.default_rng(0).normal(0, 40, x.shape), 0, 255), {"edges", "saturation", "distance"}),
    "one class only": (lambda x: x[:1].repeat(len(x), axis=0), {"class", "embedding"}),
}


def over(app: Flask, images: Images) -> set[str]:
    """The signals over their limit in the 10-minute window after these images."""
    loaded = app.extensions["veleta"].served.get("digits8")
    subject: Subject = loaded.subject
    rows = images.astype(np.float32)
    counts = np.zeros(subject.layout.size)
    answer = loaded.predictor.predict(rows)
    parts = subject.layout.split(counts)
    for block, counted in subject.reference.count(Batch(rows, answer.outputs, answer.embedding), subject.manifest.input).items():
        parts[block][:] = counted
    track = Track.start(subject, 1e9).advance(subject, 1e9, counts, NONE)
    shown = windows(subject, track, 1e9)["10m"]
    assert shown.predictions == len(images)
    return {drift.signal for drift in shown.drift if drift.state == "over"}


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_shift_moves_the_signals_that_it_should(flask_app: Flask, digits8: Data, shift: str) -> None:
    change, expected = SHIFTS[shift]
    rng = np.random.default_rng(0)
    fresh = digits8.test_x[rng.choice(len(digits8.test_x), 300)]

    assert expected <= over(flask_app, change(fresh))


def test_fresh_images_of_the_same_data_stay_under_every_limit(flask_app: Flask, digits8: Data) -> None:
    rng = np.random.default_rng(0)
    for rows in (60, 100, 300, 700):
        for _ in range(20):
            assert over(flask_app, digits8.test_x[rng.choice(len(digits8.test_x), rows)]) == set()


def test_few_images_are_not_enough_data(flask_app: Flask, digits8: Data) -> None:
    assert over(flask_app, 255 - digits8.test_x[:20]) == set()

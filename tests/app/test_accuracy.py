"""What is shown and exported of how right the answers are: by labels, both ways round, and by estimates without them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from sklearn.metrics import precision_recall_fscore_support

from app.factory import create_app
from app.settings import resolve
from models.store import Store
from monitoring.accuracy.calibration_error import calibration_error
from monitoring.reference import Samples, read_reference, write_references
from monitoring.track import Track
from monitoring.view import windows
from tests.live_server import samples
from tests.small_models import Data

ROWS = 700
LABEL = '{}="{}"'


@pytest.fixture
def asked(store: Store, digits8: Data) -> Iterator[tuple[FlaskClient, list[dict[str, Any]]]]:
    """A client whose server has answered 700 rows, and nothing else."""
    app = create_app(resolve({"store": str(store.root)}, {}, {})[0])
    client = app.test_client()
    yield client, client.post("/predict", data=np.ascontiguousarray(digits8.test_x[:ROWS]).tobytes()).get_json()["predictions"]
    app.extensions["veleta"].close()


def label(client: FlaskClient, predictions: list[dict[str, Any]], digits8: Data) -> None:
    truth = digits8.test_y[: len(predictions)]
    labels = [{"id": one["id"], "label": str(number)} for one, number in zip(predictions, truth, strict=True)]
    assert client.post("/feedback", json={"feedback": labels}).get_json()["matched"] == len(predictions)


def shown(client: FlaskClient) -> tuple[dict[str, Any], dict[str, float]]:
    """The 24-hour window of /monitor, and what is exported of it or by class: name and last labels → value."""
    client.application.extensions["veleta"].recorder.flush()
    window = client.get("/monitor").get_json()["windows"]["24h"]
    exported = samples(client.get("/metrics").text)
    return window, {key.replace('model="digits8",', ""): value for key, value in exported.items() if 'model="digits8"' in key}


def key(name: str, **labels: str) -> str:
    found = sorted({"variant": "int8", "version": "1", **labels}.items())
    return f"{name}{{{','.join(LABEL.format(*pair) for pair in found)}}}"


def test_without_labels_the_estimates_hold_the_accuracy(asked: tuple[FlaskClient, list[dict[str, Any]]], digits8: Data) -> None:
    client, predictions = asked
    window, exported = shown(client)
    truth = np.mean([one["class"] == number for one, number in zip(predictions, digits8.test_y, strict=False)])

    estimated = window["estimated"]

    assert set(estimated["methods"]) == {"confidence", "threshold", "label_shift"}
    assert estimated["lower"] <= truth <= estimated["upper"]
    assert estimated["lower"] < estimated["value"] < estimated["upper"]
    for method, found in estimated["methods"].items():
        assert found["value"] == pytest.approx(truth, abs=0.04)
        assert exported[key("veleta_accuracy_estimated_ratio", window="24h", method=method)] == found["value"]
    for end in ("lower", "upper"):
        assert exported[key(f"veleta_accuracy_estimated_{end}_ratio", window="24h")] == estimated[end]
    for method in ("confidence", "threshold"):
        hits = exported[key("veleta_estimated_hits_total", method=method)]
        assert hits / ROWS == pytest.approx(estimated["methods"][method]["value"])
    assert window["accuracy"] is window["accuracy_by_prediction_time"] is window["calibration_error"] is window["label_delay"] is None
    assert not [name for name in exported if "calibration_error" in name or "class_recall" in name or "cohort" in name]


def test_with_labels_everything_is_what_sklearn_and_plain_counting_say(
    asked: tuple[FlaskClient, list[dict[str, Any]]], digits8: Data
) -> None:
    client, predictions = asked
    label(client, predictions, digits8)
    window, exported = shown(client)
    actual, predicted = digits8.test_y[:ROWS], np.array([one["class"] for one in predictions])

    assert window["accuracy_by_prediction_time"] == window["accuracy"]
    assert window["accuracy"]["value"] == pytest.approx(np.mean(actual == predicted))
    for end, part in (("", "value"), ("_lower", "lower"), ("_upper", "upper")):
        assert exported[key(f"veleta_cohort_accuracy{end}_ratio", window="24h")] == window["accuracy"][part]
    oracle = precision_recall_fscore_support(actual, predicted, labels=range(10))
    for ours, theirs in zip(("precision", "recall", "f1"), oracle, strict=False):
        assert window["class_scores"][ours] == pytest.approx(theirs)
        found = [exported[key(f"veleta_class_{ours}_ratio", window="24h", **{"class": str(number)})] for number in range(10)]
        assert found == pytest.approx(theirs)
    assert window["class_scores"]["actual"] == oracle[3].tolist()
    assert 0 <= window["label_delay"]["median_seconds"] <= window["label_delay"]["p90_seconds"] <= 60

    confidence = np.array([one["confidence"] for one in predictions])
    bins = np.minimum((confidence * 15).astype(int), 14)
    right = (actual == predicted).astype(float)
    expected = calibration_error(*(np.bincount(bins, weights, 15).astype(float) for weights in (None, right, confidence)))
    assert (window["calibration_error"] is None) == (expected is None)
    if expected:
        assert window["calibration_error"]["value"] == pytest.approx(expected.value, abs=2e-3)
        assert exported[key("veleta_calibration_error_ratio", window="24h")] == window["calibration_error"]["value"]
        assert exported[key("veleta_calibration_error_expected_ratio", window="24h")] == window["calibration_error"]["expected"]


def test_a_reference_of_an_old_version_gives_no_estimates_and_nothing_else_is_amiss(
    asked: tuple[FlaskClient, list[dict[str, Any]]], tmp_path: Path, digits8: Data
) -> None:
    client, _ = asked
    service = client.application.extensions["veleta"]
    service.recorder.flush()
    subject = service.served.get("digits8").subject
    (tracked,) = [track for key, (_, track) in service.watch.look(1e10).subjects.items() if key == subject.key]
    old = dataclasses.replace(subject.reference, calibration=None)
    write_references(tmp_path / "reference.npz", {"int8": old}, Samples(digits8.test_x, digits8.test_y))

    read = dataclasses.replace(subject, reference=read_reference(tmp_path / "reference.npz", "int8"))

    assert read.reference.calibration is None
    assert isinstance(tracked, Track)
    found = windows(read, tracked, 1e10)["24h"]
    assert found.scores.estimated is None

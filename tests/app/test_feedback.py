"""Labels: each new one is counted once, and what is not new, not ours or not right is told and counted nowhere else."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from monitoring.subject import fingerprint
from tests.live_server import samples, total
from tests.small_models import Data


def predict(client: FlaskClient, data: Data, rows: int = 1) -> list[dict[str, Any]]:
    body = np.ascontiguousarray(data.test_x[:rows]).tobytes()
    found: list[dict[str, Any]] = client.post("/predict", data=body).get_json()["predictions"]
    return found


def send(client: FlaskClient, *labels: dict[str, Any]) -> dict[str, Any]:
    response = client.post("/feedback", json={"feedback": list(labels)})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.get_json()
    return found


def test_a_label_is_matched_once_then_a_duplicate_and_another_one_a_conflict(client: FlaskClient, digits8: Data) -> None:
    (prediction,) = predict(client, digits8)
    before = samples(client.get("/metrics").text)

    found = send(
        client,
        {"id": prediction["id"], "label": "7"},
        {"id": prediction["id"], "label": "7"},
        {"id": prediction["id"], "label": "8"},
    )
    again = send(client, {"id": prediction["id"], "label": 7})

    assert found == {
        "matched": 1, "duplicate": 1, "conflict": 1, "unknown": 0, "expired": 0, "invalid": 0,
        "results": ["matched", "duplicate", "conflict"],
    }  # fmt: skip
    assert again["results"] == ["duplicate"]
    after = samples(client.get("/metrics").text)
    counted = {key: after[key] - before[key] for key in after if "confusion" in key or "feedback" in key}
    assert {key: change for key, change in counted.items() if change} == {
        'veleta_feedback_total{result="matched"}': 1,
        'veleta_feedback_total{result="duplicate"}': 2,
        'veleta_feedback_total{result="conflict"}': 1,
        f'veleta_confusion_total{{actual="7",model="digits8",predicted="{prediction["label"]}",variant="int8",version="1"}}': 1,
    }


def test_one_object_is_enough(client: FlaskClient, digits8: Data) -> None:
    (prediction,) = predict(client, digits8)

    response = client.post("/feedback", json={"id": prediction["id"], "label": prediction["label"]})

    assert response.get_json()["results"] == ["matched"]


def test_what_is_not_ours_is_unknown_and_what_is_not_a_label_invalid(client: FlaskClient, digits8: Data) -> None:
    (prediction,) = predict(client, digits8)
    forged = prediction["id"][:-2] + ("AA" if prediction["id"][-2:] != "AA" else "BB")
    results = send(
        client,
        {"id": forged, "label": "7"},
        {"id": "nonsense", "label": "7"},
        {"id": "", "label": "7"},
        {"id": "é" * 50, "label": "7"},
        {"id": prediction["id"], "label": "eleven"},
        {"id": prediction["id"], "label": None},
        {"id": prediction["id"]},
        {"label": "7"},
        {"id": 7, "label": "7"},
        {"id": prediction["id"], "label": ["7"]},
    )["results"]

    assert results == ["unknown"] * 4 + ["invalid"] * 6
    assert send(client, {"id": prediction["id"], "label": "7"})["results"] == ["matched"]


def test_a_label_for_an_old_prediction_is_expired_and_for_a_version_that_is_gone_unknown(client: FlaskClient) -> None:
    seal = client.application.extensions["veleta"].seal
    old = seal.close(fingerprint("digits8/1/int8"), time.time() - 31 * 86400, [3], [0.9])[0]
    gone = seal.close(fingerprint("digits8/77/int8"), time.time(), [3], [0.9])[0]

    assert send(client, {"id": old, "label": "3"}, {"id": gone, "label": "3"})["results"] == ["expired", "unknown"]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"feedback": []}', b'{"feedback": 7}', b"7", b"{", b'{"feedback": {"id": "x"}}'])
def test_a_body_without_labels_is_told(client: FlaskClient, body: bytes) -> None:
    response = client.post("/feedback", data=body)

    assert response.status_code == 400
    assert isinstance(response.get_json()["error"], str)


def test_more_labels_than_the_limit_are_refused_whole(client: FlaskClient, digits8: Data) -> None:
    (prediction,) = predict(client, digits8)

    response = client.post("/feedback", json={"feedback": [{"id": prediction["id"], "label": "7"}] * 801})

    assert response.status_code == 413
    assert "max_rows = 800" in response.get_json()["error"]
    assert send(client, {"id": prediction["id"], "label": "7"})["results"] == ["matched"]


def test_accuracy_and_coverage_are_what_the_labels_say(client: FlaskClient, digits8: Data) -> None:
    recorder = client.application.extensions["veleta"].recorder
    recorder.flush()
    before = client.get("/monitor").get_json()
    predictions = predict(client, digits8, 200)
    truth = [str(number) for number in digits8.test_y[:200]]
    send(client, *({"id": p["id"], "label": label} for p, label in zip(predictions[:120], truth, strict=False)))
    recorder.flush()

    shown = client.get("/monitor").get_json()

    window, was = shown["windows"]["10m"], before["windows"]["10m"]
    assert window["predictions"] - was["predictions"] == 200
    assert window["labels"] - was["labels"] == 120
    matrix = np.array(shown["confusion"]["counts"])
    assert window["accuracy"]["value"] == pytest.approx(np.trace(matrix) / matrix.sum())
    assert window["accuracy"]["lower"] < window["accuracy"]["value"] < window["accuracy"]["upper"]
    assert window["coverage"] == pytest.approx(window["labels"] / window["predictions"])
    exported = samples(client.get("/metrics").text)
    assert total(exported, "veleta_accuracy_ratio", 'window="10m"', 'model="digits8"') == pytest.approx(window["accuracy"]["value"])
    assert total(exported, "veleta_label_coverage_ratio", 'window="10m"', 'model="digits8"') == pytest.approx(window["coverage"])

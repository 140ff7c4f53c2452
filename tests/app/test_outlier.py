"""The outlier score in the answer: what share of the reference rows is less far from its class."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray

from app.answers import to_json
from app.batching import ask
from app.fast_lane import FastLane
from app.served import Loaded
from tests.app.test_fast_lane import call
from tests.small_models import Data


def predictions(client: FlaskClient, rows: NDArray[Any], model: str = "digits8") -> list[dict[str, Any]]:
    response = client.post(f"/predict/{model}", json={"instances": rows.tolist()})
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.get_json()["predictions"]
    return found


@pytest.fixture
def loaded(flask_app: Flask) -> Loaded:
    found: Loaded = flask_app.extensions["veleta"].served.get("digits8")
    return found


def test_it_is_the_share_of_the_reference_rows_that_are_less_far(client: FlaskClient, loaded: Loaded, digits8: Data) -> None:
    reference, answer = loaded.subject.reference, loaded.predictor.predict(digits8.test_x[:50].astype(np.float32))
    space, ranks = reference.fitted.space, reference.ranks
    assert space is not None
    assert ranks is not None
    distances = np.linalg.norm(space.place(answer.embedding) - space.centres[answer.outputs.argmax(axis=1)], axis=1)

    found = [prediction["outlier"] for prediction in predictions(client, digits8.test_x[:50])]

    expected = [(ranks.distances < distance).sum() / (len(ranks.distances) + 1) for distance in distances]
    assert found == pytest.approx(expected, abs=2e-3)


def test_of_images_like_the_reference_one_in_a_hundred_is_unusual(client: FlaskClient, digits8: Data) -> None:
    scores = np.array([prediction["outlier"] for prediction in predictions(client, digits8.test_x)])

    assert 0.005 < np.mean(scores >= 0.99) < 0.015
    assert np.mean(scores) == pytest.approx(0.5, abs=0.01)


def test_what_is_no_digit_is_unusual(client: FlaskClient, digits8: Data) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1))

    assert all(prediction["outlier"] >= 0.99 for prediction in predictions(client, noise))
    assert all(prediction["outlier"] >= 0.99 for prediction in predictions(client, 255 - digits8.test_x[:40]))


def test_requests_that_are_answered_together_get_their_own(lane: FastLane, client: FlaskClient, digits8: Data) -> None:
    images = np.concatenate([digits8.test_x[:30], 255 - digits8.test_x[:2]])
    alone = [prediction["outlier"] for image in images for prediction in predictions(client, image[None])]

    async def together() -> list[Any]:
        headers = {"Content-Type": "application/octet-stream"}
        return await asyncio.gather(*(call(lane, "/predict/digits8", headers, image.tobytes()) for image in images))

    found = [json.loads(body)["predictions"][0]["outlier"] for _, _, body in asyncio.run(together())]
    assert found == pytest.approx(alone, abs=2e-3)


def test_a_model_without_distances_says_nothing(loaded: Loaded, flask_app: Flask, digits8: Data) -> None:
    service = flask_app.extensions["veleta"]
    without = dataclasses.replace(loaded.subject.reference, ranks=None)
    old = dataclasses.replace(loaded, subject=dataclasses.replace(loaded.subject, reference=without))
    rows = digits8.test_x[:2].astype(np.float32)

    answered = json.loads(to_json(old, ask(old, rows), service.seal, 0.0))

    assert [prediction.keys() & {"outlier", "label"} for prediction in answered["predictions"]] == [{"label"}] * 2


def test_every_row_has_one_level(client: FlaskClient, flask_app: Flask, digits8: Data) -> None:
    def counted(model: str) -> dict[str, float]:
        flask_app.extensions["veleta"].recorder.flush()
        pattern = rf'veleta_outlier_total{{level="(\w+)",model="{model}",[^}}]*}} (\S+)'
        return {level: float(rows) for level, rows in re.findall(pattern, client.get("/metrics").text)}

    predictions(client, np.array([[5.1, 3.5, 1.4, 0.2]]), "iris")
    before = counted("digits8")
    predictions(client, np.concatenate([digits8.test_x[:20], np.full((3, 8, 8, 1), 200)]))
    after = counted("digits8")

    assert after.keys() == {"typical", "unusual"}, "719 reference rows cannot tell one in a thousand"
    assert counted("iris").keys() == {"typical"}
    assert sum(after.values()) - sum(before.values()) == 23
    assert after["unusual"] - before["unusual"] >= 3

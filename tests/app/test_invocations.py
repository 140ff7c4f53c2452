"""/ping and /invocations, as MLflow and SageMaker ask: every form gives the model's probabilities, by both lanes alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray

from app.factory import create_app
from app.fast_lane import FastLane
from app.settings import resolve
from tests.app.test_fast_lane import by_both
from tests.app.test_predict import json_body, npy, png
from tests.small_models import Data

FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
COLUMNS = ["sepal length", "sepal width", "petal length", "petal width"]


@pytest.fixture(scope="module")
def table_app(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The app with iris, a table, as its default model."""
    root = tmp_path_factory.mktemp("table") / "store"
    shutil.copytree(shelf, root)
    app = create_app(resolve({"store": str(root), "model": "iris"}, {}, {})[0])
    yield app
    app.extensions["veleta"].close()


def expected(app: Flask, rows: NDArray[Any]) -> NDArray[Any]:
    probabilities: NDArray[Any] = app.extensions["veleta"].served.get().predictor.predict(rows.astype(np.float32)).outputs
    return probabilities


FORMS: dict[str, Callable[[NDArray[Any]], dict[str, Any]]] = {
    "instances": lambda x: json_body({"instances": x.tolist()}),
    "instances of MLflow, with parameters": lambda x: json_body({"instances": x.tolist(), "params": {"top": 1}}),
    "inputs": lambda x: json_body({"inputs": x.tolist()}),
    "inputs by name": lambda x: json_body({"inputs": {"image": x.tolist()}}),
    "with a charset": lambda x: {"data": orjson.dumps({"inputs": x.tolist()}), "content_type": "application/json; charset=utf-8"},
    "without a header": lambda x: {"data": orjson.dumps({"inputs": x.tolist()})},
    "a bare list": lambda x: json_body(x.tolist()),
    "npy": lambda x: {"data": npy(x), "content_type": "application/x-npy"},
    "raw": lambda x: {"data": x.tobytes(), "content_type": "application/octet-stream"},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form(lane: FastLane, client: FlaskClient, flask_app: Flask, digits8: Data, form: str) -> None:
    fast, slow = by_both(lane, client, "/invocations", FORMS[form](digits8.test_x[:5]))

    assert fast == slow
    assert fast[0] == 200
    assert list(orjson.loads(fast[2])) == ["predictions"]
    assert np.array(orjson.loads(fast[2])["predictions"]) == pytest.approx(expected(flask_app, digits8.test_x[:5]), abs=1e-5)


def test_an_image(lane: FastLane, client: FlaskClient, flask_app: Flask, digits8: Data) -> None:
    fast, slow = by_both(lane, client, "/invocations", {"data": png(digits8.test_x[0]), "content_type": "image/png"})

    assert fast == slow
    assert np.array(orjson.loads(fast[2])["predictions"]) == pytest.approx(expected(flask_app, digits8.test_x[:1]), abs=1e-5)


def test_raw_values_that_begin_like_an_object_are_raw_values(client: FlaskClient, digits8: Data) -> None:
    image = digits8.test_x[0].copy()
    image[0, 0, 0] = ord("{")

    response = client.post("/invocations", data=image.tobytes(), content_type="application/octet-stream")

    assert response.status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        {"dataframe_split": {"columns": COLUMNS, "data": FLOWERS}},
        {"dataframe_split": {"index": [0, 1], "columns": COLUMNS, "data": FLOWERS}},
        {"dataframe_split": {"data": FLOWERS}},
        {"instances": FLOWERS},
    ],
)
def test_a_table(table_app: Flask, data: Any) -> None:
    fast, slow = by_both(FastLane(table_app, 1), table_app.test_client(), "/invocations", json_body(data))

    assert fast == slow
    assert np.array(orjson.loads(fast[2])["predictions"]) == pytest.approx(expected(table_app, np.array(FLOWERS)), abs=1e-5)


BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "no body": ({"data": b""}, 400, "the body is empty"),
    "no form": (json_body({"data": [1]}), 400, "neither but ['data'] of 'instances' and 'inputs'"),
    "broken JSON": ({"data": b"{", "content_type": "application/json"}, 400, "not valid JSON"),
    "a table for images": (json_body({"dataframe_split": {"data": FLOWERS}}), 415, "this model takes no table"),
    "CSV": ({"data": b"5.1,3.5,1.4,0.2\n" * 4, "content_type": "text/csv"}, 415, "text/csv is not read here"),
    "NaN": ({"data": b'{"inputs": [[' + b"NaN," * 63 + b"1]]}"}, 400, "NaN or an infinite value"),
    "shape": (json_body({"instances": [[1, 2]]}), 400, "the shape 1 × 2"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_requests(lane: FastLane, client: FlaskClient, case: str) -> None:
    sent, status, sentence = BAD[case]

    fast, slow = by_both(lane, client, "/invocations", sent)

    assert fast == slow
    assert fast[0] == status
    assert sentence in orjson.loads(fast[2])["error"]


@pytest.mark.parametrize(
    "frame", [7, None, [], {}, {"data": 7}, {"data": []}, {"data": [[1, 2]]}, {"data": [["a", "b", "c", "d"]]}, {"columns": COLUMNS}]
)
def test_bad_tables(table_app: Flask, frame: Any) -> None:
    fast, slow = by_both(FastLane(table_app, 1), table_app.test_client(), "/invocations", json_body({"dataframe_split": frame}))

    assert fast == slow
    assert fast[0] == 400
    assert list(orjson.loads(fast[2])) == ["error"]


def test_ping_says_whether_to_send(client: FlaskClient, flask_app: Flask) -> None:
    assert client.get("/ping").status_code == 200
    draining = flask_app.extensions["veleta"].draining
    draining.set()
    try:
        assert client.get("/ping").status_code == 503
    finally:
        draining.clear()

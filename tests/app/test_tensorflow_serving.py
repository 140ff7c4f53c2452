"""TensorFlow Serving's REST API and KServe V1: the answers are the model's, in their form, and both lanes say the same to the byte."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray

from app.fast_lane import FastLane
from app.protocols.tensor_json import write_answer
from tests.app.test_fast_lane import Said, by_both
from tests.app.test_predict import npy, png
from tests.small_models import Data

ID = re.compile(rb'"[A-Za-z0-9_-]{58}"')
PREDICT = "/v1/models/digits8:predict"
CLASSIFY = "/v1/models/digits8:classify"


@pytest.fixture
def ask(lane: FastLane, client: FlaskClient) -> Callable[[str, Any], tuple[int, Any]]:
    """Ask by both lanes, hold that they say the same, and give status and answer."""

    def both(path: str, data: Any) -> tuple[int, Any]:
        body = data if isinstance(data, bytes) else orjson.dumps(data)
        fast, slow = by_both(lane, client, path, {"data": body})
        assert plain(fast) == plain(slow)
        assert fast[1]["content-type"] == "application/json"
        return fast[0], orjson.loads(fast[2])

    return both


def plain(said: Said) -> Said:
    return said[0], said[1], ID.sub(b'"id"', said[2])


@pytest.fixture
def expected(flask_app: Flask, digits8: Data) -> tuple[NDArray[Any], NDArray[Any]]:
    answer = flask_app.extensions["veleta"].served.get("digits8").predictor.predict(digits8.test_x[:4].astype(np.float32))
    return answer.outputs, answer.embedding


def b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


FORMS: dict[str, Callable[[NDArray[Any]], Any]] = {
    "rows": lambda x: {"instances": x.tolist()},
    "flat rows": lambda x: {"instances": x.reshape(len(x), -1).tolist(), "signature_name": "serving_default"},
    "rows by name": lambda x: {"instances": [{"image": image.tolist()} for image in x]},
    "rows of images": lambda x: {"instances": [b64(png(image)) for image in x]},
    "rows of images by name": lambda x: {"instances": [{"image": b64(png(image))} for image in x], "signature_name": ""},
    "rows of .npy": lambda x: {"instances": [b64(npy(image)) for image in x]},
    "rows of raw values": lambda x: {"instances": [b64(image.tobytes()) for image in x]},
    "column": lambda x: {"inputs": x.tolist()},
    "column by name": lambda x: {"inputs": {"image": x.tolist()}},
    "column of images": lambda x: {"inputs": [b64(png(image)) for image in x]},
    "column of images by name": lambda x: {"inputs": {"image": [b64(png(image)) for image in x]}},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("target", ["digits8", "digits8/versions/1", "digits8/versions/0", "digits8/labels/live", "digits8/labels/stable"])
def test_predict_in_every_form(ask: Any, digits8: Data, expected: Any, form: str, target: str) -> None:
    status, answer = ask(f"/v1/models/{target}:predict", FORMS[form](digits8.test_x[:4]))

    assert status == 200
    assert list(answer) == ["outputs" if "column" in form else "predictions"]
    (values,) = answer.values()
    assert np.array(values) == pytest.approx(expected[0], abs=1e-5)


def test_one_image_alone_in_a_column(ask: Any, digits8: Data, expected: Any) -> None:
    for inputs in (b64(png(digits8.test_x[0])), {"image": b64(png(digits8.test_x[0]))}):
        assert np.array(ask(PREDICT, {"inputs": inputs})[1]["outputs"]) == pytest.approx(expected[0][:1], abs=1e-5)


def test_several_outputs_are_objects(ask: Any, digits8: Data, expected: Any) -> None:
    rows = digits8.test_x[:4].tolist()
    _, in_rows = ask(PREDICT, {"instances": rows, "signature_name": "with_embedding"})
    _, in_columns = ask(PREDICT, {"inputs": rows, "signature_name": "with_embedding"})

    for place, name in enumerate(("probabilities", "embedding")):
        assert np.array([row[name] for row in in_rows["predictions"]]) == pytest.approx(expected[place], abs=1e-5)
        assert np.array(in_columns["outputs"][name]) == pytest.approx(expected[place], abs=1e-5)


def test_ids_take_labels(ask: Any, client: FlaskClient, digits8: Data) -> None:
    _, answer = ask(PREDICT, {"instances": digits8.test_x[:4].tolist(), "signature_name": "with_id"})
    labels = [{"id": row["id"], "label": row["label"]} for row in answer["predictions"]]

    assert client.post("/feedback", json={"feedback": labels}).get_json()["matched"] == 4


@pytest.mark.parametrize("verb", ["predict", "PREDICT", "Predict"])
def test_verbs_in_any_case(ask: Any, digits8: Data, verb: str) -> None:
    assert ask(f"/v1/models/digits8:{verb}", {"instances": digits8.test_x[:1].tolist()})[0] == 200


def test_classify_gives_each_label_with_its_score(ask: Any, digits8: Data, expected: Any) -> None:
    flat = digits8.test_x[:4].reshape(4, -1).tolist()
    for data in (
        {"examples": [{"image": row} for row in flat]},
        {"examples": [{"image": b64(png(image))} for image in digits8.test_x[:4]], "signature_name": "serving_default"},
    ):
        status, answer = ask(CLASSIFY, data)

        assert status == 200
        assert list(answer) == ["results"]
        assert [[label for label, _ in row] for row in answer["results"]] == [list("0123456789")] * 4
        assert np.array([[score for _, score in row] for row in answer["results"]]) == pytest.approx(expected[0], abs=1e-5)


def test_classify_fills_what_examples_share(ask: Any, digits8: Data) -> None:
    row = digits8.test_x[0].ravel().tolist()

    assert ask(CLASSIFY, {"context": {"image": row}, "examples": [{}]}) == ask(CLASSIFY, {"examples": [{"image": row}]})


IMAGE = {"image": [0] * 64}
BAD: dict[str, tuple[str, Any, int, str]] = {
    "no body": (PREDICT, b"", 400, "the body is empty, expected {\"instances\": [...]}"),
    "no JSON": (PREDICT, b"{", 400, "not valid JSON"),
    "no object": (PREDICT, [[0] * 64], 400, "the JSON is not an object"),
    "a PNG": (PREDICT, png(np.zeros((8, 8), np.uint8)), 400, "not valid JSON"),
    "neither": (PREDICT, {"data": 1}, 400, "neither but ['data'] of 'instances' and 'inputs'"),
    "both": (PREDICT, {"instances": [], "inputs": []}, 400, "both of 'instances' and 'inputs'"),
    "no rows": (PREDICT, {"instances": []}, 400, "there are no instances"),
    "no column": (PREDICT, {"inputs": []}, 400, "there are no instances"),
    "rows are a number": (PREDICT, {"instances": 7}, 400, "expected a list"),
    "rows are an object": (PREDICT, {"instances": IMAGE}, 400, "expected a list"),
    "column is text": (PREDICT, {"inputs": "abc"}, 400, "expected a list"),
    "shape": (PREDICT, {"instances": [[1, 2, 3]]}, 400, "the shape 1 × 3, expected instances of 8 × 8 × 1 = 64 numbers"),
    "another input": (PREDICT, {"instances": [{"picture": [0] * 64}]}, 400, "one input, 'image'; the request names ['picture']"),
    "two inputs": (PREDICT, {"inputs": {"image": [], "mask": []}}, 400, "one input, 'image'"),
    "some rows by name": (PREDICT, {"instances": [IMAGE, [0] * 64]}, 400, "one input, 'image'; the request names a list"),
    "some rows plain": (PREDICT, {"instances": [[0] * 64, IMAGE]}, 400, "not all of one shape"),
    "some rows binary": (PREDICT, {"instances": [b64(b"\0" * 64), IMAGE]}, 400, "some instances are binary and some are not"),
    "some rows not binary": (PREDICT, {"instances": [IMAGE, b64(b"\0" * 64)]}, 400, "not all of one shape"),
    "base64 that is none": (PREDICT, {"instances": [{"b64": "%%%"}]}, 400, "not base64"),
    "base64 cut": (PREDICT, {"instances": [{"b64": "A"}]}, 400, "not base64"),
    "base64 with letters of others": (PREDICT, {"instances": [{"b64": "é"}]}, 400, "not base64"),
    "base64 of nothing": (PREDICT, {"instances": [{"b64": ""}]}, 400, "the body is empty"),
    "base64 is a number": (PREDICT, {"instances": [{"b64": 7}]}, 400, "some are not"),
    "base64 of two": (PREDICT, {"instances": [b64(b"\0" * 128)]}, 400, "one 'b64' holds 2 instances"),
    "base64 of a damaged image": (PREDICT, {"instances": [b64(png(np.zeros((8, 8), np.uint8))[:-20])]}, 400, "the PNG image is damaged"),
    "NaN": (PREDICT, b'{"instances": [[' + b"NaN," * 63 + b"1]]}", 400, "NaN or an infinite value"),
    "Infinity": (PREDICT, b'{"inputs": [[' + b"-Infinity," * 63 + b"1]]}", 400, "NaN or an infinite value"),
    "NaN in broken JSON": (PREDICT, b'{"instances": [[NaN', 400, "not valid JSON"),
    "NaN deep down": (PREDICT, b"[" * 100_000 + b"NaN", 400, "nested"),
    "too large a number": (PREDICT, {"instances": [[1e300] * 64]}, 400, "infinite value"),
    "many rows": (PREDICT, {"instances": [[0] * 64] * 801}, 413, "max_rows = 800"),
    "many binary rows": (PREDICT, {"instances": [b64(b"\0" * 64)] * 801}, 413, "801 instances, more than the limit max_rows"),
    "another signature": (PREDICT, {"instances": [[0] * 64], "signature_name": "other"}, 400, "there is no signature 'other'"),
    "signature is a list": (PREDICT, {"instances": [[0] * 64], "signature_name": [1]}, 400, "there is no signature '[1]'"),
    "another verb": ("/v1/models/digits8:explain", {}, 400, "Malformed request: POST /v1/models/digits8:explain"),
    "another model": ("/v1/models/nothing:predict", {}, 404, "there is no model 'nothing'; there is digits8, iris"),
    "two colons": ("/v1/models/digits8:x:predict", {}, 404, "there is no model 'digits8:x'"),
    "another version": ("/v1/models/digits8/versions/2:predict", {}, 404, "digits8 has no version 2 that is served; version 1 is"),
    "a huge version": (f"/v1/models/digits8/versions/{'9' * 5000}:predict", {}, 404, "has no version 9999"),
    "version is text": ("/v1/models/digits8/versions/one:predict", {}, 400, "the version is 'one', expected a whole number"),
    "version of other digits": ("/v1/models/digits8/versions/\u0661:predict", {}, 400, "expected a whole number"),
    "label of nothing": ("/v1/models/digits8/labels/candidate:predict", {}, 404, "no label 'candidate'; version 1 is served"),
    "version and label": ("/v1/models/digits8/versions/1/labels/live:predict", {}, 400, "both a version and a label"),
    "regress": ("/v1/models/digits8:regress", {"examples": [IMAGE]}, 400, "digits8 is a model of classification, not of regression"),
    "no examples": (CLASSIFY, {"instances": [[0] * 64]}, 400, 'expected {"examples": [{"image": [...]}, ...]}'),
    "empty examples": (CLASSIFY, {"examples": []}, 400, "there are no instances"),
    "examples without names": (CLASSIFY, {"examples": [[0] * 64]}, 400, "features by name"),
    "context without names": (CLASSIFY, {"examples": [IMAGE], "context": 7}, 400, "features by name"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_requests_are_told_in_a_sentence(ask: Any, case: str) -> None:
    path, data, wanted, sentence = BAD[case]

    status, answer = ask(path, data)

    assert (status, list(answer)) == (wanted, ["error"])
    assert sentence in answer["error"]


@pytest.mark.parametrize("target", ["digits8", "digits8/versions/1", "digits8/versions/0", "digits8/labels/live"])
def test_status_is_both_protocols_in_one(client: FlaskClient, target: str) -> None:
    assert client.get(f"/v1/models/{target}").get_json() == {
        "model_version_status": [{"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}],
        "name": "digits8",
        "ready": True,
    }


def test_models_are_listed(client: FlaskClient) -> None:
    assert client.get("/v1/models").get_json() == {"models": ["digits8", "iris"]}


def test_metadata_describes_the_signatures_in_both_spellings(client: FlaskClient) -> None:
    data = client.get("/v1/models/digits8/metadata").get_json()
    signatures = data["metadata"]["signature_def"]["signature_def"]

    assert data["model_spec"] == {"name": "digits8", "version": "1", "signature_name": ""}
    assert data["modelSpec"] == {"name": "digits8", "version": "1", "signatureName": ""}
    assert data["metadata"]["signature_def"]["signatureDef"] == signatures
    assert sizes(signatures["serving_default"]["inputs"]["image"]) == ["DT_FLOAT", "-1", "8", "8", "1"]
    assert {name: sizes(described) for name, described in signatures["with_embedding"]["outputs"].items()} == {
        "probabilities": ["DT_FLOAT", "-1", "10"],
        "embedding": ["DT_FLOAT", "-1", "64"],
    }
    assert list(signatures["serving_default"]["outputs"]) == ["probabilities"]
    assert sizes(signatures["with_id"]["outputs"]["id"]) == ["DT_STRING", "-1"]


def sizes(described: dict[str, Any]) -> list[str]:
    assert described["tensor_shape"]["dim"] == described["tensorShape"]["dim"]
    return [described["dtype"], *(one["size"] for one in described["tensor_shape"]["dim"])]


@pytest.mark.parametrize("tail", ["", "/metadata"])
@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("nothing", 404),
        ("digits8/versions/2", 404),
        ("digits8/versions/x", 400),
        ("digits8/labels/x", 404),
        ("digits8/versions/1/labels/live", 400),
    ],
)
def test_questions_about_what_is_not_served(client: FlaskClient, target: str, status: int, tail: str) -> None:
    response = client.get(f"/v1/models/{target}{tail}")

    assert response.status_code == status
    assert list(response.get_json()) == ["error"]


@pytest.mark.parametrize(("method", "path"), [("GET", PREDICT), ("POST", "/v1/models/digits8"), ("DELETE", "/v1/models/digits8")])
def test_wrong_methods(client: FlaskClient, method: str, path: str) -> None:
    response = client.open(path, method=method)

    assert response.status_code == 405
    assert "does not take" in response.get_json()["error"]


def test_what_is_not_finite_is_a_token_and_never_null() -> None:
    odd = np.array([[np.nan, np.inf, -np.inf, 0.5]], np.float32)

    assert write_answer({"probabilities": odd}, in_columns=False) == b'{"predictions": [[NaN, Infinity, -Infinity, 0.5]]}'
    assert write_answer({"probabilities": odd, "id": ["a"]}, in_columns=True) == (
        b'{"outputs": {"probabilities": [[NaN, Infinity, -Infinity, 0.5]], "id": ["a"]}}'
    )
    assert b"NaN" in write_answer({"probabilities": odd, "id": ["a"]}, in_columns=False)


def test_requests_are_counted_by_their_route(client: FlaskClient, digits8: Data) -> None:
    recorder = client.application.extensions["veleta"].recorder
    client.post(PREDICT, json={"instances": digits8.test_x[:1].tolist()})
    client.post("/v1/models/digits8:explain", json={})
    recorder.flush()
    text = client.get("/metrics").text

    assert 'veleta_requests_total{code="200",route="/v1"}' in text
    assert 'veleta_requests_total{code="400",route="/v1"}' in text

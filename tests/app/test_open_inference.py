"""Open Inference Protocol v2 without a network: the fast lane and Flask side by side, ONNX Runtime as the oracle, and nasty requests."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from functools import partial
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray

from app.fast_lane import FastLane
from app.protocols.open_inference_tensors import NUMBERS
from app.served import Loaded
from tests.app.test_fast_lane import Said, by_both
from tests.small_models import Data

INFER = "/v2/models/digits8/infer"
ID = re.compile(rb"[A-Za-z0-9_-]{58}")
#: Headers that differ from request to request; packed ids have another length each time.
OF_ITS_OWN = ("content-length", "x-request-id")
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def loaded(flask_app: Flask) -> Loaded:
    found: Loaded = flask_app.extensions["veleta"].served.get("digits8")
    return found


@pytest.fixture(scope="module")
def images(digits8: Data) -> NDArray[Any]:
    return digits8.test_x[:3]


def tensor(rows: NDArray[Any], kind: str = "FP32", **changed: Any) -> dict[str, Any]:
    return {"name": "image", "shape": list(rows.shape), "datatype": kind, "data": rows.tolist()} | changed


def binary(rows: NDArray[Any], kind: str = "FP32", **request: Any) -> dict[str, Any]:
    """What to send so that the values stand behind the JSON."""
    values = rows.astype(NUMBERS[kind]).tobytes()
    described = {"name": "image", "shape": list(rows.shape), "datatype": kind, "parameters": {"binary_data_size": len(values)}}
    head = json.dumps({"inputs": [described], **request}).encode()
    return {"data": head + values, "headers": {"Inference-Header-Content-Length": str(len(head))}}


def ask(lane: FastLane, client: FlaskClient, path: str, sent: dict[str, Any]) -> Said:
    """The answer, which both lanes must give alike but for the ids in it."""
    said = []
    for status, headers, body in by_both(lane, client, path, sent):
        text = zlib.decompress(body, 47) if "content-encoding" in headers else body
        said.append((status, {name: value for name, value in headers.items() if name not in OF_ITS_OWN}, text))
    fast, slow = said
    assert (fast[0], fast[1], ID.sub(b"id", fast[2])) == (slow[0], slow[1], ID.sub(b"id", slow[2]))
    return fast


def outputs(said: Said) -> dict[str, Any]:
    """The outputs of an answer by name, read without our code."""
    status, headers, body = said
    assert status == 200, body
    length = int(headers.get("inference-header-content-length", len(body)))
    values, rest = {}, body[length:]
    for output in json.loads(body[:length])["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        values[output["name"]] = output["data"] if size is None else rest[:size]
        rest = rest[size or 0 :]
    assert not rest
    return values


def right(loaded: Loaded, images: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    answer = loaded.predictor.predict(images.astype(np.float32))
    return answer.outputs, answer.embedding


FORMS: dict[str, Any] = {
    "nested": lambda x: {"json": {"inputs": [tensor(x)]}},
    "flat": lambda x: {"json": {"inputs": [tensor(x, data=x.ravel().tolist())]}},
    "flat rows": lambda x: {"json": {"inputs": [tensor(x.reshape(len(x), 64))]}},
    "without the last axis": lambda x: {"json": {"inputs": [tensor(x[..., 0])]}},
    "nested otherwise": lambda x: {"json": {"inputs": [tensor(x, data=x.reshape(2, -1).tolist())]}},
    "FP64": lambda x: {"json": {"inputs": [tensor(x, "FP64")]}},
    "UINT8": lambda x: {"json": {"inputs": [tensor(x, "UINT8")]}},
    "INT64": lambda x: {"json": {"inputs": [tensor(x, "INT64")]}},
    "as text/plain": lambda x: {"data": json.dumps({"inputs": [tensor(x)]}), "headers": {"Content-Type": "text/plain"}},
    "header length of all": lambda x: {
        "data": (body := json.dumps({"inputs": [tensor(x)]})), "headers": {"Inference-Header-Content-Length": str(len(body))},
    },
    "unknown parameters": lambda x: {"json": {"inputs": [tensor(x, parameters={"x": 1})], "parameters": {"priority": 1, "y": [2]}}},
    "empty id, outputs and timeout": lambda x: {"json": {"id": "", "inputs": [tensor(x)], "outputs": [], "parameters": {"timeout": 0}}},
    "gzip": lambda x: {"data": gzip.compress(json.dumps({"inputs": [tensor(x)]}).encode()), "headers": {"Content-Encoding": "gzip"}},
    **{f"binary {kind}": partial(binary, kind=kind) for kind in NUMBERS if kind != "INT8"},
    "binary as JSON": lambda x: (sent := binary(x)) | {"headers": sent["headers"] | JSON},
    "binary, deflate": lambda x: (sent := binary(x)) | {
        "data": zlib.compress(sent["data"]), "headers": sent["headers"] | {"Content-Encoding": "deflate"},
    },
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_answered_as_the_model_answers(
    lane: FastLane, client: FlaskClient, loaded: Loaded, digits8: Data, images: NDArray[Any], form: str
) -> None:
    images = images[:2] if form == "nested otherwise" else images
    said = ask(lane, client, INFER, FORMS[form](images))

    head = json.loads(said[2])
    assert (head["model_name"], head["model_version"], "id" in head) == ("digits8", "1", False)
    assert [(output["name"], output["datatype"], output["shape"]) for output in head["outputs"]] == [
        ("probabilities", "FP32", [len(images), 10]), ("embedding", "FP32", [len(images), 64]),
        ("label", "BYTES", [len(images), 1]), ("id", "BYTES", [len(images), 1]),
    ]  # fmt: skip
    values, (probabilities, embedding) = outputs(said), right(loaded, images)
    np.testing.assert_allclose(values["probabilities"], probabilities.ravel(), rtol=1e-6)
    np.testing.assert_allclose(values["embedding"], embedding.ravel(), rtol=1e-6)
    assert values["label"] == [digits8.classes[number] for number in probabilities.argmax(axis=1)]


@pytest.mark.parametrize(
    "path",
    ["/v2/models/digits8/versions/1/infer", "/v2/models/digits8/versions/0/infer", "/v2/models/digits8/versions//infer"],
)
def test_the_version_that_is_served_has_several_names(lane: FastLane, client: FlaskClient, images: NDArray[Any], path: str) -> None:
    assert json.loads(ask(lane, client, path, binary(images))[2])["model_version"] == "1"


def test_all_comes_back_in_binary_if_wanted(lane: FastLane, client: FlaskClient, loaded: Loaded, images: NDArray[Any]) -> None:
    said = ask(lane, client, INFER, binary(images, parameters={"binary_data_output": True}, id="7"))

    values, (probabilities, embedding) = outputs(said), right(loaded, images)
    assert said[1]["content-type"] == "application/octet-stream"
    assert json.loads(said[2][: int(said[1]["inference-header-content-length"])])["id"] == "7"
    assert values["probabilities"] == probabilities.astype("<f4").tobytes()
    assert values["embedding"] == embedding.astype("<f4").tobytes()
    assert values["label"][:5] == b"\x01\x00\x00\x00" + str(probabilities[0].argmax()).encode()
    assert len(values["id"]) == len(images) * (4 + 58)


def test_each_output_says_for_itself_how_it_comes(lane: FastLane, client: FlaskClient, loaded: Loaded, images: NDArray[Any]) -> None:
    wanted = [{"name": "label", "parameters": {"binary_data": False}}, {"name": "probabilities"}]
    said = ask(lane, client, INFER, binary(images, outputs=wanted, parameters={"binary_data_output": True}))

    values = outputs(said)
    assert list(values) == ["label", "probabilities"]
    assert isinstance(values["label"], list)
    assert values["probabilities"] == right(loaded, images)[0].tobytes()


def test_a_raw_request_is_answered_in_binary(lane: FastLane, client: FlaskClient, loaded: Loaded, images: NDArray[Any]) -> None:
    sent = {"data": images.astype("<f4").tobytes(), "headers": {"Inference-Header-Content-Length": "0"}}

    assert outputs(ask(lane, client, INFER, sent))["probabilities"] == right(loaded, images)[0].tobytes()


def test_classification(lane: FastLane, client: FlaskClient, loaded: Loaded, images: NDArray[Any]) -> None:
    wanted = [{"name": "probabilities", "parameters": {"classification": 99}}]
    said = ask(lane, client, INFER, {"json": {"inputs": [tensor(images)], "outputs": wanted}})

    (output,) = json.loads(said[2])["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [3, 10])
    first = right(loaded, images)[0][0]
    order = np.argsort(-first)
    assert output["data"][:10] == [f"{first[number]:f}:{number}:{number}" for number in order]


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip;q=0.1, deflate", "deflate"),
        ("gzip;q=0", None),
        ("br", None),
        ("*", "gzip"),
        ("", None),
    ],
)
def test_answers_are_packed_as_the_client_likes(
    lane: FastLane, client: FlaskClient, images: NDArray[Any], accepted: str, coding: str | None
) -> None:
    sent = binary(images)
    said = ask(lane, client, INFER, sent | {"headers": sent["headers"] | {"Accept-Encoding": accepted}})

    assert said[1].get("content-encoding") == coding
    assert len(outputs(said)["probabilities"]) == 30


def test_a_small_answer_is_not_packed(lane: FastLane, client: FlaskClient, images: NDArray[Any]) -> None:
    sent = binary(images, outputs=[{"name": "label"}])

    said = ask(lane, client, INFER, sent | {"headers": sent["headers"] | {"Accept-Encoding": "gzip"}})

    assert "content-encoding" not in said[1]

"""Open Inference Protocol v2: nasty requests. Both lanes refuse them with the same sentence, and none makes the server fail."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.fast_lane import FastLane
from tests.app.test_open_inference import INFER, ask, binary, tensor

ROW = np.zeros((1, 8, 8, 1))
TENSOR = tensor(ROW)
NO_DATA = {key: value for key, value in TENSOR.items() if key != "data"}


def asking(**changed: Any) -> dict[str, Any]:
    return {"json": {"inputs": [TENSOR | changed]}}


def with_length(length: str, data: bytes = b'{"inputs": []}') -> dict[str, Any]:
    return {"data": data, "headers": {"Inference-Header-Content-Length": length}}


def binary_but(extra: bytes = b"", cut: int = 0, **changed: Any) -> dict[str, Any]:
    described = {"name": "image", "shape": [1, 8, 8, 1], "datatype": "FP32", "parameters": {"binary_data_size": 256}} | changed
    head = json.dumps({"inputs": [described]}).encode()
    return with_length(str(len(head)), head + b"\0" * (256 - cut) + extra)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "empty": ({"data": b""}, "empty, expected a JSON object with inputs: one, 'image' of datatype FP32 and shape [-1, 8, 8, 1]"),
    "no JSON": ({"data": b"\0\1\2"}, "not valid JSON"),
    "a list": ({"json": []}, "the JSON is no object"),
    "no inputs": ({"json": {}}, "no list of them for inputs, expected exactly one"),
    "empty inputs": ({"json": {"inputs": []}}, "the request has 0 for inputs"),
    "two inputs": ({"json": {"inputs": [TENSOR, TENSOR]}}, "the request has 2 for inputs"),
    "an input that is no object": ({"json": {"inputs": [7]}}, "expected exactly one"),
    "wrong name": (asking(name="picture"), "the input 'picture', expected 'image' of datatype FP32"),
    "no name": (asking(name=None), "the input null"),
    "odd name": (asking(name=[[[1]]]), "the input a list"),
    "unknown datatype": (asking(datatype="FLOAT"), "the datatype 'FLOAT', expected one of FP32"),
    "datatype of another kind": (asking(datatype={"a": []}), "the datatype an object"),
    "BOOL": (asking(datatype="BOOL"), "the datatype 'BOOL', expected one of"),
    "BYTES": (asking(datatype="BYTES"), "the datatype 'BYTES'"),
    "BF16": (asking(datatype="BF16"), "the datatype 'BF16'"),
    "FP16 in JSON": (asking(datatype="FP16"), "FP16, which travels as binary data only"),
    "no shape": (asking(shape=None), "no shape that is a list of whole numbers"),
    "negative shape": (asking(shape=[-1, 8, 8, 1]), "no shape that is a list"),
    "shape of texts": (asking(shape=["1", 8, 8, 1]), "no shape that is a list"),
    "true in the shape": (asking(shape=[True, 8, 8, 1]), "no shape that is a list"),
    "shape that overflows": (asking(shape=[2**63, 2**63, 8, 1]), "64 values, its shape makes more than can be"),
    "shape that overflows to the right size": (asking(shape=[2**32, 2**32, 64]), "makes more than can be"),
    "many axes": (asking(shape=[1] * 1000 + [64]), "no shape that is a list"),
    "no rows": (asking(shape=[0, 8, 8, 1], data=[]), "there are no instances"),
    "no rows of unbelievable size": (asking(shape=[0, 2**62, 2**62], data=[]), "there are no instances"),
    "shape of another model": (asking(shape=[4, 16]), "the shape 4 × 16, expected instances of 8 × 8 × 1 = 64 numbers"),
    "without the batch": (asking(shape=[64]), "the shape 64, expected"),
    "single number": (asking(shape=[], data=[1]), "the shape a single number, expected"),
    "too few values": (asking(data=[0] * 63), "63 values, its shape makes 64"),
    "ragged": (asking(data=[[0] * 32, [0] * 31]), "not all of one shape"),
    "no data": (asking(data=None), "the data of input 'image' are null"),
    "neither data nor size": ({"json": {"inputs": [NO_DATA]}}, "either data or"),
    "texts": (asking(data=["1"] * 64), "not a number"),
    "truth": (asking(data=[True] * 64), "not a number"),
    "null": (asking(data=[None] * 64), "not a number"),
    "NaN token": ({"data": json.dumps({"inputs": [TENSOR | {"data": [float("nan")] * 64}]})}, "not valid JSON"),
    "too large for the model": (asking(datatype="FP64", data=[1e300] * 64), "NaN or an infinite value"),
    "300 in UINT8": (asking(datatype="UINT8", data=[300] * 64), "values that UINT8 cannot, expected whole numbers from 0 to 255"),
    "-1 in UINT64": (asking(datatype="UINT64", data=[-1] * 64), "values that UINT64 cannot"),
    "halves in INT32": (asking(datatype="INT32", data=[0.5] * 64), "values that INT32 cannot"),
    "odd parameters": (asking(parameters=[1]), "the parameters of input 'image' are a list"),
    "odd request parameters": ({"json": {"inputs": [TENSOR], "parameters": 1}}, "the parameters of the request are a number"),
    "shared memory": (asking(parameters={"shared_memory_region": "r"}), "shared memory, which this server does not read"),
    "a number for id": ({"json": {"inputs": [TENSOR], "id": 7}}, "the id is 7, expected a text"),
    "negative timeout": ({"json": {"inputs": [TENSOR], "parameters": {"timeout": -1}}}, "the parameter timeout is -1"),
    "unknown output": ({"json": {"inputs": [TENSOR], "outputs": [{"name": "logits"}]}}, "unexpected output 'logits', this model has prob"),
    "odd outputs": ({"json": {"inputs": [TENSOR], "outputs": {"name": "label"}}}, "the outputs are no list of objects"),
    "odd output name": ({"json": {"inputs": [TENSOR], "outputs": [{"name": ["label"]}]}}, "unexpected output a list"),
    "many outputs": ({"json": {"inputs": [TENSOR], "outputs": [{"name": "label"}] * 5}}, "asks for 5 outputs"),
    "classes of a text": (
        {"json": {"inputs": [TENSOR], "outputs": [{"name": "label", "parameters": {"classification": 1}}]}}, "for probabilities only",
    ),
    "no classes": (
        {"json": {"inputs": [TENSOR], "outputs": [{"name": "probabilities", "parameters": {"classification": 0}}]}}, "classification is 0",
    ),
    "length beyond the body": (with_length("15"), "Inference-Header-Content-Length is '15', expected the bytes of JSON: 0 to 14"),
    "negative length": (with_length("-1"), "Inference-Header-Content-Length is '-1'"),
    "length that is no number": (with_length("ten"), "Inference-Header-Content-Length is 'ten'"),
    "huge length": (with_length("9" * 30), "Inference-Header-Content-Length is '999"),
    "odd digit": (with_length("²"), "Inference-Header-Content-Length"),
    "length that cuts the JSON": (with_length("5"), "not valid JSON"),
    "raw of the wrong size": (with_length("0", b"\0" * 255), "255 bytes, expected a multiple of 256"),
    "raw of nothing": (with_length("0", b""), "there are no instances"),
    "bytes are missing": (binary_but(cut=1), "255 bytes behind the JSON, expected 256 by its binary_data_size"),
    "bytes are left": (binary_but(b"\0"), "unexpected additional input data: 1 bytes"),
    "bytes behind data": (
        with_length(str(len(head := json.dumps({"inputs": [TENSOR]}).encode())), head + b"\0"), "unexpected additional input data: 1 bytes",
    ),
    "data and size": (binary_but(data=[0] * 64), "either data or parameters.binary_data_size"),
    "size of another shape": (binary_but(parameters={"binary_data_size": 255}), "binary_data_size 255, its shape and datatype make 256"),
    "negative size": (binary_but(parameters={"binary_data_size": -256}), "the binary_data_size -256"),
    "size that is true": (binary_but(parameters={"binary_data_size": True}), "the binary_data_size true"),
    "size in JSON without bytes": (asking(data=[0] * 64, parameters={"binary_data_size": 256}), "either data or"),
    "size without header": ({"json": {"inputs": [NO_DATA | {"parameters": {"binary_data_size": 256}}]}}, "0 bytes behind"),
    "NaN in binary": (binary(ROW * np.nan), "NaN or an infinite value"),
    "infinite in FP16": (binary(ROW + np.inf, "FP16"), "NaN or an infinite value"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_told_in_a_sentence(lane: FastLane, client: FlaskClient, case: str) -> None:
    sent, sentence = BAD[case]
    status, headers, body = ask(lane, client, INFER, sent)

    assert (status, headers["content-type"]) == (400, "application/json"), body
    assert list(json.loads(body)) == ["error"]
    assert sentence in json.loads(body)["error"]


@pytest.mark.parametrize(
    ("path", "sent", "status", "sentence"),
    [
        ("/v2/models/nothing/infer", {"data": b""}, 404, "there is no model 'nothing'; there is digits8, iris"),
        ("/v2/models/digits8/versions/2/infer", {"data": b""}, 404, "digits8 has no version '2' that is served; it serves version 1"),
        ("/v2/models/digits8/versions/1e9/infer", {"data": b""}, 404, "no version '1e9'"),
        (INFER, binary(np.zeros((801, 64))), 413, "801 instances, more than the limit max_rows = 800"),
        (INFER, {"data": b"\0" * 2_000_001}, 413, "max_body_bytes"),
        (INFER, {"data": b"x", "headers": {"Content-Encoding": "br"}}, 415, "Content-Encoding 'br'"),
    ],
)
def test_what_is_not_there_or_too_much(
    lane: FastLane, client: FlaskClient, path: str, sent: dict[str, Any], status: int, sentence: str
) -> None:
    said = ask(lane, client, path, sent)

    assert said[0] == status
    assert sentence in json.loads(said[2])["error"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "shape", "data", "parameters"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(["name", "shape", "datatype", "data", "parameters"]), ANYTHING, max_size=3),
    st.dictionaries(st.sampled_from(["id", "outputs", "parameters", "inputs"]), ANYTHING, max_size=2),
    st.sampled_from([None, "0", "2", "30", "-1", "x"]),
    st.binary(max_size=30),
)
def test_whatever_comes_is_answered_or_refused_but_never_a_failure(
    client: FlaskClient, changed: dict[str, Any], beside: dict[str, Any], length: str | None, tail: bytes
) -> None:
    try:
        body = json.dumps({"inputs": [TENSOR | changed], **beside}).encode() + tail
    except ValueError:
        return
    response = client.post(INFER, data=body, headers={} if length is None else {"Inference-Header-Content-Length": length})

    assert response.status_code in (200, 400, 413), response.text
    if response.status_code != 200:
        assert isinstance(response.get_json()["error"], str)

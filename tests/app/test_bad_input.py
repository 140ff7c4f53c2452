"""Bad input: the right status, one sentence in the contract's form that says what was expected, and nothing that leaks."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.app.test_predict import npy, png
from tests.live_server import samples, total

PNG = png(np.zeros((8, 8), np.uint8))


def huge_png(width: int, height: int) -> bytes:
    """A valid head that promises a huge picture."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + head
    body = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", len(body)) + b"IDAT" + body + struct.pack(">I", zlib.crc32(b"IDAT" + body)) + PNG[-12:]
    )  # fmt: skip


def lying_npy(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue() + b"\0" * 256


JSON = {"content_type": "application/json"}
BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "empty": ({"data": b""}, 400, "the body is empty, expected instances of 8 × 8 × 1 = 64 numbers"),
    "wrong shape": ({"json": {"instances": [[1, 2, 3]]}}, 400, "the shape 1 × 3, expected instances of 8 × 8 × 1 = 64 numbers"),
    "one row as instances": ({"json": {"instances": [0] * 64}}, 400, "the shape 64, expected"),
    "ragged": ({"json": {"instances": [[1, 2], [3]]}}, 400, "not all of one shape"),
    "no instances": ({"json": {"instances": []}}, 400, "there are no instances"),
    "empty list": ({"json": []}, 400, "there are no instances"),
    "empty rows": ({"json": [[]]}, 400, "expected"),
    "text": ({"json": {"instances": [["a"] * 64]}}, 400, "not a number"),
    "true": ({"json": {"instances": [[True] * 64]}}, 400, "not a number"),
    "null": ({"json": {"instances": [[None] * 64]}}, 400, "not a number"),
    "objects": ({"json": {"instances": [{"x": 1}]}}, 400, "not a number"),
    "instances is a number": ({"json": {"instances": 7}}, 400, "'instances' is a number, expected a list"),
    "no key": ({"json": {"data": [1]}}, 400, "no 'instances' but ['data']"),
    "a number": ({"data": b"7", **JSON}, 400, "neither an object nor a list"),
    "NaN token": ({"data": b'{"instances": [[NaN]]}', **JSON}, 400, "not valid JSON"),
    "NaN": ({"data": npy(np.full((1, 8, 8, 1), np.nan))}, 400, "NaN or an infinite value"),
    "infinite": ({"data": orjson.dumps([[1] * 63]).replace(b"]]", b",1e999]]"), **JSON}, 400, "not valid JSON: number is infinity"),
    "number too long": ({"data": b"[[" + b"9" * 400 + b"," + b"1," * 62 + b"1]]", **JSON}, 400, "not valid JSON: number is infinity"),
    "cut JSON": ({"data": b'{"instances": [[1, 2', **JSON}, 400, "not valid JSON"),
    "deep JSON": ({"data": b"[" * 10_000 + b"]" * 10_000, **JSON}, 400, "nested more than 1,000 deep"),
    "deep but allowed JSON": ({"data": b"[" * 500 + b"]" * 500, **JSON}, 400, "not all of one shape"),
    "not UTF-8": ({"data": b'{"instances": "\xff"}', **JSON}, 400, "not valid JSON"),
    "cut PNG": ({"data": PNG[:-20]}, 400, "the PNG image is damaged or cut off"),
    "PNG head only": ({"data": PNG[:8]}, 400, "the PNG image is damaged"),
    "JPEG head only": ({"data": b"\xff\xd8\xff\xe0" + b"\0" * 50}, 400, "the JPEG image is damaged"),
    "100 megapixels": ({"data": huge_png(10_000, 10_000)}, 413, "10000 × 10000 pixels, more than the limit max_pixels = 1000000"),
    "4 gigapixels": ({"data": huge_png(65_535, 65_535)}, 413, "max_pixels"),
    "more pixels than can be": ({"data": huge_png(2**31 - 1, 2**31 - 1)}, 413, "max_pixels"),
    "no pixels": ({"data": huge_png(0, 10)}, 400, "damaged"),
    "odd raw": ({"data": b"\0" * 65, "content_type": "application/octet-stream"}, 400, "65 bytes"),
    "nonsense": ({"data": b"hello"}, 400, "5 bytes and is no JSON, image or .npy file"),
    "cut npy": ({"data": npy(np.zeros((2, 64)))[:-8]}, 400, "1016 bytes of values, its head says 1024"),
    "npy head only": ({"data": b"\x93NUMPY"}, 400, "damaged head"),
    "npy with an open bracket": ({"data": npy(np.zeros((1, 64))).replace(b"}", b"{", 1)}, 400, "damaged head"),
    "npy of a terabyte": ({"data": lying_npy((1 << 38,))}, 400, "its head says"),
    "npy of objects": ({"data": npy(np.array([{}], dtype=object))}, 400, "holds object, expected numbers"),
    "npy of text": ({"data": npy(np.array(["a"]))}, 400, "expected numbers"),
    "npy of complex": ({"data": npy(np.zeros((1, 64), complex))}, 400, "expected numbers"),
    "npy of none": ({"data": npy(np.zeros((0, 64)))}, 400, "there are no instances"),
    "gzip that is none": ({"data": b"xxxxxxxx", "headers": {"Content-Encoding": "gzip"}}, 400, "the body is not gzip"),
    "cut gzip": ({"data": gzip.compress(b"[" * 999)[:-9], "headers": {"Content-Encoding": "gzip"}}, 400, "cut off"),
    "zip bomb": ({"data": gzip.compress(b"\0" * 50_000_000), "headers": {"Content-Encoding": "gzip"}}, 413, "max_body_bytes = 2000000"),
    "unknown encoding": ({"data": b"x", "headers": {"Content-Encoding": "zstd"}}, 415, "Content-Encoding 'zstd', expected gzip, deflate"),
    "large body": ({"data": b"\0" * 2_000_064}, 413, "the body is too large, more than the limit max_body_bytes = 2000000"),
    "many rows": ({"data": b"\0" * 64 * 801}, 413, "801 instances, more than the limit max_rows = 800"),
    "form without file": ({"files": {"image": [PNG]}}, 400, "no field 'file'"),
    "form with text": ({"data": {"file": "text"}, "content_type": "multipart/form-data"}, 400, "no field 'file'"),
    "cut form": ({"data": b"--x\r\nContent-Disp", "content_type": "multipart/form-data; boundary=x"}, 400, "multipart form"),
    "form without boundary": ({"data": b"--x\r\n", "content_type": "multipart/form-data"}, 400, "multipart form"),
    "empty file": ({"files": {"file": [b""]}}, 400, "the body is empty"),
    "files of two kinds, one bad": (
        {"files": {"file": [PNG, PNG[:-20]]}}, 400, "damaged",
    ),
}  # fmt: skip


def sending(case: str) -> dict[str, Any]:
    """What to send in a case, with files that can be read anew each time."""
    sent = dict(BAD[case][0])
    if files := sent.pop("files", None):
        sent["data"] = {name: [(io.BytesIO(body), "a.png") for body in bodies] for name, bodies in files.items()}
    return sent


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_in_a_sentence(client: FlaskClient, case: str) -> None:
    _, status, sentence = BAD[case]

    response = client.post("/predict", **sending(case))

    assert (response.status_code, response.content_type) == (status, "application/json")
    assert list(response.get_json()) == ["error"]
    assert sentence in response.get_json()["error"]
    for leak in ("Traceback", "/work", "site-packages", "orjson", "numpy.core", "PIL", "werkzeug"):
        assert leak not in response.text


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", "/nothing", 404, "there is nothing at /nothing"),
        ("GET", "/predict", 405, "/predict does not take GET; it takes OPTIONS, POST"),
        ("DELETE", "/feedback", 405, "does not take DELETE"),
        ("POST", "/predict/nothing", 404, "there is no model 'nothing'; there is digits8, iris"),
        ("GET", "/monitor?model=nothing", 404, "there is no model 'nothing'"),
        ("GET", "/samples/nothing", 404, "there is no model 'nothing'"),
        ("GET", "/samples/digits8/99999.png", 404, "there is no number 99999"),
        ("GET", "/samples/iris/0.png", 415, "no images"),
        ("GET", "/static/nothing.js", 404, "there is nothing at"),
        ("POST", "/predict/..%2f..%2fetc", 404, "there is"),
    ],
)
def test_wrong_addresses(client: FlaskClient, method: str, path: str, status: int, sentence: str) -> None:
    response = client.open(path, method=method, data=PNG if method == "POST" else None)

    assert (response.status_code, response.content_type) == (status, "application/json")
    assert sentence in response.get_json()["error"]


def test_an_image_for_a_table_is_the_wrong_kind(client: FlaskClient) -> None:
    response = client.post("/predict/iris", data=PNG)

    assert response.status_code == 415
    assert "instances of 4 = 4 numbers, not images" in response.get_json()["error"]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=200).map(lambda tail: PNG[:40] + tail),
        st.binary(max_size=200).map(lambda tail: npy(np.zeros((1, 64)))[:60] + tail),
        st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(
            lambda data: orjson.dumps(data)
        ),
    ),
    st.sampled_from(["", "application/json", "image/png", "application/octet-stream", "multipart/form-data; boundary=x", "nonsense;;"]),
)
def test_whatever_comes_is_answered_or_refused_but_never_a_failure(client: FlaskClient, body: bytes, content_type: str) -> None:
    response = client.post("/predict", data=body, content_type=content_type)

    assert response.status_code in (200, 400, 413, 415)
    if response.status_code != 200:
        assert isinstance(response.get_json()["error"], str)


def test_refusals_are_counted_by_check_and_change_nothing_else(client: FlaskClient) -> None:
    client.application.extensions["veleta"].recorder.flush()
    before = samples(client.get("/metrics").text)
    client.post("/predict", data=npy(np.full((1, 64), np.nan)))
    client.post("/predict", json=[[1, 2]])
    client.post("/predict", data=huge_png(10_000, 10_000))
    client.application.extensions["veleta"].recorder.flush()
    after = samples(client.get("/metrics").text)

    changed = {key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key)}
    for check in ("not_finite", "shape"):
        assert total(changed, "veleta_data_quality_failures_total", 'model="digits8"', f'check="{check}"') == 1
    assert changed['veleta_rejected_requests_total{reason="limit"}'] == 1
    assert changed['veleta_requests_total{code="400",route="/predict"}'] == 2
    assert not any("predictions_total" in key for key in changed)


def test_data_out_of_range_or_constant_or_repeated_is_answered_and_counted(client: FlaskClient) -> None:
    client.application.extensions["veleta"].recorder.flush()
    before = samples(client.get("/metrics").text)
    client.post("/predict", json=[[300.0] * 64, list(range(64)), list(range(64))])
    client.application.extensions["veleta"].recorder.flush()
    after = samples(client.get("/metrics").text)

    for check in ("range", "constant", "duplicate"):
        labels = "veleta_data_quality_failures_total", 'model="digits8"', f'check="{check}"'
        assert total(after, *labels) - total(before, *labels) == 1


def test_a_small_picture_of_every_mode_is_read(client: FlaskClient, tmp_path: Path) -> None:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        file = io.BytesIO()
        Image.new(mode, (30, 20)).save(file, "PNG")
        assert client.post("/predict", data=file.getvalue()).status_code == 200, mode

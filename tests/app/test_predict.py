"""Every form of input gives the same answer, and it is the model's: ONNX Runtime on the published file is the oracle."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import orjson
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from models.store import Store
from tests.small_models import Data

ROWS = 40
Sent = dict[str, Any]


def png(image: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image.squeeze()).save(file, "PNG")
    return file.getvalue()


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def json_body(data: Any) -> Sent:
    return {"data": orjson.dumps(data), "content_type": "application/json"}


#: Forms that carry many rows, and forms that carry one.
MANY: dict[str, Callable[[NDArray[Any]], Sent]] = {
    "instances": lambda x: json_body({"instances": x.tolist()}),
    "instances flat": lambda x: json_body({"instances": x.reshape(len(x), -1).tolist()}),
    "instances without channel": lambda x: json_body({"instances": x[..., 0].tolist()}),
    "instances as floats": lambda x: json_body({"instances": x.astype(float).tolist()}),
    "a bare list": lambda x: json_body(x.tolist()),
    "json without a header": lambda x: {"data": orjson.dumps(x.tolist())},
    "json with a wrong header": lambda x: {"data": orjson.dumps(x.tolist()), "content_type": "text/plain"},
    "npy uint8": lambda x: {"data": npy(x)},
    "npy float32": lambda x: {"data": npy(x.astype(np.float32)), "content_type": "application/x-npy"},
    "npy float64 in Fortran order, big-endian": lambda x: {"data": npy(np.asfortranarray(x.astype(">f8")))},
    "npy flat int16": lambda x: {"data": npy(x.reshape(len(x), -1).astype(np.int16))},
    "raw uint8": lambda x: {"data": x.tobytes(), "content_type": "application/octet-stream"},
    "raw float32": lambda x: {"data": x.astype("<f4").tobytes(), "content_type": "application/octet-stream"},
    "multipart of many": lambda x: {"data": {"file": [(io.BytesIO(png(image)), f"{i}.png") for i, image in enumerate(x)]}},
    "gzip": lambda x: {"data": gzip.compress(orjson.dumps(x.tolist())), "headers": {"Content-Encoding": "gzip"}},
    "deflate": lambda x: {"data": zlib.compress(x.tobytes()), "headers": {"Content-Encoding": "deflate"}},
}
ONE: dict[str, Callable[[NDArray[Any]], Sent]] = {
    "png": lambda x: {"data": png(x), "content_type": "image/png"},
    "png with a wrong header": lambda x: {"data": png(x), "content_type": "application/json"},
    "one instance": lambda x: json_body(x.tolist()),
    "one flat instance": lambda x: json_body(x.ravel().tolist()),
    "one raw image": lambda x: {"data": x.tobytes()},
    "one npy": lambda x: {"data": npy(x)},
    "multipart": lambda x: {"data": {"file": (io.BytesIO(png(x)), "image.png")}},
}


@pytest.fixture(scope="module")
def oracle(shelf: Path, digits8: Data) -> NDArray[Any]:
    session = onnxruntime.InferenceSession(Store(shelf).open("digits8").path("int8"))
    (found,) = session.run(["probabilities"], {"image": digits8.test_x.astype(np.float32)})
    probabilities: NDArray[Any] = found
    return probabilities


@pytest.mark.parametrize("form", MANY)
def test_many_rows_in_every_form(client: FlaskClient, digits8: Data, oracle: NDArray[Any], form: str) -> None:
    response = client.post("/predict", **MANY[form](digits8.test_x[:ROWS]))

    assert response.status_code == 200, response.text
    check(response.get_json(), oracle[:ROWS])


@pytest.mark.parametrize("form", ONE)
def test_one_row_in_every_form(client: FlaskClient, digits8: Data, oracle: NDArray[Any], form: str) -> None:
    for i in range(10):
        response = client.post("/predict/digits8", **ONE[form](digits8.test_x[i]))

        assert response.status_code == 200, response.text
        check(response.get_json(), oracle[i : i + 1])


def check(data: dict[str, Any], expected: NDArray[Any]) -> None:
    assert {name: data[name] for name in ("model", "version", "variant")} == {"model": "digits8", "version": "1", "variant": "int8"}
    predictions = data["predictions"]
    assert np.array([p["probabilities"] for p in predictions]) == pytest.approx(expected, abs=1e-5)
    assert [p["class"] for p in predictions] == expected.argmax(axis=1).tolist()
    assert [p["label"] for p in predictions] == [str(number) for number in expected.argmax(axis=1)]
    assert [p["confidence"] for p in predictions] == pytest.approx(expected.max(axis=1), abs=1e-5)
    assert len({p["id"] for p in predictions}) == len(predictions)


def test_raw_values_that_begin_like_json_are_raw_values(client: FlaskClient, digits8: Data) -> None:
    image = digits8.test_x[0].copy()
    image[0, 0, 0] = ord("[")

    response = client.post("/predict", data=image.tobytes(), content_type="application/octet-stream")

    assert response.status_code == 200
    assert len(response.get_json()["predictions"]) == 1


def test_four_images_as_bytes_are_not_one_of_floats(client: FlaskClient, digits8: Data) -> None:
    for start in range(0, 400, 4):
        response = client.post("/predict", data=digits8.test_x[start : start + 4].tobytes())
        assert len(response.get_json()["predictions"]) == 4


def test_other_images_are_converted_and_resized(client: FlaskClient, digits8: Data) -> None:
    """A digit that is larger, in colour, with palette, transparency, 16 bits or as JPEG is still that digit."""
    for i in range(5):
        grey = Image.fromarray(digits8.test_x[i].squeeze()).resize((64, 64), Image.Resampling.NEAREST)
        opaque = grey.convert("RGBA")
        sixteen = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        expected = client.post("/predict", data=png(np.asarray(grey))).get_json()["predictions"][0]
        assert expected["class"] == client.post("/predict", data=png(digits8.test_x[i])).get_json()["predictions"][0]["class"]
        for image, kind in [(grey.convert("RGB"), "PNG"), (grey.convert("P"), "PNG"), (opaque, "PNG"), (sixteen, "PNG"),
                            (grey, "JPEG"), (grey.convert("RGB"), "JPEG"), (grey.convert("CMYK"), "JPEG")]:  # fmt: skip
            file = io.BytesIO()
            image.save(file, kind)
            found = client.post("/predict", data=file.getvalue()).get_json()["predictions"][0]
            assert found["confidence"] == pytest.approx(expected["confidence"], abs=0.02), (i, image.mode, kind)
            assert found["class"] == expected["class"]


def test_what_is_transparent_is_white(client: FlaskClient) -> None:
    clear, white = io.BytesIO(), io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(clear, "PNG")
    Image.new("L", (8, 8), 255).save(white, "PNG")

    answers = [client.post("/predict", data=file.getvalue()).get_json()["predictions"][0] for file in (clear, white)]

    assert answers[0]["probabilities"] == answers[1]["probabilities"]


def test_another_model_is_reached_by_its_name(client: FlaskClient) -> None:
    response = client.post("/predict/iris", json={"instances": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]})

    assert [p["label"] for p in response.get_json()["predictions"]] == ["setosa", "virginica"]


def test_a_thousand_samples_come_back_with_their_labels_and_give_the_manifests_accuracy(
    client: FlaskClient, shelf: Path, digits8: Data
) -> None:
    listed = client.get("/samples/digits8?count=1000").get_json()["samples"]
    images = [np.asarray(Image.open(io.BytesIO(client.get(sample["image"]).data))) for sample in listed]

    assert np.array_equal(np.stack(images)[..., None], digits8.test_x)
    answers = client.post("/predict", data=npy(np.stack(images))).get_json()["predictions"]
    right = sum(answer["label"] == sample["label"] for answer, sample in zip(answers, listed, strict=True))
    assert right / len(listed) == Store(shelf).open("digits8").manifest.variant("int8").metrics["accuracy"].value


def test_samples_of_a_table_are_instances(client: FlaskClient) -> None:
    sample = client.get("/samples/iris").get_json()["samples"][0]

    assert client.post("/predict/iris", json=[sample["instance"]]).status_code == 200

"""TensorFlow Serving's REST API and KServe V1, proved by clients that others wrote; ONNX Runtime says what the answers must be."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from models.store import Store
from tests.app.test_predict import png
from tests.clients.conftest import Client
from tests.live_server import LiveServer, total, wait_for
from tests.small_models import Data

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def right(shelf: Path, digits8: Data) -> NDArray[Any]:
    """What the model answers to the first six images, without any of our code in between."""
    session = onnxruntime.InferenceSession(Store(shelf).open("digits8").path("int8"))
    (found,) = session.run(["probabilities"], {"image": digits8.test_x[:6].astype(np.float32)})
    probabilities: NDArray[Any] = found
    return probabilities


def test_ovmsclient(run_client: Client, server: LiveServer, digits8: Data, right: NDArray[Any]) -> None:
    said = run_client("ovmsclient", "ask_ovmsclient.py", url=server.url, images=digits8.test_x[:6].tolist())

    for form in ("predict", "version"):
        assert np.array(said[form]) == pytest.approx(right, abs=1e-5)
    assert said["status"] == {"1": {"state": "AVAILABLE", "error_code": 0, "error_message": ""}}
    assert said["metadata"] == {
        "model_version": 1,
        "inputs": {"image": {"dtype": "DT_FLOAT", "shape": [-1, 8, 8, 1]}},
        "outputs": {"probabilities": {"dtype": "DT_FLOAT", "shape": [-1, 10]}},
    }
    for question, kind, sentence in (
        ("no such version", "ModelNotFoundError", "digits8 has no version 7 that is served; version 1 is"),
        ("no such model", "ModelNotFoundError", "there is no model 'nothing'"),
        ("no metadata", "ModelNotFoundError", "there is no model 'nothing'"),
        ("another input", "InvalidInputError", "one input, 'image'"),
        ("another shape", "InvalidInputError", "6 × 4 × 8 × 1"),
    ):
        assert said[question][0] == kind, said[question]
        assert sentence in said[question][1]


def test_kserve_v1(run_client: Client, server: LiveServer, digits8: Data, right: NDArray[Any]) -> None:
    images = digits8.test_x[:6]
    packed = [base64.b64encode(png(image)).decode() for image in images]

    said = run_client("kserve", "ask_kserve_v1.py", url=server.url, images=images.tolist(), packed=packed)

    assert said["live"] is True
    assert said["ready"] is True
    assert "there is no model 'nothing'" in said["nothing ready"]
    for form in ("predict", "packed"):
        assert list(said[form]) == ["predictions"]
        assert np.array(said[form]["predictions"]) == pytest.approx(right, abs=1e-5)
    assert "the shape 1 × 2, expected instances of 8 × 8 × 1" in said["refused"]
    assert "Malformed request" in said["explain"]


def test_they_are_counted(server: LiveServer, digits8: Data) -> None:
    before = total(server.metrics(), "veleta_requests_total", 'route="/v1"', 'code="200"')
    assert server.post("/v1/models/digits8:predict", json={"instances": digits8.test_x[:1].tolist()}).status_code == 200

    def counted() -> bool:
        return total(server.metrics(), "veleta_requests_total", 'route="/v1"', 'code="200"') == before + 1

    wait_for(counted)

"""Open Inference Protocol v2: what is said of server and models, and who may load and unload them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.factory import create_app
from app.settings import resolve
from tests.app.test_open_inference import INFER, binary
from tests.live_server import samples, total
from tests.small_models import Data

ADMIN = {"Authorization": "Bearer open sesame"}
LOAD, UNLOAD = "/v2/repository/models/digits8/load", "/v2/repository/models/digits8/unload"


@pytest.fixture
def admin_app(shelf: Path, tmp_path: Path) -> Iterator[Flask]:
    shutil.copytree(shelf, tmp_path / "store")
    app = administered(tmp_path / "store")
    yield app
    app.extensions["veleta"].close()


def administered(store: Path) -> Flask:
    return create_app(resolve({"store": str(store), "reload_seconds": 0.05}, {"VELETA_ADMIN_TOKEN": "open sesame"}, {})[0])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"live": True, "ready": True}),
        ("/v2/models", {"models": ["digits8", "iris"]}),
        *(
            (f"/v2/models/iris{version}/ready", {"name": "iris", "ready": True})
            for version in ("", "/versions/1", "/versions/0", "/versions/")
        ),
    ],
)
def test_health(client: FlaskClient, path: str, said: dict[str, Any]) -> None:
    response = client.get(path)

    assert (response.status_code, response.content_type, response.get_json()) == (200, "application/json", said)


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_the_server_says_what_it_can(client: FlaskClient, path: str) -> None:
    said = client.get(path).get_json()

    assert set(said) == {"name", "version", "extensions"}
    assert "binary_tensor_data" in said["extensions"]


@pytest.mark.parametrize("version", ["", "/versions/1", "/versions/0", "/versions/"])
def test_metadata_and_configuration(client: FlaskClient, version: str) -> None:
    metadata = client.get(f"/v2/models/iris{version}").get_json()
    config = client.get(f"/v2/models/iris{version}/config").get_json()

    assert metadata["versions"] == ["1"]
    assert metadata["inputs"] == [{"name": "flower", "datatype": "FP32", "shape": [-1, 4]}]
    assert metadata["outputs"][0] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}
    assert config["input"] == [{"name": "flower", "data_type": "TYPE_FP32", "dims": [4]}]


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", "/v2/models/nothing", 404, "there is no model 'nothing'"),
        ("GET", "/v2/models/nothing/ready", 404, "there is no model 'nothing'"),
        ("GET", "/v2/models/digits8/versions/2", 404, "digits8 has no version '2' that is served; it serves version 1"),
        ("GET", "/v2/models/digits8/versions/2/stats", 404, "no version '2'"),
        ("GET", "/v2/models/digits8/infer", 405, "does not take GET; it takes OPTIONS, POST"),
        ("POST", "/v2/health/live", 405, "does not take POST"),
        ("GET", "/v2/nothing", 404, "there is nothing at /v2/nothing"),
        ("POST", LOAD, 403, "loading and unloading models is off; start the server with VELETA_ADMIN_TOKEN"),
    ],
)
def test_wrong_addresses(client: FlaskClient, method: str, path: str, status: int, sentence: str) -> None:
    response = client.open(path, method=method)

    assert (response.status_code, response.content_type) == (status, "application/json")
    assert sentence in response.get_json()["error"]


def test_the_index_lists_what_is_on_the_shelf(client: FlaskClient) -> None:
    everything = [
        {"name": "digits8", "version": "1", "state": "READY", "reason": ""},
        {"name": "digits8", "version": "2", "state": "UNAVAILABLE", "reason": "not live"},
        {"name": "iris", "version": "1", "state": "READY", "reason": ""},
    ]

    assert client.post("/v2/repository/index").get_json() == everything
    assert client.post("/v2/repository/index", json={}).get_json() == everything
    assert client.post("/v2/repository/index", json={"ready": True}).get_json() == [everything[0], everything[2]]
    assert client.post("/v2/repository/index", json={"ready": "yes"}).status_code == 400
    assert client.post("/v2/repository/index", json=[]).status_code == 400


def test_statistics_count_every_protocol_and_what_was_refused(client: FlaskClient, digits8: Data) -> None:
    before = client.get("/v2/models/digits8/stats").get_json()["model_stats"][0]
    client.post(INFER, **binary(digits8.test_x[:3]))
    client.post("/predict/digits8", data=np.ascontiguousarray(digits8.test_x[:2]).tobytes())
    client.post(INFER, **binary(digits8.test_x[:3, :4]))
    (after,) = client.get("/v2/models/digits8/versions/1/stats").get_json()["model_stats"]

    def grown(*keys: str) -> int:
        values = [before, after]
        for key in keys:
            values = [value[key] for value in values]
        return int(values[1]) - int(values[0])

    assert (grown("inference_count"), grown("execution_count")) == (5, 2)
    assert grown("inference_stats", "success", "count") == 2
    assert grown("inference_stats", "fail", "count") == 1
    steps = ("success", "fail", "compute_input", "compute_infer", "compute_output")
    assert all(grown("inference_stats", step, "ns") > 0 for step in steps)
    assert after["last_inference"] > 1_700_000_000_000
    assert set(after["inference_stats"]) == {*steps, "queue", "cache_hit", "cache_miss"}
    assert [one["name"] for one in client.get("/v2/models/stats").get_json()["model_stats"]] == ["digits8", "iris"]


def test_requests_are_counted_under_their_route(client: FlaskClient, digits8: Data) -> None:
    def counted() -> float:
        client.application.extensions["veleta"].recorder.flush()
        return total(samples(client.get("/metrics").text), "veleta_requests_total", 'route="/v2"', 'code="200"')

    before = counted()
    client.post(INFER, **binary(digits8.test_x[:1]))
    client.get("/v2/health/live")

    assert counted() - before == 2


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", "Basic open sesame", "open sesame", "Bearer öpen sesame"])
def test_only_the_token_opens(admin_app: Flask, header: str | None) -> None:
    response = admin_app.test_client().post(UNLOAD, headers={} if header is None else {"Authorization": header})

    assert response.status_code == 403
    assert "needs the header Authorization: Bearer" in response.get_json()["error"]
    assert admin_app.test_client().get("/v2/models/digits8/ready").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 200), (b"{}", 200), (b'{"parameters": null}', 200), (b'{"parameters": {"unload_dependents": false}}', 200),
        (b'{"parameters": {"config": "{}"}}', 400), (b'{"parameters": {"file:1/model.onnx": "AA=="}}', 400), (b"[]", 400), (b"{", 400),
    ],
)  # fmt: skip
def test_what_may_be_said_when_loading(admin_app: Flask, body: bytes, status: int) -> None:
    assert admin_app.test_client().post(LOAD, data=body, headers=ADMIN).status_code == status


def test_what_is_not_on_the_shelf_cannot_be_loaded(admin_app: Flask) -> None:
    for name in ("nothing", "..", ".staging-x", "A"):
        response = admin_app.test_client().post(f"/v2/repository/models/{name}/load", headers=ADMIN)
        assert (response.status_code, "there is no model" in response.get_json()["error"]) == (404, True)


def test_an_unloaded_model_stays_so_over_a_restart_and_another_does_not_take_its_place(admin_app: Flask, tmp_path: Path) -> None:
    client, image = admin_app.test_client(), b"\0" * 64
    shelf_before = {path.name for path in (tmp_path / "store/digits8").iterdir()}
    assert client.post(UNLOAD, headers=ADMIN).get_json() == {"name": "digits8", "unload": True}

    for response in (client.post("/predict", data=image), client.post(INFER, data=b""), client.get("/v2/health/ready")):
        assert response.status_code == 503
        assert response.get_json()["error"] == f"digits8 was unloaded; load it with POST {LOAD}"
    assert client.get("/v2/models/iris/ready").status_code == 200
    assert {path.name for path in (tmp_path / "store/digits8").iterdir()} == shelf_before

    again = administered(tmp_path / "store")
    assert again.test_client().get("/v2/models/digits8/ready").status_code == 503
    again.extensions["veleta"].close()

    assert client.post(LOAD, headers=ADMIN).get_json() == {"name": "digits8", "load": True}
    assert client.post("/predict", data=image).get_json()["model"] == "digits8"

"""The same requests go to MLServer, running the same ONNX file, and to us; the answers are compared."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from numpy.typing import NDArray

from models.store import Store
from tests.live_server import LiveServer, free_port, wait_for
from tests.small_models import Data

pytestmark = pytest.mark.clients
INFER = "/v2/models/digits8/infer"


@pytest.fixture(scope="module")
def mlserver(client_python: Callable[[str], Path], shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLServer."""
    program, folder = client_python("mlserver"), tmp_path_factory.mktemp("mlserver")
    ports = {f"{kind}_port": free_port() for kind in ("http", "grpc", "metrics")}
    shutil.copy(Path(__file__).with_name("ask_mlserver_runtime.py"), folder / "runtime.py")
    (folder / "settings.json").write_text(json.dumps({"debug": False, "host": "127.0.0.1", "parallel_workers": 0, **ports}))
    model = {"name": "digits8", "implementation": "runtime.OnnxModel", "parameters": {"uri": str(Store(shelf).open("digits8").path())}}
    (folder / "model-settings.json").write_text(json.dumps(model))
    log, url = folder / "log", f"http://127.0.0.1:{ports['http_port']}"
    with log.open("wb") as output:
        command = [program.with_name("mlserver"), "start", folder]
        environment = os.environ | {"PYTHONPATH": str(folder)}
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, env=environment)
    try:
        wait_for(lambda: ready(url), 60, log.read_text)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def ready(url: str) -> bool:
    with suppress(requests.ConnectionError):
        return requests.get(f"{url}/v2/models/digits8/ready", timeout=5).status_code == 200
    return False


def tensor(rows: NDArray[Any], kind: str = "FP32", **changed: Any) -> dict[str, Any]:
    return {"name": "image", "shape": list(rows.shape), "datatype": kind, "data": rows.tolist()} | changed


def in_json(rows: NDArray[Any]) -> dict[str, Any]:
    return {"json": {"id": "both", "inputs": [tensor(rows)]}}


def flat(rows: NDArray[Any]) -> dict[str, Any]:
    return {"json": {"id": "both", "inputs": [tensor(rows, data=rows.ravel().tolist())]}}


def whole_numbers(rows: NDArray[Any]) -> dict[str, Any]:
    return {"json": {"id": "both", "inputs": [tensor(rows, "UINT8")]}}


def in_binary(rows: NDArray[Any]) -> dict[str, Any]:
    values = rows.astype("<f4").tobytes()
    described = {"name": "image", "shape": list(rows.shape), "datatype": "FP32", "parameters": {"binary_data_size": len(values)}}
    head = json.dumps({"id": "both", "inputs": [described]}).encode()
    return {"data": head + values, "headers": {"Inference-Header-Content-Length": str(len(head))}}


def arrays(response: requests.Response) -> dict[str, NDArray[Any]]:
    """The outputs of numbers, read without anybody's code."""
    assert response.status_code == 200, response.text
    length = int(response.headers.get("Inference-Header-Content-Length", len(response.content)))
    found, rest = {}, response.content[length:]
    for output in json.loads(response.content[:length])["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size", 0)
        if output["datatype"] == "FP32":
            values = np.array(output["data"], np.float32) if "data" in output else np.frombuffer(rest[:size], "<f4")
            found[output["name"]] = values.reshape(output["shape"])
        rest = rest[size:]
    return found


@pytest.mark.parametrize("form", [in_json, flat, whole_numbers, in_binary])
def test_the_same_request_has_the_same_answer(
    mlserver: str, server: LiveServer, digits8: Data, form: Callable[[NDArray[Any]], dict[str, Any]]
) -> None:
    for rows in (digits8.test_x[:1], digits8.test_x[:50]):
        known = in_json if form is in_binary else form  # MLServer knows no binary data over HTTP
        theirs = requests.post(mlserver + INFER, timeout=30, **known(rows))
        ours = server.post(INFER, **form(rows))

        assert ours.headers["Content-Type"] == "application/json"
        assert (ours.json()["model_name"], ours.json()["id"]) == (theirs.json()["model_name"], theirs.json()["id"])
        expected, found = arrays(theirs), arrays(ours)
        assert expected.keys() == found.keys() == {"probabilities", "embedding"}
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/v2/models/digits8/ready", "/v2/models/nothing", INFER])
def test_the_same_address_has_the_same_status(mlserver: str, server: LiveServer, path: str) -> None:
    assert server.get(path).status_code == requests.get(mlserver + path, timeout=30).status_code


def test_the_same_index(mlserver: str, server: LiveServer) -> None:
    def listed(found: requests.Response) -> set[tuple[str, str]]:
        return {(row["name"], row["state"]) for row in found.json()}

    assert listed(requests.post(mlserver + "/v2/repository/index", json={}, timeout=30)) <= listed(server.post("/v2/repository/index"))


def test_metadata_have_the_same_fields(mlserver: str, server: LiveServer) -> None:
    for path in ("/v2", "/v2/models/digits8"):
        assert server.get(path).json().keys() >= requests.get(mlserver + path, timeout=30).json().keys() - {"parameters"}

"""Open Inference Protocol v2, proved by clients that others wrote; ONNX Runtime by itself says what the answers must be."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from models.store import Store
from tests.clients.perf_analyzer import libraries
from tests.live_server import LiveServer, running
from tests.small_models import Data

pytestmark = pytest.mark.clients
TOKEN = "let the clients load and unload"
Answers = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def open_server(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with two workers that lets whoever has the token load and unload models."""
    root = tmp_path_factory.mktemp("open") / "store"
    shutil.copytree(shelf, root)
    (root.parent / "veleta.toml").write_text(f'admin_token = "{TOKEN}"\n', encoding="utf-8")
    with running(root, "--workers", "2", "--reload-seconds", "0.2", "--tick-seconds", "0.2") as found:
        yield found


@pytest.fixture(scope="module")
def images(digits8: Data) -> NDArray[Any]:
    return digits8.test_x[:6]


@pytest.fixture(scope="module")
def right(shelf: Path, images: NDArray[Any], digits8: Data) -> Answers:
    """What the model answers, without any of our code in between."""
    session = onnxruntime.InferenceSession(Store(shelf).open("digits8").path())
    probabilities, embedding = session.run(["probabilities", "embedding"], {"image": images.astype(np.float32)})
    label = np.array([[digits8.classes[number]] for number in probabilities.argmax(axis=1)])
    return {"probabilities": probabilities, "embedding": embedding, "label": label}


def check(said: dict[str, Any], right: Answers, *names: str) -> None:
    for name in names or right:
        if name == "label":
            assert said[name] == right[name].tolist()
        else:
            np.testing.assert_allclose(np.array(said[name]).reshape(right[name].shape), right[name], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.fixture(scope="module")
def triton(run_client: Callable[..., Any], open_server: LiveServer, images: NDArray[Any]) -> dict[str, Any]:
    """Everything that tritonclient said."""
    address = open_server.url.removeprefix("http://")
    said: dict[str, Any] = run_client("triton", "ask_triton.py", url=address, images=images.tolist(), token=TOKEN)
    return said


def test_tritonclient_is_answered_right_in_every_form(triton: dict[str, Any], right: Answers) -> None:
    for form in ("unpacked", "json", "uint8", "fp16", "version", "gzip", "deflate", "asynchronous"):
        check(triton[form], right)
    check(triton["some"], right, "label", "probabilities")
    assert [output["name"] for output in triton["some response"]["outputs"]] == ["label", "probabilities"]
    assert triton["some response"]["id"] == "some"


def test_tritonclient_asynchronously(triton: dict[str, Any], right: Answers) -> None:
    aio = triton["aio"]
    for row, said in enumerate(aio["one by one"]):
        check(said, {name: values[row : row + 1] for name, values in right.items()})
    check(aio["packed"], right)
    assert aio["live"]
    assert aio["metadata"] == triton["metadata"]


def test_tritonclient_classification(triton: dict[str, Any], right: Answers) -> None:
    for said, probabilities in zip(triton["top"]["probabilities"], right["probabilities"], strict=True):
        best = np.argsort(-probabilities)[:3]
        assert [text.split(":")[1:] for text in said] == [[str(number), str(number)] for number in best]
        assert [float(text.split(":")[0]) for text in said] == pytest.approx(probabilities[best].tolist(), abs=1e-6)


def test_tritonclient_is_told_about_server_and_model(triton: dict[str, Any]) -> None:
    assert [triton[key] for key in ("live", "ready", "model ready", "other version ready")] == [True, True, True, False]
    assert triton["server"]["name"] == "veleta"
    assert {"binary_tensor_data", "classification", "model_repository", "statistics"} <= set(triton["server"]["extensions"])
    assert triton["metadata"]["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 8, 8, 1]}]
    outputs = {output["name"]: (output["datatype"], output["shape"]) for output in triton["metadata"]["outputs"]}
    assert outputs == {
        "probabilities": ("FP32", [-1, 10]),
        "embedding": ("FP32", [-1, 64]),
        "label": ("BYTES", [-1, 1]),
        "id": ("BYTES", [-1, 1]),
    }
    assert triton["config"]["input"] == [{"name": "image", "data_type": "TYPE_FP32", "dims": [8, 8, 1]}]
    assert triton["config"]["max_batch_size"] == 4096
    states = {(row["name"], row["version"]): row["state"] for row in triton["index"]}
    assert states == {("digits8", "1"): "READY", ("digits8", "2"): "UNAVAILABLE", ("iris", "1"): "READY"}


def test_tritonclient_is_refused_in_a_sentence(triton: dict[str, Any]) -> None:
    refused = {what: (said["status"], said["message"]) for what, said in triton["refused"].items()}

    assert refused["model"] == ("404", "there is no model 'nothing'; there is digits8, iris")
    assert refused["shape"][0] == refused["not finite"][0] == refused["config"][0] == "400"
    assert "8 × 8 × 1 = 64 numbers" in refused["shape"][1]
    assert "NaN" in refused["not finite"][1]
    assert refused["unload"][0] == "403"
    assert refused["unloaded"] == ("503", "digits8 was unloaded; load it with POST /v2/repository/models/digits8/load")


def test_unload_and_load_hold_in_every_worker_when_they_are_answered(triton: dict[str, Any]) -> None:
    assert triton["unloaded"] == [False] * 20
    assert triton["loaded"] == [True] * 20
    assert {row["reason"] for row in triton["index unloaded"] if row["name"] == "digits8"} == {"unloaded", "not live"}


def test_statistics_add_up(triton: dict[str, Any]) -> None:
    said = triton["statistics"]
    steps = said["inference_stats"]

    assert steps["success"]["count"] == 10, "the forms above, whichever worker answered"
    assert said["inference_count"] == 60
    assert steps["fail"]["count"] == 2
    parts = sum(steps[step]["ns"] for step in ("queue", "compute_input", "compute_infer", "compute_output"))
    assert parts == pytest.approx(steps["success"]["ns"], rel=0.01)


def test_an_id_from_any_client_can_be_given_its_label(triton: dict[str, Any], open_server: LiveServer, digits8: Data) -> None:
    ids = triton["unpacked"]["id"]
    labels = [{"id": one, "label": str(label)} for (one,), label in zip(ids, digits8.test_y, strict=False)]

    assert open_server.post("/feedback", json={"feedback": labels}).json()["matched"] == len(ids)


def test_kserve(run_client: Callable[..., Any], open_server: LiveServer, images: NDArray[Any], right: Answers) -> None:
    said = run_client("kserve", "ask_kserve_v2.py", url=open_server.url, images=images.tolist())

    assert [said[key] for key in ("live", "ready", "model ready", "nothing ready")] == [True, True, True, False]
    check(said["json"], right)
    check(said["binary"], right, "probabilities", "embedding")
    assert (said["json"]["model"], said["json"]["request"]) == ("digits8", "k1")
    assert said["refused"].startswith("the instances have the shape 6 × 4 × 8 × 1")


def test_the_generated_client(run_client: Callable[..., Any], open_server: LiveServer, images: NDArray[Any], right: Answers) -> None:
    said = run_client("open_inference", "ask_open_inference.py", url=open_server.url, images=images.tolist())

    assert said["server"]["name"] == "veleta"
    assert said["model"]["versions"] == ["1"]
    assert (said["all"]["model"], said["all"]["version"], said["all"]["request"]) == ("digits8", "1", "o1")
    check({name: values for name, (_, values) in ((name, said["all"][name]) for name in right if name != "label")}, right, "probabilities")
    shape, labels = said["label"]["label"]
    assert shape == [6, 1]
    assert labels == right["label"][:, 0].astype(float).tolist(), "this client reads every text that looks like a number as one"
    assert [status for status, _ in said["refused"]] == [404, 400]


@pytest.mark.parametrize("flags", [[], ["-b"], ["-s", "4"]], ids=["JSON", "binary", "batches"])
def test_mlserver_infer(
    client_python: Callable[[str], Path], open_server: LiveServer, images: NDArray[Any], right: Answers, tmp_path: Path, flags: list[str]
) -> None:
    asked, answered = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    tensors = [{"name": "image", "shape": [1, 8, 8, 1], "datatype": "FP32", "data": image.ravel().tolist()} for image in images]
    asked.write_text("".join(json.dumps({"inputs": [tensor]}) + "\n" for tensor in tensors), encoding="utf-8")
    address = open_server.url.removeprefix("http://")
    command = [
        client_python("mlserver").with_name("mlserver"),
        "infer",
        "-u",
        address,
        "-m",
        "digits8",
        "-i",
        asked,
        "-o",
        answered,
        *flags,
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)

    said = sorted(map(json.loads, answered.read_text().splitlines()), key=lambda answer: answer["parameters"]["batch_index"])
    assert len(said) == len(images)
    for row, answer in enumerate(said):
        outputs = {output["name"]: output["data"] for output in answer["outputs"]}
        check(outputs, {name: right[name][row : row + 1] for name in ("probabilities", "embedding")})
        assert outputs["label"] == right["label"][row].tolist()


@pytest.mark.parametrize("form", ["binary", "json"])
def test_perf_analyzer(client_python: Callable[[str], Path], open_server: LiveServer, tmp_path: Path, form: str) -> None:
    program = client_python("perf_analyzer").with_name("perf_analyzer")
    table = tmp_path / "table.csv"
    few = ["--measurement-mode", "count_windows", "--measurement-request-count", "50", "-s", "900", "-r", "10"]  # others run here, too
    address = open_server.url.removeprefix("http://")
    what = ["-m", "digits8", "-u", address, "-i", "http", "--service-kind", "triton", "--input-tensor-format", form, "-b", "4"]
    command = [program, *what, "--concurrency-range", "2", *few, "-f", table]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=libraries(program), check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = csv.DictReader(table.read_text().splitlines())
    assert float(row["Inferences/Second"]) > 100
    assert float(row["Server Compute Infer"]) > 0
    assert "Failed" not in done.stdout

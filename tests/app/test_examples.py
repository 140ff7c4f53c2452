"""Inputs that were answered with an id wait for their labels on disk, whichever way they came, and only then."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from app.fast_lane import FastLane
from monitoring.counts.examples import Examples
from tests.app.test_fast_lane import call
from tests.live_server import LiveServer, running, wait_for
from tests.small_models import Data

JSON = {"content-type": "application/json"}
FORMS = {
    "own": ("/predict/digits8", lambda x: {"instances": x.tolist()}, lambda said: [one["id"] for one in said["predictions"]]),
    "TensorFlow Serving": (
        "/v1/models/digits8:predict",
        lambda x: {"instances": x.tolist(), "signature_name": "with_id"},
        lambda said: [one["id"] for one in said["predictions"]],
    ),
    "Open Inference": (
        "/v2/models/digits8/infer",
        lambda x: {
            "inputs": [{"name": "image", "datatype": "UINT8", "shape": list(x.shape), "data": x.ravel().tolist()}],
            "outputs": [{"name": "id"}],
        },
        lambda said: said["outputs"][0]["data"],
    ),
}


def kept_by(app: Flask, ids: list[str], labels: list[str], client: FlaskClient) -> list[tuple[list[int], float]]:
    """Send labels, and read what came together: the values of each input and its label."""
    service = app.extensions["veleta"]
    before = len(service.examples.of("digits8"))
    pairs = [{"id": one, "label": label} for one, label in zip(ids, labels, strict=True)]
    assert client.post("/feedback", json={"feedback": pairs}).get_json()["matched"] == len(ids)

    def came() -> bool:
        service.examples.label_from(service.log)
        return len(service.examples.of("digits8")) == before + len(ids)

    wait_for(came, explain=lambda: f"{len(service.examples.of('digits8')) - before} of {len(ids)}")
    found = service.examples.of("digits8")[before:]
    assert {example.subject for example in found} == {"digits8/1/int8"}
    return sorted((example.input.ravel().tolist(), example.actual) for example in found)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rows", [1, 3, 200])
@pytest.mark.parametrize("fast", [True, False])
def test_inputs_find_their_labels(
    form: str, rows: int, fast: bool, flask_app: Flask, lane: FastLane, client: FlaskClient, digits8: Data
) -> None:
    path, body, ids_of = FORMS[form]
    x, labels = digits8.test_x[:rows], [str(number * 7 % 10) for number in range(rows)]
    sent = json.dumps(body(x)).encode()
    said = asyncio.run(call(lane, path, JSON, sent))[2] if fast else client.post(path, data=sent, headers=JSON).data

    found = kept_by(flask_app, ids_of(json.loads(said)), labels, client)

    assert found == sorted((row.ravel().tolist(), float(label)) for row, label in zip(x, labels, strict=True))


def test_requests_that_are_answered_together_each_find_theirs(flask_app: Flask, lane: FastLane, client: FlaskClient, digits8: Data) -> None:
    async def together() -> list[bytes]:
        sent = [json.dumps({"instances": [row.tolist()]}).encode() for row in digits8.test_x[:20]]
        return [said[2] for said in await asyncio.gather(*(call(lane, "/predict/digits8", JSON, body) for body in sent))]

    ids = [json.loads(said)["predictions"][0]["id"] for said in asyncio.run(together())]

    found = kept_by(flask_app, ids, [str(number % 10) for number in range(20)], client)

    assert found == sorted((row.ravel().tolist(), number % 10) for number, row in enumerate(digits8.test_x[:20]))


def test_an_answer_without_an_id_leaves_nothing(flask_app: Flask, client: FlaskClient, digits8: Data) -> None:
    file = flask_app.extensions["veleta"].settings.state_folder / "examples.db"

    def rows() -> int:
        with contextlib.closing(sqlite3.connect(file)) as database:
            found: int = database.execute("SELECT count(*) FROM examples").fetchone()[0]
            return found

    before = rows()
    without = {"instances": digits8.test_x[:3].tolist()}
    assert client.post("/v1/models/digits8:predict", json=without).status_code == 200
    assert client.post("/predict/digits8", json={"instances": digits8.test_x[:2].tolist()}).status_code == 200

    wait_for(lambda: rows() == before + 2)


@pytest.fixture(scope="module")
def two_workers(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveServer, Path]]:
    root = tmp_path_factory.mktemp("examples") / "store"
    shutil.copytree(shelf, root)
    with running(root, "--workers", "2", "--tick-seconds", "0.2") as found:
        yield found, root


def test_a_tick_brings_them_together_whichever_worker_gets_the_label(two_workers: tuple[LiveServer, Path], digits8: Data) -> None:
    server, root = two_workers
    for number in range(10):
        x = digits8.test_x[number : number + 1]
        said = requests.post(f"{server.url}/predict/digits8", data=np.ascontiguousarray(x).tobytes(), timeout=30).json()
        label = {"id": said["predictions"][0]["id"], "label": "4"}
        requests.post(f"{server.url}/feedback", json=label, timeout=30).raise_for_status()
    examples = Examples(root / ".veleta")
    wait_for(lambda: len(examples.of("digits8")) == 10)
    assert sorted(example.input.ravel().tolist() for example in examples.of("digits8")) == sorted(
        row.ravel().tolist() for row in digits8.test_x[:10]
    )
    shown = {name: server.get(f"/monitor?model={name}").json()["totals"]["examples"] for name in ("digits8", "iris")}
    assert shown == {"digits8": 10, "iris": 0}


def test_nothing_is_kept_where_nothing_is_to_be(shelf: Path, tmp_path: Path, digits8: Data) -> None:
    root = tmp_path / "store"
    shutil.copytree(shelf, root)
    with running(root, "--workers", "1", "--examples-megabytes", "0") as server:
        server.post("/predict/digits8", data=np.ascontiguousarray(digits8.test_x[:3]).tobytes()).raise_for_status()
        assert server.get("/monitor?model=digits8").json()["totals"]["examples"] is None
        assert server.stop() == 0
    assert not list((root / ".veleta").glob("examples*"))

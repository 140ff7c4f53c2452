"""Too much, too late, or at the end: turned away in order, with a word on when to come again."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from flask import Flask

from app.factory import create_app
from app.fast_lane import FastLane
from app.settings import resolve
from models.store import Store
from tests.app.test_fast_lane import Said, call
from tests.live_server import LiveServer, running, samples, wait_for
from tests.small_models import Data

RAW = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def narrow(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """An app whose queue takes 40 rows."""
    root = tmp_path_factory.mktemp("narrow") / "store"
    shutil.copytree(shelf, root)
    app = create_app(resolve({"store": str(root), "max_queue_rows": 40}, {}, {})[0])
    yield app
    app.extensions["veleta"].close()


def at_once(app: Flask, body: bytes, number: int, headers: dict[str, str] | None = None) -> list[Said]:
    async def gather() -> list[Said]:
        lane = FastLane(app, 2)
        return await asyncio.gather(*(call(lane, "/predict/digits8", RAW | (headers or {}), body) for _ in range(number)))

    return asyncio.run(gather())


def test_beyond_the_queue_the_newest_are_turned_away_with_a_time(narrow: Flask, digits8: Data) -> None:
    body = np.ascontiguousarray(digits8.test_x[:2]).tobytes()

    answers = at_once(narrow, body, 100)

    statuses = [status for status, _, _ in answers]
    assert statuses == [200] * 20 + [429] * 80
    _, headers, said = answers[-1]
    assert int(headers["retry-after"]) == 1
    assert int(headers["retry-after-ms"]) >= 1
    assert "the queue is full: 40 instances wait" in json.loads(said)["error"]
    found = samples(narrow.test_client().get("/metrics").text)
    assert found['veleta_rejected_requests_total{reason="queue_full"}'] == 80


def test_one_request_of_many_rows_goes_through_an_empty_queue(narrow: Flask, digits8: Data) -> None:
    ((status, _, said),) = at_once(narrow, np.ascontiguousarray(digits8.test_x[:500]).tobytes(), 1)

    assert status == 200
    assert len(json.loads(said)["predictions"]) == 500


def test_what_nobody_waits_for_any_longer_is_not_computed(narrow: Flask, digits8: Data) -> None:
    recorder = narrow.extensions["veleta"].recorder
    recorder.flush()
    before = narrow.test_client().get("/monitor").get_json()["windows"]["10m"]["predictions"]

    answers = at_once(narrow, np.ascontiguousarray(digits8.test_x[0]).tobytes(), 5, {"X-Request-Timeout": "0.000001"})

    assert [status for status, _, _ in answers] == [504] * 5
    assert "the deadline of 1e-06 seconds passed in the queue" in json.loads(answers[0][2])["error"]
    recorder.flush()
    assert narrow.test_client().get("/monitor").get_json()["windows"]["10m"]["predictions"] == before


@pytest.mark.parametrize("value", ["x", "0", "-1", "nan", "inf", ""])
def test_a_timeout_that_is_none_is_told(narrow: Flask, digits8: Data, value: str) -> None:
    body = np.ascontiguousarray(digits8.test_x[0]).tobytes()
    ((status, _, said),) = at_once(narrow, body, 1, {"X-Request-Timeout": value})
    slow = narrow.test_client().post("/predict/digits8", data=body, headers=RAW | {"X-Request-Timeout": value})

    assert (status, said) == (slow.status_code, slow.data)
    assert status == 400
    assert f"X-Request-Timeout is {value!r}, expected seconds" in json.loads(said)["error"]


def test_a_request_that_is_no_http_is_told_in_the_same_form(server: LiveServer) -> None:
    for nonsense in (
        b"HELLO\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(nonsense)
            said = b"".join(iter(lambda c=connection: c.recv(4096), b""))  # type: ignore[misc]
        head, _, body = said.partition(b"\r\n\r\n")
        assert b"Content-Type: application/json" in head
        assert "not a request that can be read" in json.loads(body)["error"]


def test_a_large_body_is_refused_before_it_is_sent_and_the_connection_is_not_reused(server: LiveServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        said = connection.recv(65536)

    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"max_body_bytes" in said


@pytest.mark.parametrize("rows", [1, 100, 700])
@pytest.mark.parametrize("chunked", [False, True])
def test_keep_alive_with_bodies_of_all_sizes_loses_nothing(server: LiveServer, digits8: Data, rows: int, chunked: bool) -> None:
    """Bodies above 64 KiB on kept connections are where a faster parser lost requests."""
    body = np.ascontiguousarray(digits8.test_x[:rows]).astype("<f4").tobytes()
    with requests.Session() as session:
        for _ in range(30):
            data = iter([body[:1000], body[1000:]]) if chunked and rows > 10 else body
            answer = session.post(server.url + "/predict/digits8", data=data, headers=RAW, timeout=20)
            assert answer.status_code == 200
            assert len(answer.json()["predictions"]) == rows


@pytest.mark.parametrize("path", ["/predict/digits8", "/feedback"])
def test_a_body_in_chunks_is_held_to_the_limit_however_it_comes(shelf: Path, tmp_path: Path, path: str) -> None:
    """Nobody says beforehand how long it is."""
    shutil.copytree(shelf, tmp_path / "store")
    with running(tmp_path / "store", "--workers", "1", "--max-body-bytes", "640") as small:
        for size, said in ((640, 200 if path.startswith("/predict") else 400), (641, 413), (64_000, 413)):
            for pieces in ([size], [size - 1, 1], [100] * (size // 100) + [size % 100 or 1]):
                body = (b"\x01" * piece for piece in pieces)
                answer = requests.post(small.url + path, data=body, headers=RAW, timeout=20)
                assert (answer.status_code, "max_body_bytes" in answer.text) == (said, said == 413), (size, pieces[:2])


def test_labels_may_come_in_chunks(server: LiveServer, digits8: Data) -> None:
    receipt = server.post("/predict/digits8", data=np.ascontiguousarray(digits8.test_x[0]).tobytes()).json()["predictions"][0]["id"]
    body = json.dumps({"id": receipt, "label": "7"}).encode()
    assert server.post("/feedback", data=iter([body[:9], body[9:]])).json()["matched"] == 1


def test_pipelined_requests_are_answered_in_their_order(server: LiveServer, digits8: Data) -> None:
    image = np.ascontiguousarray(digits8.test_x[0]).tobytes()
    one = b"POST /predict/digits8 HTTP/1.1\r\nHost: x\r\nContent-Length: 64\r\n\r\n" + image
    other = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(one * 3 + other)
        said = b"".join(iter(lambda: connection.recv(65536), b""))

    assert said.count(b"HTTP/1.1 200 ") == 4
    assert said.count(b'"predictions"') == 3
    assert said.endswith(b'{"live":true}')


def test_a_slow_client_does_not_hold_up_others(server: LiveServer, digits8: Data) -> None:
    image = np.ascontiguousarray(digits8.test_x[0]).tobytes()
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    try:
        for connection in slow:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 64\r\n\r\n" + image[:10])
        for _ in range(20):
            assert server.post("/predict/digits8", data=image).status_code == 200
    finally:
        for connection in slow:
            connection.close()


def test_a_server_that_is_told_to_stop_is_not_ready_answers_on_and_loses_nothing(store: Store, digits8: Data) -> None:
    body = np.ascontiguousarray(digits8.test_x[:3]).tobytes()
    with running(store.root, "--workers", "2", "--drain-seconds", "3", "--reload-seconds", "0.2") as server:
        codes: list[int] = []
        ready: list[int] = []
        stop = threading.Event()

        def ask_on() -> None:
            with requests.Session() as session:
                while not stop.is_set():
                    codes.append(session.post(server.url + "/predict/digits8", data=body, timeout=20).status_code)

        asking = [threading.Thread(target=ask_on) for _ in range(4)]
        for thread in asking:
            thread.start()
        wait_for(lambda: len(codes) > 50)
        server.process.terminate()
        time.sleep(0.3)
        ready.append(requests.get(server.url + "/readyz", timeout=5).status_code)
        before = len(codes)
        wait_for(lambda: len(codes) > before + 20, 2)
        stop.set()
        for thread in asking:
            thread.join()
        assert ready == [503]
        assert set(codes) == {200}
        assert server.process.wait(timeout=20) == 0

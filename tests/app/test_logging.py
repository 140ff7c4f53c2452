"""Request ids and log lines: one id in the answer and in every line about it, and no line that a client could have written."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from flask import Flask

from app.factory import create_app
from app.fast_lane import FastLane
from app.logs import JsonFormatter, TextFormatter
from app.settings import Settings, resolve
from app.visit import RequestIds
from models.errors import VeletaError
from models.store import Store
from tests.app.test_fast_lane import by_both, call
from tests.live_server import ROOT, running, wait_for
from tests.small_models import Data

MADE = re.compile(r"[0-9a-f]{16}-[0-9a-f]+")
LATER = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("abc-123", True), ("a" * 128, True), ("f47ac10b-58cc-4372-a567-0e02b2c3d479", True), ("1-67891233-abcdef:Root=x/y+z@h_.", True),
        ("a" * 129, False), ("", False), ("two words", False), ("a\nb", False), ("a\n", False), ("é", False), ('a"b', False), ("{}", False),
    ],
)  # fmt: skip
def test_an_id_is_kept_if_it_is_well_formed_and_made_otherwise(given: str, kept: bool) -> None:
    chosen = RequestIds().choose(given)

    assert (chosen == given) == kept
    assert kept or MADE.fullmatch(chosen)


def test_ids_are_never_made_twice() -> None:
    workers = [RequestIds() for _ in range(3)]

    assert len({worker.choose(None) for worker in workers for _ in range(1000)}) == 3000


@pytest.mark.parametrize("path", ["/predict/digits8", "/predict/none", "/monitor", "/nothing"])
def test_every_answer_has_the_id_of_its_request(flask_app: Flask, path: str) -> None:
    fast, slow = by_both(FastLane(flask_app, 1), flask_app.test_client(), path, {"data": b"\0" * 64, "headers": {"X-Request-Id": "mine"}})
    made = flask_app.test_client().post(path, data=b"\0" * 64).headers["X-Request-Id"]

    assert fast[1]["x-request-id"] == slow[1]["x-request-id"] == "mine"
    assert MADE.fullmatch(made)


def test_without_ids_there_is_no_header(store: Store) -> None:
    app = create_app(resolve({"store": str(store.root), "request_ids": "false"}, {}, {})[0])
    try:
        fast, slow = by_both(FastLane(app, 1), app.test_client(), "/predict/digits8", {"data": b"\0" * 64})
        assert "x-request-id" not in fast[1]
        assert fast[1] == slow[1]
    finally:
        app.extensions["veleta"].close()


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, as JSON lines."""
    stream = io.StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    handler.setFormatter(JsonFormatter())
    root.addHandler(handler)
    before, _ = root.level, root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


def read(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_both_lanes_log_the_same_of_a_request_and_nothing_that_is_in_it(store: Store, lines: io.StringIO) -> None:
    app = create_app(resolve({"store": str(store.root), "access_log": "true"}, {}, {})[0])
    try:
        headers = {"X-Request-Id": "r1", "Authorization": "Bearer hidden-token", "X-API-Key": "hidden-key"}
        by_both(FastLane(app, 1), app.test_client(), "/predict/digits8", {"data": b"\0" * 64, "headers": headers})
        by_both(FastLane(app, 1), app.test_client(), "/predict/digits8", {"data": b"hidden-body", "headers": headers})
        app.test_client().get("/healthz?token=hidden-query")
    finally:
        app.extensions["veleta"].close()

    fast, slow, fast_bad, slow_bad, health = [line for line in read(lines) if line["logger"] == "veleta.access"]
    assert LATER.fullmatch(fast["time"])
    assert 0 < fast["seconds"] < 5
    for good, bad in ((fast, fast_bad), (slow, slow_bad)):
        told = {name: value for name, value in good.items() if name not in ("time", "seconds")}
        assert told == {
            "level": "INFO", "logger": "veleta.access", "request_id": "r1", "method": "POST", "path": "/predict/digits8",
            "status": 200, "model": "digits8/1/int8", "key": None,
        }  # fmt: skip
        assert (bad["status"], bad["model"]) == (400, None)
    assert health["path"] == "/healthz"
    assert "hidden" not in lines.getvalue()


def test_an_error_of_ours_is_logged_with_the_id_and_told_without_a_traceback(flask_app: Flask, lines: io.StringIO) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("broken on purpose")

    service = flask_app.extensions["veleta"]
    loaded = service.served.get("digits8")
    working, loaded.predictor.predict = loaded.predictor.predict, broken
    try:
        fast, slow = by_both(
            FastLane(flask_app, 1), flask_app.test_client(), "/predict/digits8", {"data": b"\0" * 64, "headers": {"X-Request-Id": "r2"}}
        )
    finally:
        loaded.predictor.predict = working

    assert fast == slow
    assert fast[0] == 500
    assert b"broken" not in fast[2]
    failed = [line for line in read(lines) if line["level"] == "ERROR"]
    assert [(line["request_id"], line["message"]) for line in failed] == [("r2", "POST /predict/digits8 failed")] * 2
    assert all("broken on purpose" in line["traceback"] for line in failed)


def test_an_id_does_not_outlive_its_request(flask_app: Flask, lines: io.StringIO) -> None:
    async def ask() -> None:
        await call(FastLane(flask_app, 1), "/predict/digits8", {"X-Request-Id": "r3"}, b"\0" * 64)
        logging.getLogger("veleta").warning("after it")

    asyncio.run(ask())

    assert "request_id" not in read(lines)[-1]


NASTY = ["a\nb", "a\r\nINFO veleta all is well", "\x1b[2Jcleared", "\x00", "\x85next", "\u2028", 'quote"', "back\\slash", "é"]


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter("%(levelname)s %(message)s")])
def test_whatever_a_client_sends_is_one_line(text: str, formatter: logging.Formatter) -> None:
    line = formatter.format(logging.makeLogRecord({"msg": "%s failed", "args": (f"POST /{text}",), "levelname": "ERROR", "name": "veleta"}))

    assert len(line.splitlines()) == 1
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", line)
    if isinstance(formatter, JsonFormatter):
        assert json.loads(line)["message"] == f"POST /{text} failed"


@pytest.mark.parametrize("form", ["json", "text"])
def test_every_line_of_a_server_is_in_the_form_that_was_asked_for(store: Store, digits8: Data, form: str) -> None:
    image = np.ascontiguousarray(digits8.test_x[0]).tobytes()
    flags = ["--workers", "1", "--access-log", "--log-format", form, "--reload-seconds", "0.2"]
    with running(store.root, *flags) as server:
        answer = server.post("/predict/digits8", data=image, headers={"X-Request-Id": "live-1"})
        assert answer.headers["X-Request-Id"] == "live-1"
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(b"GET /a%0aINFO%20b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 404")
        (pid,) = server.worker_pids()
        os.kill(pid, signal.SIGKILL)  # so that gunicorn has something to say too
        wait_for(lambda: server.worker_pids() not in ([], [pid]))
        wait_for(lambda: server._ready())
    found = server.log.read_text().splitlines()

    if form == "text":
        assert any(
            re.search(r"INFO veleta.access POST /predict/digits8 200 0\.\d+ s, model digits8/1/int8, key None \[live-1\]$", line)
            for line in found
        )
        assert any("GET /a\\x0aINFO b 404" in line for line in found)
    else:
        told = [json.loads(line) for line in found]
        assert all({"time", "level", "logger"} <= line.keys() for line in told)
        (asked,) = [line for line in told if line.get("request_id") == "live-1"]
        assert (asked["method"], asked["path"], asked["status"], asked["model"]) == ("POST", "/predict/digits8", 200, "digits8/1/int8")
        assert [line for line in told if line["logger"] == "gunicorn.error" and "SIGKILL" in line["message"]]
        assert [line for line in told if "Veleta serves digits8/1" in line.get("message", "")]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("log_format", "xml", "one of text, json"), ("access_log", "perhaps", "true or false"), ("request_ids", 1, "true or false"),
        ("rate_limit", "fast", "a number from 0 to"), ("rate_burst", 1.5, "a whole number"), ("hang_seconds", "1", "a whole number from 2"),
    ],
)  # fmt: skip
def test_a_setting_that_is_none_is_told(name: str, value: Any, expected: str) -> None:
    with pytest.raises(VeletaError, match=f"{name} is {value!r} .veleta.toml., expected {expected}"):
        resolve({}, {}, {name: value})


def test_truths_come_from_everywhere() -> None:
    assert resolve({"access_log": "TRUE"}, {"VELETA_REQUEST_IDS": "false"}, {})[0] == Settings(access_log=True, request_ids=False)
    assert resolve({}, {}, {"access_log": True})[0].access_log is True


def test_a_flag_alone_says_yes(store: Store) -> None:
    words = ["serve", "--store", str(store.root), "--access-log", "--request-ids", "false", "--show-config"]
    shown = subprocess.run([sys.executable, "-m", "veleta", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert re.search(r"^access_log +True +flag --access-log$", shown, re.MULTILINE)
    assert re.search(r"^request_ids +False +flag --request-ids$", shown, re.MULTILINE)

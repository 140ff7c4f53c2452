"""Two lanes, one answer: what the fast lane says is what Flask says, to the byte, for good requests and bad ones."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder

from app.factory import create_app
from app.fast_lane import FastLane
from app.served import Loaded
from app.settings import resolve
from tests.app.test_bad_input import BAD, sending
from tests.app.test_predict import MANY, ONE
from tests.small_models import Data

ID = re.compile(rb'"id":"[A-Za-z0-9_-]{58}"')
Said = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def lane(flask_app: Flask) -> Iterator[FastLane]:
    return FastLane(flask_app, 4)


async def call(lane: FastLane, path: str, headers: dict[str, str], body: bytes, pieces: int = 1) -> Said:
    """One request as an ASGI server hands it over, its body in so many pieces."""
    cuts = [len(body) * i // pieces for i in range(pieces + 1)]
    messages = [{"type": "http.request", "body": body[a:b], "more_body": b < len(body)} for a, b in itertools.pairwise(cuts)]
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST",
        "path": unquote(path), "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http",
        "http_version": "1.1", "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
    }  # fmt: skip
    await lane(scope, receive, send)
    return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}, b"".join(m.get("body", b"") for m in sent[1:])


def by_both(lane: FastLane, client: FlaskClient, path: str, sent: dict[str, Any], pieces: int = 1) -> tuple[Said, Said]:
    builder = EnvironBuilder(path=path, method="POST", **sent)
    request = builder.get_request()
    body, headers = request.get_data(), dict(request.headers)
    headers["Content-Length"] = str(len(body))
    headers.setdefault("X-Request-Id", "one-for-both")
    slow = client.post(path, data=body, headers={name: value for name, value in headers.items() if name != "Host"})
    fast = asyncio.run(call(lane, path, headers, body, pieces))
    return fast, (slow.status_code, {name.lower(): value for name, value in slow.headers.items()}, slow.data)


FORMS = {name: (form, "many") for name, form in MANY.items()} | {name: (form, "one") for name, form in ONE.items()}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pieces", [1, 3])
def test_good_requests(lane: FastLane, client: FlaskClient, digits8: Data, form: str, pieces: int) -> None:
    make, how_many = FORMS[form]
    rows = digits8.test_x[:5] if how_many == "many" else digits8.test_x[0]

    fast, slow = by_both(lane, client, "/predict/digits8", make(rows), pieces)

    assert fast[0] == 200
    assert (fast[0], fast[1], ID.sub(b"id", fast[2])) == (slow[0], slow[1], ID.sub(b"id", slow[2]))


@pytest.mark.parametrize("case", BAD)
def test_bad_requests(lane: FastLane, client: FlaskClient, case: str) -> None:
    fast, slow = by_both(lane, client, "/predict", sending(case))

    assert fast[0] == BAD[case][1]
    assert fast == slow


@pytest.mark.parametrize("path", ["/predict/nothing", "/predict/", "/predict/iris", "/predict/a%20b", "/predict/é"])
def test_addresses(lane: FastLane, client: FlaskClient, path: str) -> None:
    fast, slow = by_both(lane, client, path, {"data": b"\0" * 64})

    assert (fast[0], fast[1], ID.sub(b"id", fast[2])) == (slow[0], slow[1], ID.sub(b"id", slow[2]))


def test_what_is_not_a_prediction_goes_to_flask(lane: FastLane, client: FlaskClient) -> None:
    fast, slow = by_both(lane, client, "/feedback", {"json": {"feedback": [{"id": "x", "label": "7"}]}})

    assert fast[0] == 200
    assert fast == slow


def test_requests_that_come_together_are_answered_together_and_each_gets_its_own(lane: FastLane, flask_app: Flask, digits8: Data) -> None:
    loaded: Loaded = flask_app.extensions["veleta"].served.get("digits8")
    alone = loaded.predictor.predict(digits8.test_x[:100].astype(np.float32)).outputs.argmax(axis=1).tolist()
    headers = {"Content-Type": "application/octet-stream"}

    async def together() -> list[Said]:
        images = [image if number % 3 else image.astype("<f4") for number, image in enumerate(digits8.test_x[:100])]  # bytes and numbers
        calls = [call(lane, "/predict/digits8", headers, np.ascontiguousarray(image).tobytes()) for image in images]
        iris = [call(lane, "/predict/iris", headers, np.array([5.1, 3.5, 1.4, 0.2], "<f4").tobytes()) for _ in range(20)]
        return await asyncio.gather(*calls, *iris)

    answers = asyncio.run(together())

    classes = [int(re.findall(rb'"class":(\d+)', body)[0]) for _, _, body in answers]
    assert classes[:100] == alone
    assert classes[100:] == [0] * 20


def test_a_client_that_hangs_up_is_counted_and_nothing_fails(lane: FastLane) -> None:
    async def hang_up() -> list[Any]:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "headers": [(b"content-length", b"64")]}
        await lane(scope, receive, send)
        return sent

    assert asyncio.run(hang_up()) == []


def test_an_answer_that_is_no_number_fails_its_own_request_and_no_other_of_the_call(other_shelf: Path, tmp_path: Path) -> None:
    settings, _ = resolve({"store": str(other_shelf), "state": str(tmp_path), "variant": "fp32"}, {}, {})  # int8 answers all with numbers
    lane = FastLane(create_app(settings), 4)
    patients = [[float(number)] * 12 for number in range(6)]
    patients[3:3] = [[3.4e38] * 12]

    async def together() -> list[Said]:
        bodies = [orjson.dumps({"instances": [patient]}) for patient in patients]
        return await asyncio.gather(*[call(lane, "/predict/diabetes", {"Content-Type": "application/json"}, body) for body in bodies])

    answers = asyncio.run(together())
    lane.close()

    assert [status for status, _, _ in answers] == [200, 200, 200, 400, 200, 200, 200]
    assert b"not a number" in answers[3][2]
    assert len({found[0] for _, _, body in answers if (found := ID.search(body))}) == 6

"""Thousands of requests in every protocol, good ones and ones damaged at random: Flask, the fast lane behind ASGI and the fast lane behind
a connection of ours say the same, to the byte.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import random
import re
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder

from app.answers import Reply
from app.fast_lane import FastLane, encoded
from app.whole_request import Whole
from tests.app import test_bad_input, test_invocations, test_open_inference, test_open_inference_bad_input, test_tensorflow_serving
from tests.app.test_fast_lane import FORMS, Said, call
from tests.app.test_predict import json_body
from tests.small_models import Data

#: Requests by each seed.
REQUESTS = 1000
ID = re.compile(rb"[A-Za-z0-9_-]{58}")
#: Headers that differ from request to request; packed ids have another length each time.
OF_ITS_OWN = ("content-length", "x-request-id")
PATHS = (
    "/predict", "/predict/", "/predict/digits8", "/predict/iris", "/predict/nothing",
    "/v2/models/digits8/infer", "/v2/models/digits8/versions/1/infer", "/v2/models/digits8/versions/7/infer", "/v2/models/iris/infer",
    "/v1/models/digits8:predict", "/v1/models/digits8:classify", "/v1/models/iris:predict", "/v1/models/digits8/versions/1:predict",
    "/invocations",
)  # fmt: skip
HEADERS = {
    "content-type": ("", "application/json", "image/png", "application/octet-stream", "multipart/form-data; boundary=x", "nonsense;;", "é"),
    "content-encoding": ("", "gzip", "deflate", "identity", "br", "GZIP"),
    "accept-encoding": ("", "gzip", "deflate, gzip;q=0.5", "*"),
    "inference-header-content-length": ("0", "2", "-1", "x", "9999999", "120"),
    "x-request-timeout": ("30", "0", "-1", "nan", "x", "1e9"),
}
VALUES = (b"-1", b"256", b"1.5", b"1e400", b"NaN", b"null", b"true", b'"7"', b"[]", b"{}", b"[[0]]", b"18446744073709551616")


class Sent(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


def sent(path: str, how: dict[str, Any]) -> Sent:
    """As it goes over the network."""
    request = EnvironBuilder(path=path, method="POST", **how).get_request()
    return Sent(path, {name.lower(): value for name, value in request.headers.items()}, request.get_data())


@pytest.fixture(scope="module")
def known(digits8: Data) -> list[Sent]:
    """The requests of all other tests of a protocol."""
    some, v2, v2_bad = digits8.test_x[:3], test_open_inference, test_open_inference_bad_input
    good = [sent("/predict/digits8", make(some if many == "many" else some[0])) for make, many in FORMS.values()]
    good += [sent(v2.INFER, form(some)) for form in v2.FORMS.values()]
    good += [sent(test_tensorflow_serving.PREDICT, json_body(form(some))) for form in test_tensorflow_serving.FORMS.values()]
    good += [sent("/invocations", form(some)) for form in test_invocations.FORMS.values()]
    bad = [sent("/predict", test_bad_input.sending(case)) for case in test_bad_input.BAD]
    bad += [sent(v2.INFER, case[0]) for case in v2_bad.BAD.values()]
    return 2 * good + [one for one in bad if len(one.body) < 20_000]


def cut(rng: random.Random, one: Sent) -> Sent:
    return one._replace(body=one.body[: rng.randrange(len(one.body) + 1)])


def scratched(rng: random.Random, one: Sent) -> Sent:
    body = bytearray(one.body)
    for _ in range(rng.randrange(1, 4) if body else 0):
        body[rng.randrange(len(body))] = rng.choice(b'[]{}",:0 \x00\xff')
    return one._replace(body=bytes(body))


def with_another_value(rng: random.Random, one: Sent) -> Sent:
    """In JSON: one number is something else."""
    if not (numbers := list(re.finditer(rb"-?\d+(\.\d+)?", one.body))):
        return one
    start, end = rng.choice(numbers).span()
    return one._replace(body=one.body[:start] + rng.choice(VALUES) + one.body[end:])


def longer(rng: random.Random, one: Sent) -> Sent:
    return one._replace(body=one.body + rng.choice((b"\n", b"\0", one.body, b"]", b" " * 100)))


def packed(rng: random.Random, one: Sent) -> Sent:
    pack, name = rng.choice(((gzip.compress, "gzip"), (zlib.compress, "deflate"), (zlib.compress, "gzip")))
    return one._replace(body=pack(one.body), headers=one.headers | {"content-encoding": name})


def with_another_header(rng: random.Random, one: Sent) -> Sent:
    name = rng.choice(list(HEADERS))
    return one._replace(headers=one.headers | {name: rng.choice(HEADERS[name])})


def elsewhere(rng: random.Random, one: Sent) -> Sent:
    return one._replace(path=rng.choice(PATHS))


DAMAGES: tuple[Callable[[random.Random, Sent], Sent], ...] = (
    cut, scratched, with_another_value, longer, packed, with_another_header, elsewhere,
)  # fmt: skip


async def straight(lane: FastLane, one: Sent) -> Said:
    """As a connection hands over a request that has come whole."""
    answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    assert lane.answer(Whole(one.path, one.headers, one.body), "127.0.0.1", lambda reply, _: answer.set_result(reply))
    reply = await answer
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in encoded(reply.headers)}
    return reply.status, headers, reply.body


def plain(said: Said) -> Said:
    """What has to be the same: the answer unpacked, and ids left out."""
    status, headers, body = said
    kept = {name: value for name, value in headers.items() if name not in OF_ITS_OWN}
    return status, kept, ID.sub(b"id", zlib.decompress(body, 47) if "content-encoding" in headers else body)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_comes_is_answered_alike(lane: FastLane, client: FlaskClient, known: list[Sent], seed: int) -> None:
    rng, statuses = random.Random(seed), Counter[int]()
    for _ in range(REQUESTS):
        one = rng.choice(known)
        for damage in rng.choices(DAMAGES, k=rng.choice((0, 0, 1, 1, 2, 3))):
            one = damage(rng, one)
        one = one._replace(headers=one.headers | {"content-length": str(len(one.body))})

        headers = {name: value for name, value in one.headers.items() if name != "host"}
        slow = client.post(one.path, input_stream=io.BytesIO(one.body), headers=headers)
        by_flask = slow.status_code, {name.lower(): value for name, value in slow.headers.items()}, slow.data
        by_asgi = asyncio.run(call(lane, one.path, one.headers, one.body, rng.choice((1, 1, 3))))
        by_us = asyncio.run(straight(lane, one))

        assert plain(by_asgi) == plain(by_flask), one
        assert plain(by_us) == plain(by_flask), one
        statuses[slow.status_code] += 1
    assert set(statuses) <= {200, 400, 404, 413, 415}
    assert statuses[200] > 200, statuses
    assert min(statuses[status] for status in (400, 404, 413, 415)) > 1, statuses

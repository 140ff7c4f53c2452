"""Who may ask: API keys by route group; alike in both lanes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import shutil
import socket
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from app import keys
from app.door import group_of
from app.factory import create_app
from app.fast_lane import FastLane
from app.keys import Key, Keys
from app.protocols.table import PREDICTIONS
from app.settings import resolve
from models.errors import VeletaError
from models.store import Store
from tests.app.test_fast_lane import by_both
from tests.live_server import running, samples, wait_for

ANNA, WATCH, OLD, NEW, EXPIRED = "anna-key-0123", "watch-key-4567", "old-key-8901", "new-key-2345", "late-key-6789"
ADMIN_TOKEN = "admin-token-0123456789"
OPEN = {"/healthz", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready"}


def line(name: str, key: str, rest: str = "") -> str:
    return f"{name} {hashlib.sha256(key.encode('latin-1')).hexdigest()} {rest}\n"


KEYS = (
    "# who asks us\n\n"
    + line("anna", ANNA, "predict,feedback  # the shop")
    + line("prometheus", WATCH, "watch 2999-12-31")
    + line("berta", OLD)
    + line("berta", NEW)
    + line("late", EXPIRED, "predict 2020-01-31")
)


@pytest.fixture(scope="module")
def guarded(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    root = tmp_path_factory.mktemp("guarded") / "store"
    shutil.copytree(shelf, root)
    (root.parent / "keys").write_text(KEYS)
    app = create_app(resolve({"store": str(root), "api_keys_file": str(root.parent / "keys"), "admin_token": ADMIN_TOKEN}, {}, {})[0])
    yield app
    app.extensions["veleta"].close()


def statuses(app: Flask, path: str, headers: dict[str, str], **sent: Any) -> tuple[int, dict[str, str], bytes]:
    """What both lanes say, which must be the same."""
    fast, slow = by_both(FastLane(app, 2), app.test_client(), path, {"headers": headers, "data": b"\0" * 64, **sent})
    assert (fast[0], fast[1].keys()) == (slow[0], slow[1].keys())
    if fast[0] >= 400:
        assert fast == slow
    return fast


GIVEN = {
    "X-API-Key": ({"X-API-Key": ANNA}, 200),
    "bearer": ({"Authorization": f"Bearer {ANNA}"}, 200),
    "bearer in any case": ({"Authorization": f"bEARER   {ANNA} "}, 200),
    "a browser": ({"Authorization": "Basic " + base64.b64encode(f"anybody:{ANNA}".encode()).decode()}, 200),
    "old": ({"X-API-Key": OLD}, 200),
    "new of the same name": ({"X-API-Key": NEW}, 200),
    "the administrator": ({"Authorization": f"Bearer {ADMIN_TOKEN}"}, 200),
    "the key goes before": ({"X-API-Key": ANNA, "Authorization": "Bearer nonsense"}, 200),
    "none": ({}, 401),
    "empty": ({"X-API-Key": ""}, 401),
    "empty bearer": ({"Authorization": "Bearer "}, 401),
    "unknown": ({"X-API-Key": "x"}, 401),
    "in the wrong case": ({"X-API-Key": ANNA.upper()}, 401),
    "its digest": ({"X-API-Key": hashlib.sha256(ANNA.encode()).hexdigest()}, 401),
    "its name": ({"X-API-Key": "anna"}, 401),
    "cut off": ({"X-API-Key": ANNA[:-1]}, 401),
    "with more behind": ({"X-API-Key": ANNA + "x"}, 401),
    "of 10,000 characters": ({"X-API-Key": "k" * 10_000}, 401),
    "not ASCII": ({"X-API-Key": "clé"}, 401),
    "another scheme": ({"Authorization": f"Digest {ANNA}"}, 401),
    "a scheme alone": ({"Authorization": "Bearer"}, 401),
    "no base64": ({"Authorization": "Basic !!!"}, 401),
    "base64 without a password": ({"Authorization": "Basic " + base64.b64encode(ANNA.encode()).decode()}, 401),
    "expired": ({"X-API-Key": EXPIRED}, 401),
    "of another group": ({"X-API-Key": WATCH}, 403),
    "the password sent by a page elsewhere": (
        {"Authorization": "Basic " + base64.b64encode(f":{ANNA}".encode()).decode(), "Origin": "http://evil.example", "Host": "localhost"},
        401,
    ),
}


@pytest.mark.parametrize("given", GIVEN)
def test_a_prediction_with_this_key(guarded: Flask, given: str) -> None:
    headers, expected = GIVEN[given]

    status, answered, said = statuses(guarded, "/predict/digits8", headers)

    assert status == expected
    assert (answered.get("www-authenticate") == 'Bearer realm="veleta"') == (status == 401)
    if status >= 400:
        assert set(json.loads(said)) == {"error"}
        assert not [secret for secret in (ANNA, OLD, NEW, EXPIRED, WATCH, ADMIN_TOKEN) if secret.encode() in said]


def test_a_header_with_a_newline_is_no_key(guarded: Flask) -> None:
    """No server lets it through; the fast lane alone is asked, since the test client of Flask does not either."""
    from tests.app.test_fast_lane import call

    said = asyncio.run(call(FastLane(guarded, 1), "/predict/digits8", {"X-API-Key": f"{ANNA}\r\nX: y"}, b"\0" * 64))

    assert said[0] == 401


def test_what_is_refused_says_why(guarded: Flask) -> None:
    said = {
        name: json.loads(statuses(guarded, "/predict/digits8", GIVEN[name][0])[2])["error"]
        for name in ("none", "expired", "of another group")
    }

    assert said == {
        "none": "this needs an API key that the server knows, as X-API-Key: KEY or Authorization: Bearer KEY",
        "expired": "the API key of late was valid until 2020-01-31; ask for a new one",
        "of another group": "the API key of prometheus opens watch, and /predict/digits8 belongs to predict",
    }


def test_every_route_there_is_needs_a_key_but_those_that_ask_for_health(guarded: Flask) -> None:
    client = guarded.test_client()
    for rule in guarded.url_map.iter_rules():
        path = rule.rule.replace("<int:number>", "0").replace("<path:filename>", "page.js").replace("<verb>", "predict")
        for part in ("name", "version", "label"):
            path = path.replace(f"<{part}>", "digits8" if part == "name" else "1" if part == "version" else "live")
        for method in sorted(rule.methods or ()):
            status = client.open(path, method=method).status_code
            assert (status == 401) == (path not in OPEN), (method, path, status)


def test_predictions_of_every_protocol_belong_to_one_group() -> None:
    assert {group_of(prediction.rule) for prediction in PREDICTIONS} == {"predict"}


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "//metrics",
        "/monitor",
        "/incidents",
        "/incidents/x",
        "//incidents",
        "/%69ncidents",
        "/incidents/",
        "/feedback",
        "/metrics/",
        "/%6detrics",
        "/nothing",
        "/healthz/x",
        "/healthz/",
    ],
)
def test_no_spelling_of_an_address_goes_round_the_groups(guarded: Flask, path: str) -> None:
    answer = guarded.test_client().get(path, headers={"X-API-Key": ANNA})

    assert answer.status_code in (308, 403, 404, 405), answer.data


def test_groups_open_what_they_name(guarded: Flask) -> None:
    client = guarded.test_client()
    assert client.get("/metrics", headers={"X-API-Key": WATCH}).status_code == 200
    assert client.get("/monitor", headers={"X-API-Key": WATCH}).status_code == 200
    assert client.post("/feedback", json={"id": "x", "label": "1"}, headers={"X-API-Key": WATCH}).status_code == 403
    assert client.post("/feedback", json={"id": "x", "label": "1"}, headers={"X-API-Key": ANNA}).status_code == 200
    assert client.get("/incidents", headers={"X-API-Key": WATCH}).status_code == 200
    assert client.post("/incidents/x/seen", headers={"X-API-Key": WATCH}).status_code == 403, "who only watches silences no alarm"
    assert client.post("/incidents/x/seen", headers={"X-API-Key": ANNA}).status_code == 404
    for key, status in ((ANNA, 403), (OLD, 403)):
        assert client.post("/v2/repository/models/iris/load", headers={"X-API-Key": key}).status_code == status
    assert client.post("/v2/repository/models/iris/load", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}).status_code == 200


def test_a_browser_is_asked_in_the_form_that_it_knows(guarded: Flask) -> None:
    client = guarded.test_client()
    refused = client.get("/", headers={"Accept": "text/html,*/*"})
    password = {"Authorization": "Basic " + base64.b64encode(f":{ANNA}".encode()).decode()}

    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="veleta"')
    assert client.get("/", headers={"Accept": "text/html"} | password).status_code == 200
    same = {"Origin": "http://localhost:80", "Host": "localhost:80"}
    assert client.post("/predict/digits8", data=b"\0" * 64, headers=same | password).status_code == 200


def test_refusals_are_counted(guarded: Flask) -> None:
    client = guarded.test_client()
    counted = lambda: samples(client.get("/metrics", headers={"X-API-Key": WATCH}).text)  # noqa: E731
    name = 'veleta_requests_total{code="401",route="/predict"}'
    guarded.extensions["veleta"].recorder.flush()
    before = counted()[name]
    statuses(guarded, "/predict/digits8", {})
    guarded.extensions["veleta"].recorder.flush()

    assert counted()[name] == before + 2


WRONG = {
    "a key as it is": ("anna secret-key-itself predict", "line 1 of FILE has no SHA-256 of 64 hexadecimal digits after the name"),
    "no digest": ("anna", "line 1 of FILE has no SHA-256"),
    "a digest alone": ("a" * 64, "line 1 of FILE has no SHA-256"),
    "a name that is none": (line("Anna!", "x"), "line 1 of FILE has a name that does not match"),
    "an unknown group": (line("anna", "x", "predict,root"), "line 1 of FILE has the unknown group 'root'; the groups are predict,feedback"),
    "no date": (line("anna", "x", "predict tomorrow"), "line 1 of FILE has the last day 'tomorrow', expected YYYY-MM-DD"),
    "too much": (line("anna", "x", "predict 2030-01-01 more"), "line 1 of FILE has 5 fields, expected NAME SHA256"),
    "an empty key": (line("anna", ""), "line 1 of FILE has the digest of an empty key"),
    "the same key twice": (line("anna", "x") + line("berta", "x"), "line 2 of FILE has the same key as another line"),
    "nothing": ("# nobody\n", "the file of API keys FILE has no keys"),
    "bytes": (b"\xff\xfe\0", "the file of API keys FILE cannot be read: it is not text"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_is_wrong_is_told_in_a_sentence_without_the_key(tmp_path: Path, case: str) -> None:
    text, sentence = WRONG[case]
    (tmp_path / "keys").write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(VeletaError) as error:
        keys.check(tmp_path / "keys")

    assert sentence.replace("FILE", str(tmp_path / "keys")) in str(error.value)
    assert "secret-key-itself" not in str(error.value)


@pytest.mark.parametrize("there", [True, False])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "keys").mkdir()

    with pytest.raises(
        VeletaError, match=r"cannot be read: (Is a directory|No such file or directory); choose another with --api-keys-file"
    ):
        keys.check(tmp_path / "keys")


def test_a_key_is_valid_on_its_last_day() -> None:
    today = datetime.now(UTC).date()
    key = lambda until: Key("a", b"", frozenset(), until)  # noqa: E731

    assert [key(until).expired for until in (today - timedelta(1), today, date.max, None)] == [True, False, False, False]


def test_a_changed_file_is_read_again_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(line("anna", ANNA))
    found = Keys(file, "")
    assert found.find(ANNA)

    file.write_text(line("berta", NEW))
    wait_for(lambda: found.find(NEW), 5)
    assert found.find(ANNA) is None
    for spoil in (lambda: file.write_text("nonsense"), file.unlink):
        spoil()
        time.sleep(1.2)
        assert found.find(NEW)
    file.write_text("")
    wait_for(lambda: found.find(NEW) is None, 5)


def test_the_body_of_a_refused_request_is_not_taken_for_the_next(store: Store) -> None:
    """And a key that is put in while the server runs is known to all workers."""
    file = store.root.parent / "keys"
    file.write_text(line("anna", ANNA))
    inner = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-API-Key: " + ANNA.encode() + b"\r\n\r\n"
    with running(store.root, "--workers", "2", "--api-keys-file", str(file), "--access-log") as server:
        for path in (b"/predict", b"/feedback"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
                connection.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (path, len(inner), inner))
                connection.settimeout(1)
                said = b""
                try:
                    while part := connection.recv(65536):
                        said += part
                except TimeoutError:
                    pass
            assert said.count(b"HTTP/1.1 ") == 1
            assert said.startswith(b"HTTP/1.1 401 ")
        with file.open("a") as keys_file:
            keys_file.write(line("berta", NEW))
        wait_for(
            lambda: {requests.get(server.url + "/monitor", headers={"X-API-Key": NEW}, timeout=5).status_code for _ in range(20)} == {200}
        )
        log = server.log.read_text()

    assert ANNA not in log
    assert NEW not in log
    assert "key berta" in log


def test_a_wrong_file_of_keys_stops_the_server_before_it_starts(store: Store) -> None:
    from tests.app.test_server import veleta
    from tests.live_server import free_port

    file = store.root.parent / "keys"
    file.write_text("anna secret-key-itself\n")
    result = veleta(store.root, "serve", "--store", str(store.root), "--port", str(free_port()), "--api-keys-file", str(file))

    assert result.returncode == 1
    assert result.stderr.startswith(f"veleta: line 1 of {file} has no SHA-256 of 64 hexadecimal digits after the name")
    assert "secret-key-itself" not in result.stderr

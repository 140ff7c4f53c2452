"""From shifted images to an incident that is seen: over a real server with a fast tick, whose leader is killed in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from numpy.typing import NDArray

from models.store import Store
from monitoring.incidents.files import Incidents
from tests.live_server import LiveServer, clean_environment, running, wait_for
from tests.small_models import Data

FLAGS = ("--workers", "2", "--tick-seconds", "0.2", "--capture-rows", "200")
Images = NDArray[Any]


@contextmanager
def traffic(server: LiveServer, images: Images) -> Iterator[Callable[[Images], None]]:
    """Some 500 images a second, drawn anew, until the end of the block; what is given changes what comes.

    One grey pixel of each is off by one, so that few come twice: with some hundred images repetitions would soon be the news. A black
    one would be news as well, of the saturation.
    """
    now, stop, rng, session = [images], threading.Event(), np.random.default_rng(0), requests.Session()

    def send() -> None:
        while not stop.wait(0.04):
            drawn = now[0][rng.integers(len(now[0]), size=20)].astype(np.uint8)
            pixels = drawn.reshape(20, -1)
            grey = (pixels > 31) & (pixels < 224)
            pixels[np.arange(20), np.where(grey, rng.random(pixels.shape), 0).argmax(axis=1)] ^= 1
            with suppress(requests.ConnectionError):  # the worker was killed
                session.post(f"{server.url}/predict/digits8", timeout=60, json={"instances": drawn.tolist()})

    def change(shifted: Images) -> None:
        now[0] = shifted

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield change
    finally:
        stop.set()
        thread.join()


def monitor(server: LiveServer) -> Any:
    """Of another worker if the one that was asked has just been killed, or knows of nothing yet."""

    def ask() -> Any:
        with suppress(requests.ConnectionError):
            answer = server.get("/monitor?model=digits8")
            return answer.json() if answer.ok else None

    return wait_for(ask)


def alarm(server: LiveServer) -> Any:
    return monitor(server)["alarm"]


def answered(server: LiveServer) -> int:
    return sum(monitor(server)["totals"]["predictions"].values())


def leader(server: LiveServer) -> int:
    """The worker that holds the lock."""
    held = Path("/proc/locks").read_text().splitlines()
    pids = {int(line.split()[4]) for line in held if "FLOCK" in line}
    state = server.log.parent / "store" / ".veleta" / "leader"
    inode = f":{state.stat().st_ino} "
    (pid,) = {int(line.split()[4]) for line in held if inode in line and int(line.split()[4]) in pids} & set(server.worker_pids())
    return pid


def veleta(store: Store, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "veleta", "incidents", "--store", str(store.root), *words],
        capture_output=True, text=True, check=True, env=clean_environment(), cwd=store.root.parent,
    )  # fmt: skip
    return done.stdout


@pytest.mark.timeout(240)
def test_a_shift_becomes_an_incident_and_once_it_was_seen_it_is_normal(store: Store, digits8: Data) -> None:
    calm, inverted = digits8.test_x, 255 - digits8.test_x
    with running(store.root, *FLAGS) as server, traffic(server, calm) as change:
        wait_for(lambda: answered(server) > 1500, 60)
        assert alarm(server) is None

        change(inverted)
        raised = wait_for(lambda: alarm(server), 60)
        incident = wait_for(lambda: whole(server, raised["incident"]), 20)
        assert incident["verdict"]["cause"] == "broken client"
        assert "black and white were exchanged" in incident["verdict"]["evidence"]
        moved = {one["name"]: one for one in incident["signals"]}
        assert moved["mean"]["direction"].startswith("up: ")
        assert {name for name, one in moved.items() if one["raised"]} >= raised["signals"].keys() != set()
        assert incident["accuracy"]["estimated"]["value"] < incident["accuracy"]["before"]["value"]
        assert 0 < incident["noticed_after"] <= incident["predictions"]
        assert len(incident["exhibits"]) == 24
        assert all(one["image"].startswith("data:image/png;base64,") for one in incident["exhibits"])

        os.kill(leader(server), signal.SIGKILL)
        wait_for(lambda: len(server.worker_pids()) == 2, 30)
        assert alarm(server)["incident"] == raised["incident"], "the alarm outlives the leader"

        assert raised["incident"] in veleta(store)
        assert [one["id"] for one in json.loads(veleta(store, "--json"))["incidents"]] == [raised["incident"]]
        assert "broken client" in veleta(store, "--show", raised["incident"])
        veleta(store, "--html", raised["incident"], str(store.root / "incident.html"))
        page = server.get(f"/incidents/{raised['incident']}", headers={"Accept": "text/html"})
        assert "<h2>Broken client" in page.text
        assert "<h2>Broken client" in (store.root / "incident.html").read_text(encoding="utf-8")
        assert "style-src 'sha256-" in page.headers["Content-Security-Policy"]

        veleta(store, "--seen", raised["incident"])
        wait_for(lambda: alarm(server) is None, 20)
        before = answered(server)
        wait_for(lambda: answered(server) > before + 2000, 60)
        assert alarm(server) is None, "the same shift is not told twice"
        assert [one["seen"] for one in server.get("/incidents").json()["incidents"]] == [True]

    assert list((store.root / ".veleta" / "captured").iterdir()) == []


def whole(server: LiveServer, name: str) -> Any:
    """The incident, once it has been looked at with enough predictions."""
    answer = server.get(f"/incidents/{name}")
    return answer.json() if answer.status_code == 200 and answer.json()["predictions"] > 300 else None


def test_an_incident_that_there_is_not(store: Store) -> None:
    with running(store.root, "--workers", "1") as server:
        for path in ("/incidents/none", "/incidents/digits8.1.int8.5", "/incidents/..%2Fsecret"):
            answer = server.get(path)
            assert (answer.status_code, list(answer.json())) == (404, ["error"])
        assert server.post("/incidents/digits8.1.int8.5/seen").status_code == 404
        assert server.get("/incidents").json() == {"incidents": []}
        (store.root / ".veleta" / "incidents").mkdir()
        (store.root / ".veleta" / "incidents" / "digits8.1.int8.5.json").write_text('{"format": 1}')
        damaged = server.get("/incidents/digits8.1.int8.5")
        assert (damaged.status_code, damaged.json()["error"]) == (
            503,
            "the file of the incident digits8.1.int8.5 is damaged; the server's log says where",
        )
        assert server.get("/incidents").json() == {"incidents": []}
    assert Incidents(store.root / ".veleta" / "incidents").names() == ["digits8.1.int8.5"]

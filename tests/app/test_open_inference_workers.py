"""Unloading and loading under load, with several workers: only served or not ready, and as was said once it was said."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import requests

from models.store import Store
from tests.app.test_open_inference import INFER, binary
from tests.live_server import LiveServer, running
from tests.small_models import Data

ADMIN = {"Authorization": "Bearer open sesame"}


def test_a_request_that_begins_after_the_answer_meets_what_was_asked_for(shelf: Path, tmp_path: Path, digits8: Data) -> None:
    shutil.copytree(shelf, tmp_path / "store")
    (tmp_path / "veleta.toml").write_text('admin_token = "open sesame"\n', encoding="utf-8")
    with running(Store(tmp_path / "store").root, "--workers", "3", "--reload-seconds", "0.2") as server:
        stop, seen = threading.Event(), list[tuple[float, int]]()
        asking = [threading.Thread(target=ask_on, args=(server, digits8, stop, seen)) for _ in range(4)]
        for thread in asking:
            thread.start()
        done = {}
        for what in ("unload", "load"):
            time.sleep(0.5)
            done[f"{what} begun"] = time.monotonic()
            assert server.post(f"/v2/repository/models/digits8/{what}", headers=ADMIN).status_code == 200
            done[f"{what} done"] = time.monotonic()
        time.sleep(0.5)
        stop.set()
        for thread in asking:
            thread.join()

    def statuses(after: float, before: float) -> set[int]:
        return {status for began, status in seen if after < began < before}

    assert statuses(0, done["unload begun"] - 0.1) == {200}
    assert statuses(done["unload done"], done["load begun"] - 0.1) == {503}
    assert statuses(done["load done"], done["load done"] + 60) == {200}
    assert statuses(0, done["load done"] + 60) == {200, 503}


def ask_on(server: LiveServer, data: Data, stop: threading.Event, seen: list[tuple[float, int]]) -> None:
    while not stop.is_set():
        began = time.monotonic()  # a new connection each time, so that every worker is met
        seen.append((began, requests.post(server.url + INFER, timeout=30, **binary(data.test_x[:1])).status_code))

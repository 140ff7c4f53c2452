"""The watch of a real server: what it remembers outlives every process, and what it says follows the traffic."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray

from tests.live_server import LiveServer, running, total, wait_for
from tests.small_models import Data

FLAGS = ("--workers", "2", "--tick-seconds", "0.2")


@pytest.fixture
def root(shelf: Path, tmp_path: Path) -> Path:
    return shutil.copytree(shelf, tmp_path / "store")


def send(server: LiveServer, images: NDArray[Any], seconds: float, invert: bool = False, until: Callable[[], Any] = bool) -> None:
    """Twenty images at a time for so long, or until something holds."""
    rng, end = np.random.default_rng(0), time.monotonic() + seconds
    while time.monotonic() < end and not until():
        rows = images[rng.choice(len(images), 20)]
        body = np.ascontiguousarray(255 - rows if invert else rows, dtype=np.float32)
        assert server.post("/predict/digits8", data=body.tobytes()).status_code == 200
        time.sleep(0.02)


def alarms(server: LiveServer, severity: str) -> set[str]:
    found = server.metrics()
    return {
        name.split('signal="')[1].split('"')[0]
        for name, value in found.items()
        if name.startswith("veleta_drift_alarm{") and f'severity="{severity}"' in name and 'model="digits8"' in name and value == 1
    }


def monitored(server: LiveServer) -> dict[str, Any]:
    answer = server.get("/monitor?model=digits8")
    assert answer.ok, (answer.text, server.log.read_text())
    found: dict[str, Any] = answer.json()
    return found


def test_a_shift_raises_an_alarm_that_outlives_every_process(root: Path, digits8: Data) -> None:
    with running(root, *FLAGS) as server:
        send(server, digits8.test_x, 6)
        assert alarms(server, "alarm") == set()
        shifted_at = time.time()
        send(server, digits8.test_x, 60, invert=True, until=lambda: "mean" in alarms(server, "alarm"))
        alarm = monitored(server)["alarm"]
        assert "mean" in alarm["signals"]
        assert shifted_at - 5 <= alarm["since"] <= alarm["raised_at"]  # to within a few chunks of rows
        killed = server.worker_pids()
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: len(set(server.worker_pids()) - set(killed)) == 2)
        wait_for(lambda: server._ready())
        assert monitored(server)["alarm"]["raised_at"] == alarm["raised_at"]
    with running(root, *FLAGS) as server:
        assert monitored(server)["alarm"]["raised_at"] == alarm["raised_at"]
        assert total(server.metrics(), "veleta_drift_alarm_timestamp_seconds", 'model="digits8"') == pytest.approx(alarm["since"])


def test_what_another_release_remembered_is_begun_anew_without_losing_a_label(root: Path, digits8: Data) -> None:
    body = np.ascontiguousarray(digits8.test_x[:30], dtype=np.float32).tobytes()
    with running(root, *FLAGS) as server:
        answers = server.post("/predict/digits8", data=body).json()["predictions"]
        feedback = [{"id": one["id"], "label": one["label"]} for one in answers]
        assert server.post("/feedback", json={"feedback": feedback}).json()["matched"] == 30
        wait_for(lambda: (root / ".veleta/watch.safetensors").exists())
    kept = (root / ".veleta/watch.safetensors").read_bytes()
    fewer = {name: value[:3] if name.endswith("log_r") else value for name, value in safetensors.numpy.load(kept).items()}
    for damage in (b"", b"damaged", kept[:-100], safetensors.numpy.save(fewer)):
        (root / ".veleta/watch.safetensors").write_bytes(damage)
        with running(root, *FLAGS) as server:
            assert total(server.metrics(), "veleta_confusion_total", 'model="digits8"') == 30
            assert total(server.metrics(), "veleta_predictions_total", 'model="digits8"') == 30
            wait_for(lambda: (root / ".veleta/watch.safetensors").stat().st_size > 1000)


def test_a_client_that_sends_the_same_thing_500_times_raises_no_alarm(root: Path, digits8: Data) -> None:
    one = np.ascontiguousarray(digits8.test_x[:1], dtype=np.float32).tobytes()
    with running(root, *FLAGS) as server:
        send(server, digits8.test_x, 4)
        for _ in range(500):
            assert server.post("/predict/digits8", data=one).status_code == 200
        send(server, digits8.test_x, 2)
        found = server.metrics()

        assert alarms(server, "alarm") == set()
        assert total(found, "veleta_data_quality_failures_total", 'model="digits8"', 'check="duplicate"') > 450
        assert total(found, "veleta_signal_bin_total", 'model="digits8"', 'signal="mean"') == total(
            found, "veleta_predictions_total", 'model="digits8"'
        )


def test_of_a_long_load_some_rows_are_watched_and_all_are_counted(root: Path, digits8: Data) -> None:
    with running(root, *FLAGS, "--watch-limit", "5") as server:
        answers: Counter[str] = Counter()
        for start in range(0, 2000, 20):
            body = np.ascontiguousarray(digits8.test_x[start % 300 :][:20], dtype=np.float32).tobytes()
            answers.update(one["label"] for one in server.post("/predict/digits8", data=body).json()["predictions"])
            time.sleep(0.01)
        wait_for(lambda: total(server.metrics(), "veleta_predictions_total", 'model="digits8"') == answers.total())
        found, window = server.metrics(), monitored(server)["windows"]["10m"]

        assert {label: total(found, "veleta_predictions_total", 'model="digits8"', f'class="{label}"') for label in answers} == answers
        for signal_name in ("class", "mean", "entropy"):
            assert total(found, "veleta_signal_bin_total", 'model="digits8"', f'signal="{signal_name}"') == window["watched"]
        assert total(found, "veleta_outlier_total", 'model="digits8"') == window["watched"]
        assert 100 <= window["watched"] < window["predictions"] == answers.total()
        assert {one["rows"] for one in window["drift"] if one["statistic"] == "psi"} == {window["watched"]}

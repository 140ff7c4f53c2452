"""The real server: several gunicorn workers under load, killed, restarted, moved to new versions, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from models.store import Store
from tests.live_server import ROOT, LiveServer, clean_environment, free_port, running, samples, total, wait_for
from tests.small_models import Data


def predictions(found: dict[str, float], *labels: str) -> float:
    return total(found, "veleta_predictions_total", *labels)


def labels_of(server: LiveServer, data: Data, rows: int) -> list[dict[str, str]]:
    body = np.ascontiguousarray(data.test_x[:rows]).tobytes()
    answers = server.post("/predict/digits8", data=body).json()["predictions"]
    return [{"id": a["id"], "label": str(label)} for a, label in zip(answers, data.test_y[:rows], strict=True)]


def test_a_thousand_requests_over_two_workers_are_counted_exactly(server: LiveServer, digits8: Data) -> None:
    before = server.metrics()
    bodies = [np.ascontiguousarray(image).tobytes() for image in digits8.test_x]

    def post_all(start: int) -> None:
        with requests.Session() as session:
            for i in range(start, 1000, 8):
                assert session.post(server.url + "/predict/digits8", data=bodies[i % len(bodies)], timeout=30).status_code == 200

    in_threads(post_all, 8)

    def counted() -> bool:
        return predictions(server.metrics(), 'model="digits8"') - predictions(before, 'model="digits8"') == 1000

    wait_for(counted)
    after = server.metrics()
    for signal_name in ("class", "confidence", "mean"):
        bins = total(after, "veleta_signal_bin_total", 'model="digits8"', f'signal="{signal_name}"')
        assert bins == predictions(after, 'model="digits8"')
    wait_for(lambda: total(server.metrics(), "veleta_in_flight_requests") == 0)  # a state, noted four times a second
    assert total(after, "veleta_queue_duration_seconds_count", 'model="digits8"') == predictions(after, 'model="digits8"')
    assert total(after, "veleta_batch_size_sum", 'model="digits8"') == predictions(after, 'model="digits8"')


def in_threads(work: Any, number: int) -> None:
    failures: list[BaseException] = []

    def run(i: int) -> None:
        try:
            work(i)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_the_same_label_over_all_workers_at_once_counts_once(server: LiveServer, digits8: Data) -> None:
    (label,) = labels_of(server, digits8, 1)
    results: list[str] = []
    in_threads(lambda _: results.extend(requests.post(server.url + "/feedback", json=label, timeout=30).json()["results"]), 16)

    assert sorted(results) == ["duplicate"] * 15 + ["matched"]


def test_killed_workers_lose_no_acknowledged_label_and_no_counter_goes_back(store: Store, digits8: Data) -> None:
    with running(store.root, "--workers", "4", "--tick-seconds", "0.2") as server:
        stop, acknowledged, backwards, seen = threading.Event(), [], [], {}

        def label_on() -> None:
            while not stop.is_set():
                with contextlib.suppress(requests.RequestException, ValueError, KeyError):  # whoever is killed answers nothing
                    labels = labels_of_fresh(server.url, digits8)
                    answer = requests.post(server.url + "/feedback", json={"feedback": labels}, timeout=10)
                    if answer.status_code == 200:
                        acknowledged.append(answer.json()["matched"])

        def scrape_on() -> None:
            while not stop.is_set():
                with contextlib.suppress(requests.RequestException):
                    found = samples(requests.get(server.url + "/metrics", timeout=10).text)
                    for key, value in found.items():
                        if any(part in key for part in ("_total", "_bucket", "_count")) and value < seen.get(key, 0):
                            backwards.append((key, seen[key], value))
                        seen[key] = value
                time.sleep(0.02)

        threads = [threading.Thread(target=label_on) for _ in range(4)] + [threading.Thread(target=scrape_on)]
        for thread in threads:
            thread.start()
        for _ in range(6):
            time.sleep(0.7)
            os.kill(server.worker_pids()[0], signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()

        wait_for(lambda: len(server.worker_pids()) == 4)
        final = wait_for(lambda: retry(server.metrics))
        assert not backwards
        assert sum(acknowledged) > 100
        matched = total(final, "veleta_feedback_total", 'result="matched"')
        assert matched >= sum(acknowledged)
        assert total(final, "veleta_confusion_total", 'model="digits8"') == matched
        assert predictions(final, 'model="digits8"') >= sum(acknowledged) - 6 * 40 * 5
        files = sorted((store.root / ".veleta/counts").rglob("*.counts"))
        assert len(files) == 3, "server, digits8 and iris: recycled workers leave no files"

    with running(store.root, "--workers", "2") as again:
        found = again.metrics()
        assert total(found, "veleta_feedback_total", 'result="matched"') == matched
        assert total(found, "veleta_confusion_total", 'model="digits8"') == matched
        assert predictions(found, 'model="digits8"') >= predictions(final, 'model="digits8"')


def retry(call: Any) -> Any:
    with contextlib.suppress(requests.RequestException):
        return call()


def labels_of_fresh(url: str, data: Data) -> list[dict[str, str]]:
    answers = requests.post(url + "/predict/digits8", data=np.ascontiguousarray(data.test_x[:5]).tobytes(), timeout=10).json()[
        "predictions"
    ]
    return [{"id": a["id"], "label": str(label)} for a, label in zip(answers, data.test_y[:5], strict=True)]


def test_a_new_version_is_taken_up_and_given_back_without_a_dropped_request(store: Store, digits8: Data) -> None:
    body = np.ascontiguousarray(digits8.test_x[0]).tobytes()
    with running(store.root, "--workers", "2", "--reload-seconds", "0.2") as server:
        stop, answers = threading.Event(), []

        def ask_on(_: int) -> None:
            with requests.Session() as session:
                while not stop.is_set():
                    answer = session.post(server.url + "/predict", data=body, timeout=30)
                    assert answer.status_code == 200, answer.text
                    answers.append(answer.json()["version"])

        def version_is(version: str) -> bool:
            return len(answers) > 20 and set(answers[-20:]) == {version}

        asking = threading.Thread(target=in_threads, args=(ask_on, 4))
        asking.start()
        wait_for(lambda: version_is("1"))
        store.promote("digits8", 2)
        wait_for(lambda: version_is("2"), 10)
        store.rollback("digits8")
        wait_for(lambda: version_is("1"), 10)
        stop.set()
        asking.join()

        found = server.metrics()
        for version in ("1", "2"):
            assert predictions(found, 'model="digits8"', f'version="{version}"') > 20
        info = [key for key in found if key.startswith("veleta_model_info") and 'model="digits8"' in key]
        assert len(info) == 1
        assert 'version="1"' in info[0]


def test_a_label_for_an_older_version_is_counted_there(store: Store, digits8: Data) -> None:
    with running(store.root, "--workers", "2", "--reload-seconds", "0.2") as server:
        labels = labels_of(server, digits8, 10)
        store.promote("digits8", 2)
        wait_for(lambda: server.get("/", headers={"Accept": "application/json"}).json()["version"] == "2")

        assert server.post("/feedback", json={"feedback": labels}).json()["matched"] == 10
        assert total(server.metrics(), "veleta_confusion_total", 'model="digits8"', 'version="1"') == 10


def test_a_version_that_cannot_be_loaded_changes_nothing(store: Store, digits8: Data) -> None:
    with running(store.root, "--workers", "1", "--reload-seconds", "0.2") as server:
        (store.root / "digits8/2/model.int8.onnx").write_bytes(b"no model")
        (store.root / "digits8/live").write_text("2\n")
        wait_for(lambda: "digits8/2 is not taken up" in server.log.read_text())

        assert server.post("/predict", data=np.ascontiguousarray(digits8.test_x[0]).tobytes()).json()["version"] == "1"
        assert "sha256" in server.log.read_text()
        assert server.log.read_text().count("is not taken up") == 1


def test_a_manifest_with_fewer_classes_than_answers_is_not_taken_up(store: Store, digits8: Data) -> None:
    manifest = store.root / "digits8/2/manifest.json"
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(told | {"classes": told["classes"][:4]}))
    with running(store.root, "--workers", "1", "--reload-seconds", "0.2") as server:
        (store.root / "digits8/live").write_text("2\n")
        wait_for(lambda: "answers 10 numbers, and its manifest names 4 classes; publish it again" in server.log.read_text())
        for row in digits8.test_x[:20]:
            assert server.post("/predict", data=np.ascontiguousarray(row).tobytes()).json()["version"] == "1"


def test_what_was_answered_is_counted_although_the_server_is_told_to_stop_at_once(store: Store, digits8: Data) -> None:
    server = LiveServer(store.root, "--workers", "2")
    labels = labels_of(server, digits8, 700)
    assert server.post("/feedback", json={"feedback": labels}).json()["matched"] == 700
    assert server.stop() == 0

    with running(store.root, "--workers", "1") as again:
        found = again.metrics()
        assert predictions(found, 'model="digits8"') == 700
        assert total(found, "veleta_confusion_total", 'model="digits8"') == 700


@pytest.mark.parametrize("seconds", [0.3, 0.6, 0.9, 1.2])
def test_a_stop_while_it_starts_is_not_lost(store: Store, seconds: float) -> None:
    log = store.root.parent / "log"
    words = ["serve", "--store", str(store.root), "--port", str(free_port()), "--workers", "2"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "veleta", *words], cwd=ROOT, env=clean_environment(), stdout=output, stderr=output
        )
    time.sleep(seconds)
    process.terminate()

    assert process.wait(timeout=20) in (0, -signal.SIGTERM)
    assert "SIGABRT" not in log.read_text()


def test_metrics_are_valid_small_and_quick(server: LiveServer, digits8: Data) -> None:
    fill_the_shortest_window(server, digits8)
    text = server.get("/metrics").text
    if promtool := shutil.which("promtool"):
        checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert checked.returncode in (0, 3), checked.stderr
        assert [line for line in checked.stderr.splitlines() if "no help text" not in line] == []
    for _ in range(20):
        assert set(server.metrics()) == set(samples(text))


def fill_the_shortest_window(server: LiveServer, data: Data) -> None:
    """Predictions and labels enough for every gauge of a window to be there for most of a minute, and for evidence on every signal.

    What earlier tests asked and labelled leaves the window of a minute in the meantime, and took its gauges along.
    """
    before = server.metrics()
    assert server.post("/feedback", json={"feedback": labels_of(server, data, 300)}).json()["matched"] == 300

    def filled() -> bool:
        found = server.metrics()
        watched, weighed = (signals(found, name) for name in ("veleta_drift_alarm", "veleta_drift_log_evidence"))
        return predictions(found, 'model="digits8"') >= predictions(before, 'model="digits8"') + 300 and weighed == watched

    wait_for(filled)


def signals(found: dict[str, float], metric: str) -> set[str]:
    """The signals of digits8 that a metric has a sample of."""
    names = (re.search(r'signal="(.*?)"', key) for key in found if key.startswith(metric + "{") and 'model="digits8"' in key)
    return {name[1] for name in names if name}


def veleta(store: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "veleta", *words], capture_output=True, text=True, cwd=store.parent, env=clean_environment(), timeout=60
    )


def test_a_port_in_use_is_told(server: LiveServer, store: Store) -> None:
    result = veleta(store.root, "serve", "--store", str(store.root), "--port", str(server.port))

    assert result.returncode == 1
    assert result.stderr == f"veleta: 127.0.0.1:{server.port} is in use by another program; stop it or choose another port with --port N\n"


def test_a_second_server_on_the_same_state_is_told(server: LiveServer) -> None:
    root = Path(server.process.args[5])
    result = veleta(root, "serve", "--store", str(root), "--port", str(free_port()))

    assert result.returncode == 1
    assert f"is in use by another server (process {server.process.pid}); choose another with --state DIR" in result.stderr


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root: (root / "digits8/1/model.int8.onnx").write_bytes(b"x"), "model.int8.onnx has sha256"),
        (lambda root: (root / "digits8/1/reference.npz").unlink(), "reference.npz cannot be read"),
        (lambda root: (root / "digits8/1/manifest.json").write_text("{}"), "manifest.json: format is None"),
        (lambda root: (root / "digits8/live").write_text("7\n"), "'digits8' has no version 7"),
        (lambda root: (root / "digits8/live").write_text("x"), "live holds 'x', expected a version's number"),
        (lambda root: (root / ".veleta").write_text("in the way"), "the state folder"),
        (lambda root: [(root / ".veleta").mkdir(), (root / ".veleta/secret").write_text("short")], "has 5 bytes; give at least 16"),
        (lambda root: [(root / ".veleta/events.db").mkdir(parents=True)], "the event store"),
        (shutil.rmtree, "there is no model to serve"),
    ],
)
def test_what_cannot_be_served_is_told_before_anything_starts(store: Store, spoil: Any, sentence: str) -> None:
    spoil(store.root)

    result = veleta(store.root, "serve", "--store", str(store.root), "--port", str(free_port()), "--workers", "1")

    assert result.returncode == 1
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_idle_connections_do_not_stop_the_server(server: LiveServer) -> None:
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
    try:
        assert server.get("/healthz").json() == {"live": True}
    finally:
        for connection in idle:
            connection.close()


def test_nothing_that_serves_imports_tensorflow() -> None:
    script = (
        "import sys, app.factory, app.server, app.commands, monitoring.export.exporter, monitoring.watch;"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'tensorflow', 'keras', 'training', 'onnx', 'h5py', 'scipy', 'sklearn'}))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)

    assert result.stdout == "[]\n"


def test_the_command_can_still_tell_numpy_how_many_threads_to_use() -> None:
    script = "import sys, veleta.__main__, app.commands; print('numpy' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)

    assert result.stdout == "False\n"


#: All metrics of the contract but veleta_drift_alarm_timestamp_seconds, which is there while an alarm stands (test_watching.py).
CONTRACT = """
veleta_predictions_total veleta_requests_total veleta_request_duration_seconds veleta_inference_duration_seconds
veleta_queue_duration_seconds veleta_batch_size veleta_in_flight_requests veleta_rejected_requests_total veleta_model_info
veleta_model_loaded_timestamp_seconds veleta_feedback_total veleta_confusion_total veleta_accuracy_ratio veleta_accuracy_lower_ratio
veleta_accuracy_upper_ratio veleta_label_coverage_ratio veleta_label_delay_seconds veleta_signal_bin_total veleta_reference_bin_ratio
veleta_reference_rows veleta_drift_statistic veleta_drift_limit veleta_data_quality_failures_total veleta_outlier_total
veleta_monitor_last_tick_timestamp_seconds veleta_accuracy_estimated_ratio veleta_calibration_error_ratio
veleta_drift_log_evidence veleta_drift_alarm
"""


def test_every_metric_of_the_contract_is_there(server: LiveServer, digits8: Data) -> None:
    server.post("/feedback", json={"feedback": labels_of(server, digits8, 700)})
    wait_for(lambda: total(server.metrics(), "veleta_drift_limit", 'window="1m"') > 0)
    wait_for(lambda: total(server.metrics(), "veleta_monitor_last_tick_timestamp_seconds") > 0)
    found = {key.split("{")[0] for key in server.metrics()}

    for name in CONTRACT.split():
        assert found & {name, f"{name}_count"}, name

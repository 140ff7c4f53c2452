"""Workers that hang, for real: stopped by a signal, blocked by a model, or with a model that never comes back beside the event loop."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import requests
from onnx import TensorProto, helper, numpy_helper

from app.errors import NotReady
from app.hanging import Calls
from app.predictor import MOST_ROWS
from models.store import Store
from tests import small_models
from tests.live_server import LiveServer, clean_environment, free_port, running, samples, total, wait_for
from tests.small_models import Data

HANGS, SLOW = 255, 254
HANG_SECONDS = 3


def loop(model: onnx.ModelProto) -> None:
    """Let the graph count before it answers: for a first pixel of 254 about a tenth of a second, of 255 for months, else not at all."""
    graph = model.graph
    numbers = {
        "limit": np.float32(253),
        "some": np.float32(150_000),
        "last": np.float32(254),
        "many": np.float32(1e13),
        "zero": np.float32(0),
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items())
    graph.initializer.append(numpy_helper.from_array(np.asarray([0], np.int64), "first"))
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_on"], ["goes_on"]), helper.make_node("Cos", ["counted"], ["counts"])],
        "count",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("counted", TensorProto.FLOAT, []),
        ],
        [helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []), helper.make_tensor_value_info("counts", TensorProto.FLOAT, [])],
    )
    nodes = [
        helper.make_node("Gather", ["flat", "first"], ["pixels"], axis=1),
        helper.make_node("ReduceMax", ["pixels"], ["pixel"], keepdims=0),
        helper.make_node("Sub", ["pixel", "limit"], ["above"]),
        helper.make_node("Relu", ["above"], ["a_little"]),
        helper.make_node("Mul", ["a_little", "some"], ["some_times"]),
        helper.make_node("Sub", ["pixel", "last"], ["far_above"]),
        helper.make_node("Relu", ["far_above"], ["too_much"]),
        helper.make_node("Mul", ["too_much", "many"], ["many_times"]),
        helper.make_node("Add", ["some_times", "many_times"], ["times_as_float"]),
        helper.make_node("Cast", ["times_as_float"], ["times"], to=TensorProto.INT64),
        helper.make_node("Loop", ["times", "", "zero"], ["result"], body=body),
        helper.make_node("Mul", ["result", "zero"], ["nothing"]),
        helper.make_node("Add", ["embedding_before", "nothing"], ["embedding"]),
    ]
    scaled = next(node for node in graph.node if node.output[0] == "embedding")
    scaled.output[0] = "embedding_before"
    place = list(graph.node).index(scaled) + 1
    for node in reversed(nodes):
        graph.node.insert(place, node)


@pytest.fixture(scope="module")
def stuck(digits8: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shelf with one real model that hangs on some inputs."""
    root = tmp_path_factory.mktemp("stuck") / "store"
    small_models.publish(Store(root), "digits8", digits8, root.parent / "a", change=loop)
    return root


@contextlib.contextmanager
def served(root: Path, workers: int) -> Iterator[LiveServer]:
    flags = ["--workers", str(workers), "--hang-seconds", str(HANG_SECONDS), "--tick-seconds", "0.2", "--grace-seconds", "3"]
    with running(root, *flags, "--state", str(root.parent / f"state-{time.monotonic_ns()}")) as server:
        wait_for(lambda: len(server.worker_pids()) == workers)
        time.sleep(1.5)  # until the heart of each has begun to beat
        yield server


def images(data: Data, rows: int, pixel: int | None = None) -> bytes:
    chosen = np.ascontiguousarray(np.resize(data.test_x, (rows, *data.test_x.shape[1:])))
    chosen[:, 0, 0, 0] = 0
    if pixel:
        chosen[0, 0, 0, 0] = pixel
    return chosen.tobytes()


def predict(server: LiveServer, body: bytes) -> requests.Response:
    """On a connection of its own, so that no worker that hangs has it already."""
    return requests.post(server.url + "/predict/digits8", data=body, timeout=10)


def ask_and_forget(server: LiveServer, body: bytes) -> None:
    def ask() -> None:
        with contextlib.suppress(requests.RequestException):
            requests.post(server.url + "/predict/digits8", data=body, timeout=30)

    threading.Thread(target=ask, daemon=True).start()


class Counters:
    """Watches that no counter goes back."""

    def __init__(self, server: LiveServer) -> None:
        self._server, self._seen = server, dict[str, float]()

    def look(self) -> dict[str, float]:
        found = samples(requests.get(self._server.url + "/metrics", timeout=10).text)
        for key, value in found.items():
            if any(part in key for part in ("_total", "_bucket", "_count")):
                assert value >= self._seen.get(key, 0), key
                self._seen[key] = value
        return found


def test_a_worker_that_is_stopped_is_replaced_and_the_other_goes_on(stuck: Path, digits8: Data) -> None:
    with served(stuck, 2) as server:
        counters, before = Counters(server), server.worker_pids()
        for _ in range(50):
            assert predict(server, images(digits8, 2)).status_code == 200
        wait_for(lambda: total(counters.look(), "veleta_predictions_total") == 100)
        os.kill(before[0], signal.SIGSTOP)
        began, answered = time.monotonic(), 0
        while before[0] in server.worker_pids():
            assert predict(server, images(digits8, 1)).status_code == 200
            counters.look()
            answered += 1
            assert time.monotonic() - began < HANG_SECONDS + 5
        wait_for(lambda: len(server.worker_pids()) == 2)
        assert answered > 20
        assert before[1] in server.worker_pids()
        wait_for(lambda: total(counters.look(), "veleta_predictions_total") == 100 + answered)
        assert f"WORKER TIMEOUT (pid:{before[0]})" in server.log.read_text()


def test_a_model_that_blocks_the_event_loop_is_found(stuck: Path, digits8: Data) -> None:
    with served(stuck, 2) as server:
        counters, before = Counters(server), server.worker_pids()
        ask_and_forget(server, images(digits8, 1, HANGS))
        began = time.monotonic()
        lost = 0
        while set(server.worker_pids()) >= set(before):
            try:
                assert predict(server, images(digits8, 1)).status_code == 200
                counters.look()
            except requests.ConnectionError:  # the stuck worker had taken the connection already
                lost += 1
            assert time.monotonic() - began < HANG_SECONDS + 5
        assert lost <= 1
        wait_for(lambda: len(server.worker_pids()) == 2)
        assert predict(server, images(digits8, 1)).status_code == 200
        wait_for(lambda: total(counters.look(), "veleta_predictions_total") > 0)  # the only one, where the loop's first was lost


def test_a_model_that_hangs_beside_the_loop_is_told_by_health_and_then_the_worker_is_replaced(stuck: Path, digits8: Data) -> None:
    with served(stuck, 1) as server:
        counters, (before,) = Counters(server), server.worker_pids()
        for _ in range(10):
            assert predict(server, images(digits8, 1)).status_code == 200
        ask_and_forget(server, images(digits8, MOST_ROWS + 1, HANGS))  # more than the loop calls itself

        said = wait_for(lambda: requests.get(server.url + "/readyz", timeout=5).json().get("error"), HANG_SECONDS)
        assert said.startswith("digits8/1/int8 has not answered for ")
        assert requests.get(server.url + "/healthz", timeout=5).status_code == 200
        refused = predict(server, images(digits8, 1))
        assert (refused.status_code, refused.json()["error"][:33]) == (503, "digits8/1/int8 has not answered f")
        assert server.worker_pids() == [before]

        wait_for(lambda: before not in server.worker_pids(), HANG_SECONDS + 3)
        wait_for(lambda: server._ready())
        assert predict(server, images(digits8, 1)).status_code == 200
        wait_for(lambda: total(counters.look(), "veleta_predictions_total") == 11)
        log = server.log.read_text()
    assert "digits8/1/int8 has not answered for" in log
    assert "this worker ends and another takes its place" in log
    assert "exited with code 1" in log


def test_much_work_is_not_taken_for_a_hang(stuck: Path, digits8: Data) -> None:
    """A request longer than the time after which a call hangs, in calls of 64 rows that each come back."""
    body = b"".join(images(digits8, 64, SLOW) for _ in range(60))
    with served(stuck, 1) as server:
        (before,) = server.worker_pids()
        began = time.monotonic()
        answer = requests.post(server.url + "/predict/digits8", data=body, timeout=60)
        seconds = time.monotonic() - began

        assert answer.status_code == 200
        assert len(answer.json()["predictions"]) == 60 * 64
        assert seconds > HANG_SECONDS + 1, "else this shows nothing"
        assert server.worker_pids() == [before]


def test_calls_of_many_threads_are_told_apart() -> None:
    calls, go_on = Calls(0.3), threading.Event()

    def run(key: str) -> None:
        with calls.running(key):
            go_on.wait(5)

    old = threading.Thread(target=run, args=("old/1/fp32",))
    old.start()
    time.sleep(0.2)
    with contextlib.suppress(ValueError), calls.running("fails/1/fp32"):
        raise ValueError
    new = threading.Thread(target=run, args=("new/1/fp32",))
    new.start()

    with pytest.raises(NotReady, match="old/1/fp32 has not answered for 0 seconds"):
        calls.check()
    assert calls.hanging() is None
    wait_for(calls.hanging, 2)
    found = calls.hanging()
    assert found is not None
    assert found.key == "old/1/fp32"
    go_on.set()
    for thread in (old, new):
        thread.join()
    calls.check()
    assert calls.hanging() is None


def test_a_stop_while_the_models_are_loaded_is_not_forgotten(stuck: Path) -> None:
    for _ in range(3):
        server = LiveServer(stuck, "--workers", "2", "--state", str(stuck.parent / f"state-{time.monotonic_ns()}"))
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 15, "the time of grace is 30 seconds"


def test_a_stop_between_fork_and_start_of_a_worker_is_not_forgotten(stuck: Path) -> None:
    slow_start = "import gunicorn.util as util, time; util._setproctitle = lambda title: time.sleep(title.startswith('worker'))"
    program = f"{slow_start}; import sys; from veleta.__main__ import main; sys.exit(main())"
    words = ["serve", "--store", str(stuck), "--port", str(free_port()), "--state", str(stuck.parent / "slow"), "--workers", "2"]
    told = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=told, stderr=subprocess.STDOUT, env=clean_environment()
    ) as server:
        assert server.stdout
        while b"Veleta serves" not in (line := server.stdout.readline()):
            assert line, "it ended"
        began = time.monotonic()
        server.terminate()
        assert server.wait(timeout=60) == 0
        assert time.monotonic() - began < 15, "the time of grace is 30 seconds"

"""What the machine can give at most, measured in the same minutes as everything else: raw ONNX Runtime, and a server that does nothing.

limit = cores / (core seconds of the model for a row in a batch + core seconds of a bare server for a request)

Neither reads what it is sent. Who is sent JSON has to, so the seconds that the fastest reader takes for a row are measured as well.
"""

from __future__ import annotations

import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import orjson

from app.json_bodies import read_instances
from benchmarks.serving.cells import weighed
from benchmarks.serving.load import Load, Post, mean, wrk
from benchmarks.serving.model import Model
from benchmarks.serving.processes import environment, free_port, gunicorn_asgi, serving

BATCHES = (1, 8, 32, 128)
_START_SECONDS = 60


@dataclass(frozen=True)
class Anchors:
    """`raw` rows per second by batch size, one process for each core; `call_ms` the middle of one call for one row, alone, and
    `reading_ms` of reading a row of JSON.
    """

    cores: int
    raw: dict[str, float]
    call_ms: float
    reading_ms: float
    bare: Load
    bare_alone: Load

    @property
    def best(self) -> float:
        return max(self.raw.values())

    def limit(self, rows: int) -> float:
        """Rows per second that no server can pass with so many rows in a request."""
        return rows * self.cores / (rows * self.cores / self.best + self.cores / self.bare.per_second)

    def with_json(self, per_second: float) -> float:
        """Rows per second where there are `per_second` of them without, if each is read of JSON."""
        return 1 / (1 / per_second + 1e-3 * self.reading_ms / self.cores)


def measure(model: Model, cores: int, seconds: float) -> Anchors:
    raw = {str(batch): sum(rate for rate, _ in _raw(model, cores, batch, seconds)) for batch in BATCHES}
    ((_, call_ms),) = _raw(model, 1, 1, seconds)
    bare, alone = _bare(model, cores, seconds)
    return Anchors(cores, raw, call_ms, _reading_ms(model, seconds), bare, alone)


def middle(found: Sequence[Anchors]) -> Anchors:
    """Of several measurements in one run."""
    raw = {batch: float(np.mean([one.raw[batch] for one in found])) for batch in found[0].raw}
    call_ms, reading_ms = (float(np.mean([getattr(one, name) for one in found])) for name in ("call_ms", "reading_ms"))
    return Anchors(found[0].cores, raw, call_ms, reading_ms, mean([one.bare for one in found]), mean([one.bare_alone for one in found]))


def _raw(model: Model, processes: int, batch: int, seconds: float) -> list[tuple[float, float]]:
    """For each process: rows per second, and milliseconds of its middle call."""
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(processes)
    results = context.Queue()
    told = (str(model.path), model.input, (batch, *model.shape), seconds, together, results)
    started = [context.Process(target=_call_raw, args=told, daemon=True) for _ in range(processes)]
    for process in started:
        process.start()
    found = [results.get(timeout=seconds + _START_SECONDS) for _ in started]
    for process in started:
        process.join()
    return found


def _call_raw(path: str, name: str, shape: tuple[int, ...], seconds: float, together: Any, results: Any) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    rows = {name: np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)}
    for _ in range(3):
        session.run(["probabilities"], rows)
    together.wait(timeout=_START_SECONDS)
    marks = [time.perf_counter()]
    while marks[-1] - marks[0] < seconds:
        session.run(["probabilities"], rows)
        marks.append(time.perf_counter())
    rate = shape[0] * (len(marks) - 1) / (marks[-1] - marks[0])
    results.put((rate, float(np.median(np.diff(marks))) * 1e3))


def _reading_ms(model: Model, seconds: float) -> float:
    """Nothing else that was tried is faster."""
    texts = [orjson.dumps({"instances": group.tolist()}) for group in model.groups(1)]
    marks = [time.perf_counter()]
    while marks[-1] - marks[0] < seconds:
        for text in texts:
            read_instances(text)
            marks.append(time.perf_counter())
    return float(np.median(np.diff(marks))) * 1e3


def _bare(model: Model, cores: int, seconds: float) -> tuple[Load, Load]:
    """With 32 connections, and with one: the bare server in the same worker class and with the same parser as Veleta."""
    port = free_port()
    post = Post("/", tuple(rows.tobytes() for rows in model.groups(1)), 1, "application/octet-stream")
    command = [sys.executable, *gunicorn_asgi("benchmarks.serving.bare:app", port, cores)]
    with tempfile.TemporaryDirectory() as folder, serving(command, port, lambda: _listens(port), Path(folder), environment()) as server:
        wrk(port, post, 32, 1)
        return weighed(server, post, 32, seconds), weighed(server, post, 1, seconds)


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0

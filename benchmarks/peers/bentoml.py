"""BentoML: a worker for each core, adaptive batching. Raw values come as base64, which it batches as text."""

from __future__ import annotations

import base64
import os
import sys

import bentoml
import numpy as np

from benchmarks.peers.onnx_model import Task


@bentoml.service(workers=Task.read().cores, logging={"access": {"enabled": False}}, metrics={"enabled": False})
class Model:
    def __init__(self) -> None:
        self.rows = Task.read().load()

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=10_000)
    def predict(self, rows: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return self.rows(rows)

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=10_000)
    def raw(self, images: list[str]) -> list[list[float]]:
        found: list[list[float]] = self.rows(np.frombuffer(b"".join(map(base64.b64decode, images)), np.uint8)).tolist()
        return found


def main() -> None:
    serve = ["-m", "bentoml", "serve", "benchmarks.peers.bentoml:Model", "--host", "127.0.0.1", "--port", str(Task.read().port)]
    os.execv(sys.executable, [sys.executable, *serve])


if __name__ == "__main__":
    main()

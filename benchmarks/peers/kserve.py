"""KServe's own server, a worker for each core. Its workers get the model pickled, so each makes its session when it is first asked."""

from __future__ import annotations

import json
import os
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

import kserve

from benchmarks.peers.onnx_model import Task


class Model(kserve.Model):
    """Dictionaries are protocol V1, the rest is V2."""

    def __init__(self) -> None:
        super().__init__("model")
        self.ready = True

    @cached_property
    def rows(self) -> Any:
        return Task.read().load()

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        if isinstance(payload, dict):
            return {"predictions": self.rows(payload["instances"]).tolist()}
        found = self.rows(payload.inputs[0].as_numpy())
        output = kserve.InferOutput("probabilities", list(found.shape), "FP32", found.ravel().tolist())
        return kserve.InferResponse(payload.id or "", "model", [output])


def main() -> None:
    task = Task.read()
    if "--log_config_file" not in sys.argv:
        _without_logs()
    kserve.ModelServer(http_port=task.port, workers=task.cores, enable_grpc=False, enable_latency_logging=False).start([Model()])


def _without_logs() -> None:
    """It writes two lines for each request unless a file says otherwise, which its workers read from the command line."""
    quiet = {"version": 1, "disable_existing_loggers": False, "root": {"level": "WARNING"}}
    quiet["loggers"] = {name: {"level": "WARNING"} for name in ("kserve", "kserve.trace", "uvicorn", "uvicorn.access")}
    Path("logging.json").write_text(json.dumps(quiet), encoding="utf-8")
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks.peers.kserve", "--log_config_file", "logging.json"])


if __name__ == "__main__":
    main()

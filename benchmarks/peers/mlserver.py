"""MLServer: one parallel worker, adaptive batches of up to 32 requests gathered for at most 5 ms."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
from mlserver import MLModel
from mlserver.cli.main import main as run
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceResponse

from benchmarks.peers.onnx_model import Task


class Model(MLModel):
    """It has no binary tensors over HTTP; raw values come as base64."""

    async def load(self) -> bool:
        self.rows = Task.read().load()
        return True

    async def predict(self, payload: Any) -> Any:
        given = payload.inputs[0]
        if given.datatype == "BYTES":
            values = np.frombuffer(b"".join(Base64Codec.decode_input(given)), np.uint8)
        else:
            values = NumpyCodec.decode_input(given)
        found = NumpyCodec.encode_output("probabilities", self.rows(values))
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=[found])


def main() -> None:
    task = Task.read()
    with socket.socket() as free:  # gRPC cannot be left out
        free.bind(("127.0.0.1", 0))
        grpc_port = free.getsockname()[1]
    ports = {"http_port": task.port, "grpc_port": grpc_port, "metrics_endpoint": None}
    server = {"host": "127.0.0.1", "parallel_workers": 1, "debug": False} | ports
    Path("settings.json").write_text(json.dumps(server), encoding="utf-8")
    model = {"name": "model", "implementation": "benchmarks.peers.mlserver.Model", "max_batch_size": 32, "max_batch_time": 0.005}
    Path("model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    sys.argv = ["mlserver", "start", "."]
    run()


if __name__ == "__main__":
    main()

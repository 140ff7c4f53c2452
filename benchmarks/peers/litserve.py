"""LitServe: one worker that batches up to 32 requests, an API server for each core."""

from typing import Annotated, Any

import litserve
import numpy as np
from fastapi import Depends, Request

from benchmarks.peers.onnx_model import Task


async def _values(request: Request) -> Any:
    """LitServe reads JSON by itself, raw values only so."""
    if request.headers["content-type"] == "application/json":
        return (await request.json())["instances"]
    return await request.body()


class Api(litserve.LitAPI):
    """Requests may carry several rows, so batches are joined and split by rows and not stacked."""

    def setup(self, device: str) -> None:
        task = Task.read()
        self.size, self.predict_rows = task.size, task.load()

    def decode_request(self, request: Annotated[Any, Depends(_values)]) -> Any:
        rows = np.frombuffer(request, np.uint8) if isinstance(request, bytes) else np.array(request, np.float32)
        return rows.reshape(-1, self.size)

    def batch(self, inputs: list[Any]) -> Any:
        self.lengths = [len(rows) for rows in inputs]
        return np.concatenate(inputs)

    def predict(self, x: Any) -> Any:
        return self.predict_rows(x)

    def unbatch(self, output: Any) -> list[Any]:
        return np.split(output, np.cumsum(self.lengths)[:-1])

    def encode_response(self, output: Any) -> dict[str, Any]:
        return {"probabilities": output.tolist()}


def main() -> None:
    task = Task.read()
    server = litserve.LitServer(Api(max_batch_size=32, batch_timeout=0.001), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=task.port, num_api_servers=task.cores, generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main()

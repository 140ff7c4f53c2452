"""NVIDIA Triton's server and HTTP front, the model called in its Python backend: one instance for each core, dynamic batching, no delay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.peers.onnx_model import Task


def _instance(task: Task) -> Callable[..., Any]:
    predict = task.load()

    @batch
    def infer(image: Any) -> dict[str, Any]:
        return {"probabilities": predict(image)}

    return infer


def main() -> None:
    task = Task.read()
    config = TritonConfig(http_address="127.0.0.1", http_port=task.port, allow_grpc=False, allow_metrics=False)
    with Triton(config=config) as triton:
        triton.bind(
            model_name="model",
            infer_func=[_instance(task) for _ in range(task.cores)],
            inputs=[Tensor(name="image", dtype=np.uint8, shape=(task.size,))],
            outputs=[Tensor(name="probabilities", dtype=np.float32, shape=(task.classes,))],
            config=ModelConfig(max_batch_size=128, batcher=DynamicBatcher(max_queue_delay_microseconds=0)),
        )
        triton.serve()


if __name__ == "__main__":
    main()

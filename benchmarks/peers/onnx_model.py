"""The model that every peer serves: a session of one thread, as in Veleta's workers, so that only the servers differ."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray


@dataclass(frozen=True)
class Task:
    """What a peer is told: the ONNX file, the name and shape (without the batch) of its input, where to listen, on how many cores."""

    model: str
    input: str
    shape: tuple[int, ...]
    classes: int
    port: int
    cores: int

    @classmethod
    def read(cls) -> Task:
        told = json.loads(os.environ["BENCHMARK_TASK"])
        return cls(**told | {"shape": tuple(told["shape"])})

    @property
    def size(self) -> int:
        """Numbers in one row."""
        return int(np.prod(self.shape))

    def load(self) -> Callable[[Any], NDArray[np.float32]]:
        """Rows of any kind, flat or not, to probabilities (n, classes). Call it in the process that answers."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(self.model, options, providers=["CPUExecutionProvider"])

        def predict(rows: Any) -> NDArray[np.float32]:
            taken = np.asarray(rows, dtype=np.float32).reshape(-1, *self.shape)
            found: NDArray[np.float32] = session.run(["probabilities"], {self.input: taken})[0]
            return found

        return predict

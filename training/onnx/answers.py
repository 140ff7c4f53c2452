"""What an ONNX file answers, asked as the server asks it: float32 images from 0 to 255."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from monitoring.arrays import FloatArray
from training.onnx.emit import EMBEDDING, PROBABILITIES


def open_session(path: Path, threads: int = 0) -> Any:
    """An ONNX Runtime session with so many threads within an operator; 0 lets it choose."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def answer(path: Path, x: NDArray[Any], batch: int = 256) -> tuple[FloatArray, FloatArray]:
    """Probabilities (n, classes) and embeddings (n, k) for the inputs `x` (n, …)."""
    session = open_session(path)
    name = session.get_inputs()[0].name
    parts = [
        session.run([PROBABILITIES, EMBEDDING], {name: x[start : start + batch].astype(np.float32)}) for start in range(0, len(x), batch)
    ]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

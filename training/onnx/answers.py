"""What an ONNX file answers, asked as the server asks it: inputs as they come, images from 0 to 255, in the type of its input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from monitoring.arrays import FloatArray

#: The types of `training.onnx.emit`, as ONNX Runtime calls them.
_TYPES = {"tensor(float)": np.float32, "tensor(int32)": np.int32, "tensor(int64)": np.int64}


def open_session(path: Path, threads: int = 0) -> Any:
    """An ONNX Runtime session with so many threads within an operator; 0 lets it choose."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feed(session: Any, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Inputs (n, …) by the name of a session's input, in its type."""
    taken = session.get_inputs()[0]
    return {taken.name: x.astype(_TYPES[taken.type])}


def answer(path: Path, x: NDArray[Any], batch: int = 256) -> tuple[FloatArray, FloatArray]:
    """Probabilities (n, classes) or values (n, 1), and embeddings (n, k), for the inputs `x` (n, …)."""
    session = open_session(path)
    parts = [session.run(None, feed(session, x[start : start + batch])) for start in range(0, len(x), batch)]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

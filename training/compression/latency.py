"""How long one call takes: the median, with one thread, all variants in turn in the same loop, so that whatever else the machine does
meanwhile falls on all of them alike."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import Latency
from training.compression.processor import cpu_name
from training.onnx.answers import feed, open_session

#: Batch size → how many calls of each variant.
ROUNDS = {1: 300, 32: 60}
_WARM = 5


def measure_latency(paths: Mapping[str, Path], x: NDArray[Any], rounds: dict[int, int] | None = None) -> dict[str, Latency]:
    """Median seconds of one call, by variant and batch size, on rows of `x` (n, …)."""
    sessions = {name: open_session(path, threads=1) for name, path in paths.items()}
    medians: dict[str, dict[str, float]] = {name: {} for name in paths}
    for batch, times in (rounds or ROUNDS).items():
        seconds = _interleaved(sessions, np.resize(x, (batch, *x.shape[1:])), times)
        for name, column in zip(sessions, seconds.T, strict=True):
            medians[name][str(batch)] = float(np.median(column))
    return {name: Latency(by_batch, cpu_name()) for name, by_batch in medians.items()}


def _interleaved(sessions: dict[str, Any], x: NDArray[Any], rounds: int) -> NDArray[np.float64]:
    """Seconds of each call, (rounds, sessions). Each round asks all of them once, so a slow moment is shared."""
    seconds = np.empty((rounds + _WARM, len(sessions)))
    asked = [(session, feed(session, x)) for session in sessions.values()]
    for row in seconds:
        for place, (session, fed) in enumerate(asked):
            start = time.perf_counter()
            session.run(None, fed)
            row[place] = time.perf_counter() - start
    return seconds[_WARM:]

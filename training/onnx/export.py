"""Export, then doubt: an ONNX file is kept only if it answers as Keras does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from monitoring.arrays import FloatArray
from training.devices import in_full_float32
from training.errors import ExportError
from training.onnx.answers import answer
from training.onnx.emit import emit
from training.onnx.graph import Graph

#: Largest difference of a probability; float32 sums in another order differ by about 1e-6.
TOLERANCE = 1e-4
#: Two classes that are this close are as good as equal: which of them is the first is chance.
_TIE = 1e-5
#: A difference may be so many times what the last digit of the inputs makes.
_TIMES = 5.0
_ROWS = 256
_BATCHES = (1, 7, 64)


def export(model: Any, path: Path, x: NDArray[Any], seed: int) -> None:
    """Write the ONNX file of a model and check it against Keras on the inputs `x` (n, …) and on random ones.

    Raises ExportError if a probability differs by TOLERANCE, a value or an embedding by the same share of its largest, or any row of
    `x` gets another class; unless the last digit of the inputs makes as much in Keras itself.
    """
    onnx.save(emit(model), path)
    with in_full_float32():
        _check(model, path, x, seed)


def _check(model: Any, path: Path, x: NDArray[Any], seed: int) -> None:
    for what, rows in (("random", random_like(x, _ROWS, seed)), ("real", x[:_ROWS])):
        asked = keras_answer(model, rows)
        for batch in _BATCHES:
            _compare(asked, answer(path, rows, batch), f"{path.name} on {what} inputs, {batch} at a time", model, rows)
    (expected, _), found = keras_answer(model, x), answer(path, x)[0]
    _compare((expected,), (found,), f"{path.name} on {len(x)} real inputs", model, x)
    chosen = np.take_along_axis(expected, found.argmax(axis=1, keepdims=True), axis=1)[:, 0]
    lost = float((expected.max(axis=1) - chosen).max())
    if lost > _TIE and lost > _TIMES * _last_digit(model, x, (expected,))[0]:
        raise ExportError(f"{path.name} gives other classes than Keras; report this network, it is a fault of Veleta")


def random_like(x: NDArray[Any], rows: int, seed: int) -> NDArray[Any]:
    """Inputs of the same shape and type with every number by itself: of the 256 of a pixel, or between the lowest and the highest of
    its place in `x`, and whole where they are.
    """
    random, shape = np.random.default_rng(seed), (rows, *x.shape[1:])
    if x.dtype == np.uint8:
        return random.integers(0, 256, shape, dtype=np.uint8)
    lowest, highest = x.min(axis=0), x.max(axis=0)
    if np.array_equal(x, np.round(x)):
        return random.integers(lowest.astype(np.int64), highest.astype(np.int64) + 1, shape).astype(x.dtype)
    return random.uniform(lowest, highest, shape).astype(x.dtype)


def keras_answer(model: Any, x: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """Probabilities or values, and embeddings, as Keras computes them.

    Each batch is computed operator by operator: what `predict` has compiled before would keep the precision it was compiled with.
    """
    graph = Graph.of(model)
    batch = graph.rows_at_once()
    parts = [x[start : start + batch] for start in range(0, len(x), batch)]
    return _together(model(part, training=False) for part in parts), _together(graph.embed(part) for part in parts)


def _together(parts: Iterable[Any]) -> FloatArray:
    joined: FloatArray = np.concatenate([np.asarray(part) for part in parts])
    return joined


def _compare(expected: tuple[FloatArray, ...], found: tuple[FloatArray, ...], where: str, model: Any, x: NDArray[Any]) -> None:
    """Answers to the inputs `x`, and embeddings if there are some. A probability is at most 1, so its scale is 1 as well."""
    differences = [_difference(ours, theirs) for ours, theirs in zip(found, expected, strict=True)]
    if all(difference < TOLERANCE for difference in differences):
        return
    for what, difference, moved in zip(("answers", "embeddings"), differences, _last_digit(model, x, expected), strict=False):
        if not difference < max(TOLERANCE, _TIMES * moved):
            raise ExportError(f"{where}: {what} differ from Keras by {difference:.1e}; report this network, it is a fault of Veleta")


def _difference(found: FloatArray, expected: FloatArray) -> float:
    return float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max()))


def _last_digit(model: Any, x: NDArray[Any], expected: tuple[FloatArray, ...]) -> list[float]:
    """How far the answers of Keras move, as a difference, when each number of the inputs moves by its last digit: deep networks make much
    of little, and what another order of sums does is of that size. Seen in Keras' ResNet50 and InceptionV3: 0.9 to 1.1 times as much.
    """
    if any(call.kind == "Embedding" for call in Graph.of(model).calls):  # another token is no rounding
        return [0.0 for _ in expected]
    floats = x.astype(np.float32)
    up = np.random.default_rng(0).random(x.shape) < 0.5
    moved = keras_answer(model, np.nextafter(floats, np.where(up, np.float32(np.inf), np.float32(-np.inf))))
    return [_difference(ours, theirs) for ours, theirs in zip(moved, expected, strict=False)]

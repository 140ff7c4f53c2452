"""Scores against scikit-learn, latency, and the processor."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from sklearn.metrics import confusion_matrix as their_confusion_matrix
from sklearn.metrics import precision_recall_fscore_support

from monitoring.accuracy.wilson import wilson
from training.compression.latency import measure_latency
from training.compression.processor import cpu_name, has_int8_dot
from training.data.parts import Part
from training.onnx.emit import emit
from training.publishing.evaluate import confusion_matrix, evaluate

pytestmark = pytest.mark.training


@pytest.fixture
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(5, activation="softmax")])


def test_score_is_that_of_scikit_learn(network: keras.Model, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    test = Part(random.integers(0, 256, (300, 6, 6, 1), dtype=np.uint8), random.integers(0, 5, 300))
    onnx.save(emit(network), tmp_path / "model.onnx")
    score = evaluate(tmp_path / "model.onnx", test, 5)
    predicted = network.predict(test.x, verbose=0).argmax(1)
    precision, recall, _, _ = precision_recall_fscore_support(test.y, predicted, labels=range(5), zero_division=np.nan)
    assert np.array_equal(score.confusion, their_confusion_matrix(test.y, predicted, labels=range(5)))
    assert np.allclose(score.precision, precision, equal_nan=True)
    assert np.allclose(score.recall, recall, equal_nan=True)
    hits = int((predicted == test.y).sum())
    interval = wilson(hits, 300)
    assert (score.accuracy.value, score.accuracy.lower, score.accuracy.upper) == (hits / 300, interval.lower, interval.upper)
    assert score.accuracy.rows == 300


def test_confusion_matrix_is_actual_by_predicted() -> None:
    assert confusion_matrix(np.array([0, 0, 2]), np.array([1, 0, 2]), 3).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_latency_tells_a_large_network_from_a_small_one(tmp_path: Path) -> None:
    def dense(units: int) -> keras.Model:
        layers = [keras.layers.Dense(units) for _ in range(3)]
        return keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), *layers, keras.layers.Dense(2)])

    paths = {name: tmp_path / f"{name}.onnx" for name in ("small", "large")}
    for path, units in zip(paths.values(), (4, 1500), strict=True):
        onnx.save(emit(dense(units)), path)
    found = measure_latency(paths, np.zeros((3, 6, 6, 1), np.uint8), {1: 20, 32: 10})
    for batch in ("1", "32"):
        assert 0 < found["small"].batch[batch] * 3 < found["large"].batch[batch] < 1
    assert found["small"].cpu == cpu_name()


def test_processor(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: A  Processor @ 2 GHz\nflags\t\t: fpu avx2 avx512_vnni\n")
    assert cpu_name(cpuinfo) == "A Processor @ 2 GHz"
    assert has_int8_dot(cpuinfo)
    cpuinfo.write_text("model name\t: Old\nflags\t\t: fpu avx2\n")
    assert not has_int8_dot(cpuinfo)
    assert cpu_name(tmp_path / "none")
    assert not has_int8_dot(tmp_path / "none")

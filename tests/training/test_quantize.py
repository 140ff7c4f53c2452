"""Quantization: static, by the better of the choices, close to float, silent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from training.compression import quantize as quantization
from training.compression.quantize import CHOICES, Choice, quantize
from training.data.parts import Split
from training.data.sources import load
from training.fitting.fit import one_hot
from training.onnx.answers import answer
from training.onnx.emit import emit

pytestmark = pytest.mark.training
L = keras.layers


@pytest.fixture(scope="module")
def split() -> Split:
    return load("digits").split(seed=0, max_rows=1000)


@pytest.fixture(scope="module")
def fp32(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small convolution with a normalization to be melted into it, fitted for a moment."""
    keras.utils.set_random_seed(0)
    layers = [L.Rescaling(1 / 255), L.Conv2D(8, 3, strides=2), L.BatchNormalization(momentum=0.9), L.ReLU(), L.Flatten()]
    model = keras.Sequential([keras.Input((28, 28, 1), name="image"), *layers, L.Dense(32, "relu"), L.Dense(10, "softmax")])
    model.compile("adam", loss="categorical_crossentropy")
    model.fit(split.train.x, one_hot(split.train.y, 10), epochs=12, verbose=0)
    path = tmp_path_factory.mktemp("quantize") / "model.onnx"
    onnx.save(emit(model), path)
    return path


def test_int8_answers_almost_as_float_and_says_nothing(
    fp32: Path, split: Split, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    quantize(fp32, tmp_path / "int8.onnx", split.train, split.validation)
    expected, found = answer(fp32, split.test.x), answer(tmp_path / "int8.onnx", split.test.x)
    assert np.abs(found[0] - expected[0]).mean() < 0.01
    assert (found[0].argmax(1) == expected[0].argmax(1)).mean() > 0.97
    assert np.allclose(found[0].sum(1), 1, atol=1e-5)
    assert np.corrcoef(found[1].ravel(), expected[1].ravel())[0, 1] > 0.99
    kinds = [node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node]
    assert kinds.count("Conv") == 1
    assert "Mul" not in kinds  # the normalization went into the convolution
    assert capfd.readouterr() == ("", "")
    assert list(scratch.iterdir()) == []


def test_pixels_are_read_without_a_loss(split: Split, tmp_path: Path) -> None:
    """The scale 1 / 255 is in the kernel, so the 256 values of a pixel are the 256 steps of int8."""
    layers = [L.Rescaling(1 / 255), L.Flatten(), L.Dense(32, "relu"), L.Dense(10, "softmax")]
    onnx.save(emit(keras.Sequential([keras.Input((28, 28, 1), name="image"), *layers])), tmp_path / "fp32.onnx")
    quantize(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", split.train, split.validation)
    constants = {c.name: onnx.numpy_helper.to_array(c) for c in onnx.load(tmp_path / "int8.onnx").graph.initializer}
    first = next(node for node in onnx.load(tmp_path / "int8.onnx").graph.node if node.op_type == "QuantizeLinear")
    assert float(constants[first.input[1]]) == pytest.approx(1.0, abs=1 / 2048)  # Percentile reads ranges from 2,048 bins
    assert int(constants[first.input[2]]) == 0


def test_a_convolution_of_a_single_channel_stays_float(split: Split, tmp_path: Path) -> None:
    """One over the channels of another is int8, also if it takes each by itself."""
    layers = [L.Conv2D(4, 3), L.DepthwiseConv2D(3), L.Conv2D(4, 3), L.Flatten(), L.Dense(10, "softmax")]
    onnx.save(emit(keras.Sequential([keras.Input((28, 28, 1), name="image"), *layers])), tmp_path / "fp32.onnx")
    quantize(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", split.train, split.validation)
    graph = onnx.load(tmp_path / "int8.onnx").graph
    makers = {output: node.op_type for node in graph.node for output in node.output}
    weights = [makers.get(node.input[1]) for node in graph.node if node.op_type == "Conv"]
    assert weights == [None, "DequantizeLinear", "DequantizeLinear"]


@pytest.mark.parametrize("best", CHOICES, ids=str)
def test_the_validation_rows_decide(best: Choice, fp32: Path, split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All choices but one are calibrated with images sixteen times as dark."""
    right = quantization._quantize

    def spoiled(source: Path, target: Path, calibration: Any, choice: Choice) -> None:
        rows = calibration if choice == best else type(calibration)(calibration.x // 16, calibration.y)
        apart = target.parent / str(choice)  # what other rows range over lies beside their targets
        apart.mkdir()
        right(source, apart / target.name, rows, choice)
        (apart / target.name).replace(target)

    monkeypatch.setattr(quantization, "_quantize", spoiled)
    assert quantize(fp32, tmp_path / "int8.onnx", split.train, split.validation) == best

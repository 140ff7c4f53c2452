"""Every kind of network answers as ONNX what it answers in Keras, at every batch, and goes through int8."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from tests.training.small_networks import NETWORKS, encoder, inputs, placed, randomized
from training.compression import quantize as quantization
from training.compression.quantize import CHOICES, quantize
from training.data.parts import Part, Split
from training.data.sources import load
from training.fitting.fit import one_hot
from training.onnx.answers import answer, open_session
from training.onnx.emit import emit
from training.onnx.export import TOLERANCE, keras_answer

pytestmark = pytest.mark.training
L = keras.layers
LOOPS = {"Loop", "Scan", "If"}


def kinds(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_answers_as_keras_and_int8_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = randomized(NETWORKS[name]())
    x, path = inputs(model), tmp_path / "model.onnx"
    onnx.save(emit(model), path)
    expected, embedding = keras_answer(model, x)
    assert np.ptp(expected, axis=0).max() > 1e-2, "the network answers the same to everything, so it tests nothing"
    for batch in (1, 7, 64):
        found = answer(path, x, batch)
        assert np.abs(found[0] - expected).max() < TOLERANCE / 10
        assert np.allclose(found[1], embedding, rtol=1e-4, atol=1e-5)
    assert not LOOPS & kinds(path).keys()
    assert [session_input.name for session_input in open_session(path).get_inputs()] == [model.inputs[0].name]
    assert open_session(path).get_outputs()[0].shape[0] == "batch"

    monkeypatch.setattr(quantization, "CHOICES", CHOICES[:1])
    y = np.zeros(len(x)) if name == "regression" else expected.argmax(axis=1)
    quantize(path, tmp_path / "int8.onnx", Part(x, y), Part(x, y))
    eight = answer(tmp_path / "int8.onnx", x)
    assert np.abs(eight[0] - expected).mean() < 0.1 * np.ptp(expected)
    assert not LOOPS & kinds(tmp_path / "int8.onnx").keys()


@pytest.fixture(scope="module")
def split() -> Split:
    return load("digits").split(seed=0, max_rows=1500)


def lstm(rows: Any) -> Any:
    return L.LSTM(32)(rows)


def transformer(rows: Any) -> Any:
    return L.GlobalAveragePooling1D()(L.LayerNormalization()(encoder(placed(rows, 32), 4, 8, 64)))


def cnn(rows: Any) -> Any:
    return L.GlobalMaxPooling1D()(L.Conv1D(64, 3, activation="relu")(L.Conv1D(48, 5, activation="relu", padding="same")(rows)))


@pytest.mark.parametrize("middle", [lstm, transformer, cnn])
def test_int8_of_a_fitted_network_gives_the_classes_of_float(middle: Any, split: Split, tmp_path: Path) -> None:
    """Digits read row by row, as a sequence of 28."""
    keras.utils.set_random_seed(0)
    x = keras.Input((28, 28, 1), name="image")
    rows = L.Reshape((28, 28))(L.Rescaling(1 / 255)(x))
    model = keras.Model(x, L.Dense(10, activation="softmax")(L.Dense(32, activation="relu")(middle(rows))))
    model.compile(keras.optimizers.Adam(4e-3), loss="categorical_crossentropy", jit_compile=False)
    model.fit(split.train.x, one_hot(split.train.y, 10), epochs=8, batch_size=64, verbose=0)
    onnx.save(emit(model), tmp_path / "model.onnx")
    quantize(tmp_path / "model.onnx", tmp_path / "int8.onnx", split.train.draw(256, 0), split.validation)
    expected, found = (answer(tmp_path / name, split.test.x)[0] for name in ("model.onnx", "int8.onnx"))
    assert (expected.argmax(1) == split.test.y).mean() > 0.6, "the network has learnt too little to be ruined"
    assert (found.argmax(1) == expected.argmax(1)).mean() >= 0.95


def test_attention_stays_float_where_eight_bits_would_ruin_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The products of two activations, the softmax between them and the normalizations read float; the products with a kernel int8."""
    model = randomized(NETWORKS["Transformer"]())
    x = inputs(model)
    onnx.save(emit(model), tmp_path / "model.onnx")
    monkeypatch.setattr(quantization, "CHOICES", CHOICES[:1])
    quantize(tmp_path / "model.onnx", tmp_path / "int8.onnx", Part(x, x), Part(x, np.zeros(len(x), int)))
    graph = onnx.load(tmp_path / "int8.onnx").graph
    made = {output: node.op_type for node in graph.node for output in node.output}
    products = [[made.get(name) for name in node.input] for node in graph.node if node.op_type in ("MatMul", "Gemm")]
    assert sum(inputs[:2] == ["DequantizeLinear"] * 2 for inputs in products) == 2 * 6 + 1 + 1  # q, k, v, out, ff, ff; positions; head
    assert sum("DequantizeLinear" not in inputs for inputs in products) == 2 * 2  # scores and mixtures
    for node in graph.node:
        if node.op_type in ("Softmax", "LayerNormalization"):
            assert made.get(node.input[0]) != "DequantizeLinear"


def test_values_are_named_and_judged_by_their_squared_error(tmp_path: Path) -> None:
    model = randomized(NETWORKS["regression"]())
    x = inputs(model)
    onnx.save(emit(model), tmp_path / "model.onnx")
    described = {output.name: output.shape for output in open_session(tmp_path / "model.onnx").get_outputs()}
    assert described == {"value": ["batch", 1], "embedding": ["batch", 8]}
    y = model.predict(x, verbose=0)[:, 0]
    best = quantize(tmp_path / "model.onnx", tmp_path / "int8.onnx", Part(x, y), Part(x, y))
    errors = {}
    for choice in CHOICES:
        quantization._quantize(tmp_path / "model.onnx", tmp_path / "one.onnx", Part(x, y), choice)
        errors[choice] = float(np.square(answer(tmp_path / "one.onnx", x)[0][:, 0] - y).mean())
    assert errors[best] == pytest.approx(min(errors.values()), rel=1e-3)
    assert min(errors.values()) < 0.01 * np.var(y)

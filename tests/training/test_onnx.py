"""The ONNX emitter: Keras is the oracle of every graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from training.errors import ExportError
from training.onnx.activations import ACTIVATIONS
from training.onnx.answers import answer
from training.onnx.emit import emit
from training.onnx.export import TOLERANCE, export, keras_answer

pytestmark = pytest.mark.training
L = keras.layers


def sequential(shape: tuple[int, ...], *layers: Any) -> Any:
    return keras.Sequential([keras.Input(shape, name="image"), *layers, L.Dense(4, activation="softmax")])


def residual() -> Any:
    """A functional network with additions of both orders, and a layer that is used twice."""
    image = keras.Input((9, 7, 3), name="image")
    shared = L.Conv2D(6, 3, padding="same", activation="relu")
    first = shared(L.Conv2D(6, 1)(image))
    joined = L.Add()([L.BatchNormalization()(first), shared(first)])
    flat = L.Dense(8, activation="tanh")(L.Flatten()(joined))
    narrow = L.Dense(8)(L.GlobalAveragePooling2D()(joined))
    return keras.Model(image, L.Dense(4, activation="softmax")(L.Add()([flat, narrow])))


NETWORKS: dict[str, Callable[[], Any]] = {
    "dense": lambda: sequential((5, 4, 2), L.Flatten(), L.Dense(7, activation="relu")),
    "founding": lambda: sequential(
        (12, 12, 1), L.Rescaling(1 / 255), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(2), L.Dropout(0.5), L.Flatten(), L.Dense(9)
    ),
    "same, stride 2, even": lambda: sequential((10, 8, 3), L.Conv2D(5, 3, strides=2, padding="same"), L.Flatten()),
    "same, stride 2, odd": lambda: sequential((9, 7, 3), L.Conv2D(5, (2, 3), strides=2, padding="same"), L.Flatten()),
    "same, stride 3": lambda: sequential((11, 8, 2), L.Conv2D(5, 4, strides=3, padding="same"), L.Flatten()),
    "valid, stride 2": lambda: sequential((11, 8, 2), L.Conv2D(5, 3, strides=(2, 1)), L.Flatten()),
    "dilated": lambda: sequential((11, 9, 2), L.Conv2D(5, 3, dilation_rate=2, padding="same"), L.Flatten()),
    "groups": lambda: sequential((8, 8, 4), L.Conv2D(6, 3, groups=2), L.Flatten()),
    "depthwise": lambda: sequential((8, 8, 3), L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", use_bias=False), L.Flatten()),
    "pools": lambda: sequential(
        (13, 11, 3), L.MaxPooling2D(3, strides=2, padding="same"), L.AveragePooling2D(2, padding="same"), L.AveragePooling2D(2), L.Flatten()
    ),
    "batch normalization": lambda: sequential(
        (8, 8, 3),
        L.Conv2D(5, 3, use_bias=False),
        L.BatchNormalization(),
        L.ReLU(),
        L.Flatten(),
        L.BatchNormalization(scale=False),
        L.Dense(6),
    ),
    "global average": lambda: sequential((8, 8, 3), L.Conv2D(5, 3), L.GlobalAveragePooling2D()),
    "global average, kept": lambda: sequential((8, 8, 3), L.GlobalAveragePooling2D(keepdims=True), L.Conv2D(5, 1), L.Flatten()),
    "rescaling with offset": lambda: sequential((6, 6, 1), L.Rescaling(1 / 127.5, offset=-1), L.Conv2D(3, 3, padding="same"), L.Flatten()),
    "rescaling before a pool": lambda: sequential((6, 6, 1), L.Rescaling(-1 / 255), L.MaxPooling2D(2), L.Flatten()),
    "normalization": lambda: sequential((6, 6, 2), L.Normalization(mean=[100, 50], variance=[400, 90]), L.Conv2D(3, 3), L.Flatten()),
    "reshape": lambda: sequential((6, 6, 2), L.Conv2D(3, 3), L.Reshape((8, 6)), L.Dense(5), L.Flatten()),
    "flattened, then normalized": lambda: sequential((6, 6, 2), L.Conv2D(3, 3), L.Flatten(), L.BatchNormalization()),
    "flattened, then softmax": lambda: sequential((6, 6, 2), L.Conv2D(3, 3), L.Flatten(), L.Softmax()),
    "softmax over channels": lambda: sequential((6, 6, 2), L.Conv2D(3, 3, activation="softmax"), L.Flatten()),
    "leaky": lambda: sequential((6, 6, 2), L.LeakyReLU(0.3), L.Conv2D(3, 3), L.ReLU(max_value=1.5, negative_slope=0.1), L.Flatten()),
    "train only": lambda: sequential(
        (8, 8, 1), L.RandomTranslation(0.1, 0.1), L.GaussianNoise(1.0), L.Conv2D(3, 3), L.SpatialDropout2D(0.5), L.Flatten(), L.Dropout(0.5)
    ),
    "residual": residual,
}


def randomized(model: Any, seed: int = 0) -> Any:
    """Every weight random, also those that begin as 0 or 1 and would hide a mistake."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        positive = isinstance(layer, L.BatchNormalization)  # a variance has to be
        layer.set_weights([random.uniform(0.2, 0.9, w.shape) if positive else _normal(random, w.shape) for w in layer.get_weights()])
    return model


def _normal(random: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Scaled so that a layer keeps the size of what goes through it."""
    return random.normal(0, 1 / np.sqrt(max(np.prod(shape[:-1]), 1)), shape)


def inputs(model: Any, rows: int = 40, highest: float = 255.0) -> Any:
    return np.random.default_rng(1).uniform(0, highest, (rows, *model.input_shape[1:])).astype(np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_answers_as_keras(name: str, tmp_path: Path) -> None:
    model = randomized(NETWORKS[name]())
    x = inputs(model, highest=255.0 if "scal" in name or name in ("founding", "normalization") else 1.0)
    probabilities, embedding = keras_answer(model, x)
    onnx.save(emit(model), tmp_path / "model.onnx")
    for batch in (1, 7):
        found = answer(tmp_path / "model.onnx", x, batch)
        assert np.abs(found[0] - probabilities).max() < 1e-5
        assert np.allclose(found[1], embedding, rtol=1e-4, atol=1e-5 * max(1, np.abs(embedding).max()))
    assert np.ptp(probabilities, axis=0).max() > 1e-4, "the network answers the same to everything, so it tests nothing"


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation: str, tmp_path: Path) -> None:
    model = randomized(sequential((5, 5, 2), L.Conv2D(3, 3, activation=activation), L.Flatten(), L.Activation(activation), L.Dense(3)))
    x = inputs(model, highest=2.0) - 1
    onnx.save(emit(model), tmp_path / "model.onnx")
    expected, found = keras_answer(model, x), answer(tmp_path / "model.onnx", x, 7)
    assert np.abs(found[0] - expected[0]).max() < 1e-5
    assert np.allclose(found[1], expected[1], rtol=1e-4, atol=1e-5)


def test_names_and_shapes() -> None:
    graph = emit(NETWORKS["founding"]()).graph

    def described(value: Any) -> tuple[str, list[Any]]:
        return value.name, [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]

    assert [described(value) for value in graph.input] == [("image", ["batch", 12, 12, 1])]
    assert [described(value) for value in graph.output] == [("probabilities", ["batch", 4]), ("embedding", ["batch", 9])]


def test_founding_graph_has_nothing_to_spare() -> None:
    """One channel is renamed and not moved, the scale and the order of the rows are in the kernels, dropout is gone."""
    nodes = [node.op_type for node in emit(NETWORKS["founding"]()).graph.node]
    assert nodes == ["Reshape", "Conv", "Relu", "MaxPool", "Flatten", "Gemm", "Gemm", "Softmax"]


def test_unknown_layer_is_named() -> None:
    model = sequential((4, 4, 1), L.Conv2DTranspose(2, 3, name="upwards"), L.Flatten())
    with pytest.raises(ExportError, match=r"'upwards' is a Conv2DTranspose.*Conv2D"):
        emit(model)


def test_unknown_activation_is_named() -> None:
    with pytest.raises(ExportError, match=r"'log_sigmoid'"):
        emit(sequential((4, 4, 1), L.Flatten(), L.Dense(2, activation="log_sigmoid")))


@pytest.mark.parametrize(
    ("layer", "word"),
    [
        (L.Normalization(axis=1, mean=[0] * 4, variance=[1] * 4, name="rows"), "rows"),
        (L.BatchNormalization(axis=1, name="rows"), "rows"),
        (L.Softmax(axis=1, name="rows"), "rows"),
        (L.ReLU(threshold=1.0, name="late"), "late"),
    ],
)
def test_a_form_without_export_is_refused(layer: Any, word: str) -> None:
    with pytest.raises(ExportError, match=word):
        emit(sequential((4, 4, 1), layer, L.Flatten()))


def test_network_without_dense_is_refused() -> None:
    with pytest.raises(ExportError, match="no Dense"):
        emit(keras.Sequential([keras.Input((4, 4, 1)), L.Conv2D(2, 3), L.Flatten()]))


def test_a_wrong_file_does_not_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that is off by a thousandth is found."""
    model = randomized(NETWORKS["founding"]())
    x = inputs(model, 300).astype(np.uint8)
    export(model, tmp_path / "right.onnx", x, seed=0)

    def slightly_wrong(model: Any) -> onnx.ModelProto:
        proto = emit(model)
        kernel = next(constant for constant in proto.graph.initializer if constant.name.endswith("kernel"))
        kernel.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(kernel) * np.float32(1.01), kernel.name))
        return proto

    monkeypatch.setattr("training.onnx.export.emit", slightly_wrong)
    with pytest.raises(ExportError, match=r"wrong\.onnx on random inputs, 1 at a time: \w+ differ"):
        export(model, tmp_path / "wrong.onnx", x, seed=0)
    assert TOLERANCE <= 1e-4

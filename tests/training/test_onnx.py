"""The ONNX emitter: Keras is the oracle of every graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from keras.src.applications.convnext import LayerScale
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

from tests.training.small_networks import randomized
from training.errors import ExportError
from training.onnx.activations import ACTIVATIONS
from training.onnx.answers import answer
from training.onnx.emit import emit
from training.onnx.export import TOLERANCE, export, keras_answer, random_like

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
    "conv 1D": lambda: sequential((11, 3), L.Conv1D(5, 3, strides=2, padding="same", activation="relu"), L.Conv1D(4, 2), L.Flatten()),
    "conv 1D, one channel": lambda: sequential((11, 1), L.Conv1D(5, 3, dilation_rate=2, padding="causal"), L.Flatten(), L.Dense(6)),
    "depthwise and separable 1D": lambda: sequential(
        (11, 4), L.DepthwiseConv1D(3, depth_multiplier=2), L.SeparableConv1D(5, 3, padding="same", depth_multiplier=2), L.Flatten()
    ),
    "separable": lambda: sequential((9, 8, 3), L.Rescaling(1 / 255), L.SeparableConv2D(5, 3, strides=2, activation="relu"), L.Flatten()),
    "pools 1D": lambda: sequential(
        (13, 3),
        L.MaxPooling1D(3, strides=2, padding="same"),
        L.AveragePooling1D(2, padding="same"),
        L.Conv1D(4, 2),
        L.GlobalAveragePooling1D(),
    ),
    "global max": lambda: sequential(
        (8, 7, 3), L.Conv2D(5, 3), L.GlobalMaxPooling2D(keepdims=True), L.Conv2D(6, 1), L.GlobalMaxPooling2D()
    ),
    "pads and crops": lambda: sequential(
        (8, 7, 3), L.ZeroPadding2D(((1, 2), (0, 3))), L.Conv2D(5, 3), L.Cropping2D(((0, 1), (2, 0))), L.ZeroPadding2D(1), L.Flatten()
    ),
    "pads and crops 1D": lambda: sequential((8, 3), L.ZeroPadding1D((1, 2)), L.Conv1D(5, 3), L.Cropping1D((1, 2)), L.LSTM(4)),
    "permute, repeat": lambda: sequential((6, 4, 2), L.Permute((3, 1, 2)), L.Flatten(), L.Dense(5), L.RepeatVector(7), L.GRU(6)),
    "each step by itself": lambda: sequential(
        (5, 6, 4, 1),
        L.TimeDistributed(L.Rescaling(1 / 255)),
        L.TimeDistributed(L.Conv2D(3, 3)),
        L.TimeDistributed(L.Flatten()),
        L.TimeDistributed(L.Dense(6, activation="tanh")),
        L.LSTM(5),
    ),
    "slopes": lambda: sequential((6, 6, 2), L.PReLU(), L.Conv2D(3, 3), L.PReLU(shared_axes=[1, 2]), L.Flatten(), L.ELU(0.7), L.Dense(5)),
    "groups of channels": lambda: sequential(
        (6, 6, 4), L.GroupNormalization(2), L.Conv2D(6, 3), L.GroupNormalization(1), L.GroupNormalization(-1, scale=False), L.Flatten()
    ),
    "group normalization of a sequence": lambda: sequential(
        (7, 4), L.GroupNormalization(-1), L.GRU(6, return_sequences=True), L.GroupNormalization(3), L.Flatten()
    ),
    "groups of features": lambda: sequential((12,), L.GroupNormalization(4), L.Dense(6), L.UnitNormalization(), L.Dense(5)),
    "layer normalization": lambda: sequential(
        (6, 5, 2),
        L.LayerNormalization(axis=[1, 2, 3]),
        L.Conv2D(3, 3),
        L.LayerNormalization(center=False),
        L.Flatten(),
        L.LayerNormalization(),
    ),
    "averages over time": lambda: sequential(
        (7, 4), L.LSTM(6, return_sequences=True), L.BatchNormalization(), L.GlobalAveragePooling1D(keepdims=True), L.GRU(3)
    ),
    "recurrent, other activations": lambda: sequential(
        (7, 4),
        L.LSTM(6, activation="softsign", recurrent_activation="hard_sigmoid", use_bias=False, return_sequences=True),
        L.GRU(5, activation="elu", recurrent_activation="sigmoid", return_sequences=True),
        L.SimpleRNN(4, activation="linear"),
    ),
    "backwards": lambda: sequential(
        (7, 4), L.GRU(6, go_backwards=True, return_sequences=True), L.SimpleRNN(5, "relu", go_backwards=True, unroll=True)
    ),
    "both ways, added": lambda: sequential(
        (7, 4), L.Bidirectional(L.GRU(6, return_sequences=True), "sum"), L.Bidirectional(L.LSTM(6), "mul"), L.Dense(5)
    ),
    "rows of pixels": lambda: sequential((6, 5, 1), L.Rescaling(1 / 255), L.Reshape((6, 5)), L.LSTM(6)),
    "merges": lambda: merged(),
    "attention of two": lambda: attended(),
    "einsum": lambda: sequential(
        (6, 4),
        L.EinsumDense("abc,cde->abde", (6, 2, 3), bias_axes="de"),
        L.EinsumDense("abcd,cde->abe", (6, 5), bias_axes="b", activation="tanh"),
        L.EinsumDense("...c,cd->...d", 6),
        L.Flatten(),
    ),
    "models in a model": lambda: nested(),
    "zeros around what is below 0, then the highest": lambda: sequential(
        (8, 8, 2), L.Conv2D(4, 3), L.ZeroPadding2D(2), L.MaxPooling2D(3, strides=2), L.ZeroPadding2D(1), L.MaxPooling2D(2), L.Flatten()
    ),
    "arithmetic between layers": lambda: calculated(),
    "the arithmetic of caffe": lambda: as_in_caffe(),
    "classes told by a convolution": lambda: keras.Sequential(
        [
            keras.Input((9, 9, 2), name="image"),
            L.Conv2D(6, 3, strides=2, activation="relu"),
            L.Conv2D(4, 3),
            L.GlobalAveragePooling2D(),
            L.Softmax(),
        ]
    ),
    "classes told place by place": lambda: keras.Sequential(
        [keras.Input((5, 2), name="image"), L.Dense(3, activation="relu"), L.Flatten(), L.Softmax()]
    ),
    "nothing but an answer": lambda: keras.Sequential([keras.Input((4,), name="image"), L.BatchNormalization(), L.Softmax()]),
    "one layer, other layers between": lambda: interleaved(),
}


def merged() -> Any:
    """Every layer that makes one of several, of tensors that lie differently."""
    image = keras.Input((6, 6, 2), name="image")
    one, two = L.Conv2D(3, 3, padding="same")(image), L.Dense(3)(image)
    gate = L.Conv2D(3, 1, activation="sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(one))
    parts = [L.Subtract()([one, two]), L.Multiply()([one, gate]), L.Average()([one, two]), L.Maximum()([one, two]), L.Minimum()([two, one])]
    joined = L.Concatenate()([one, L.Concatenate()(parts)])
    flat = L.Concatenate()([L.Flatten()(joined), L.Flatten()(one), L.Flatten()(image)])
    rows = L.Concatenate(axis=1)([L.Average()([one, two]), one])
    return keras.Model(image, L.Dense(4, activation="softmax")(L.Concatenate()([L.Dense(6)(flat), L.GlobalMaxPooling2D()(rows)])))


def attended() -> Any:
    """Attention with a query, a value and a key of its own, of other lengths and sizes."""
    sequence = keras.Input((7, 4), name="image")
    query, key = L.Dense(5)(sequence), L.LSTM(6, return_sequences=True)(sequence)
    found = L.MultiHeadAttention(2, 3, value_dim=5)(query=L.Cropping1D((1, 2))(query), value=sequence, key=key)
    again = L.MultiHeadAttention(1, 4, use_bias=False, output_shape=6)(found, found)
    return keras.Model(sequence, L.Dense(4, activation="softmax")(L.Flatten()(again)))


def nested() -> Any:
    """Models in a model, one of them used twice and with another inside; its layers have the names of others."""
    inner = keras.Sequential([keras.Input((6,)), L.Dense(6, activation="tanh", name="same")])
    first = keras.Input((6,))
    twice = keras.Model(first, L.Add()([first, inner(L.Dense(6, name="other")(first))]), name="twice")
    x = keras.Input((6,), name="image")
    last = keras.Sequential([keras.Input((6,)), L.Dense(5, name="same"), L.Dense(4, activation="softmax", name="other")])
    return keras.Model(x, last(twice(L.Dense(6, name="same")(twice(x)))))


def calculated() -> Any:
    """With numbers on either side, by channel and for all, with other tensors, on three axes and on one."""
    x = keras.Input((7, 6, 3), name="image")
    numbers = np.array([0.2, 0.3, 0.5], np.float32)
    y = ((x / 0.5 - 1.0) * 2.0 - numbers) / numbers[None, None]
    y = L.Conv2D(3, 3, padding="same")(y) * y + (1.5 - y) - keras.ops.divide(numbers, 2.0 + y * y)
    flat = L.Flatten()(y) * 0.25 - 0.5
    return keras.Model(x, L.Dense(4, activation="softmax")(flat / 3.0))


def as_in_caffe() -> Any:
    """Channels in the other order, less their means, then layers that only Keras' own networks have."""
    x = keras.Input((8, 8, 3), name="image")
    y = L.Conv2D(6, 3)(keras.applications.resnet50.preprocess_input(x) / 255)
    y = CustomScaleLayer(0.3)([y, LayerScale(0.5, 6)(L.Conv2D(6, 1)(y))])
    return keras.Model(x, L.Dense(4, activation="softmax")(L.GlobalAveragePooling2D()(y)))


def interleaved() -> Any:
    """A layer whose second use depends on a layer that comes after its first."""
    x = keras.Input((6,), name="image")
    shared = L.Dense(6, activation="tanh", name="shared")
    return keras.Model(x, L.Dense(4, activation="softmax")(L.Add()([x, shared(L.LayerNormalization()(shared(x)))])))


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


def test_arithmetic_that_cannot_be_exported_is_named() -> None:
    x = keras.Input((4, 4, 2), name="image")
    for y, told in (
        (x**2.0, "operation 'power.*' is a Power, which has no ONNX form here; there are Add, Subtract"),
        (x + np.ones((4, 4, 1), np.float32), r"add.* takes numbers of shape \(4, 4, 1\)"),
        (x[:, :2], "get_item.* takes a part of a tensor that cannot be exported"),
    ):
        with pytest.raises(ExportError, match=told):
            emit(keras.Model(x, L.Dense(2)(L.Flatten()(y))))


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
        (L.LayerNormalization(axis=1, name="rows"), "rows"),
        (L.GroupNormalization(2, axis=1, name="rows"), "rows"),
        (L.Normalization(mean=[0], variance=[1], invert=True, name="back"), "back"),
    ],
)
def test_a_form_without_export_is_refused(layer: Any, word: str) -> None:
    with pytest.raises(ExportError, match=word):
        emit(sequential((4, 4, 1), layer, L.Flatten()))


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([L.LSTM(3, stateful=True, name="memory")], ["memory", "state"]),
        ([L.GRU(3, activation="gelu", name="odd")], ["odd", "gelu", "tanh"]),
        ([L.Bidirectional(L.LSTM(3, go_backwards=True), backward_layer=L.LSTM(3), name="turned")], ["turned", "go_backwards"]),
        ([L.Bidirectional(L.RNN(L.LSTMCell(3)), name="both")], ["RNN", "LSTM, GRU"]),
        ([L.Masking(name="padding"), L.LSTM(3)], ["padding", "masks"]),
        ([L.TimeDistributed(L.UpSampling1D(2), name="each"), L.Flatten()], ["each", "UpSampling1D"]),
    ],
)
def test_a_sequence_that_would_be_read_otherwise_is_refused(layers: list[Any], words: list[str]) -> None:
    x = keras.Input((4, 4, 2) if "each" in words else (4, 2), name="sequence", batch_size=2 if "memory" in words else None)
    with pytest.raises(ExportError) as raised:
        emit(keras.Sequential([x, *layers, L.Dense(2)]))
    assert all(word in str(raised.value) for word in words), raised.value


def test_padding_that_is_masked_is_refused() -> None:
    """Keras skips a 0 wherever it stands, ONNX only at the end of a sequence."""
    model = keras.Sequential([keras.Input((4,), name="tokens"), L.Embedding(5, 3, mask_zero=True, name="words"), L.LSTM(3), L.Dense(2)])
    with pytest.raises(ExportError, match="'words' masks padding"):
        emit(model)


@pytest.mark.parametrize("argument", ["use_causal_mask", "training"])
def test_a_call_with_more_than_the_emitter_looks_at_is_refused(argument: str) -> None:
    x = keras.Input((4, 3), name="sequence")
    attended = L.MultiHeadAttention(1, 2, name="attention")(x, x, **{argument: True})
    with pytest.raises(ExportError, match=f"'attention' is called with {argument}"):
        emit(keras.Model(x, L.Dense(2)(L.Flatten()(attended))))


def test_two_outputs_of_a_layer_are_refused() -> None:
    x = keras.Input((4, 3), name="sequence")
    with pytest.raises(ExportError, match="'reader' gives more than one output"):
        emit(keras.Model(x, L.Dense(2)(L.LSTM(3, return_state=True, name="reader")(x)[1])))


def test_an_input_with_the_name_of_an_output_is_refused() -> None:
    with pytest.raises(ExportError, match="'value'"):
        emit(keras.Sequential([keras.Input((3,), name="value"), L.Dense(1)]))


def test_recurrent_layers_are_turned_once() -> None:
    """The time goes before the batch once for all of them, and nothing comes back before the end."""
    layers = [
        L.LSTM(4, return_sequences=True),
        L.LayerNormalization(),
        L.Bidirectional(L.GRU(4, return_sequences=True)),
        L.Dense(3),
        L.GRU(2),
    ]
    model = keras.Sequential([keras.Input((5, 3), name="sequence"), *layers, L.Dense(2, "softmax")])
    nodes = [node.op_type for node in emit(model).graph.node]
    assert nodes.count("Transpose") == 1
    assert [node for node in nodes if node in ("LSTM", "GRU", "RNN")] == ["LSTM", "GRU", "GRU", "GRU"]


def test_a_column_far_from_zero_keeps_its_digits(tmp_path: Path) -> None:
    """Years: what tells one from the other is in the last digits of float32."""
    model = keras.Sequential([keras.Input((1,), name="row"), L.Normalization(mean=[2_000_000], variance=[4]), L.Dense(3), L.Dense(1)])
    x = np.float32([[1_999_997], [2_000_001], [2_000_005]])
    onnx.save(emit(model), tmp_path / "model.onnx")
    assert np.allclose(answer(tmp_path / "model.onnx", x)[0], model.predict(x, verbose=0), atol=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float32])
def test_random_inputs_are_like_the_real_ones(kind: Any) -> None:
    real = np.array([[0, 5], [3, 9]], kind) if kind is not np.float32 else np.array([[0.5, 5], [3, 9.25]], kind)
    drawn = random_like(real, 500, seed=0)
    assert drawn.shape == (500, 2)
    assert drawn.dtype == kind
    if kind is not np.uint8:
        assert (real.min(axis=0) <= drawn.min(axis=0)).all()
        assert (drawn.max(axis=0) <= real.max(axis=0)).all()
    assert len(np.unique(drawn)) == {np.uint8: 256, np.int32: 9, np.float32: 1000}[kind] or kind is np.uint8


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


@pytest.mark.parametrize("shape", [(12, 10, 1), (12, 10, 3), (12, 1), (12, 3)])
@pytest.mark.parametrize("scale", ["normalized", "from -1 to 1", "batch normalized", "a factor"])
def test_few_channels_are_scaled_along_the_places(shape: tuple[int, ...], scale: str) -> None:
    """ONNX Runtime computes along the last axis, and is thirty times as slow where that has one or three numbers."""
    channels = shape[-1]
    layer = {
        "normalized": lambda: L.Normalization(mean=[3.0] * channels, variance=[4.0] * channels),
        "from -1 to 1": lambda: L.Rescaling(1 / 127.5, -1),
        "batch normalized": lambda: L.BatchNormalization(),
        "a factor": lambda: L.Rescaling(1 / 255),
    }[scale]()
    model = onnx.shape_inference.infer_shapes(emit(sequential(shape, layer, L.Activation("tanh"), L.Flatten())))
    sizes = {one.name: [size.dim_value for size in one.type.tensor_type.shape.dim] for one in (*model.graph.value_info, *model.graph.input)}
    constants = {one.name: list(one.dims) for one in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in ("Mul", "Add", "Sub", "Div")]
    assert nodes
    for node in nodes:
        first, *beside = [sizes[name] for name in node.input if name in sizes], [constants[n] for n in node.input if n in constants]
        assert first[0][-1] >= 10 or beside[0] == [[1] * len(first[0])], node.name


def steep(weights: Any) -> Any:
    """A network that makes much of little: what is left of large sums, times a thousand."""
    x = keras.Input((64,), name="image")
    dense = L.Dense(4)
    model = keras.Model(x, L.Rescaling(1000.0)(L.Subtract()([dense(x), L.Dense(4)(L.Activation("linear")(x))])))
    kernel = np.random.default_rng(0).normal(size=(64, 4))
    model.set_weights([kernel, np.zeros(4), kernel[:, ::-1] * weights, np.zeros(4)])
    return model


def test_a_network_that_makes_much_of_the_last_digit_may_differ_by_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(1).normal(size=(100, 64)).astype(np.float32)
    model = steep(1.0)
    onnx.save(emit(model), tmp_path / "model.onnx")
    off = np.abs(answer(tmp_path / "model.onnx", x)[0] - keras_answer(model, x)[0]).max()
    monkeypatch.setattr("training.onnx.export.TOLERANCE", float(off) / np.abs(keras_answer(model, x)[0]).max() / 2)
    export(model, tmp_path / "model.onnx", x, 0)  # it is over the tolerance now, and no more than Keras itself moves
    other = emit(steep(1.0 + 1e-4))
    monkeypatch.setattr("training.onnx.export.emit", lambda _: other)
    with pytest.raises(ExportError, match="differ from Keras"):
        export(model, tmp_path / "model.onnx", x, 0)

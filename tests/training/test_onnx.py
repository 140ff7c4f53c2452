"""The ONNX emitter: Keras is the oracle of every graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from tests.training.layer_networks import NETWORKS, inputs, sequential
from tests.training.small_networks import randomized
from training.errors import ExportError
from training.onnx.activations import ACTIVATIONS
from training.onnx.answers import answer
from training.onnx.emit import emit
from training.onnx.export import TOLERANCE, export, keras_answer, random_like

pytestmark = pytest.mark.training
L = keras.layers


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

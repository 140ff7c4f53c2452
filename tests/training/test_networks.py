"""Networks by recipe: what is built is what the recipe says, of stock Keras layers, and what cannot be built is named."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest

from tests.training.problems import DIABETES, IMAGE, SEQUENCE, WINE, diabetes, ready, sequences, wine, with_layers
from training.data.parts import Part, Problem
from training.errors import RecipeError
from training.networks.network import build
from training.networks.servable import check_servable
from training.recipe import Recipe

pytestmark = pytest.mark.training
FLATTEN = {"kind": "Flatten"}


def kinds(network: Any) -> list[str]:
    return [type(layer).__name__ for layer in network.layers]


def test_the_founding_network() -> None:
    network = build(ready("founding"), IMAGE)
    assert network.count_params() == 1_199_882
    assert kinds(network) == [
        *("InputLayer", "Rescaling", "Conv2D", "Conv2D", "MaxPooling2D", "Dropout", "Flatten", "Dense", "Dropout", "Dense"),
    ]


IMAGES = Part(np.random.default_rng(0).integers(0, 256, (8, 28, 28, 1)).astype(np.uint8), np.arange(8))


@pytest.mark.parametrize(
    ("name", "problem", "rows"),
    [
        *((name, IMAGE, IMAGES) for name in ("dense", "cnn", "fashion_15k", "fashion_50k", "lstm", "gru", "transformer")),
        *((name, SEQUENCE, sequences()) for name in ("lstm", "gru", "transformer")),
        ("table", WINE, wine().train),
        ("regression", DIABETES, diabetes().train),
    ],
)
def test_ready_recipes_need_nothing_but_keras(name: str, problem: Problem, rows: Part) -> None:
    """model.json and the weights give the same answers in a Keras that knows no line of ours."""
    network = build(ready(name), problem, rows)
    assert {type(layer).__module__.split(".")[0] for layer in network.layers} == {"keras"}
    again = keras.models.model_from_json(network.to_json())
    again.set_weights(network.get_weights())
    expected, found = (np.asarray(model(rows.x[:8].astype(np.float32))) for model in (network, again))
    assert np.array_equal(expected, found)
    assert expected.shape == (8, max(len(problem.classes), 1))
    if problem.classes:
        assert np.allclose(expected.sum(axis=1), 1, atol=1e-5)


def test_every_kind_of_layer() -> None:
    """Those that are in no ready recipe, with their norms, activations and wrapped layers."""
    recipe = with_layers(
        {"kind": "Conv2D", "filters": 4, "kernel_size": [3, 3], "activation": "elu"},
        {"kind": "GroupNormalization", "groups": -1},
        {"kind": "LeakyReLU", "negative_slope": 0.1},
        {"kind": "Rows"},
        {"kind": "SimpleRNN", "units": 4, "return_sequences": True},
        {"kind": "Bidirectional", "layer": {"kind": "LSTM", "units": 3, "return_sequences": True}},
        {"kind": "LayerNormalization"},
        {"kind": "TimeDistributed", "layer": {"kind": "Dense", "units": 5, "activation": "selu"}},
        {"kind": "GRU", "units": 2, "activation": "tanh"},
    )
    network = build(recipe, IMAGE)
    assert network.output_shape == (None, 10)
    assert kinds(network)[2:-1] == [
        *("Conv2D", "GroupNormalization", "LeakyReLU", "Reshape", "SimpleRNN", "Bidirectional", "LayerNormalization"),
        *("TimeDistributed", "GRU"),
    ]
    assert network.layers[7].output.shape == (None, 26, 6)  # both ways of three units


def test_standardized_by_the_training_rows() -> None:
    rows = Part(np.c_[wine().train.x[:, :12], np.full(len(wine().train), 7.0, np.float32)], wine().train.y)
    network = build(with_layers(), WINE, rows)
    scaled = np.asarray(network.layers[1](rows.x))
    expected = (rows.x[:, :12] - rows.x[:, :12].mean(axis=0)) / rows.x[:, :12].std(axis=0)
    assert np.allclose(scaled[:, :12], expected, atol=1e-4)
    assert np.array_equal(scaled[:, 12], np.zeros(len(rows)))  # and a column that never changes is not blown up
    assert np.array_equal(np.asarray(network.layers[1](rows.x + np.float32([0] * 12 + [1])))[:, 12], np.ones(len(rows)))


@pytest.mark.parametrize(
    ("normalization", "problem", "layers", "expected"),
    [
        ("auto", IMAGE, [FLATTEN], "Rescaling"),
        ("auto", SEQUENCE, [FLATTEN], "Normalization"),
        ("standardize", IMAGE, [FLATTEN], "Normalization"),
        ("range", SEQUENCE, [FLATTEN], "Rescaling"),
        ("none", IMAGE, [FLATTEN], "Flatten"),
        ("auto", WINE, [{"kind": "Embedding", "input_dim": 2000, "output_dim": 2}, FLATTEN], "Embedding"),
    ],
)
def test_what_scales_the_inputs(normalization: str, problem: Problem, layers: list[Any], expected: str) -> None:
    rows = {IMAGE: IMAGES, SEQUENCE: sequences(), WINE: wine().train}[problem]
    assert kinds(build(with_layers(*layers, normalization=normalization), problem, rows))[1] == expected


def test_a_range_is_brought_to_0_and_1() -> None:
    network = build(with_layers(FLATTEN, normalization="range"), SEQUENCE)
    assert np.asarray(network.layers[1](np.array([-5.0, 0.0, 5.0]))) == pytest.approx([0.0, 0.5, 1.0])


def test_a_regression_answers_in_the_unit_of_its_target() -> None:
    split = diabetes()
    network = build(ready("regression"), DIABETES, split.train)
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    network.layers[-2].bias.assign([1.0])  # one standard deviation above the mean
    answers = np.asarray(network(split.train.x))
    assert answers == pytest.approx(np.full((len(split.train), 1), split.train.y.mean() + split.train.y.std()), rel=1e-5)
    assert kinds(network)[-2:] == ["Dense", "Rescaling"]
    assert kinds(build(with_layers(normalization="none"), DIABETES))[-1] == "Dense"


def test_regularizers_and_initializers() -> None:
    layer = {
        "kind": "Dense",
        "units": 400,
        "activation": "relu",
        "kernel_initializer": "he_normal",
        "bias_initializer": {"kind": "Constant", "value": 0.5},
        "kernel_regularizer": {"l1": 0.01, "l2": 0.001},
    }
    keras.utils.set_random_seed(0)
    network = build(
        with_layers(FLATTEN, layer, {"kind": "Dense", "units": 3, "kernel_initializer": {"kind": "RandomNormal", "stddev": 2.0}}), IMAGE
    )
    kernel, bias = (np.asarray(weight) for weight in network.layers[3].weights)
    assert kernel.std() == pytest.approx(math.sqrt(2 / 784), rel=0.02)  # He et al. 2015, eq. 10
    assert np.array_equal(bias, np.full(400, 0.5, np.float32))
    assert np.asarray(network.layers[4].kernel).std() == pytest.approx(2.0, rel=0.1)
    assert float(network.losses[0]) == pytest.approx(0.01 * np.abs(kernel).sum() + 0.001 * (kernel**2).sum(), rel=1e-4)


@pytest.mark.parametrize(
    ("inner", "projected"),
    [
        ([{"kind": "Conv2D", "filters": 1, "kernel_size": 3, "padding": "same"}], False),
        ([{"kind": "Conv2D", "filters": 6, "kernel_size": 3, "padding": "same", "strides": 2}], True),
    ],
)
def test_a_residual_adds_what_came_in(inner: list[Any], projected: bool) -> None:
    network = build(with_layers({"kind": "Residual", "layers": inner, "activation": "relu"}, FLATTEN), IMAGE)
    assert kinds(network).count("Conv2D") == 1 + projected
    assert "Add" in kinds(network)
    if not projected:  # with a kernel of nothing the block is ReLU of what came in
        convolution = next(layer for layer in network.layers if type(layer).__name__ == "Conv2D")
        convolution.set_weights([np.zeros_like(weight) for weight in convolution.get_weights()])
        flat = np.asarray(keras.Model(network.inputs[0], network.layers[-2].output)(IMAGES.x.astype(np.float32)))
        assert np.allclose(flat, IMAGES.x.reshape(8, -1) / 255, atol=1e-6)


def test_a_transformer_sees_the_place_only_with_an_embedding_of_it() -> None:
    encoder = {"kind": "TransformerEncoder", "heads": 2, "key_dim": 4, "ff_units": 8}
    pool = {"kind": "GlobalAveragePooling1D"}
    rows = sequences().x[:8]
    turned = rows[:, ::-1]
    for layers, told in (([encoder, pool], False), ([{"kind": "PositionalEmbedding", "units": 8}, encoder, pool], True)):
        network = build(with_layers(*layers, normalization="range"), SEQUENCE)
        one, other = (np.asarray(network(x)) for x in (rows, turned))
        assert np.allclose(one, other, atol=1e-5) != told


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (with_layers({"kind": "Magic"}), ["layers.0", "'Magic'", "Dense"]),
        (with_layers({"kind": "Dense", "unit": 3}), ["layers.0 (Dense)", "'unit'", "units"]),
        (with_layers({"kind": "Dense", "units": "many"}), ["layers.0 (Dense)", "many"]),
        (with_layers(FLATTEN, {"kind": "Conv2D", "filters": 3, "kernel_size": 3}), ["layers.1 (Conv2D)"]),
        (with_layers({"kind": "Dense", "units": 3}), ["(28, 28, 3)", "Flatten"]),
        (with_layers({"kind": "Dense", "units": 3, "activation": "reluu"}), ["layers.0", "reluu"]),
        (with_layers({"kind": "Dense", "units": 3, "kernel_regularizer": {"l3": 1}}), ["layers.0.kernel_regularizer", "'l3'", "l1, l2"]),
        (with_layers({"kind": "Dense", "units": 3, "kernel_initializer": {"kind": "X"}}), ["layers.0.kernel_initializer", "'X'"]),
        (with_layers({"kind": "TransformerEncoder", "head": 2}), ["layers.0 (TransformerEncoder)", "'head'", "heads"]),
        (with_layers({"kind": "Residual", "layers": [{"kind": "Flatten"}]}), ["layers.0 (Residual)", "cannot be added"]),
        (with_layers({"kind": "Residual", "layers": [{"kind": "Dense", "unit": 3}]}), ["layers.0.layers.0 (Dense)", "'unit'"]),
        (with_layers({"kind": "Residual", "layers": 3}), ["layers.0.layers"]),
        (with_layers(FLATTEN, output_activation="softmux"), ["output_activation", "'softmux'"]),
        (with_layers(FLATTEN, normalization="standardize"), ["training rows", "normalization"]),
    ],
)
def test_what_cannot_be_built_is_named(recipe: Recipe, words: list[str]) -> None:
    with pytest.raises(RecipeError) as raised:
        build(recipe, IMAGE)
    assert all(word in str(raised.value) for word in words), raised.value
    assert "\n" not in str(raised.value)


def test_what_cannot_be_served_is_named_before_training() -> None:
    written = ("Dense", "Flatten", "Add", "Conv2D")
    check_servable(with_layers(FLATTEN, {"kind": "Dense", "units": 3, "activation": "relu"}), written)
    inner = {"kind": "Residual", "layers": [{"kind": "Bidirectional", "layer": {"kind": "Dense", "units": 3}}]}
    for layer, words in (
        ({"kind": "TransformerEncoder"}, "layers.0 has the kind 'TransformerEncoder'; those that can be served are Dense"),
        (inner, "layers.0.layers.0 has the kind 'Bidirectional'"),
        ({"kind": "Dense", "activation": "glu"}, "layers.0.activation is 'glu'"),
    ):
        with pytest.raises(RecipeError) as raised:
            check_servable(with_layers(layer), written)
        assert words in str(raised.value)

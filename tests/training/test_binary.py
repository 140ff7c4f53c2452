"""Binary kernels. The oracles: every choice of signs tried out, the plain network with the kernels that are computed with."""

from __future__ import annotations

import dataclasses
import io
import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.alike import assert_same_weights
from tests.training.layer_networks import NETWORKS
from tests.training.problems import DIABETES, IMAGE, SEQUENCE, WINE, diabetes, ready, sequences, wine, with_layers
from tests.training.runs import SMALL, veleta_train
from training.compression.variants import shrink
from training.data.parts import Split
from training.data.sources import load
from training.errors import RecipeError
from training.fitting.attempt import attempt
from training.fitting.fit import one_hot
from training.fitting.precision import computing_in
from training.fitting.progress import Progress
from training.networks.base import PREFIX
from training.networks.binary import binarized, binary, settled
from training.networks.network import build
from training.onnx.answers import answer
from training.onnx.graph import Graph
from training.publishing.keras_files import write_keras_files
from training.recipe import Recipe, recorded_recipe

pytestmark = pytest.mark.training
L = keras.layers
SMALL_CNN = with_layers(
    {"kind": "Conv2D", "filters": 8, "kernel_size": 5, "strides": 2, "activation": "relu"},
    {"kind": "Conv2D", "filters": 16, "kernel_size": 3, "strides": 2, "use_bias": False},
    {"kind": "BatchNormalization", "momentum": 0.9},
    {"kind": "ReLU"},
    {"kind": "Flatten"},
    {"kind": "Dense", "units": 32, "activation": "relu"},
    kernels="binary",
    optimizer="adam",
    learning_rate=0.003,
    batch_size=32,
    epochs=4,
    prune_epochs=3,
)


def binary_names(network: Any) -> list[str]:
    """The layers whose kernels have one size a channel."""
    kernels = {layer.name: np.abs(np.asarray(layer.kernel)) for layer in network.layers if hasattr(layer, "kernel")}
    return [name for name, sizes in kernels.items() if (sizes.reshape(-1, sizes.shape[-1]) == sizes.reshape(-1, sizes.shape[-1])[0]).all()]


@pytest.fixture(scope="module")
def digits() -> Split:
    whole = load("digits").split(seed=0)
    return Split(whole.train.draw(1200, 0), whole.validation, whole.test)


def test_no_kernel_of_one_bit_a_weight_lies_nearer() -> None:
    kernel = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    found = np.asarray(binary(kernel))
    for channel, mine in zip(kernel.reshape(8, 3).T, found.reshape(8, 3).T, strict=True):
        signs = np.array(list(itertools.product((-1, 1), repeat=8)))
        sizes = signs @ channel / 8  # the least squares of one number
        errors = np.square(channel - sizes[:, None] * signs).sum(axis=1)
        assert np.square(channel - mine).sum() == pytest.approx(errors.min())


def test_the_gradient_is_that_of_the_kernel_which_is_computed_with() -> None:
    network = keras.Sequential([keras.Input((5,)), L.Dense(4), L.Dense(6, activation="tanh", name="inner"), L.Dense(3)])
    learning = binarized(network)
    plain = settled(learning)
    x = np.random.default_rng(1).normal(size=(7, 5)).astype(np.float32)
    gradients = []
    for model in (learning, plain):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(model(x)))
        gradients.append(tape.gradient(loss, [variable.value for variable in model.trainable_variables]))
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert np.abs(gradients[0][2]).min() > 0  # and every weight of the binary kernel has one


@pytest.mark.parametrize("name", NETWORKS)
def test_a_settled_network_is_of_plain_layers_and_answers_the_same(name: str) -> None:
    network = NETWORKS[name]()
    products = dict.fromkeys(call.name for call in Graph.of(network).calls if call.kind in ("Conv1D", "Conv2D", "Dense"))
    if len(products) < 3:
        with pytest.raises(ValueError, match="between the first and the last"):
            binarized(network)
        return
    learning = binarized(network)
    plain = settled(learning)
    assert set(list(products)[1:-1]) <= set(binary_names(plain))
    x = np.random.default_rng(0).integers(0, 4, (5, *network.input_shape[1:])).astype(network.inputs[0].dtype)
    np.testing.assert_array_equal(plain(x), learning(x))
    assert not np.allclose(plain(x), network(x))
    again = keras.models.model_from_json(plain.to_json())  # without a word of ours
    again.set_weights(plain.get_weights())
    np.testing.assert_array_equal(again(x), plain(x))


def test_whatever_is_not_binary_keeps_its_weights() -> None:
    network = build(dataclasses.replace(SMALL_CNN, kernels="float"), IMAGE)
    learning = binarized(network)
    assert_same_weights(learning, network)  # what learns starts where it would have
    plain = settled(learning)
    changed = [
        (layer.name, weight.name)
        for layer in plain.layers
        for weight, before in zip(layer.weights, network.get_layer(layer.name).weights, strict=True)
        if not np.array_equal(weight, before)
    ]
    assert changed == [(name, "kernel") for name in binary_names(plain)]
    assert settled(plain) is plain


def test_a_network_learns_with_binary_kernels_and_is_pruned_with_them(digits: Split) -> None:
    progress = Progress(io.StringIO())
    made = attempt(SMALL_CNN, IMAGE, digits, progress)
    inner = [layer.name for layer in made.network.layers if type(layer).__name__ in ("Conv2D", "Dense")][1:-1]
    assert binary_names(made.network) == inner
    answers = made.network.predict(digits.test.x, verbose=0).argmax(axis=1)
    assert (answers == digits.test.y).mean() > 0.8
    pruned, tuning = shrink(made.network, SMALL_CNN, IMAGE, digits, one_hot(digits.train.y, 10), progress)
    assert tuning is not None
    assert pruned.count_params() < made.network.count_params() / 2
    assert binary_names(pruned) == inner
    assert {type(layer).__module__.partition(".")[0] for layer in pruned.layers} == {"keras"}
    answers = pruned.predict(digits.test.x, verbose=0).argmax(axis=1)
    assert (answers == digits.test.y).mean() > 0.7


def test_in_half_the_bits_the_kernels_are_those_of_float32(digits: Split) -> None:
    made = attempt(dataclasses.replace(SMALL_CNN, precision="mixed_bfloat16", epochs=2), IMAGE, digits, Progress(io.StringIO()))
    assert len(binary_names(made.network)) == 2
    assert {layer.dtype_policy.name for layer in made.network.layers} == {"float32"}
    with computing_in("mixed_bfloat16"):
        layer = build(SMALL_CNN, IMAGE).layers[-2]
    kernel = np.asarray(layer.kernel)
    np.testing.assert_array_equal(kernel, np.asarray(binary(np.asarray(layer.weights[0]))))


def test_blocks_have_binary_kernels_too_and_tables_and_sequences() -> None:
    steps = Split(sequences(), sequences(20), sequences(20))
    encoder = {"kind": "TransformerEncoder", "heads": 2, "key_dim": 4, "ff_units": 16}
    block = {"kind": "Residual", "layers": [{"kind": "Dense", "units": 8, "activation": "relu"}, {"kind": "Dense", "units": 8}]}
    cases = (
        (with_layers({"kind": "Dense", "units": 8}, encoder, {"kind": "Flatten"}), SEQUENCE, steps, 2),
        (with_layers({"kind": "Dense", "units": 8}, block), WINE, wine(), 2),
        (with_layers({"kind": "Dense", "units": 8}, {"kind": "Dense", "units": 8}), DIABETES, diabetes(), 1),
    )
    for recipe, problem, split, expected in cases:
        few = dataclasses.replace(recipe, kernels="binary", epochs=2, normalization="standardize")
        assert len(binary_names(attempt(few, problem, split, Progress(io.StringIO())).network)) == expected


def test_the_layers_of_a_base_stay_as_they_were_learnt(digits: Split, tmp_path: Path) -> None:
    whole = dataclasses.replace(SMALL_CNN, kernels="float", epochs=1)
    write_keras_files(attempt(whole, IMAGE, digits, Progress(io.StringIO())).network, tmp_path)
    recipe = with_layers({"kind": "Dense", "units": 24, "activation": "relu"}, base=str(tmp_path), kernels="binary", epochs=1)
    network = build(recipe, IMAGE, digits.train)
    (name,) = binary_names(settled(network))
    assert not name.startswith(PREFIX)


@pytest.mark.parametrize("recipe", [ready("lstm"), with_layers({"kind": "Flatten"}, {"kind": "Dense", "units": 8})])
def test_a_network_without_such_a_layer_is_refused_before_anything_is_fitted(recipe: Recipe) -> None:
    with pytest.raises(RecipeError, match=r'kernels is "binary", and no Conv1D, Conv2D or Dense .* set it to "float"'):
        build(dataclasses.replace(recipe, kernels="binary", normalization="none"), SEQUENCE)


def test_a_recipe_of_before_there_were_binary_kernels_is_one_of_float() -> None:
    recorded = {key: value for key, value in SMALL_CNN.to_dict().items() if key != "kernels"}
    found = recorded_recipe(recorded | {"name": "mine.toml"}, {}).recipe
    assert found == dataclasses.replace(SMALL_CNN, kernels="float")


def test_a_published_version_takes_a_fraction_of_the_bytes_and_says_so(tmp_path: Path) -> None:
    run = veleta_train(tmp_path / "store", "--set", *SMALL, "kernels=binary")
    assert run.code == 0, run.err
    published = run.published
    sizes = {variant.name: variant.bytes for variant in published.manifest.variants}
    parameters = {variant.name: variant.parameters for variant in published.manifest.variants}
    assert all(sizes[name] < 4 * parameters[name] / 20 for name in sizes), sizes
    assert published.manifest.training.recipe["kernels"] == "binary"
    network = keras.models.model_from_json(published.file("model.json").read_text())
    network.load_weights(published.file("model.h5"))
    x = load("digits").split(seed=0).test.x[:200]
    np.testing.assert_allclose(answer(published.path("fp32"), x)[0], network.predict(x, verbose=0), atol=1e-4)

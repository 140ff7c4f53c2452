"""Pruning. The oracle is exact: a network without some channels answers as one in which those are zero."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from tests.training.problems import WINE, ready, wine
from training.compression.channels import Groups
from training.compression.gate import reason_if_whole
from training.compression.prune import choose, kept, measure_importance, rebuild
from training.compression.variants import shrink
from training.data.parts import Part
from training.fitting.fit import one_hot
from training.fitting.progress import Progress
from training.onnx.graph import Graph

pytestmark = pytest.mark.training
L = keras.layers


def founding() -> Any:
    return keras.Sequential(
        [
            keras.Input((10, 9, 1), name="image"),
            L.Rescaling(1 / 255),
            L.Conv2D(8, 3, activation="relu", name="one"),
            L.Conv2D(6, 3, activation="relu", name="two"),
            L.MaxPooling2D(2),
            L.Dropout(0.25),
            L.Flatten(),
            L.Dense(12, activation="relu", name="three"),
            L.Dense(3, activation="softmax", name="out"),
        ]
    )


def normalized() -> Any:
    return keras.Sequential(
        [
            keras.Input((8, 8, 2), name="image"),
            L.Conv2D(8, 3, use_bias=False, name="one"),
            L.BatchNormalization(),
            L.ReLU(),
            L.Conv2D(5, 3, strides=2, padding="same", name="two"),
            L.GlobalAveragePooling2D(),
            L.Dense(3, activation="softmax", name="out"),
        ]
    )


def residual() -> Any:
    image = keras.Input((8, 8, 2), name="image")
    stem = L.Conv2D(6, 3, padding="same", activation="relu", name="one")(image)
    branch = L.Conv2D(4, 3, padding="same", activation="relu", name="inner")(stem)
    joined = L.Add()([stem, L.Conv2D(6, 3, padding="same", name="two")(branch)])
    return keras.Model(image, L.Dense(3, activation="softmax", name="out")(L.Flatten()(L.ReLU()(joined))))


def convolutional_1d() -> Any:
    """Instance normalization, depthwise and separable convolutions, a concatenation, a slope for each channel."""
    x = keras.Input((12, 3), name="sequence")
    h = L.ReLU()(L.GroupNormalization(-1)(L.Conv1D(8, 3, padding="same", name="one")(x)))
    h = L.DepthwiseConv1D(3, padding="same")(h)
    side = L.SeparableConv1D(6, 3, padding="same", activation="tanh", name="two")(h)
    h = L.PReLU(shared_axes=[1])(L.MaxPooling1D(2)(L.Concatenate()([h, side])))
    h = L.BatchNormalization()(L.Flatten()(L.Conv1D(4, 2, strides=2, name="three")(h)))
    return keras.Model(x, L.Dense(3, activation="softmax", name="out")(h))


def recurrent() -> Any:
    layers = [
        L.LSTM(8, return_sequences=True, name="one"),
        L.Bidirectional(L.GRU(6, return_sequences=True, reset_after=False), name="two"),
        L.SimpleRNN(5, name="three"),
    ]
    return keras.Sequential([keras.Input((5, 3), name="sequence"), *layers, L.Dense(3, activation="softmax", name="out")])


def both_ways_summed() -> Any:
    layers = [L.Bidirectional(L.LSTM(8, return_sequences=True), "sum", name="one"), L.GRU(6, name="two")]
    return keras.Sequential([keras.Input((5, 3), name="sequence"), *layers, L.Dense(3, activation="softmax", name="out")])


def tokens() -> Any:
    """A table, a Transformer whose hidden units alone may go, and a model in the model."""
    x = keras.Input((6,), name="tokens", dtype="int32")
    h = L.LSTM(8, return_sequences=True, name="two")(L.Embedding(20, 10, name="one")(x))
    normed = L.LayerNormalization()(L.EinsumDense("abc,cd->abd", (6, 8), bias_axes="bd")(h))
    h = L.Add()([normed, L.MultiHeadAttention(2, 4)(normed, normed)])
    inner = keras.Sequential([keras.Input((6, 8)), L.Dense(16, "gelu", name="hidden"), L.Dense(8, name="wide")], name="ff")
    h = L.GlobalAveragePooling1D()(L.Add()([h, inner(h)]))
    return keras.Model(x, L.Dense(3, activation="softmax", name="out")(h))


NETWORKS = {
    "founding": founding,
    "normalized": normalized,
    "residual": residual,
    "1D": convolutional_1d,
    "recurrent": recurrent,
    "both ways, summed": both_ways_summed,
    "tokens": tokens,
}


def make(build: Callable[[], Any]) -> tuple[Any, Groups, Part]:
    """A network with biases that are not zero, its groups, and rows for it."""
    keras.utils.set_random_seed(3)
    model = build()
    random = np.random.default_rng(0)
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign(random.uniform(0.1, 0.6, weight.shape))
    highest = 20 if model.inputs[0].name == "tokens" else 256
    rows = random.integers(0, highest, (50, *model.input_shape[1:]), dtype=np.uint8)
    return model, Groups.of(Graph.of(model)), Part(rows, random.integers(0, 3, 50))


def silence(model: Any, groups: Groups, keep: dict[str, Any]) -> Any:
    """A copy in which the channels that are not kept are zero, as is what a normalization or a depthwise kernel adds to them."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for call in Graph.of(copy).calls:
        adds = call.kind in ("BatchNormalization", "GroupNormalization", "DepthwiseConv1D")
        of = groups.taken[call.name] if adds else (groups.made.get(call.name, ""),)
        sizes = [groups.sizes.get(group, 0) for group in of]
        dropped = [np.setdiff1d(np.arange(size), keep.get(group, np.arange(size))) for group, size in zip(of, sizes, strict=True)]
        gone = np.concatenate([start + each for start, each in zip(np.cumsum([0, *sizes]), dropped, strict=False)]).astype(int)
        for weight in call.layer.weights if len(gone) else ():
            if weight.name not in ("moving_mean", "moving_variance", "depthwise_kernel") and not (adds and weight.name == "kernel"):
                values = np.asarray(weight).copy()  # gates, and the places after Flatten, one behind the other
                values.reshape(*values.shape[:-1], -1, sum(sizes))[..., gone] = 0
                weight.assign(values)
    return copy


def answers(model: Any, x: Any) -> Any:
    return np.asarray(model(x.astype(model.inputs[0].dtype), training=False))


@pytest.mark.parametrize("name", NETWORKS)
def test_removing_channels_is_setting_them_to_zero_and_removing_none_changes_nothing(name: str) -> None:
    model, groups, rows = make(NETWORKS[name])
    random = np.random.default_rng(1)
    before = answers(model, rows.x)
    same = rebuild(model, groups, {group: np.arange(size) for group, size in groups.free().items()})
    assert np.array_equal(answers(same, rows.x), before)
    assert same.count_params() == model.count_params()

    keep = {group: np.sort(random.choice(size, size // 2, replace=False)) for group, size in groups.free().items()}
    pruned = rebuild(model, groups, keep)
    expected = answers(silence(model, groups, keep), rows.x)
    assert np.abs(answers(pruned, rows.x) - expected).max() < 1e-5
    assert np.abs(expected - before).max() > 1e-3, "silencing changed nothing, so the test shows nothing"
    assert pruned.count_params() < 0.75 * model.count_params()


def test_groups_of_the_founding_network() -> None:
    groups = Groups.of(Graph.of(founding()))
    assert groups.free() == {"one": 8, "two": 6, "three": 12}


def test_an_addition_makes_one_group_and_the_output_is_never_cut() -> None:
    groups = Groups.of(Graph.of(residual()))
    assert groups.free().keys() == {groups.made["one"], "inner"}
    assert set(groups.members(groups.made["one"])) == {"one", "two"}
    assert groups.made["out"] in groups.fixed


def test_groups_of_sequences_and_tokens() -> None:
    assert Groups.of(Graph.of(recurrent())).free() == {"one": 8, "two": 6, "three": 5}
    assert Groups.of(Graph.of(tokens())).free() == {"one": 10, "ff.hidden": 16}
    groups = Groups.of(Graph.of(convolutional_1d()))
    assert groups.free() == {"one": 8, "two": 6, "three": 4}
    assert groups.taken["three"] == ("one", "two")


@pytest.mark.parametrize(
    "layers",
    [
        [L.Conv2D(4, 3, activation="sigmoid"), L.Flatten()],  # what is left of a channel of zeros is ½
        [L.Conv2D(4, 3), L.LayerNormalization(), L.Flatten()],  # the others are normalized by what is left
        [L.Conv2D(4, 3), L.GroupNormalization(2), L.Flatten()],
        [L.Conv2D(4, 3), L.Softmax(), L.Flatten()],
        [L.Conv2D(4, 3), L.DepthwiseConv2D(2, depth_multiplier=2), L.Flatten()],
        [L.Conv2D(4, 3), L.Permute((3, 1, 2)), L.Flatten()],
    ],
)
def test_a_network_in_which_nothing_can_be_cut_stays_as_it_is(layers: list[Any]) -> None:
    model, groups, rows = make(lambda: keras.Sequential([keras.Input((6, 6, 1), name="image"), *layers, L.Dense(3, "softmax")]))
    keep = choose(model, groups, 0.5, rows)
    assert keep == {}
    same = rebuild(model, groups, keep)
    assert np.array_equal(answers(same, rows.x), answers(model, rows.x))
    assert reason_if_whole("pruned", {"fp32": model.count_params(), "pruned": same.count_params()})


def test_numbers_learnt_from_the_data_are_kept() -> None:
    normalization = L.Normalization()
    rows = np.random.default_rng(0).normal(50, 9, (40, 4)).astype(np.float32)
    normalization.adapt(rows)
    model = keras.Sequential([keras.Input((4,), name="row"), normalization, L.Dense(8, "relu", name="one"), L.Dense(3, "softmax")])
    same = rebuild(model, Groups.of(Graph.of(model)), {"one": np.arange(8)})
    assert np.array_equal(answers(same, rows), answers(model, rows))


def test_importance_in_a_regression_is_of_the_squared_error() -> None:
    x = np.random.default_rng(0).normal(0, 1, (32, 4)).astype(np.float32)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,), name="row"), L.Dense(6, "tanh", name="one"), L.Dense(1)])
    y = np.random.default_rng(1).normal(0, 1, 32)
    importance = measure_importance(model, Groups.of(Graph.of(model)), Part(x, y))["one"]
    kernel, _ = model.get_layer("one").get_weights()
    out = model.layers[-1].get_weights()[0]
    hidden = np.tanh(x @ kernel)
    slope = 2 * (answers(model, x)[:, 0] - y)[:, None] * out[:, 0] * (1 - hidden**2) * (x @ kernel)
    assert np.allclose(importance, slope.mean(axis=0) ** 2, rtol=1e-3)


def test_an_unknown_layer_keeps_its_channels() -> None:
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), L.Conv2D(4, 3, name="before"), L.Reshape((8, 8)), L.Dense(6, name="after"), L.Flatten(), L.Dense(2)]
    )
    assert Groups.of(Graph.of(model)).free().keys() == {"after"}


def read() -> Any:
    layers = [L.Embedding(20, 4, name="one"), L.LSTM(3, name="three"), L.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input((4,), name="tokens"), *layers])


@pytest.mark.parametrize("build", [founding, read])
def test_importance_is_the_squared_loss_of_a_small_step_towards_zero(build: Callable[[], Any]) -> None:
    """Σ w · ∂L/∂w is the slope of the loss when all weights of a channel are scaled; a finite difference is the oracle."""
    model, groups, rows = make(build)
    few = Part(rows.x[:32], rows.y[:32])  # one batch
    importance = measure_importance(model, groups, few)

    def loss() -> float:
        predicted = answers(model, few.x).astype(np.float64)
        return float(-np.log(predicted[np.arange(len(few)), few.y]).mean())

    for name in ("one", "three"):
        layer, size = model.get_layer(name), groups.sizes[name]
        before, slopes = layer.get_weights(), []
        for channel in range(size):
            at = []
            for step in (-0.01, 0.01):
                changed = [weight.copy() for weight in before]
                for weight in changed:
                    weight.reshape(-1, size)[:, channel] *= 1 + step  # a gate's units lie behind those of the one before
                layer.set_weights(changed)
                at.append(loss())
            slopes.append((at[1] - at[0]) / 0.02)
        layer.set_weights(before)
        assert np.allclose(importance[name], np.square(slopes), rtol=0.05, atol=1e-3 * np.square(slopes).max())


def test_choice_keeps_the_important() -> None:
    model, groups, rows = make(founding)
    dead = [0, 3, 5]
    weights = model.get_layer("one").get_weights()
    for weight in weights:
        weight[..., dead] = 0
    model.get_layer("one").set_weights(weights)
    assert choose(model, groups, 5 / 8, rows)["one"].tolist() == [1, 2, 4, 6, 7]


@pytest.mark.parametrize(("channels", "share", "expected"), [(32, 0.5, 16), (30, 0.5, 16), (10, 0.9, 10), (4, 0.01, 1), (128, 1.0, 128)])
def test_kept(channels: int, share: float, expected: int) -> None:
    assert kept(channels, share) == expected


def test_what_was_frozen_learns_again_when_it_was_cut() -> None:
    """A network that stands on one of others would else have to do with half of what that tells."""
    split = wine()
    trunk = keras.Sequential([keras.Input((13,)), L.Normalization(mean=[100.0] * 13, variance=[1e4] * 13), L.Dense(32, "relu")])
    trunk.trainable = False
    inputs = keras.Input((13,))
    network = keras.Model(inputs, L.Dense(3, "softmax")(trunk(inputs)))
    recipe = ready("table", "prune_epochs=1")
    small, tuning = shrink(network, recipe, WINE, split, one_hot(split.train.y, 3), Progress(io.StringIO()))
    assert tuning is not None
    assert small.count_params() < network.count_params()
    assert len(small.trainable_variables) == 4

"""Pruning. The oracle is exact: a network without some channels answers as one in which those are zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from training.compression.channels import Groups
from training.compression.prune import choose, kept, measure_importance, rebuild
from training.data.parts import Part
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


NETWORKS = {"founding": founding, "normalized": normalized, "residual": residual}


def make(build: Callable[[], Any]) -> tuple[Any, Groups, Part]:
    keras.utils.set_random_seed(3)
    model = build()
    random = np.random.default_rng(0)
    for layer in model.layers:
        layer.set_weights([random.uniform(0.1, 0.6, w.shape) if w.ndim == 1 else w for w in layer.get_weights()])
    rows = random.integers(0, 256, (50, *model.input_shape[1:]), dtype=np.uint8)
    return model, Groups.of(Graph.of(model)), Part(rows, random.integers(0, 3, 50))


def silence(model: Any, groups: Groups, keep: dict[str, Any]) -> Any:
    """A copy in which the channels that are not kept are zero, as is what a normalization adds to them."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in copy.layers:
        normalizes = isinstance(layer, L.BatchNormalization)
        (group,) = groups.taken[layer.name] if normalizes else (groups.made.get(layer.name),)
        if group in keep and layer.get_weights():
            dropped = np.setdiff1d(np.arange(groups.sizes[group]), keep[group])
            weights = layer.get_weights()
            for weight in weights[:2] if normalizes else weights:  # γ and β, not the moving μ and σ²
                weight[..., dropped] = 0
            layer.set_weights(weights)
    return copy


@pytest.mark.parametrize("name", NETWORKS)
def test_removing_channels_is_setting_them_to_zero(name: str) -> None:
    model, groups, rows = make(NETWORKS[name])
    random = np.random.default_rng(1)
    keep = {group: np.sort(random.choice(size, size // 2, replace=False)) for group, size in groups.free().items()}
    pruned = rebuild(model, groups, keep)
    expected = silence(model, groups, keep).predict(rows.x, verbose=0)
    assert np.abs(pruned.predict(rows.x, verbose=0) - expected).max() < 1e-5
    assert np.abs(expected - model.predict(rows.x, verbose=0)).max() > 1e-3, "silencing changed nothing, so the test shows nothing"
    assert pruned.count_params() < 0.7 * model.count_params()


@pytest.mark.parametrize("name", NETWORKS)
def test_removing_nothing_changes_nothing(name: str) -> None:
    model, groups, rows = make(NETWORKS[name])
    same = rebuild(model, groups, choose(model, groups, 1.0, rows))
    assert np.array_equal(same.predict(rows.x, verbose=0), model.predict(rows.x, verbose=0))
    assert same.count_params() == model.count_params()


def test_groups_of_the_founding_network() -> None:
    groups = Groups.of(Graph.of(founding()))
    assert groups.free() == {"one": 8, "two": 6, "three": 12}


def test_an_addition_makes_one_group_and_the_output_is_never_cut() -> None:
    groups = Groups.of(Graph.of(residual()))
    assert groups.free().keys() == {groups.made["one"], "inner"}
    assert set(groups.members(groups.made["one"])) == {"one", "two"}
    assert groups.made["out"] in groups.fixed


def test_an_unknown_layer_keeps_its_channels() -> None:
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), L.Conv2D(4, 3, name="before"), L.Reshape((8, 8)), L.Dense(6, name="after"), L.Flatten(), L.Dense(2)]
    )
    assert Groups.of(Graph.of(model)).free().keys() == {"after"}


def test_importance_is_the_squared_loss_of_a_small_step_towards_zero() -> None:
    """Σ w · ∂L/∂w is the slope of the loss when all weights of a channel are scaled; a finite difference is the oracle."""
    model, groups, rows = make(founding)
    few = Part(rows.x[:32], rows.y[:32])  # one batch
    importance = measure_importance(model, groups, few)

    def loss() -> float:
        predicted = model.predict(few.x, verbose=0).astype(np.float64)
        return float(-np.log(predicted[np.arange(len(few)), few.y]).mean())

    for name in ("one", "three"):
        layer = model.get_layer(name)
        before, slopes = layer.get_weights(), []
        for channel in range(groups.sizes[name]):
            at = []
            for step in (-0.01, 0.01):
                changed = [weight.copy() for weight in before]
                for weight in changed:
                    weight[..., channel] *= 1 + step
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

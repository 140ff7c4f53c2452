"""What is fitted has the optimizer, schedule, loss and augmentation of the recipe. Keras and scikit-learn are the oracles."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.utils.class_weight import compute_sample_weight

from tests.training.problems import DIABETES, IMAGE, WINE, diabetes, ready, with_layers
from training.data.parts import Problem
from training.errors import RecipeError
from training.fitting.learner import augmentation, learner
from training.fitting.loss import loss_of
from training.fitting.optimizer import optimizer_of, optimizers
from training.fitting.schedules import Planned, rates
from training.fitting.weights import balanced
from training.networks.network import build
from training.recipe import Recipe

pytestmark = pytest.mark.training
FLATTEN = {"kind": "Flatten"}


@pytest.fixture(scope="module")
def small() -> Any:
    """784 × 10 weights, 10 biases."""
    keras.utils.set_random_seed(0)
    return build(with_layers(FLATTEN), IMAGE)


def recipe(**values: Any) -> Recipe:
    return with_layers(FLATTEN, **values)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01, "clipnorm": 1.0}),
        ("adam", {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-5, "amsgrad": True, "global_clipnorm": 2.0}),
        ("AdamW", {"weight_decay": 0.02, "clipvalue": 0.5}),
        ("rmsprop", {"rho": 0.8, "momentum": 0.5, "centered": True}),
        ("adagrad", {"initial_accumulator_value": 0.2}),
        ("adadelta", {"rho": 0.9, "use_ema": True, "ema_momentum": 0.9}),
        ("nadam", {}),
        ("lion", {"beta_1": 0.95}),
    ],
)
def test_optimizers_are_those_of_keras(small: Any, name: str, arguments: dict[str, Any]) -> None:
    kind = optimizers()[name.lower()]
    ours = optimizer_of(recipe(optimizer=name, learning_rate=0.02, optimizer_arguments=arguments), small, 10)
    assert isinstance(ours, kind)
    theirs = kind(learning_rate=0.02, name=ours.name, **arguments)
    assert ours.get_config() == theirs.get_config()


def test_weight_decay_spares_the_biases(small: Any) -> None:
    optimizer = optimizer_of(recipe(optimizer="adamw", learning_rate=0.1, optimizer_arguments={"weight_decay": 0.5}), small, 10)
    kernel, bias = small.trainable_variables
    bias.assign(np.ones(10))
    before = np.asarray(kernel).copy()
    optimizer.apply([np.zeros_like(before), np.zeros(10, np.float32)], [kernel, bias])
    assert np.asarray(kernel) == pytest.approx(before * (1 - 0.1 * 0.5), rel=1e-5)
    assert np.array_equal(np.asarray(bias), np.ones(10))


def test_a_large_gradient_is_cut(small: Any) -> None:
    optimizer = optimizer_of(recipe(optimizer="sgd", learning_rate=1.0, optimizer_arguments={"global_clipnorm": 0.5}), small, 10)
    variables = small.trainable_variables
    before = [np.asarray(variable).copy() for variable in variables]
    optimizer.apply([np.full(variable.shape, 9.0, np.float32) for variable in variables], variables)
    moved = sum(float(((np.asarray(now) - then) ** 2).sum()) for now, then in zip(variables, before, strict=True)) ** 0.5
    assert moved == pytest.approx(0.5, rel=1e-4)


def test_schedules_are_those_of_keras() -> None:
    schedules, updates = keras.optimizers.schedules, 101
    expected = {
        "constant": lambda step: 0.2,
        "cosine": schedules.CosineDecay(0.2, updates - 1, alpha=0.1),
        "exponential": schedules.ExponentialDecay(0.2, updates - 1, decay_rate=0.1),
        "step": schedules.PiecewiseConstantDecay([29, 59], [0.2, 0.1, 0.05]),
    }
    arguments = {"cosine": {"final": 0.1}, "exponential": {"final": 0.1}, "step": {"at": [0.6, 0.3], "factor": 0.5}}
    for name, theirs in expected.items():
        ours = rates(recipe(learning_rate=0.2, schedule=name, schedule_arguments=arguments.get(name, {})), updates)
        assert ours == pytest.approx([float(theirs(step)) for step in range(updates)], rel=1e-4), name


def test_one_cycle_goes_up_and_far_down() -> None:
    ours = rates(recipe(learning_rate=1.0, schedule="one-cycle", schedule_arguments={"rise": 0.25}), 101)
    t = np.arange(101) / 100
    up = 0.04 + 0.96 * (1 - np.cos(np.pi * t / 0.25)) / 2
    down = 1e-4 + (1 - 1e-4) * (1 + np.cos(np.pi * (t - 0.25) / 0.75)) / 2
    assert ours == pytest.approx(np.where(t < 0.25, up, down))
    assert (ours.argmax(), ours[0], ours[-1]) == (25, pytest.approx(0.04), pytest.approx(1e-4))


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_momentum_of_one_cycle_goes_the_other_way(small: Any, nesterov: bool) -> None:
    """Against Keras' own, told its momentum and learning rate by hand before each update."""
    wanted = recipe(
        optimizer="sgd",
        optimizer_arguments={"momentum": 0.95, "nesterov": nesterov, "weight_decay": 0.01},
        schedule="one-cycle",
        schedule_arguments={"low_momentum": 0.85, "rise": 0.4},
    )
    momentum = 0.9 + 0.05 * np.cos(np.pi * np.array([0, 0.5, 1, 2 / 3, 1 / 3, 0]))  # 0.95 down to 0.85 and back
    ours, theirs = optimizer_of(wanted, small, 6), keras.optimizers.SGD(0.1, 0.95, nesterov, weight_decay=0.01)
    one, two = (keras.Variable(np.ones((3, 2), np.float32)) for _ in range(2))
    ours.build([one])
    gradients = np.random.default_rng(0).normal(size=(6, 3, 2)).astype(np.float32)
    update = tf.function(lambda gradient: ours.apply([gradient], [one]))
    for gradient, now, rate in zip(gradients, momentum, rates(wanted, 6), strict=True):
        update(tf.constant(gradient))
        theirs.momentum, theirs.learning_rate = now, rate
        theirs.apply([gradient], [two])
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-5)


@pytest.mark.parametrize(("optimizer", "momentum"), [("sgd", {"momentum": 0.8}), ("sgd", {}), ("adam", {})])
def test_a_momentum_that_cannot_cycle_is_told(small: Any, optimizer: str, momentum: dict[str, float]) -> None:
    cycle = {"schedule": "one-cycle", "schedule_arguments": {"low_momentum": 0.85}}
    with pytest.raises(RecipeError, match=r"low_momentum is 0\.85, which is for sgd with a momentum above it"):
        optimizer_of(recipe(optimizer=optimizer, optimizer_arguments=momentum, **cycle), small, 6)


@pytest.mark.parametrize("schedule", ["constant", "step", "exponential", "cosine", "one-cycle"])
def test_every_schedule_warms_up_in_a_straight_line(schedule: str) -> None:
    ours = rates(recipe(learning_rate=0.5, schedule=schedule, warmup=0.2), 50)
    assert len(ours) == 50
    assert np.diff(ours[:11]) == pytest.approx(np.full(10, ours[10] / 11))
    assert ours[10:] == pytest.approx(rates(recipe(learning_rate=0.5, schedule=schedule), 40))


def test_a_planned_rate_stays_after_the_last_update() -> None:
    planned = Planned(np.array([0.1, 0.2, 0.3]))
    assert [round(float(planned(keras.ops.convert_to_tensor(step, "int64"))), 6) for step in (0, 2, 9)] == [0.1, 0.3, 0.3]
    assert Planned.from_config(planned.get_config()).table.tolist() == planned.table.tolist()


def test_balanced_weights_are_those_of_sklearn() -> None:
    labels = np.random.default_rng(0).choice(4, 500, p=[0.7, 0.2, 0.09, 0.01])
    assert balanced(labels) == pytest.approx(compute_sample_weight("balanced", labels))


def test_smoothed_labels() -> None:
    answers = np.random.default_rng(0).dirichlet(np.ones(10), 6).astype(np.float32)
    targets = np.eye(10, dtype=np.float32)[np.arange(6)]
    smooth = targets * 0.8 + 0.02
    assert float(loss_of(recipe(label_smoothing=0.2), IMAGE)(targets, answers)) == pytest.approx(
        float(-(smooth * np.log(answers)).sum(axis=1).mean()), rel=1e-5
    )


def test_wrong_pairings_can_be_said() -> None:
    """What the diagnosis is to find has to be possible."""
    losses = keras.losses
    targets, answers = np.eye(10, dtype=np.float32)[:4], np.random.default_rng(0).uniform(0.1, 0.9, (4, 10)).astype(np.float32)
    for values, oracle in (
        ({"loss": "binary_crossentropy", "output_activation": "sigmoid"}, losses.BinaryCrossentropy()),
        ({"loss": "mean_squared_error", "output_activation": "relu"}, losses.MeanSquaredError()),
        ({"loss_arguments": {"from_logits": True}}, losses.CategoricalCrossentropy(from_logits=True)),
        ({"loss": "huber", "loss_arguments": {"delta": 0.5}, "output_activation": "linear"}, losses.Huber(0.5)),
    ):
        wrong = recipe(**values)
        model = learner(build(wrong, IMAGE), wrong, IMAGE, 10)
        assert model.layers[-1].layers[-1].activation.__name__ == values.get("output_activation", "softmax")
        assert float(model.loss(targets, answers)) == pytest.approx(float(oracle(targets, answers)))


def test_the_loss_of_a_regression_has_no_unit() -> None:
    split = diabetes()
    network = build(ready("regression"), DIABETES, split.train)
    always_the_mean = [np.zeros_like(weight) for weight in network.get_weights()]
    network.set_weights(always_the_mean)
    model = learner(network, ready("regression"), DIABETES, 10)
    found = model.evaluate(split.train.x, split.train.y[:, None], verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(1, rel=1e-4)
    assert found["mae"] == pytest.approx(np.abs(split.train.y - split.train.y.mean()).mean(), rel=1e-4)


def test_augmentation_is_outside_and_only_while_training(small: Any) -> None:
    augmented = recipe(max_shift_pixels=3, max_rotation_degrees=15.0, max_zoom=0.2)
    model = learner(small, augmented, IMAGE, 10)
    assert [type(layer).__name__ for layer in model.layers] == [
        *("InputLayer", "RandomTranslation", "RandomRotation", "RandomZoom", "Functional"),
    ]
    assert model.layers[2].get_config()["factor"] == (-15 / 360, 15 / 360)
    assert "Random" not in small.to_json()
    x = np.zeros((4, 28, 28, 1), np.float32)
    x[:, 10:14, 12:20] = 255
    plain, seen = small(x), [model(x, training=training) for training in (False, True)]
    assert np.array_equal(plain, seen[0])
    assert not np.allclose(plain, seen[1])


def test_about_half_of_the_images_are_seen_mirrored(small: Any) -> None:
    """Left for right, whole, and only while training; which of them differs from one epoch to the next."""
    (flip,) = augmentation(recipe(flip="horizontal"), IMAGE)
    x = np.random.default_rng(0).integers(0, 256, (400, 28, 28, 1)).astype(np.float32)
    assert np.array_equal(flip(x, training=False), x)
    seen = [np.asarray(flip(x, training=True)) for _ in range(2)]
    kept = [(images == x).all(axis=(1, 2, 3)) for images in seen]
    assert all(np.array_equal(images[~same], x[~same, :, ::-1]) for images, same in zip(seen, kept, strict=True))
    assert all(150 < same.sum() < 250 for same in kept)
    assert not np.array_equal(*kept)
    model = learner(small, recipe(flip="horizontal", max_shift_pixels=1), IMAGE, 10)
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "RandomFlip", "RandomTranslation", "Functional"]
    assert np.array_equal(small(x[:4]), model(x[:4], training=False))


class Looked(keras.Model):  # type: ignore[misc]
    """A model class of somebody who looks on."""


def test_the_class_of_the_model_can_be_another(small: Any) -> None:
    model = learner(small, recipe(), IMAGE, 10, Looked)
    assert isinstance(model, Looked)
    assert model.layers[-1] is small


@pytest.mark.parametrize(
    ("values", "problem", "words"),
    [
        ({"optimizer": "magic"}, IMAGE, ["'magic'", "adadelta", "sgd"]),
        ({"optimizer_arguments": {"momentum": 0.9}}, IMAGE, ["optimizer_arguments (adadelta)", "'momentum'", "rho"]),
        ({"optimizer_arguments": {"learning_rate": 0.9}}, IMAGE, ["'learning_rate'"]),
        ({"optimizer": "sgd", "optimizer_arguments": {"momentum": 7.0}}, IMAGE, ["sgd", "momentum"]),
        ({"schedule": "cosine", "schedule_arguments": {"end": 0.1}}, IMAGE, ["schedule_arguments (cosine)", "'end'", "final"]),
        ({"schedule": "step", "schedule_arguments": {"at": [3]}}, IMAGE, ["schedule_arguments.at", "[3]", "0 to 1"]),
        ({"loss": "magic"}, IMAGE, ["'magic'", "categorical_crossentropy"]),
        ({"loss": "sparse_categorical_crossentropy"}, IMAGE, ["sparse_categorical_crossentropy", 'loss = "auto"']),
        ({"loss_arguments": {"logits": True}}, IMAGE, ["loss_arguments", "'logits'", "from_logits"]),
        ({"loss": "mean_squared_error", "label_smoothing": 0.1}, IMAGE, ["mean_squared_error", "label_smoothing"]),
        ({"max_zoom": 0.1}, WINE, ["max_zoom", "tabular"]),
        ({"flip": "horizontal"}, WINE, ["flip", "tabular"]),
    ],
)
def test_what_keras_does_not_have_is_named(small: Any, values: dict[str, Any], problem: Problem, words: list[str]) -> None:
    with pytest.raises(RecipeError) as raised:
        learner(small, recipe(**values), problem, 10)
    assert all(word in str(raised.value) for word in words), raised.value
    assert "\n" not in str(raised.value)

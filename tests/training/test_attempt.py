"""Attempts: in lower precision, on values, in stages from a base, and looked on at. What comes out is a plain float32 network."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.training.alike import assert_same_weights
from tests.training.problems import DIABETES, IMAGE, WINE, diabetes, ready, wine, with_layers
from training.data.parts import Part, Problem, Split
from training.data.sources import load
from training.errors import RecipeError
from training.fitting.attempt import Attempt, attempt
from training.fitting.progress import Progress
from training.networks.base import PREFIX
from training.networks.network import build
from training.onnx.emit import emit
from training.publishing.keras_files import write_keras_files
from training.quiet import quiet_libraries
from training.recipe import Recipe

pytestmark = pytest.mark.training


def tried(recipe: Recipe, problem: Problem, split: Split, **others: Any) -> Attempt:
    return attempt(recipe, problem, split, Progress(io.StringIO()), **others)


@pytest.fixture(scope="module")
def low_and_high() -> tuple[Split, Split]:
    """Digits 0 to 4, and a few rows of 5 to 9 with their classes from 0."""
    whole = load("digits").split(seed=0)
    low, high = (
        [part.take(np.flatnonzero((part.y >= 5) == upper)) for part in (whole.train, whole.validation, whole.test)]
        for upper in (False, True)
    )
    high = [Part(part.x, part.y - 5) for part in high]
    return Split(*low), Split(high[0].draw(60, 0), high[1], high[2])


HALF = dataclasses.replace(IMAGE, classes=tuple("01234"))
SMALL_CNN = with_layers(
    {"kind": "Conv2D", "filters": 8, "kernel_size": 5, "strides": 2, "use_bias": False},
    {"kind": "BatchNormalization", "momentum": 0.9},
    {"kind": "ReLU"},
    {"kind": "Conv2D", "filters": 16, "kernel_size": 3, "strides": 2, "activation": "relu"},
    {"kind": "Flatten"},
    optimizer="adam",
    learning_rate=0.003,
    batch_size=32,
    epochs=4,
)


@pytest.fixture(scope="module")
def base(low_and_high: tuple[Split, Split], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network that knows 0 to 4: model.json and model.h5, and as one .keras file."""
    folder = tmp_path_factory.mktemp("base")
    network = tried(SMALL_CNN, HALF, low_and_high[0]).network
    write_keras_files(network, folder)
    with quiet_libraries():  # Keras reads its own variables in a way that numpy warns of
        network.save(folder / "model.keras")
    return folder


class StatisticsAndKernels(keras.callbacks.Callback):  # type: ignore[misc]
    """What a frozen layer must not change, after each epoch."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.seen: list[list[bytes]] = []
        self.network = network

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        layers = [layer for layer in self.network.layers if layer.name.startswith(PREFIX) and layer.weights]
        self.seen.append([b"".join(weight.tobytes() for weight in layer.get_weights()) for layer in layers])


class Watching:
    """A watch that keeps what it was given."""

    model_class = type("Watched", (keras.Model,), {})

    def __init__(self) -> None:
        self.given: list[StatisticsAndKernels] = []

    def callbacks(self, network: Any, problem: Problem, split: Split) -> list[Any]:
        self.given.append(StatisticsAndKernels(network))
        return [self.given[-1]]


def test_what_was_learnt_before_helps_where_rows_are_few(low_and_high: tuple[Split, Split], base: Path) -> None:
    few = low_and_high[1]
    scratch = tried(dataclasses.replace(SMALL_CNN, batch_size=8, epochs=11), HALF, few)
    watch = Watching()
    stages = {"frozen_epochs": 6, "unfreeze_stages": 2, "unfreeze_epochs": 2, "epochs": 3}
    start = dataclasses.replace(SMALL_CNN, layers=(), base=str(base / "model.keras"), batch_size=8, **stages)
    moved = tried(start, HALF, few, watch=watch)
    assert len(moved.history.loss) == len(scratch.history.loss) == 11
    accuracies = [a.network.predict(few.test.x, verbose=0).argmax(axis=1) == few.test.y for a in (scratch, moved)]
    assert accuracies[1].mean() > accuracies[0].mean() + 0.02
    assert moved.history.learning_rate == pytest.approx([0.003] * 6 + [0.0003] * 5)

    head, top, all_of_it = (callback.seen for callback in watch.given)  # a convolution, its normalization, a convolution
    assert len({tuple(layers) for layers in head}) == 1  # frozen, the moving mean and variance as well
    assert len({tuple(layers[:2]) for layers in [*head, *top]}) == 1
    assert len({layers[2] for layers in [*head, *top]}) == 3
    assert len({layers[0] for layers in all_of_it}) == 3


def test_a_folder_of_the_store_is_as_good_as_a_keras_file(low_and_high: tuple[Split, Split], base: Path) -> None:
    recipes = [
        dataclasses.replace(SMALL_CNN, layers=(), base=str(path), frozen_epochs=0, epochs=1) for path in (base, base / "model.keras")
    ]
    one, other = (tried(recipe, HALF, low_and_high[1]).network for recipe in recipes)
    assert_same_weights(one, other)
    assert emit(one).graph.output[0].name == "probabilities"  # and what came out is one flat network
    deeper = build(dataclasses.replace(recipes[0], layers=({"kind": "Dense", "units": 7, "activation": "relu"},)), HALF)
    assert [layer.output.shape[1:] for layer in deeper.layers[-3:]] == [(400,), (7,), (5,)]


@pytest.mark.parametrize(
    ("base_file", "problem", "words"),
    [
        ("nothing.keras", HALF, ["nothing.keras", "NAME/VERSION"]),
        ("broken.keras", HALF, ["broken.keras", "cannot be read"]),
        (".", WINE, ["(28, 28, 1)", "(13,)"]),
        ("nowhere", HALF, ["nowhere", "NAME/VERSION"]),
    ],
)
def test_a_base_that_does_not_fit_is_named(base: Path, base_file: str, problem: Problem, words: list[str]) -> None:
    (base / "broken.keras").write_bytes(b"PK\x03\x04 no more")
    split = wine() if problem is WINE else Split(*[Part(np.zeros((8, 28, 28, 1), np.uint8), np.arange(8) % 5)] * 3)
    with pytest.raises(RecipeError) as raised:
        tried(dataclasses.replace(SMALL_CNN, layers=(), base=str(base / base_file)), problem, split)
    assert all(word in str(raised.value) for word in words), raised.value
    assert "\n" not in str(raised.value)


def test_lower_precision_learns_and_leaves_a_float32_network(low_and_high: tuple[Split, Split]) -> None:
    watch = Watching()
    found = tried(dataclasses.replace(SMALL_CNN, precision="mixed_bfloat16", epochs=3), HALF, low_and_high[0], watch=watch)
    fitted = watch.given[0].network
    policies = {layer.name: layer.dtype_policy.name for layer in fitted.layers}
    assert policies["probabilities"] == "float32"
    assert {policy for name, policy in policies.items() if name.startswith("conv2d")} == {"mixed_bfloat16"}
    assert {layer.dtype_policy.name for layer in found.network.layers} == {"float32"}
    assert all(np.array_equal(a, b) for a, b in zip(found.network.get_weights(), fitted.get_weights(), strict=True))
    assert keras.config.dtype_policy().name == "float32"
    assert found.history.validation_accuracy[found.history.best] > 0.85
    assert emit(found.network).graph.output[0].name == "probabilities"


def test_a_value_is_learnt_with_its_unit() -> None:
    split = diabetes()
    found = tried(dataclasses.replace(ready("regression"), epochs=15), DIABETES, split)
    history = found.history
    errors = found.network.predict(split.validation.x, verbose=0)[:, 0] - split.validation.y
    assert history.metric_name == "mae"
    assert np.abs(errors).mean() == pytest.approx(history.validation_metric[history.best], rel=1e-3)
    assert (errors**2).mean() / split.train.y.var() == pytest.approx(history.validation_loss[history.best], rel=1e-3)
    assert history.validation_loss[history.best] < 0.75  # always saying the mean: 1
    assert history.learning_rate[0] == pytest.approx(0.003)
    assert history.learning_rate[-1] < history.learning_rate[0]


def test_rare_classes_count_and_averaged_weights_are_kept() -> None:
    split = wine()
    common = np.flatnonzero((split.train.y != 2) | (np.arange(len(split.train)) % 8 == 0))
    lopsided = dataclasses.replace(split, train=split.train.take(common))
    values = {"optimizer_arguments": {"use_ema": True, "ema_momentum": 0.8}, "epochs": 12, "class_weights": "balanced"}
    found = tried(dataclasses.replace(ready("table"), **values), WINE, lopsided)
    answers = found.network.predict(split.validation.x, verbose=0)
    accuracy = (answers.argmax(axis=1) == split.validation.y).mean()
    assert accuracy == pytest.approx(found.history.validation_accuracy[found.history.best])  # those of the averaged weights
    assert accuracy > 0.9
    with pytest.raises(RecipeError, match="a regression has no classes"):
        tried(dataclasses.replace(ready("regression"), class_weights="balanced"), DIABETES, diabetes())

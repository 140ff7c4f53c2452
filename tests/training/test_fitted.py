"""What the signals are told of a network: Keras is the oracle of the logits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from scipy.special import logsumexp

from models.store import Published
from monitoring.reference import read_reference
from tests.training.runs import SMALL
from training.data.parts import Part
from training.data.sources import load
from training.onnx.answers import answer
from training.onnx.emit import emit
from training.publishing.fitted import fit_signals, head_of
from training.recipe import default_recipe, read_recipe

pytestmark = pytest.mark.training
L = keras.layers


def network(*ends: Any) -> Any:
    return keras.Sequential([keras.Input((6, 6, 1), name="image"), L.Rescaling(1 / 255), L.Flatten(), L.Dense(8, activation="relu"), *ends])


ENDS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "softmax inside": lambda: (L.Dense(4, activation="softmax"),),
    "softmax after": lambda: (L.Dense(4), L.Softmax()),
    "activation after": lambda: (L.Dense(4), L.Dropout(0.5), L.Activation("softmax")),
    "no bias": lambda: (L.Dense(4, use_bias=False, activation="softmax"),),
}


@pytest.mark.parametrize("end", ENDS)
def test_energy_is_that_of_keras_logits(end: str, tmp_path: Path) -> None:
    model = network(*ENDS[end]())
    head = head_of(model)
    x = np.random.default_rng(0).integers(0, 256, (50, 6, 6, 1), dtype=np.uint8)
    onnx.save(emit(model), tmp_path / "model.onnx")
    dense = [layer for layer in model.layers if isinstance(layer, L.Dense)][-1]
    dense.activation = keras.activations.linear
    logits = keras.Model(model.inputs, dense(dense.input)).predict(x, verbose=0)

    assert head is not None
    assert head.energy(*answer(tmp_path / "model.onnx", x)) == pytest.approx(-logsumexp(logits, axis=1), abs=1e-5)


@pytest.mark.parametrize("ends", [(L.Dense(4), L.BatchNormalization(), L.Softmax()), (L.Dense(4, activation="sigmoid"),), (L.Dense(4),)])
def test_without_a_softmax_of_the_last_layer_there_is_no_energy(ends: tuple[Any, ...]) -> None:
    assert head_of(network(*ends)) is None


def test_more_features_than_rows_can_be_fitted(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((20, 20, 1), name="image"), L.Flatten(), L.Dense(3, activation="softmax")])
    onnx.save(emit(model), tmp_path / "model.onnx")
    train = Part(random.integers(0, 256, (60, 20, 20, 1), dtype=np.uint8), random.integers(0, 3, 60))

    fitted = fit_signals(tmp_path / "model.onnx", head_of(model), train, 3, seed=0)

    assert fitted.space is not None
    assert fitted.space.whitening.shape[0] == 400
    distances = fitted.space.distance(fitted.space.place(answer(tmp_path / "model.onnx", train.x)[1]), train.y)
    assert np.isfinite(distances).all()


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_published_energy_is_that_of_the_network_that_keras_loads(published: Published, variant: str) -> None:
    model = keras.models.model_from_json(published.file("model.json").read_text())
    model.load_weights(published.file("model.h5"))
    recipe = read_recipe(default_recipe("digits"), SMALL).recipe
    x = load("digits").split(recipe.seed, recipe.max_rows).test.x[:200]
    hidden = keras.Model(model.inputs, model.layers[-1].input).predict(x, verbose=0)
    logits = hidden @ np.asarray(model.layers[-1].kernel) + np.asarray(model.layers[-1].bias)
    head = read_reference(published.file("reference.npz"), variant).fitted.head

    assert head is not None
    differences = np.abs(head.energy(*answer(published.path(variant), x)) + logsumexp(logits, axis=1))

    assert np.median(differences) < (1e-4 if variant == "fp32" else 0.3)


def test_published_references_have_every_part(published: Published) -> None:
    for variant in published.manifest.variants:
        reference = read_reference(published.file("reference.npz"), variant.name)
        assert {"energy", "distance"} <= reference.profiles.keys()
        assert None not in (reference.fitted.head, reference.fitted.space, reference.fitted.fourier, reference.ranks, reference.moments)
        assert reference.quality == {"range": 0, "constant": 0, "duplicate": 0}

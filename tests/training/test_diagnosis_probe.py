"""The probe measures what it says, and changes nothing of what is learnt."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest

from tests.training.alike import ROUNDING, assert_same_weights
from training.data.parts import Problem, Split
from training.data.sources import load
from training.diagnosis.facts import GRADIENT, Facts
from training.diagnosis.measure.probe import ProbedModel
from training.diagnosis.watch import FactsWatch
from training.fitting.attempt import Attempt, attempt
from training.fitting.progress import Progress
from training.recipe import Recipe, read_recipe

pytestmark = pytest.mark.training

LAYERS = (
    {"kind": "Conv2D", "filters": 4, "kernel_size": 3, "strides": 4, "activation": "relu"},
    {"kind": "Flatten"},
    {"kind": "Dropout", "rate": 0.25},
    {"kind": "Dense", "units": 16, "activation": "tanh"},
)


def recipe(**values: Any) -> Recipe:
    small = {"batch_size": 32, "epochs": 3, "layers": LAYERS, "optimizer": "adam", "learning_rate": 0.003, "max_shift_pixels": 1}
    return dataclasses.replace(read_recipe().recipe, **small | values)


@pytest.fixture(scope="module")
def data() -> tuple[Problem, Split]:
    dataset = load("digits")
    return dataset.problem, dataset.split(seed=0, max_rows=600)


class Heard:
    """A listener that keeps what it hears of each epoch."""

    def __init__(self) -> None:
        self.figures: list[dict[str, float]] = []

    def epoch(self, what: str, epoch: int, figures: Mapping[str, float]) -> None:
        self.figures.append(dict(figures))


@pytest.fixture(scope="module")
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="module")
def watched(data: tuple[Problem, Split], heard: Heard) -> tuple[Attempt, Facts]:
    watch = FactsWatch(recipe())
    made = attempt(recipe(), *data, Progress(io.StringIO()).heard_by(heard), watch=watch)
    assert watch.facts is not None
    return made, watch.facts


def test_the_weights_are_those_of_a_plain_fit(data: tuple[Problem, Split], watched: tuple[Attempt, Facts]) -> None:
    plain = attempt(recipe(), *data, Progress(io.StringIO()))
    assert_same_weights(plain.network, watched[0].network)
    for name in ("loss", "metric", "validation_loss", "validation_metric"):
        assert getattr(plain.history, name) == pytest.approx(getattr(watched[0].history, name), rel=0, abs=ROUNDING)


def test_every_tensor_has_rows_that_make_sense(watched: tuple[Attempt, Facts]) -> None:
    trace = watched[1].trace
    assert trace is not None
    assert trace.steps.tolist() == list(range(36))  # 3 epochs of 384 rows: so few updates that each is measured
    assert [name.rpartition("/")[2] for name in trace.tensors] == ["kernel", "bias"] * 3
    assert np.isfinite(trace.values).all()
    assert (trace.of("finite") == 1).all()
    assert (trace.of("update")[:, trace.kernels] > 0).all()
    assert trace.losses[:5].mean() > trace.losses[-5:].mean()


def test_layers_and_rows_are_told(watched: tuple[Attempt, Facts], data: tuple[Problem, Split]) -> None:
    facts = watched[1]
    assert [layer.kind for layer in facts.layers] == ["Rescaling", "Conv2D", "Flatten", "Dropout", "Dense", "Dense"]
    assert facts.activations is not None
    assert facts.activations.activations == ("relu", "tanh")
    assert facts.activations.values.shape[0] == 4
    assert 1 <= facts.activations.rank[-1] <= 16
    assert facts.data.train_rows == len(data[1].train)
    assert 0 <= facts.data.inputs.lowest <= facts.data.inputs.highest <= 1
    assert facts.data.reference.best > 0.7
    assert facts.end is not None
    assert facts.end.validation_score == pytest.approx(watched[0].history.validation_accuracy[watched[0].history.best], abs=1e-6)


def test_the_listeners_hear_how_large_the_gradients_were(heard: Heard, watched: tuple[Attempt, Facts]) -> None:
    trace = watched[1].trace
    assert trace is not None
    layers = list(dict.fromkeys(trace.layers))
    assert len(layers) == 3
    for epoch, figures in enumerate(heard.figures):
        assert [name for name in figures if name.startswith(GRADIENT)] == [f"{GRADIENT}{layer}" for layer in layers]
        for layer in layers:
            kernel, bias = trace.of("gradient")[12 * epoch : 12 * (epoch + 1), [name == layer for name in trace.layers]].T
            assert figures[f"{GRADIENT}{layer}"] == pytest.approx(np.median(np.hypot(kernel, bias)), rel=1e-6)


def test_one_row_is_what_the_gradient_is() -> None:
    """Against the same step made by hand: one linear layer, squared error, plain gradient descent."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((4,))
    model = ProbedModel(inputs, keras.layers.Dense(2)(inputs))
    model.compile(keras.optimizers.SGD(0.1), loss="mean_squared_error", jit_compile=False)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 4)).astype(np.float32), rng.normal(size=(8, 2)).astype(np.float32)
    kernel, bias = model.get_weights()
    model.start_probe(every=1, rows=4)
    model.fit(x, y, batch_size=8, epochs=1, verbose=0, shuffle=False)
    steps, losses, values = model.read_probe()
    error = x @ kernel + bias - y
    gradient = x.T @ error * 2 / error.size
    assert steps.tolist() == [0]
    assert losses[0] == pytest.approx(np.mean(error**2), rel=1e-5)
    mean, norm, zeros, weight, update, finite = values[0, 0]
    assert mean == pytest.approx(np.abs(gradient).mean(), rel=1e-5)
    assert norm == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    assert weight == pytest.approx(np.linalg.norm(kernel - 0.1 * gradient), rel=1e-5)
    assert update == pytest.approx(0.1 * np.linalg.norm(gradient), rel=1e-4)
    assert (zeros, finite) == (0, 1)
    assert len(model.read_probe()[0]) == 0

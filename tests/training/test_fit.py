"""Fitting: bounds, the best weights, and a loss that is no number."""

from __future__ import annotations

import io
from typing import Any

import keras
import numpy as np
import pytest

from training.data.parts import Split
from training.data.sources import load
from training.errors import TrainingError
from training.fitting.fit import Schedule, fit, one_hot
from training.fitting.progress import Progress

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def split() -> Split:
    return load("digits").split(seed=0, max_rows=600)


def network(learning_rate: float) -> Any:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    model.compile(keras.optimizers.SGD(learning_rate), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def run(model: Any, split: Split, schedule: Schedule, stream: io.StringIO) -> Any:
    return fit(model, split.train, one_hot(split.train.y, 10), split.validation, schedule, 0, Progress(stream), "training")


def test_stops_early_with_the_best_weights(split: Split) -> None:
    model, said = network(3.0), io.StringIO()  # so large a step that the loss goes up and down
    history = run(model, split, Schedule(40, 10_000, 2, 32), said)
    loss, accuracy = model.evaluate(split.validation.x, one_hot(split.validation.y, 10), verbose=0)
    assert len(history.loss) < 40
    assert history.best == int(np.argmin(history.validation_loss)) == len(history.loss) - 3
    assert loss == pytest.approx(min(history.validation_loss), rel=1e-4)
    assert accuracy == pytest.approx(history.validation_accuracy[history.best])
    assert said.getvalue().count("\n") == len(history.loss)


def test_updates_bound_the_epochs(split: Split) -> None:
    assert len(run(network(0.1), split, Schedule(40, 25, 10, 32), io.StringIO()).loss) == 3  # 384 rows are 12 batches


@pytest.mark.parametrize(("rows", "expected"), [(3200, 36), (54_000, 10), (10**7, 1)])
def test_epochs_of_the_founding_recipe(rows: int, expected: int) -> None:
    assert Schedule(36, 4200, 12, 128).epochs_for(rows) == expected


def test_a_loss_that_is_no_number_is_told_with_the_remedy(split: Split) -> None:
    with np.errstate(all="ignore"), pytest.raises(TrainingError, match=r"diverged.*learning_rate"):
        run(network(float("inf")), split, Schedule(3, 100, 2, 32), io.StringIO())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_a_bar(split: Split) -> None:
    said = Terminal()
    run(network(0.1), split, Schedule(2, 100, 2, 32), said)
    assert "24/24" in said.getvalue()
    assert "\r" in said.getvalue()
    assert "validation: loss" in said.getvalue()


def test_one_hot() -> None:
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]

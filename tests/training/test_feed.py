"""Batches: every epoch has every row once, in an order of its own that follows from the seed."""

from __future__ import annotations

import io
from itertools import islice
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.data.parts import Part
from training.fitting.feed import in_order, shuffled
from training.fitting.fit import Schedule, fit
from training.fitting.progress import Progress

pytestmark = pytest.mark.training

ROWS = np.arange(23)
ARRAYS = ROWS[:, None].astype(np.float32), ROWS * 2


def epochs(dataset: Any, count: int, batches: int) -> list[list[list[int]]]:
    """The rows of each batch of each epoch."""
    given = iter(dataset)
    return [[[int(row) for row in batch[0].numpy().ravel()] for batch in islice(given, batches)] for _ in range(count)]


@pytest.mark.parametrize(("size", "batches"), [(5, 5), (23, 1), (64, 1), (1, 23)])
def test_every_epoch_has_every_row_once_in_another_order(size: int, batches: int) -> None:
    given = epochs(shuffled(ARRAYS, size, seed=1), 4, batches)
    assert [[row for batch in epoch for row in batch] for epoch in epochs(in_order(ARRAYS, size), 4, batches)] == [list(ROWS)] * 4
    for epoch in given:
        assert [len(batch) for batch in epoch[:-1]] == [size] * (batches - 1)
        assert sorted(row for batch in epoch for row in batch) == list(ROWS)
    assert len({str(epoch) for epoch in given}) == 4


def test_the_order_follows_from_the_seed_alone() -> None:
    first = epochs(shuffled(ARRAYS, 5, seed=1), 2, 5)
    keras.utils.set_random_seed(7)
    assert epochs(shuffled(ARRAYS, 5, seed=1), 2, 5) == first
    assert epochs(shuffled(ARRAYS, 5, seed=2), 2, 5) != first


def test_what_belongs_together_stays_together_in_its_type() -> None:
    bytes_, weights = ROWS.astype(np.uint8), ROWS.astype(np.float64)
    for batch in islice(shuffled((bytes_, ARRAYS[1], weights), 5, seed=1), 5):
        assert [one.dtype for one in batch] == [tf.uint8, tf.int64, tf.float32]
        assert np.array_equal(batch[0].numpy() * 2, batch[1].numpy())
        assert np.array_equal(batch[0].numpy(), batch[2].numpy())


class _Noting(keras.Model):  # type: ignore[misc]
    """Keeps what it is given."""

    seen: list[list[int]]

    def train_step(self, data: Any) -> Any:
        self.seen.append([int(row) for row in data[0].numpy().ravel()])
        return super().train_step(data)


def test_a_fit_has_other_batches_in_each_epoch() -> None:
    """Of arrays, Keras gives the same ones in each epoch once a seed is set."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((1,))
    model = _Noting(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", loss="mse", metrics=["mae"], run_eagerly=True)
    model.optimizer.learning_rate = 0.0
    model.seen = []
    part, schedule = Part(ARRAYS[0], ROWS.astype(np.float32)), Schedule(3, 1000, 9, 5)
    history = fit(model, part, part.y[:, None], part, schedule, 1, Progress(io.StringIO()), "training")
    given = [model.seen[start : start + 5] for start in (0, 5, 10)]
    assert len(model.seen) == 15
    assert len({str(epoch) for epoch in given}) == 3
    assert all(sorted(row for batch in epoch for row in batch) == list(ROWS) for epoch in given)
    assert history.validation_loss == pytest.approx(history.loss, rel=1e-5)  # nothing is learned, so every epoch tells the same
    assert history.loss == pytest.approx([history.loss[0]] * 3, rel=1e-5)

"""Fitting a network: batches, early stopping with the best weights, and a history to draw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from monitoring.arrays import FloatArray
from training.data.parts import Part
from training.errors import TrainingError
from training.fitting.progress import Progress

_LOGGED = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True)
class Schedule:
    """How long to fit at most: in epochs, in updates of the weights, in epochs without gain."""

    epochs: int
    max_updates: int
    patience: int
    batch_size: int

    def epochs_for(self, rows: int) -> int:
        """Epochs within both bounds, at least one."""
        return max(1, min(self.epochs, math.ceil(self.max_updates / self.batches(rows))))

    def batches(self, rows: int) -> int:
        return math.ceil(rows / self.batch_size)


@dataclass(frozen=True)
class History:
    """Loss and accuracy after each epoch, and the epoch (from 0) whose weights were kept."""

    loss: list[float]
    accuracy: list[float]
    validation_loss: list[float]
    validation_accuracy: list[float]
    best: int


def one_hot(labels: Any, classes: int) -> FloatArray:
    """Class numbers (n,) → (n, classes) float32 with a single 1 in each row."""
    rows: FloatArray = np.eye(classes, dtype=np.float32)[labels]
    return rows


def fit(model: Any, train: Part, targets: FloatArray, validation: Part, schedule: Schedule, progress: Progress, what: str) -> History:
    """Fit a compiled model to `targets` (n, classes), and leave it with the weights of the lowest validation loss.

    Raises TrainingError if the loss stops being a number.
    """
    epochs = schedule.epochs_for(len(train))
    callbacks = [
        keras.callbacks.EarlyStopping("val_loss", patience=schedule.patience, restore_best_weights=True),
        keras.callbacks.TerminateOnNaN(),
        progress.callback(what, epochs, schedule.batches(len(train))),
    ]
    expected = one_hot(validation.y, targets.shape[1])
    with np.errstate(all="ignore"):
        run = model.fit(
            train.x,
            targets,
            batch_size=schedule.batch_size,
            epochs=epochs,
            validation_data=(validation.x, expected),
            validation_batch_size=512,
            callbacks=callbacks,
            verbose=0,
        )
    return _history(run.history)


def _history(logs: dict[str, list[float]]) -> History:
    loss, accuracy, val_loss, val_accuracy = ([float(value) for value in logs.get(name, [])] for name in _LOGGED)
    if not np.isfinite(loss).all() or not np.isfinite(val_loss).any():
        raise TrainingError("the training diverged: the loss is not a number any more; lower learning_rate, as in --set learning_rate=0.1")
    return History(loss, accuracy, val_loss, val_accuracy, int(np.nanargmin(val_loss)))

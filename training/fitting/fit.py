"""Fitting a network: batches, early stopping with the best weights, and a history to draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from monitoring.arrays import FloatArray
from training.data.parts import Part
from training.errors import DivergedError
from training.fitting.feed import in_order, shuffled
from training.fitting.progress import METRICS, Progress

_VALIDATED_AT_ONCE = 512


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

    def updates(self, rows: int) -> int:
        """The updates that are planned, which the schedule of the learning rate is laid over."""
        return self.epochs_for(rows) * self.batches(rows)


@dataclass(frozen=True)
class History:
    """Loss and metric after each epoch, and the epoch (from 0) whose weights were kept.

    The metric is the accuracy of a classification, or the mean absolute error of a regression in the unit of its target, as
    `metric_name` says. `learning_rate` is that of the first update of each epoch.
    """

    loss: list[float]
    metric: list[float]
    validation_loss: list[float]
    validation_metric: list[float]
    best: int
    learning_rate: list[float] = field(default_factory=list)
    metric_name: str = "accuracy"

    @property
    def accuracy(self) -> list[float]:
        """The metric of a classification."""
        return self.metric

    @property
    def validation_accuracy(self) -> list[float]:
        return self.validation_metric

    def then(self, later: History, best: int) -> History:
        """This fit followed by another of the same network; `best` counts from the first epoch of this one."""
        return History(
            self.loss + later.loss,
            self.metric + later.metric,
            self.validation_loss + later.validation_loss,
            self.validation_metric + later.validation_metric,
            best,
            self.learning_rate + later.learning_rate,
            self.metric_name,
        )


def one_hot(labels: Any, classes: int) -> FloatArray:
    """Class numbers (n,) → (n, classes) float32 with a single 1 in each row."""
    rows: FloatArray = np.eye(classes, dtype=np.float32)[labels]
    return rows


def targets_of(y: Any, width: int) -> FloatArray:
    """What a network with `width` outputs is to answer: class numbers as one-hot rows, values (n,) as a column (n, 1)."""
    return one_hot(y, width) if np.issubdtype(y.dtype, np.integer) else np.asarray(y, dtype=np.float32).reshape(-1, 1)


def fit(
    model: Any,
    train: Part,
    targets: FloatArray,
    validation: Part,
    schedule: Schedule,
    seed: int,
    progress: Progress,
    what: str,
    callbacks: Sequence[Any] = (),
    row_weights: FloatArray | None = None,
) -> History:
    """Fit a compiled model to `targets` (n, classes) or (n, 1), and leave it with the weights of the lowest validation loss.

    The order of the rows follows from `seed`, and `row_weights` (n,) say how much each counts. `callbacks` may put figures of their own
    into the logs of an epoch, which `progress` tells its listeners. Raises DivergedError if the loss stops being a number.
    """
    epochs = schedule.epochs_for(len(train))
    learning_rates: list[float] = []
    ours = [
        *_averaging(model),
        keras.callbacks.EarlyStopping("val_loss", patience=schedule.patience, restore_best_weights=True),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: learning_rates.append(float(model.optimizer.learning_rate))),
        *callbacks,
        progress.callback(what, epochs, schedule.batches(len(train))),  # the last, as the others add to what there is to tell
    ]
    with np.errstate(all="ignore"):
        _make_variables(model, train.x[:1], targets[:1])
        run = model.fit(
            shuffled((train.x, targets) if row_weights is None else (train.x, targets, row_weights), schedule.batch_size, seed),
            epochs=epochs,
            steps_per_epoch=schedule.batches(len(train)),
            validation_data=in_order((validation.x, targets_of(validation.y, targets.shape[1])), _VALIDATED_AT_ONCE),
            validation_steps=math.ceil(len(validation) / _VALIDATED_AT_ONCE),
            shuffle=False,
            callbacks=ours,
            verbose=0,
        )
    return _history(run.history, learning_rates)


def _make_variables(model: Any, x: Any, y: FloatArray) -> None:
    """Those of optimizer and metrics, which else the first step makes: TensorFlow traces such a step twice, which takes half a second."""
    model.optimizer.build(model.trainable_variables)
    model.compute_metrics(x, y, model(x, training=False))
    model.reset_metrics()


def _averaging(model: Any) -> list[Any]:
    """Where the optimizer keeps a moving average of the weights (use_ema), that is what is validated and kept."""
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # mixed_float16 wraps it
    return [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if inner.use_ema else []


def _history(logs: dict[str, list[float]], learning_rates: list[float]) -> History:
    metric = next((name for name in METRICS.values() if name in logs), "accuracy")
    loss, measured, val_loss, val_measured = (
        [float(value) for value in logs.get(name, [])] for name in ("loss", metric, "val_loss", f"val_{metric}")
    )
    if not np.isfinite(loss).all() or not np.isfinite(val_loss).any():
        raise DivergedError("the training diverged: the loss is not a number any more; lower learning_rate, as in --set learning_rate=0.1")
    return History(loss, measured, val_loss, val_measured, int(np.nanargmin(val_loss)), learning_rates, metric)

"""A model that measures inside its compiled training step, every few updates, and learns exactly as keras.Model does.

One row for each measured update: for every trainable tensor the fields of `facts.TRACED`, and the loss of the batch. Rows wait in a
variable of TensorFlow until the epoch ends, so that the measurement costs one transfer an epoch.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from monitoring.arrays import FloatArray, IntArray
from training.diagnosis.facts import TRACED


class ProbedModel(keras.Model):  # type: ignore[misc]
    """keras.Model with a probe, which is off until `start_probe` and under several replicas."""

    _probe_every = 0

    def start_probe(self, every: int, rows: int) -> None:
        """Measure each `every`-th update from now on, with room for so many rows until the next `read_probe`."""
        if self.distribute_strategy.num_replicas_in_sync > 1:
            return  # each replica would write rows of its own shard over the others'
        with tf.device("CPU:0"):
            self._probe_rows = tf.Variable(np.zeros((rows, len(self.trainable_weights), len(TRACED)), np.float32), trainable=False)
            self._probe_losses = tf.Variable(np.zeros(rows, np.float32), trainable=False)
            self._probe_steps = tf.Variable(np.zeros(rows, np.int64), trainable=False)
            self._probe_filled = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._probe_every = every

    def read_probe(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Steps (rows,), losses (rows,) and values (rows, tensors, TRACED) since the last reading."""
        if not self._probe_every:
            return np.empty(0, np.int64), np.empty(0), np.empty((0, len(self.trainable_weights), len(TRACED)))
        filled = int(self._probe_filled.numpy())
        taken = (self._probe_steps[:filled].numpy(), self._probe_losses[:filled].numpy(), self._probe_rows[:filled].numpy())
        self._probe_filled.assign(0)
        return taken

    def train_step(self, data: Any) -> Any:
        """As keras.Model.train_step, with a look before and after the weights change."""
        if not self._probe_every:
            return super().train_step(data)
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=predicted, sample_weight=sample_weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        tracker = next(metric for metric in self.metrics if metric.name == "loss")
        tracker.update_state(loss, sample_weight=tf.shape(keras.tree.flatten(x)[0])[0])
        weights = self.trainable_weights
        gradients = tape.gradient(scaled, weights)
        self._apply_watched(gradients, weights, loss)
        return self.compute_metrics(x, y, predicted, sample_weight=sample_weight)

    def _apply_watched(self, gradients: Any, weights: Any, loss: Any) -> None:
        step = tf.cast(self.optimizer.iterations.value, tf.int64)
        due = tf.logical_and(step % self._probe_every == 0, self._probe_filled < self._probe_rows.shape[0])
        nothing = [tf.zeros([0] * len(weight.shape), weight.dtype) for weight in weights]
        before = tf.cond(due, lambda: [tf.identity(weight.value) for weight in weights], lambda: nothing)
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))

        def note() -> Any:
            unscale = 1.0 / tf.cast(self.optimizer.scale_loss(tf.constant(1.0)), tf.float32)
            rows = [_row(g, b, w, unscale) for g, b, w in zip(gradients, before, weights, strict=True)]
            place = [[self._probe_filled]]
            self._probe_rows.scatter_nd_update(place, tf.stack(rows)[None])
            self._probe_losses.scatter_nd_update(place, [tf.cast(loss, tf.float32)])
            self._probe_steps.scatter_nd_update(place, [step])
            return self._probe_filled.assign_add(1)

        tf.cond(due, note, lambda: self._probe_filled + 0)


def _row(gradient: Any, before: Any, weight: Any, unscale: Any) -> Any:
    """The fields of TRACED for one tensor. Rows of an Embedding that were not looked up count as zero gradients."""
    after = tf.cast(weight.value, tf.float32)
    size = float(np.prod(weight.shape))
    if gradient is None:
        return tf.stack([0.0, 0.0, 1.0, tf.norm(after), 0.0, 1.0])
    values = tf.cast(gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient, tf.float32) * unscale
    return tf.stack(
        [
            tf.reduce_sum(tf.abs(values)) / size,
            tf.norm(values),
            1.0 - tf.cast(tf.math.count_nonzero(values), tf.float32) / size,
            tf.norm(after),
            tf.norm(after - tf.cast(before, tf.float32)),
            tf.cast(tf.reduce_all(tf.math.is_finite(values)), tf.float32),
        ]
    )

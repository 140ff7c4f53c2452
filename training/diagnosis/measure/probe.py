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

#: Numbers that are added up at once.
_BLOCK = 128


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
        step = tf.identity(tf.cast(self.optimizer.iterations.value, tf.int64))  # read now, before it counts
        due = tf.logical_and(step % self._probe_every == 0, self._probe_filled < self._probe_rows.shape[0])
        before = tf.cond(due, lambda: _flat(weights), lambda: tf.zeros((0, _BLOCK)))
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))

        def note() -> Any:
            scale = tf.cast(self.optimizer.scale_loss(tf.constant(1.0)), tf.float32)  # of mixed_float16
            place = [[self._probe_filled]]
            self._probe_rows.scatter_nd_update(place, [_measured(gradients, before, weights, scale)])
            self._probe_losses.scatter_nd_update(place, [tf.cast(loss, tf.float32)])
            self._probe_steps.scatter_nd_update(place, [step])
            return self._probe_filled.assign_add(1)

        tf.cond(due, note, lambda: self._probe_filled + 0)


def _flat(tensors: Any) -> Any:
    """All numbers of all tensors, (blocks, _BLOCK): a few operations to trace and run, however many tensors there are.

    Each tensor is filled up with zeros to whole blocks, so that its sums are those of its blocks: TensorFlow adds rows of a matrix four
    times as fast as segments of a vector, and loses less to rounding.
    """
    parts = []
    for tensor in tensors:
        parts.append(tf.reshape(tf.cast(tf.convert_to_tensor(tensor), tf.float32), (-1,)))
        parts.append(tf.zeros(-parts[-1].shape[0] % _BLOCK))
    return tf.reshape(tf.concat(parts, 0), (-1, _BLOCK))


def _measured(gradients: Any, before: Any, weights: Any, scale: Any) -> Any:
    """The fields of TRACED for every tensor, (tensors, TRACED). No gradient, or none for a row of an Embedding, is a zero one."""
    sizes = np.array([int(np.prod(weight.shape)) for weight in weights])
    blocks = -(-sizes // _BLOCK)
    owners = np.repeat(np.arange(len(sizes), dtype=np.int32), blocks)
    gradient = _flat(tf.zeros_like(weight) if one is None else one for one, weight in zip(gradients, weights, strict=True)) / scale
    after = _flat(weights)

    def total(values: Any) -> Any:
        return tf.math.segment_sum(tf.reduce_sum(values, axis=1), owners)

    count = tf.constant(sizes, tf.float32)
    filled_up = tf.constant(blocks * _BLOCK - sizes, tf.float32)
    length = tf.sqrt(total(gradient * gradient))
    fields = [
        total(tf.abs(gradient)) / count,
        length,
        (total(tf.cast(tf.equal(gradient, 0.0), tf.float32)) - filled_up) / count,
        tf.sqrt(total(after * after)),
        tf.sqrt(total((after - before) ** 2)),
        tf.cast(tf.math.is_finite(length), tf.float32),
    ]
    return tf.stack(fields, axis=1)

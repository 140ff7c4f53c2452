"""One forward pass over a few fixed rows: what the units of each layer do, and what the network answers, without dropout.

Reduced inside TensorFlow, so that only a few numbers for each layer come back.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from monitoring.arrays import FloatArray
from training.diagnosis.facts import ACTIVATED
from training.diagnosis.measure.network import activation_of, flat_layers
from training.diagnosis.thresholds import SATURATED_AT

_COMPUTING = ("Dense", "Conv1D", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "LSTM", "GRU", "SimpleRNN", "Bidirectional")
_ACTIVATING = ("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU")
#: Range of the activations that saturate.
_BOUNDS = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "softsign": (-1.0, 1.0)}


class ActivationPass:
    """Asks a network about fixed rows. `layers` are those that are looked at, `activations` what each applies."""

    def __init__(self, network: Any) -> None:
        hidden = _hidden(network)
        self.layers = tuple(layer.name for layer in hidden)
        self.activations = tuple(activation_of(layer) for layer in hidden)
        model = keras.Model(network.inputs, [network.output, *(layer.output for layer in hidden)])

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def ask(rows: Any) -> Any:
            answer, *outputs = model(rows, training=False)
            seen = [_row(output, name) for output, name in zip(outputs, self.activations, strict=True)]
            last = outputs[-1] if outputs else answer
            return answer, tf.stack(seen) if seen else tf.zeros((0, len(ACTIVATED))), tf.reshape(last, (tf.shape(last)[0], -1))

        self._ask = ask

    def __call__(self, rows: NDArray[Any]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The answers (n, outputs), the fields of ACTIVATED for each layer, and the embedding (n, features)."""
        answer, seen, embedding = self._ask(tf.constant(rows, tf.float32))
        return answer.numpy(), seen.numpy(), embedding.numpy()


def effective_rank(embedding: FloatArray) -> float:
    """exp of the entropy of the normalized singular values of the centred rows: between 1 and the number of features.

    O. Roy and M. Vetterli, "The effective rank", EUSIPCO 2007, eq. 1 to 4.

    >>> round(effective_rank(np.vstack([np.eye(4), -np.eye(4)])), 6)
    4.0
    """
    if not np.isfinite(embedding).all():
        return 1.0
    values = np.linalg.svd(embedding - embedding.mean(axis=0), compute_uv=False)
    shares = values[values > 1e-9 * max(float(values[0]), 1e-9)] / max(float(values.sum()), 1e-12)
    return float(np.exp(-np.sum(shares * np.log(shares)))) if len(shares) else 1.0


def _hidden(network: Any) -> list[Any]:
    """Layers with units, but for the last one; where an activation follows as a layer of its own, that one instead."""
    layers = list(flat_layers(network))
    units = [layer for layer in layers if layer.__class__.__name__ in _COMPUTING + _ACTIVATING]
    computing = [layer for layer in units if layer.__class__.__name__ in _COMPUTING]
    return [layer for layer in units if layer is not (computing[-1] if computing else None) and layer in network.layers]


def _row(output: Any, activation: str) -> Any:
    """The fields of ACTIVATED for one layer whose output is (rows, …, units)."""
    values = tf.reshape(tf.cast(output, tf.float32), (-1, output.shape[-1]))
    zero = tf.abs(values) < 1e-6
    active = tf.reduce_mean(tf.cast(tf.abs(values) >= 1e-6, tf.float32), axis=0)
    lowest, highest = _BOUNDS.get(activation, (-np.inf, np.inf))
    middle, reach = ((lowest + highest) / 2, (highest - lowest) / 2) if np.isfinite(highest) else (0.0, np.inf)
    saturated = tf.abs(values - middle) > SATURATED_AT * reach
    return tf.stack(
        [
            tf.reduce_mean(tf.cast(zero, tf.float32)),
            tf.reduce_mean(tf.cast(active < 0.01, tf.float32)),
            tf.reduce_mean(tf.cast(saturated, tf.float32)),
            tf.math.reduce_std(values),
            tf.reduce_mean(tf.math.reduce_std(values, axis=0)),
            tf.reduce_max(tf.abs(values)),
        ]
    )

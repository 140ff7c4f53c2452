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
_PLACES = 8
_ACTIVATING = ("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU")
#: Range of the activations that saturate.
_BOUNDS = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "softsign": (-1.0, 1.0)}


class ActivationPass:
    """Asks a network about fixed rows. `layers` are those that are looked at, `activations` what each applies."""

    def __init__(self, network: Any) -> None:
        hidden = _hidden(network)
        self.layers = tuple(layer.name for layer in hidden)
        self.activations = tuple(activation_of(layer) for layer in hidden)
        model = keras.Model(network.input, [network.output, *(layer.output for layer in hidden)])

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def ask(rows: Any) -> Any:
            answer, *outputs = keras.tree.flatten(model(rows, training=False))
            return answer, [_thinned(output) for output in outputs], outputs[-1] if outputs else answer

        self._ask = ask

    def answers(self, rows: NDArray[Any]) -> FloatArray:
        """(n, outputs)"""
        answers: FloatArray = self._ask(tf.constant(rows, tf.float32))[0].numpy()
        return answers

    def __call__(self, rows: NDArray[Any]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The answers (n, outputs), the fields of ACTIVATED for each layer, and the embedding (n, features)."""
        answer, outputs, embedding = self._ask(tf.constant(rows, tf.float32))
        seen = [_fields(output.numpy(), name) for output, name in zip(outputs, self.activations, strict=True)]
        flat = embedding.numpy().reshape(len(rows), -1)
        return answer.numpy(), np.array(seen).reshape(len(seen), len(ACTIVATED)), flat


def _thinned(output: Any) -> Any:
    """At most some eight places along each side of a map, so that much is known of each unit at little cost."""
    for axis in range(1, len(output.shape) - 1):
        side = output.shape[axis] or 1
        stride = -(-side // _PLACES)
        if stride > 1:  # a slice with a stride takes TensorFlow 20 times as long as these places by their numbers
            output = tf.gather(output, range(0, side, stride), axis=axis)
    return tf.cast(output, tf.float32)


def effective_rank(embedding: FloatArray) -> float:
    """exp of the entropy of the normalized singular values of the centred rows: between 1 and the number of features.

    O. Roy and M. Vetterli, "The effective rank", EUSIPCO 2007, eq. 1 to 4.

    >>> round(effective_rank(np.vstack([np.eye(4), -np.eye(4)])), 6)
    4.0
    """
    rows = embedding.astype(np.float64)
    largest = float(np.abs(rows).max())
    if not 0 < largest < np.inf:
        return 1.0
    centred = (rows - rows.mean(axis=0)) / largest
    squares = centred @ centred.T if len(centred) < centred.shape[1] else centred.T @ centred  # the smaller has all there is
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(squares), 0.0))[::-1]  # the singular values
    shares = values[values > 1e-6 * max(float(values[0]), 1e-9)] / max(float(values.sum()), 1e-12)
    return float(np.exp(-np.sum(shares * np.log(shares)))) if len(shares) else 1.0


def _hidden(network: Any) -> list[Any]:
    """Layers with units, but for the last one; where an activation follows as a layer of its own, that one instead."""
    layers = list(flat_layers(network))
    units = [layer for layer in layers if layer.__class__.__name__ in _COMPUTING + _ACTIVATING]
    computing = [layer for layer in units if layer.__class__.__name__ in _COMPUTING]
    return [layer for layer in units if layer is not (computing[-1] if computing else None) and layer in network.layers]


def _fields(output: FloatArray, activation: str) -> FloatArray:
    """The fields of ACTIVATED for one layer whose output is (rows, …, units)."""
    values = output.reshape(-1, output.shape[-1])
    size = np.abs(values)
    active = size >= 1e-6
    at_limit = [0.0, 0.0]
    if activation in _BOUNDS:
        lowest, highest = _BOUNDS[activation]
        share = np.abs(values - (lowest + highest) / 2) / ((highest - lowest) / 2)
        at_limit = [float(np.mean(share > limit)) for limit in (SATURATED_AT, 1 - 1e-6)]
    dead = np.mean(active.mean(axis=0) < 0.01)
    with np.errstate(all="ignore"):
        return np.array([1 - active.mean(), dead, *at_limit, values.std(), values.std(axis=0).mean(), size.max()])

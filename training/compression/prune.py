"""Structured pruning: whole filters and neurons go, and the network is rebuilt smaller, so that it is faster on any processor.

Which ones go is told by their importance, the first-order Taylor expansion of the loss in the weights of a filter or neuron,

    I = mean over batches of (Σ w · ∂L/∂w)²,   w the weights and the bias that make the channel

(Molchanov et al., "Importance estimation for neural network pruning", CVPR 2019, arXiv 1906.10771, equation 8), summed over the
layers of a group. The loss that it estimates is the one that appears when the channel is set to zero.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from monitoring.arrays import FloatArray, IntArray
from training.compression.channels import MAKERS, Groups
from training.data.parts import Part
from training.onnx.graph import Graph

Keep = dict[str, IntArray]
_BATCH = 32


def choose(model: Any, groups: Groups, share: float, rows: Part) -> Keep:
    """The channels of each group to keep, in order: the most important `share` of them, judged on labelled rows."""
    importance = measure_importance(model, groups, rows)
    return {group: np.sort(np.argsort(-importance[group], kind="stable")[: kept(size, share)]) for group, size in groups.free().items()}


def kept(channels: int, share: float) -> int:
    """How many to keep. Multiples of 8 where there are that many, since a vector register holds 8 or 16 and would be left half empty.

    >>> kept(64, 0.5), kept(20, 0.5), kept(4, 0.3)
    (32, 16, 2)
    """
    wanted = math.ceil(channels * share)
    return min(channels, -(-wanted // 8) * 8 if wanted >= 8 else wanted)


def measure_importance(model: Any, groups: Groups, rows: Part) -> dict[str, FloatArray]:
    """The importance of each channel of each group that may be cut: group → (channels,)."""
    layers = {group: [model.get_layer(name) for name in groups.members(group)] for group in groups.free()}
    totals: dict[str, FloatArray] = {group: np.zeros(size) for group, size in groups.free().items()}
    variables = [variable for members in layers.values() for layer in members for variable in layer.trainable_weights]
    for start in range(0, len(rows), _BATCH):
        with tf.GradientTape() as tape:
            answers = model(rows.x[start : start + _BATCH].astype(np.float32), training=False)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(rows.y[start : start + _BATCH], answers))
        gradients = tape.gradient(loss, variables)
        products = iter([_per_channel(*pair) for pair in zip(variables, gradients, strict=True)])
        for group, members in layers.items():
            totals[group] += sum(sum(next(products) for _ in layer.trainable_weights) ** 2 for layer in members)
    return totals


def _per_channel(weights: Any, gradient: Any) -> NDArray[Any]:
    """Σ w · ∂L/∂w over all axes but the last, which is that of the channels."""
    product = np.asarray(weights * gradient)
    summed: NDArray[Any] = product.reshape(-1, product.shape[-1]).sum(axis=0)
    return summed


def rebuild(model: Any, groups: Groups, keep: Keep) -> Any:
    """The same network with only the channels in `keep`: an uncompiled Keras model with the weights sliced."""

    def smaller(layer: Any) -> Any:
        config = layer.get_config()
        group = groups.made.get(layer.name)
        if group in keep:
            config[MAKERS[type(layer).__name__]] = len(keep[group])
        return type(layer).from_config(config)

    pruned = keras.models.clone_model(model, clone_function=smaller)
    for call in Graph.of(model).calls:
        if call.layer.weights:
            weights = [np.asarray(weight) for weight in call.layer.get_weights()]
            pruned.get_layer(call.layer.name).set_weights(_sliced(call.layer, weights, groups, keep))
    return pruned


def _sliced(layer: Any, weights: list[NDArray[Any]], groups: Groups, keep: Keep) -> list[NDArray[Any]]:
    """The weights of a layer for the channels that are left. Kernels end in (…, in, out), everything else in (channels,)."""
    made, taken = groups.made.get(layer.name), groups.taken.get(layer.name)
    sliced = []
    for weight in weights:
        if made is None:  # BatchNormalization: its channels are those that it takes
            weight = weight[..., keep[taken]] if taken in keep else weight
        else:
            if weight.ndim > 1 and taken in keep:
                weight = np.take(weight, _rows(keep[taken], groups.sizes[taken], weight.shape[-2]), axis=-2)
            if made in keep:
                weight = weight[..., keep[made]]
        sliced.append(weight)
    return sliced


def _rows(channels: IntArray, size: int, rows: int) -> IntArray:
    """The rows of a kernel that take these channels; after Flatten there is a row for each place, (h · width + w) · channels + c."""
    return (np.arange(rows // size)[:, None] * size + channels).ravel()

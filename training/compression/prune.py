"""Structured pruning: whole filters and neurons go, and the network is rebuilt smaller, so that it is faster on any processor.

Which ones go is told by their importance, the first-order Taylor expansion of the loss in the weights of a filter or neuron,

    I = mean over batches of (Σ w · ∂L/∂w)²,   w the weights and the bias that make the channel

(Molchanov et al., "Importance estimation for neural network pruning", CVPR 2019, arXiv 1906.10771, equation 8), summed over the
layers of a group. The loss that it estimates is the one that appears when the channel is set to zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from monitoring.arrays import FloatArray, IntArray
from training.compression.channels import MAKERS, Channels, Groups
from training.data.parts import Part
from training.networks.rebuilt import rebuilt
from training.onnx.graph import Graph

Keep = dict[str, IntArray]
_BATCH = 32


def choose(model: Any, groups: Groups, share: float, rows: Part) -> Keep:
    """The channels of each group to keep, in order: the most important `share` of them, judged on labelled rows. Empty if nothing may
    be cut.
    """
    if not groups.free():
        return {}
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
    graph = Graph.of(model)
    layers = {call.name: call.layer for call in graph.calls}
    members = {group: [_making(layers[name]) for name in groups.members(group)] for group in groups.free()}
    totals: dict[str, FloatArray] = {group: np.zeros(size) for group, size in groups.free().items()}
    variables = [variable for parts in members.values() for part in parts for variable in part]
    products_of = _products(model, variables, graph.answers_values)
    for start in range(0, len(rows), _BATCH):
        products = iter(products_of(rows.x[start : start + _BATCH], rows.y[start : start + _BATCH]))
        for group, parts in members.items():
            size = groups.sizes[group]
            totals[group] += sum(sum(_per_channel(next(products), size) for _ in part) ** 2 for part in parts)
    return totals


def _products(model: Any, variables: list[Any], values: bool) -> Callable[[NDArray[Any], NDArray[Any]], list[NDArray[Any]]]:
    """w · ∂L/∂w of each variable for a batch; L is the loss of probabilities or the squared error of values."""
    loss_of = _squared_error if values else keras.losses.sparse_categorical_crossentropy
    taken = model.inputs[0]
    signature = [tf.TensorSpec((None, *taken.shape[1:]), taken.dtype), tf.TensorSpec((None,), tf.float32 if values else tf.int64)]

    def products(x: Any, y: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(loss_of(y, model(x, training=False)))
        gradients = tape.gradient(loss, [variable.value for variable in variables], unconnected_gradients="zero")
        # The gradient of a table of embeddings has only the rows that were used.
        return [variable.value * tf.convert_to_tensor(gradient) for variable, gradient in zip(variables, gradients, strict=True)]

    compiled = tf.function(products, input_signature=signature)  # step by step, a recurrent layer would take seconds a batch
    return lambda x, y: [product.numpy() for product in compiled(x.astype(taken.dtype), y.astype(np.float32 if values else np.int64))]


def _making(layer: Any) -> list[Any]:
    """The weights that make the channels of a layer, all with those along their last axis."""
    return [variable for variable in layer.weights if variable.name != "depthwise_kernel"]


def _squared_error(y: Any, answers: Any) -> Any:
    return tf.square(answers[:, 0] - tf.cast(y, answers.dtype))


def _per_channel(product: NDArray[Any], size: int) -> NDArray[Any]:
    """The sum over all but the channels, which are the last axis, or each gate's part of it."""
    summed: NDArray[Any] = product.reshape(-1, size).sum(axis=0)
    return summed


def rebuild(model: Any, groups: Groups, keep: Keep) -> Any:
    """The same network with only the channels in `keep`: an uncompiled functional Keras model with the weights sliced."""
    return rebuilt(model, lambda name, layer: _smaller(name, layer, groups, keep), lambda name, layer: _sliced(name, layer, groups, keep))


def _smaller(name: str, layer: Any, groups: Groups, keep: Keep) -> Any:
    """A new layer for the channels that are left."""
    config = layer.get_config() | {"name": name}
    kind, group = type(layer).__name__, groups.made.get(name)
    inner = [config[part] for part in ("layer", "backward_layer") if part in config]  # of a Bidirectional, or another that wraps one
    for part in inner:
        part.pop("build_config", None)  # it has the old sizes
    if group in keep:
        for part in [part["config"] for part in inner] or [config]:
            part[MAKERS[kind]] = len(keep[group])
    if kind == "GroupNormalization" and not keep.keys().isdisjoint(groups.taken.get(name, ())):
        config["groups"] = -1  # each channel its own
    return type(layer).from_config(config)


def _sliced(name: str, layer: Any, groups: Groups, keep: Keep) -> list[NDArray[Any]]:
    """The weights of a layer for the channels that are left, in Keras' order."""
    made = (groups.made[name],) if name in groups.made else ()
    taken = groups.taken.get(name, ())
    sliced = []
    for variable in layer.weights:
        weight = np.asarray(variable)
        for axis, channels in _axes(type(layer).__name__, variable.name, weight.ndim, made, taken):
            if not keep.keys().isdisjoint(channels):
                weight = np.take(weight, _left(channels, groups, keep, weight.shape[axis]), axis=axis)
        sliced.append(weight)
    return sliced


def _axes(kind: str, variable: str, axes: int, made: Channels, taken: Channels) -> list[tuple[int, Channels]]:
    """Which axes of a weight are channels, and of which groups: kernels end in (…, in, out), everything else in (channels,)."""
    if not made:  # a layer that passes on what it takes
        return [(-2, taken)] if kind.startswith("Depthwise") and variable == "kernel" else [(-1, taken)]
    if variable == "depthwise_kernel":
        return [(-2, taken)]
    if variable == "recurrent_kernel":
        return [(-2, made), (-1, made)]
    return [(-2, taken), (-1, made)] if variable.endswith("kernel") and axes > 1 else [(-1, made)]


def _left(channels: Channels, groups: Groups, keep: Keep, length: int) -> IntArray:
    """Which of the `length` entries of an axis are left. Channels may be repeated along it: after Flatten there is an entry for each place,
    (h · width + w) · channels + c, and a recurrent layer has one for each gate.
    """
    starts = np.cumsum([0, *(groups.sizes[group] for group in channels)])
    kept_each = [start + keep.get(group, np.arange(groups.sizes[group])) for start, group in zip(starts, channels, strict=False)]
    left: IntArray = (np.arange(length // starts[-1])[:, None] * starts[-1] + np.concatenate(kept_each)).ravel()
    return left

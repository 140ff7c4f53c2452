"""Facts of the fresh network: each layer as it starts, and what its first layer that learns will see."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray
from training.diagnosis.facts import KERNELS, Inputs, LayerFacts
from training.onnx.graph import Graph

_RECTIFIERS = ("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "swish", "selu", "hard_swish")
_REACH = {"relu": (0.0, math.inf), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softmax": (0.0, 1.0), "softplus": (0.0, math.inf)}
_NORMALIZERS = ("BatchNormalization", "LayerNormalization", "GroupNormalization")


def layer_facts(network: Any, pretrained: bool = False) -> tuple[LayerFacts, ...]:
    """Of every layer that computes something, in order. `pretrained`: the weights come from another model."""
    taken = _taken(network)
    return tuple(_facts(layer, taken[layer.name], pretrained) for layer in flat_layers(network))


def _taken(network: Any) -> defaultdict[str, tuple[str, ...]]:
    """The names of the layers whose outputs each layer takes; that of a call begins with those of the networks in which it lies."""
    taken: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for call in Graph.of(network).calls:
        taken[_own(call.name)] += tuple(_own(tensor.layer) for tensor in call.inputs)
    return taken


def _own(name: str) -> str:
    return name.rpartition(".")[2]


def flat_layers(network: Any) -> Iterator[Any]:
    """The layers of a network, and those of networks inside it."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


def seen_inputs(network: Any, x: NDArray[Any]) -> Inputs:
    """What the first layer that learns gets of these training rows, after the scaling inside the network."""
    first = next((layer for layer in network.layers if _kernels(layer)), None)
    flat = x.reshape(len(x), -1)
    constant = float(np.mean(flat.min(axis=0) == flat.max(axis=0)))
    finite = bool(np.all(np.isfinite(flat.astype(np.float64))))
    if first is None or first.__class__.__name__ == "Embedding":
        return Inputs(float(flat.min()), float(flat.max()), 0.0, 1.0, np.ones(1), constant, finite, tokens=first is not None)
    before = keras.Model(network.input, first.input)
    seen: FloatArray = np.asarray(before(x.astype(np.float32), training=False), np.float64)
    if any(layer.__class__.__name__ in _NORMALIZERS for layer in before.layers):
        seen = _normalized(seen)  # a fresh one has not seen a batch yet, and must not see one here
    return Inputs(
        float(seen.min()), float(seen.max()), float(seen.mean()), float(seen.std()), _spreads(seen), constant, finite, tokens=False
    )


def reach_of(network: Any) -> tuple[float, float]:
    """The lowest and highest value that the output can have: the range of the last activation, through the scaling after it."""
    layers = list(flat_layers(network))
    heads = [layer for layer in layers if hasattr(layer, "activation")]
    units = network.output_shape[-1]
    lowest, highest = _REACH.get(activation_of(heads[-1]) if heads else "linear", (-math.inf, math.inf))
    if heads and activation_of(heads[-1]) == "softmax" and units == 1:
        lowest = highest = 1.0  # what is divided by itself
    for layer in layers[layers.index(heads[-1]) + 1 :] if heads else ():
        if isinstance(layer, keras.layers.Rescaling):
            lowest, highest = (float(layer.scale) * value + float(layer.offset) for value in (lowest, highest))
    return lowest, highest


def activation_of(layer: Any) -> str:
    """The name of what a layer applies last, "linear" if nothing."""
    if layer.__class__.__name__ in ("ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax"):
        return {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "PReLU": "prelu", "Softmax": "softmax"}[layer.__class__.__name__]
    activation = getattr(layer, "activation", None)
    return str(getattr(activation, "__name__", "linear")) if activation is not None else "linear"


def _normalized(seen: FloatArray) -> FloatArray:
    """As batch normalization makes it: each channel with mean 0 and variance 1."""
    channels = seen.reshape(-1, seen.shape[-1])
    normalized: FloatArray = (seen - channels.mean(axis=0)) / np.maximum(channels.std(axis=0), 1e-3)
    return normalized


def _spreads(seen: FloatArray) -> FloatArray:
    spreads: FloatArray = seen.reshape(len(seen), -1).std(axis=0)
    return spreads


def _facts(layer: Any, takes: tuple[str, ...], pretrained: bool) -> LayerFacts:
    kernels = _kernels(layer)
    worst = max(kernels, key=lambda one: abs(math.log(max(_deviation(one), 1e-12) / _ideal(one, layer))), default=None)
    regularizer = getattr(layer, "kernel_regularizer", None)
    shape = tuple(kernels[0].shape) if kernels else (0, 0)
    return LayerFacts(
        name=layer.name,
        takes=takes,
        kind=layer.__class__.__name__,
        activation=activation_of(layer),
        units=int(getattr(layer, "units", shape[-1])),  # a recurrent kernel has as many columns as gates times units
        inputs=int(np.prod(shape[:-1])),
        parameters=int(layer.count_params()),
        trainable=bool(layer.trainable),
        pretrained=pretrained,
        deviation=None if worst is None else _deviation(worst),
        ideal=None if worst is None else _ideal(worst, layer),
        twins=max((_twins(np.asarray(kernel)) for kernel in kernels), default=0.0),
        bias=_bias(layer),
        recurrent_gain=_recurrent_gain(layer),
        dropout=max(float(getattr(layer, name, 0) or 0) for name in ("rate", "dropout", "recurrent_dropout")),
        l1=float(np.asarray(getattr(regularizer, "l1", 0) or 0)),
        l2=float(np.asarray(getattr(regularizer, "l2", 0) or 0)),
    )


def _kernels(layer: Any) -> list[Any]:
    """The weights that multiply what comes in; an Embedding is looked up, and what is recurrent has a measure of its own."""
    return [weight for weight in layer.weights if weight.name in KERNELS]


def _deviation(kernel: Any) -> float:
    return float(np.std(np.asarray(kernel)))


def _ideal(kernel: Any, layer: Any) -> float:
    """He (2015) before a rectifier, Glorot (2010) otherwise; an Embedding and a recurrent kernel are as good as they are."""
    if kernel.name in ("embeddings", "recurrent_kernel"):
        return max(_deviation(kernel), 1e-12)
    shape = tuple(kernel.shape)
    inputs, outputs = (math.prod(shape[:-1]), shape[-1]) if len(shape) != 3 else _einsum_fans(shape)
    if activation_of(layer) in _RECTIFIERS:
        return math.sqrt(2 / inputs)
    return math.sqrt(2 / (inputs + outputs * math.prod(shape[:-2] if len(shape) > 3 else ())))


def _einsum_fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Attention has kernels (features, heads, key) inwards and (heads, key, features) outwards; Conv1D (length, in, out)."""
    return shape[0] * shape[1], shape[2]


def _twins(kernel: FloatArray) -> float:
    """The share of the columns that another column equals."""
    columns = kernel.reshape(-1, kernel.shape[-1])
    if columns.shape[1] < 2:
        return 0.0
    _, inverse, counts = np.unique(np.round(columns, 9), axis=1, return_inverse=True, return_counts=True)
    return float(np.mean(counts[inverse.ravel()] > 1))


def _bias(layer: Any) -> float:
    found = [weight for weight in layer.weights if weight.name == "bias"]
    return float(np.mean([np.mean(np.asarray(bias)) for bias in found])) if found else 0.0


def _recurrent_gain(layer: Any) -> float | None:
    """The largest factor by which a recurrent kernel stretches a state, over its gates."""
    kernels = [np.asarray(weight) for weight in layer.weights if weight.name == "recurrent_kernel"]
    if not kernels:
        return None
    gates = [gate for kernel in kernels for gate in np.split(kernel, kernel.shape[1] // kernel.shape[0], axis=1)]
    return max(float(np.linalg.norm(gate, 2)) for gate in gates)

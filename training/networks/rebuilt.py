"""The same network made anew with other layers or other weights: what pruning and binary kernels have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import keras
from numpy.typing import NDArray

from training.onnx.graph import Graph


def copied(name: str, layer: Any, classes: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """The layer under a name, without its weights; of another class where there is one for its kind."""
    return classes.get(type(layer).__name__, type(layer)).from_config(layer.get_config() | {"name": name})


def own_weights(_: str, layer: Any) -> list[NDArray[Any]]:
    """What the layer holds, in Keras' order."""
    weights: list[NDArray[Any]] = layer.get_weights()
    return weights


def rebuilt(model: Any, made: Callable[[str, Any], Any] = copied, weights: Callable[[str, Any], list[NDArray[Any]]] = own_weights) -> Any:
    """An uncompiled functional Keras model that calls its layers as the given one does, with the layers of models within it lying open.

    `made` gives the new layer for the name of a call, which no other has, and the layer it calls; `weights` what the new one holds.
    Operations between layers have nothing to change.
    """
    graph = Graph.of(model)
    layers = {call.name: call.layer for call in graph.calls[1:] if call.is_layer}
    new = {name: made(name, layer) for name, layer in layers.items()}
    entry = graph.calls[0]
    taken = keras.Input(entry.shape, name=entry.name, dtype=entry.layer.dtype)
    new_model = keras.Model(taken, graph.run(taken, new)[graph.output], name=model.name)
    for name, layer in layers.items():
        if layer.weights:
            new[name].set_weights(weights(name, layer))
            if isinstance(layer, keras.layers.Normalization):
                new[name].finalize_state()  # it computes with copies of its weights
    return new_model

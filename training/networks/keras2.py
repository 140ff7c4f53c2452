"""What Keras 2 has written, as Keras 3 can read it.

Keras 3 reads whole models of Keras 2 in HDF5, but not the `model.json` of `to_json` and no .keras file, and none with a layer that has
lost an argument since, such as the `groups` of a DepthwiseConv2D. The descriptions differ little: in the names of an input's arguments, in
where the class of a layer is said, and in arguments that mean nothing once the weights are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras

from training.networks.arguments import argument_names

#: Arguments that every layer takes.
_ANY = {"name", "trainable", "activity_regularizer"}
#: Ends of arguments that only matter while weights are made or learnt.
_LEARNING = ("initializer", "regularizer", "constraint")
#: Arguments of no account where Keras 3 has them no more: how a layer is computed, and of which shape its input is.
_MUTE = {"implementation", "batch_input_shape", "batch_size", "input_dim", "input_length", "ragged", "sparse"}
#: Arguments that are layers themselves.
_LAYERS = {"layer", "backward_layer"}
#: Arguments that Keras 3 takes without naming them.
_STILL_READ = {("LeakyReLU", "alpha")}
#: Names that classes had.
_RENAMED = {"Model": "Functional", "BatchNormalizationV1": "BatchNormalization", "BatchNormalizationV2": "BatchNormalization"}
#: Where Keras 3 says that models lie.
_MODELS = {"Sequential": "keras", "Functional": "keras.src.models.functional"}


def is_of_keras_2(description: Mapping[str, Any], version: str = "") -> bool:
    """Whether the description of a model, as in model.json, is one of Keras 2. `version` is that of Keras if something else says it."""
    said = str(description.get("keras_version", version))
    return said.startswith(("1.", "2.")) or (not said and "module" not in description)


def modern(description: Mapping[str, Any]) -> dict[str, Any]:
    """The description of a model of Keras 2 as Keras 3 writes it. Raises ValueError for a layer with an argument that it has no more."""
    kind = _RENAMED.get(name := str(description["class_name"]), name)
    config = description["config"]
    if kind in _MODELS:
        return _written(
            _MODELS[kind], kind, _model(kind, {"name": "sequential", "layers": config} if isinstance(config, list) else config)
        ) | _place(description)
    return _written("keras.layers", kind, _layer(kind, config)) | _place(description)


def _model(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    layers = [modern(layer) for layer in config["layers"]]
    if kind == "Sequential" and layers and layers[0]["class_name"] != "InputLayer":
        shape = config["layers"][0]["config"].get("batch_input_shape")
        layers = [_written("keras.layers", "InputLayer", {"batch_shape": shape, "name": "input"}), *layers] if shape else layers
    kept = {key: value for key, value in config.items() if key in ("name", "trainable", "input_layers", "output_layers")}
    inner = {layer["name"] for layer in layers if layer["class_name"] in _MODELS and "name" in layer}
    firsts: dict[str, int] = {}
    for model, use in _uses([kept, layers], inner):
        firsts[model] = min(use, firsts.get(model, use))
    return {key: _from_0(value, firsts) for key, value in (kept | {"layers": layers}).items()}


def _uses(value: Any, models: set[str]) -> Iterator[tuple[str, int]]:
    """The models within a description that are named, each with the number of the use that is meant."""
    if isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str) and value[0] in models:
        yield value[0], value[1]
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _uses(part, models)


def _from_0(value: Any, firsts: Mapping[str, int]) -> Any:
    """With the uses of models counted from 0. Keras 2 counts from 1, as to make a model is its first use."""
    if isinstance(value, dict):
        return {key: _from_0(part, firsts) for key, part in value.items()}
    if not isinstance(value, list):
        return value
    parts: list[Any] = [_from_0(part, firsts) for part in value]
    if len(parts) >= 3 and isinstance(parts[0], str) and parts[0] in firsts:
        parts[1] -= firsts[parts[0]]
    return parts


def _layer(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "InputLayer":
        shape = config.get("batch_input_shape", config.get("batch_shape"))
        return {"batch_shape": shape, "dtype": config.get("dtype", "float32"), "name": config["name"]}
    made = getattr(keras.layers, kind, None)
    if made is None:
        raise ValueError(f"Could not locate class {kind!r}")
    known = {*argument_names(made), *_ANY}
    kept = {}
    for key, value in config.items():
        if key == "dtype" or key.endswith(_LEARNING):  # it is served in float32
            continue
        if key in known or (kind, key) in _STILL_READ:
            kept[key] = _argument(kind, key, value)
        elif key not in _MUTE and value not in (None, False, 1, [1, 1]):
            raise ValueError(f"the layer {config.get('name')!r}, a {kind}, has {key} = {value!r}, which Keras 3 no longer knows")
    return kept


def _argument(kind: str, key: str, value: Any) -> Any:
    if key in _LAYERS and isinstance(value, dict):
        return modern(value)
    if (kind, key) == ("BatchNormalization", "axis") and isinstance(value, list):
        return value[0]
    return value


def _written(module: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def _place(description: Mapping[str, Any]) -> dict[str, Any]:
    """Where a layer stands in a functional model."""
    return {key: description[key] for key in ("name", "inbound_nodes") if key in description}

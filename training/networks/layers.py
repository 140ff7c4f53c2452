"""One layer of a recipe put on a tensor: a Keras class with its arguments, or a block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from training.errors import RecipeError
from training.networks.arguments import check_arguments, first_sentence
from training.networks.blocks import BLOCKS, added
from training.recipe import Layer
from training.schema import checked_layers


def apply(where: str, layer: Layer, x: Any) -> Any:
    """The layer, made and called on x. `where` is its place in the recipe, as in "layers.0". Raises RecipeError that names it."""
    kind, arguments = layer["kind"], {key: value for key, value in layer.items() if key != "kind"}
    try:
        if kind == "Residual":
            check_arguments(f"{where} (Residual)", residual, arguments, hidden=("where", "x"))
            return residual(where, x, **arguments)
        if kind in BLOCKS:
            check_arguments(f"{where} ({kind})", BLOCKS[kind], arguments, hidden=("x",))
            return BLOCKS[kind](x, **arguments)
        return make(where, kind, arguments)(x)
    except (ValueError, TypeError, IndexError, AttributeError, tf.errors.ResourceExhaustedError) as error:
        raise RecipeError(f"{where} ({kind}) cannot be built: {first_sentence(error)}") from error


def residual(where: str, x: Any, layers: Any, activation: str = "linear") -> Any:
    """x plus what the layers make of it (He et al., "Deep residual learning", CVPR 2016, arXiv 1512.03385)."""
    y = x
    for number, layer in enumerate(checked_layers(layers, f"{where}.layers")):
        y = apply(f"{where}.layers.{number}", layer, y)
    total = added(x, y)
    return total if activation == "linear" else keras.layers.Activation(activation)(total)


def make(where: str, kind: str, arguments: Mapping[str, Any]) -> Any:
    """A Keras layer. Raises RecipeError for one that Keras does not have, or an argument that it does not take."""
    found = getattr(keras.layers, kind, None)
    if not (isinstance(found, type) and issubclass(found, keras.layers.Layer)):
        raise RecipeError(f"{where} has the kind {kind!r}, which is no layer of Keras; there are Dense, Conv2D, LSTM and many others")
    check_arguments(f"{where} ({kind})", found, {key: value for key, value in arguments.items() if key != "trainable"})
    return found(**{key: _argument(f"{where}.{key}", key, value) for key, value in arguments.items()})


def _argument(where: str, key: str, value: Any) -> Any:
    """A table is a regularizer { l1 = …, l2 = … }, an initializer { kind = "RandomNormal", stddev = … }, or the layer to be wrapped."""
    if not isinstance(value, dict):
        return tuple(value) if isinstance(value, list) else value
    kind, arguments = value.get("kind"), {name: argument for name, argument in value.items() if name != "kind"}
    if key.endswith("_regularizer"):
        found = getattr(keras.regularizers, kind or "L1L2", None)
    elif key.endswith("_initializer"):
        found = getattr(keras.initializers, kind or "", None)
    else:
        return make(where, str(kind), arguments)
    if not isinstance(found, type):
        raise RecipeError(f'{where} has the kind {kind!r}, which Keras does not have; write it as Keras does, as in kind = "RandomNormal"')
    check_arguments(where, found, arguments)
    return found(**arguments)

"""Transfer learning: a network starts with the layers of one that was trained before.

What is near the input is general, what is near the output particular to the old task (Yosinski et al., "How transferable are
features in deep neural networks?", NIPS 2014, arXiv 1411.1792): so everything up to the last Dense is taken, and freed from the top.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras

from models.store import Store
from training.errors import RecipeError
from training.networks.arguments import first_sentence
from training.networks.files import read_model
from training.onnx.graph import Graph
from training.recipe import Recipe

#: Begins the names of the layers that were taken over.
PREFIX = "base_"


def with_base(recipe: Recipe, store: Store) -> Recipe:
    """The recipe with NAME/VERSION as its base replaced by the folder of that version. Raises RecipeError if there is none."""
    if not recipe.base or recipe.base.endswith(".keras") or Path(recipe.base).is_dir():
        return recipe
    name, _, version = recipe.base.partition("/")
    if not version.isdecimal():
        raise RecipeError(f"the base {recipe.base!r} is no .keras file and no NAME/VERSION of the store, as in digits/1")
    return dataclasses.replace(recipe, base=str(store.open(name, int(version)).folder))


def features_of(base: str, inputs: Any) -> Any:
    """The layers of a base up to its last Dense, with their weights, called on the inputs (n, …) of a new network.

    `base` is a .keras file or a folder with model.json and model.h5. It brings the scaling of its inputs along.
    Raises RecipeError if it cannot be read, or takes inputs of another shape.
    """
    model = load(Path(base))
    try:
        taken, dense = model.inputs[0].shape[1:], Graph.of(model).last_dense
    except ValueError as error:
        raise RecipeError(f"the base {base} cannot be built on: {first_sentence(error)}") from error
    if dense is None:
        raise RecipeError(f"the base {base} cannot be built on: it has no Dense layer, whose place a new head could take")
    if tuple(taken) != tuple(inputs.shape[1:]):
        raise RecipeError(f"the base {base} takes inputs of shape {tuple(taken)}, and this data has {tuple(inputs.shape[1:])}")
    trunk = keras.Model(model.inputs, dense.layer.input)
    if any(isinstance(layer, keras.Model) for layer in trunk.layers):
        raise RecipeError(f"the base {base} has a model as one of its layers; give one whose layers lie open")
    copied = keras.models.clone_model(trunk, input_tensors=[inputs], clone_function=_copied)
    copied.set_weights(trunk.get_weights())
    return copied.outputs[0]


def base_layers(network: Any) -> list[Any]:
    """The layers that came from a base and have weights, from the bottom to the top."""
    return [layer for layer in network.layers if layer.name.startswith(PREFIX) and layer.weights]


def load(path: Path) -> Any:
    """The Keras model of a .keras file, or of a folder with model.json and model.h5. Raises RecipeError."""
    try:
        return read_model([path] if path.suffix == ".keras" else [path / "model.json", path / "model.h5"])
    except Exception as error:  # Keras, h5py and zipfile raise a dozen kinds
        raise RecipeError(
            f"the base {path} cannot be read ({first_sentence(error)}); give a .keras file, or NAME/VERSION of the store"
        ) from error


def _copied(layer: Any) -> Any:
    """The same layer under a name that no new one has, in the precision of the new network."""
    config = {key: value for key, value in layer.get_config().items() if key != "dtype"}
    return type(layer).from_config(config | {"name": PREFIX + layer.name})

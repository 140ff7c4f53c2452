"""Keras models from files: a .keras file, the layers as JSON with their weights, or a whole model in HDF5; of Keras 3, and of Keras 2."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras

from training.networks.keras2 import is_of_keras_2, modern
from training.quiet import quiet_libraries


def read_model(files: Sequence[Path]) -> Any:
    """The model, not compiled. `files`: a .keras file, an .h5 file, or a .json file and then the .h5 file of its weights.

    Raises whatever Keras, h5py and zipfile raise: a dozen kinds.
    """
    with quiet_libraries():
        if len(files) > 1:
            description, weights = files
            return _weighted(json.loads(description.read_text(encoding="utf-8")), weights)
        return _from_zip(files[0]) if files[0].suffix.lower() == ".keras" else _from_hdf5(files[0])


def _from_zip(file: Path) -> Any:
    with zipfile.ZipFile(file) as packed:
        description = json.loads(packed.read("config.json"))
        if not is_of_keras_2(description, str(json.loads(packed.read("metadata.json")).get("keras_version", ""))):
            return keras.models.load_model(file, compile=False)
        with tempfile.TemporaryDirectory(prefix="veleta-keras-") as folder:
            return _weighted(modern(description), Path(packed.extract("model.weights.h5", folder)))


def _from_hdf5(file: Path) -> Any:
    with h5py.File(file) as opened:
        description, version = opened.attrs.get("model_config"), str(opened.attrs.get("keras_version", ""))
    if description is None:
        raise ValueError("it has weights but no layers; give its model.json as well")
    if not is_of_keras_2(parsed := json.loads(description), version):
        return keras.models.load_model(file, compile=False)
    return _weighted(modern(parsed), file)


def _weighted(description: Any, weights: Path) -> Any:
    if not isinstance(description, dict) or not {"class_name", "config"} <= description.keys():
        raise ValueError("it does not describe the layers of a model as `model.to_json()` does")
    model = keras.models.model_from_json(json.dumps(modern(description) if is_of_keras_2(description) else description))
    model.load_weights(weights)
    return model

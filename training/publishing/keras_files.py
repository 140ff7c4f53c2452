"""model.json and model.h5: the network for whoever wants it back in Keras, without a line of ours.

    keras.models.model_from_json(text).load_weights("model.h5")

model.h5 is a whole model in the old HDF5 form: `save_weights` refuses the name, and `load_weights` reads this form by layer order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.quiet import quiet_libraries


def write_keras_files(model: Any, folder: Path) -> None:
    """Write model.json (architecture) and model.h5 (weights) of a Keras model."""
    (folder / "model.json").write_text(model.to_json(indent=2) + "\n", encoding="utf-8")
    with quiet_libraries():  # Keras warns that the form is old, which is why it is chosen
        model.save(folder / "model.h5", include_optimizer=False)

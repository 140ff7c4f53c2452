"""Event files for TensorBoard, on request. TensorFlow writes them by itself; TensorBoard is needed only to look at them.

    DIR/<fit>/train/         loss, accuracy, learning_rate, gradient_norm/LAYER
    DIR/<fit>/validation/    loss, accuracy

The same name in both is drawn in the same chart. Steps are epochs, from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.summary_pb2 import SummaryMetadata

from training.errors import RunError

_VALIDATION = "val_"


class EventFiles:
    """A listener of `Progress`."""

    def __init__(self, folder: Path) -> None:
        """Raises RunError if the folder cannot be made."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"the event files cannot be written to {folder}: {error.strerror}; give another --tensorboard DIR") from error
        self._folder = folder
        self._writers: dict[Path, Any] = {}

    def epoch(self, what: str, epoch: int, figures: Mapping[str, float]) -> None:
        """Written and flushed at once, so that a training can be watched."""
        for name, value in figures.items():
            part = "validation" if name.startswith(_VALIDATION) else "train"
            with self._writer(what, part).as_default(step=epoch + 1):
                tf.summary.write(name.removeprefix(_VALIDATION), tf.constant(value, tf.float32), metadata=_scalar())
        for writer in self._writers.values():
            writer.flush()

    def _writer(self, what: str, part: str) -> Any:
        folder = self._folder / what.replace("/", "-") / part
        if folder not in self._writers:
            self._writers[folder] = tf.summary.create_file_writer(str(folder))
        return self._writers[folder]


def _scalar() -> Any:
    """What tells TensorBoard that a tensor is a point of a curve."""
    metadata = SummaryMetadata(data_class=1)  # DATA_CLASS_SCALAR
    metadata.plugin_data.plugin_name = "scalars"
    return metadata

"""Event files: read again with TensorFlow's own reader."""

from __future__ import annotations

import io
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event

from training.errors import RunError
from training.fitting.progress import Progress
from training.runs.event_files import EventFiles

pytestmark = pytest.mark.training


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Name → (step, value) of the one event file in a folder."""
    (file,) = folder.glob("events.out.tfevents.*")
    found: dict[str, list[tuple[int, float]]] = {}
    for record in tf.data.TFRecordDataset(str(file)):
        event = Event.FromString(record.numpy())
        for value in event.summary.value:
            if event.step == 1:  # only the first of a name says what it is
                assert value.metadata.plugin_data.plugin_name == "scalars"
            found.setdefault(value.tag, []).append((event.step, float(tf.make_ndarray(value.tensor))))
    return found


def test_a_fit_is_read_as_it_went(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.25), loss="categorical_crossentropy", metrics=["accuracy"])
    x, y = np.random.default_rng(0).normal(size=(32, 4)), np.eye(2)[np.arange(32) % 2]
    callback = Progress(io.StringIO()).heard_by(EventFiles(tmp_path)).callback("fine-tuning", 2, 1)
    history = model.fit(x, y, epochs=2, batch_size=32, validation_data=(x, y), verbose=0, callbacks=[callback]).history

    train, validation = read(tmp_path / "fine-tuning/train"), read(tmp_path / "fine-tuning/validation")
    assert train["loss"] == [(1, pytest.approx(history["loss"][0])), (2, pytest.approx(history["loss"][1]))]
    assert validation["loss"] == [(epoch + 1, pytest.approx(value)) for epoch, value in enumerate(history["val_loss"])]
    assert validation["accuracy"] == [(epoch + 1, pytest.approx(value)) for epoch, value in enumerate(history["val_accuracy"])]
    assert train["learning_rate"] == [(1, 0.25), (2, 0.25)]


def test_gradient_norms_go_to_the_training(tmp_path: Path) -> None:
    EventFiles(tmp_path).epoch("training", 0, {"gradient_norm/dense": 0.5})
    assert read(tmp_path / "training/train") == {"gradient_norm/dense": [(1, 0.5)]}


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="--tensorboard DIR"):
        EventFiles(tmp_path / "file" / "logs")

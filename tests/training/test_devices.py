"""Several devices: two halves of the processor learn what one learns. In a process of its own: it is split before TensorFlow starts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.training.runs import ROOT
from training.devices import in_full_float32, placed
from training.errors import TrainingError

pytestmark = pytest.mark.training
_BOTH = """
import io
import numpy as np
from training.quiet import load_keras_quietly
load_keras_quietly(devices=2)
import tensorflow as tf
from tests.training.problems import WINE, wine, ready
from training.fitting.attempt import attempt
from training.fitting.progress import Progress
import dataclasses
assert len(tf.config.list_logical_devices("CPU")) == 2
layers = ({"kind": "Dense", "units": 16, "activation": "tanh", "kernel_regularizer": {"l2": 0.01}},)
split = dataclasses.replace(wine(), train=wine().train.take(np.arange(64)))
recipe = dataclasses.replace(ready("table"), layers=layers, optimizer="sgd", optimizer_arguments={"momentum": 0.9},
    learning_rate=0.05, epochs=2, batch_size=32)
one, two = (attempt(recipe, WINE, split, Progress(io.StringIO()), devices=devices) for devices in (1, 2))
assert one.history.best == two.history.best == 1, (one.history, two.history)
difference = max(float(np.abs(a - b).max()) for a, b in zip(one.network.get_weights(), two.network.get_weights()))
changed = max(float(np.abs(a).max()) for a in one.network.get_weights())
print(type(two.network.weights[0].value).__name__, difference, changed)
assert difference < 1e-5 < changed
"""


def test_two_devices_learn_what_one_learns() -> None:
    without_gpu = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run([sys.executable, "-c", _BOTH], cwd=ROOT, capture_output=True, text=True, check=False, env=without_gpu)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ResourceVariable"), done.stdout  # what comes out lies on one device


def test_more_devices_than_there_are() -> None:
    with pytest.raises(TrainingError, match="3 are asked for"), placed(3):
        pass


def test_what_is_compared_is_not_rounded_and_training_may_be_again() -> None:
    import tensorflow as tf

    enabled, enable = tf.config.experimental.tensor_float_32_execution_enabled, tf.config.experimental.enable_tensor_float_32_execution
    for before in (True, False):  # as all tests have it in the end
        enable(before)
        with in_full_float32():
            assert not enabled()
        assert enabled() is before

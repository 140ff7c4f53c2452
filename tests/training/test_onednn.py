"""Kernels of one place with strides: the same sums, and a process that lives, where oneDNN writes beyond its memory."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.runs import ROOT

pytestmark = pytest.mark.training
L = keras.layers

_SCRIPT = """
from training.quiet import load_keras_quietly
load_keras_quietly()
import keras, numpy as np
image = keras.Input((28, 28, 8))
outer = keras.layers.Conv2D(16, 1, strides=2, padding="same", use_bias=False)(image)
model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(outer)))
model.compile("sgd", "sparse_categorical_crossentropy")
for rows in (1, 3, 9, 33):
    for _ in range(5):
        model.train_on_batch(np.ones((rows, 28, 28, 8), np.float32), np.zeros(rows, np.int64))
print("alive")
"""


@pytest.mark.parametrize("threads", [2, 4])
def test_a_training_outlives_batches_that_the_threads_do_not_divide(threads: int) -> None:
    environment = os.environ | {"TF_NUM_INTRAOP_THREADS": str(threads)}
    done = subprocess.run([sys.executable, "-c", _SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert done.stdout == "alive\n", (done.returncode, done.stderr[-500:])


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (L.Conv2D(4, 1, strides=2, padding="same"), (7, 6, 3)),
        (L.Conv2D(4, 1, strides=(3, 1)), (7, 6, 3)),
        (L.Conv2D(4, 1, strides=2, groups=2), (8, 8, 4)),
        (L.Conv1D(4, 1, strides=3, padding="causal"), (10, 3)),
    ],
)
def test_they_are_the_sums_that_they_were(layer: Any, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    model = keras.Sequential([keras.Input(shape), layer])
    kernel, strides = np.asarray(layer.kernel), [1, *layer.strides, 1]
    if len(shape) == 2:
        expected = tf.nn.conv1d(x, kernel, layer.strides[0], "VALID")
    elif layer.groups == 2:
        parts = [tf.nn.conv2d(x[..., at : at + 2], kernel[..., at : at + 2], strides, "VALID") for at in (0, 2)]
        expected = tf.concat(parts, axis=-1)
    else:
        expected = tf.nn.conv2d(x, kernel, strides, layer.padding.upper())
    np.testing.assert_allclose(model(x), expected, rtol=1e-5, atol=1e-6)
    assert model.compute_output_shape(x.shape) == tuple(model(x).shape)

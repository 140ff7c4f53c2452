"""Writes models as Keras 2 does, each with what it answers. Run with its package, tf-keras, on the path; the argument is a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tf_keras as keras

L = keras.layers


def founding():
    return keras.Sequential(
        [
            L.Conv2D(4, (3, 3), activation="relu", input_shape=(12, 12, 1)),
            L.Conv2D(6, 3, activation="relu"),
            L.MaxPooling2D((2, 2)),
            L.Dropout(0.25),
            L.Flatten(),
            L.Dense(8, activation="relu", kernel_regularizer="l2", kernel_initializer=keras.initializers.HeNormal(seed=3)),
            L.Dense(3, activation="softmax"),
        ]
    )


def mobile():
    """A model within a model, used twice, with the layers whose arguments Keras 3 has lost."""
    taken = L.Input((12, 12, 1))
    x = L.Conv2D(4, 3, strides=2, use_bias=False)(taken)
    x = L.LeakyReLU(0.2)(L.BatchNormalization()(x))
    x = L.ReLU(max_value=6)(L.DepthwiseConv2D(3, padding="same")(x))
    trunk = keras.Model(taken, L.GlobalAveragePooling2D()(L.SeparableConv2D(6, 3, padding="same")(x)), name="trunk")
    image = L.Input((12, 12, 1))
    both = L.Concatenate()([trunk(L.Rescaling(2.0, -1.0)(image)), trunk(image)])
    head = keras.Sequential([L.Dense(5, activation="tanh", input_shape=(12,)), L.LayerNormalization()], name="head")
    return keras.Model(image, L.Dense(3, activation="softmax")(head(both)))


def recurrent():
    taken = L.Input((7, 3))
    x = L.Bidirectional(L.LSTM(4, return_sequences=True))(taken)
    x = L.TimeDistributed(L.Dense(4, activation="relu"))(x)
    x = L.Add()([L.GRU(4, return_sequences=True)(x), L.SimpleRNN(4, return_sequences=True)(x)])
    return keras.Model(taken, L.Dense(3, activation="softmax")(L.Flatten()(x)))


def words():
    return keras.Sequential([L.Embedding(20, 4, input_length=7), L.Conv1D(4, 3, activation="elu"), L.GlobalMaxPooling1D(), L.Dense(1)])


def main(folder: Path) -> None:
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    image, steps, tokens = random.random((20, 12, 12, 1)), random.normal(size=(20, 7, 3)), random.integers(0, 20, (20, 7))
    for make, x in ((founding, image), (mobile, image), (recurrent, steps), (words, tokens)):
        model = make()
        model(x[:1].astype("float32"))
        model.set_weights([random.normal(0.1, 0.3, weight.shape) ** (2 if "variance" in variable.name else 1)
                           for weight, variable in zip(model.get_weights(), model.weights, strict=True)])  # fmt: skip
        stem = folder / make.__name__
        stem.with_suffix(".json").write_text(model.to_json())
        model.save_weights(f"{stem}-weights.h5")
        model.save(f"{stem}-whole.h5")
        model.save(f"{stem}.keras")
        np.savez(f"{stem}.npz", x=x.astype("float32"), answers=model.predict(x, verbose=0))


main(Path(sys.argv[1]))

"""Small networks of every kind that a recipe can name, with random weights: one table for all that has to hold for each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

L = keras.layers
#: Numbers of a vocabulary, for the networks that take tokens.
TOKENS = 20


def classifier(x: Any, layers: list[Any], units: int = 4) -> Any:
    y = x
    for layer in layers:
        y = layer(y)
    return keras.Model(x, L.Dense(units, activation="softmax", name="head")(y))


def sequence(*layers: Any, steps: int = 9, width: int = 5) -> Any:
    return classifier(keras.Input((steps, width), name="sequence"), list(layers))


def image(*layers: Any) -> Any:
    return classifier(keras.Input((10, 8, 2), name="image"), list(layers))


def encoder(x: Any, heads: int = 2, size: int = 3, units: int = 12) -> Any:
    """A Transformer encoder, normalized before each part."""
    normed = L.LayerNormalization(epsilon=1e-6)(x)
    x = L.Add()([x, L.Dropout(0.1)(L.MultiHeadAttention(heads, size)(normed, normed))])
    inner = L.Dense(units, activation="gelu")(L.LayerNormalization(epsilon=1e-6)(x))
    return L.Add()([x, L.Dense(x.shape[-1])(inner)])


def placed(x: Any, width: int) -> Any:
    """A projection with a learnt vector for each place."""
    return L.EinsumDense("abc,cd->abd", output_shape=(x.shape[1], width), bias_axes="bd")(x)


def transformer() -> Any:
    x = keras.Input((9, 5), name="sequence")
    return classifier(x, [lambda y: encoder(encoder(placed(y, 8))), L.LayerNormalization(), L.GlobalAveragePooling1D()])


def tokens(*layers: Any, kind: str = "int32") -> Any:
    return classifier(keras.Input((9,), name="tokens", dtype=kind), [L.Embedding(TOKENS, 6), *layers])


def residual() -> Any:
    """Two residual blocks with batch normalization, the second with a projection."""

    def block(x: Any, filters: int, strides: int) -> Any:
        y = L.ReLU()(L.BatchNormalization()(L.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)))
        y = L.BatchNormalization()(L.Conv2D(filters, 3, padding="same", use_bias=False)(y))
        return L.ReLU()(L.Add()([x if strides == 1 else L.Conv2D(filters, 1, strides=strides)(x), y]))

    return image(L.Conv2D(8, 3, padding="same"), lambda x: block(block(x, 8, 1), 16, 2), L.GlobalAveragePooling2D())


def regression() -> Any:
    x = keras.Input((6,), name="row")
    h = L.Dense(16, activation="relu")(L.Normalization(mean=range(6), variance=range(1, 7))(x))
    return keras.Model(x, L.Dense(1)(L.Dense(8, activation="tanh", name="before")(h)))


NETWORKS: dict[str, Callable[[], Any]] = {
    "dense": lambda: classifier(keras.Input((6,), name="row"), [L.Dense(16, "relu"), L.Dense(8, "tanh")]),
    "CNN": lambda: image(L.Conv2D(8, 3, activation="relu"), L.MaxPooling2D(2), L.Flatten(), L.Dense(16, "relu")),
    "1D CNN": lambda: sequence(
        L.Conv1D(8, 3, activation="relu", padding="same"), L.MaxPooling1D(2), L.Conv1D(8, 2), L.GlobalMaxPooling1D()
    ),
    "LSTM": lambda: sequence(L.LSTM(8, return_sequences=True, dropout=0.2), L.LSTM(6, recurrent_dropout=0.2)),
    "GRU": lambda: sequence(L.GRU(8, return_sequences=True), L.GRU(6, reset_after=False)),
    "SimpleRNN": lambda: sequence(L.SimpleRNN(8, return_sequences=True), L.SimpleRNN(6)),
    "bidirectional": lambda: sequence(L.Bidirectional(L.LSTM(8, return_sequences=True)), L.Bidirectional(L.GRU(4))),
    "recurrent, then pooled": lambda: sequence(L.Bidirectional(L.LSTM(8, return_sequences=True), "ave"), L.GlobalAveragePooling1D()),
    "convolutions, then recurrent": lambda: sequence(L.Conv1D(8, 3, activation="relu"), L.BatchNormalization(), L.GRU(6), steps=12),
    "Transformer": transformer,
    "residual CNN": residual,
    "instance normalization": lambda: image(L.Conv2D(8, 3), L.GroupNormalization(-1), L.ReLU(), L.Flatten(), L.Dense(12, "relu")),
    "layer normalization": lambda: sequence(L.Dense(8), L.LayerNormalization(), L.Activation("silu"), L.Flatten(), L.Dense(12, "relu")),
    "tokens": lambda: tokens(L.LSTM(8)),
    "tokens as float, attention": lambda: tokens(lambda y: encoder(placed(y, 6)), L.GlobalAveragePooling1D(), kind="float32"),
    "regression": regression,
}


def randomized(model: Any, seed: int = 0) -> Any:
    """Every weight random, also those that begin as 0 or 1 and would hide a mistake."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        positive = "variance" in variable.name or variable.name == "gamma"
        variable.assign(random.uniform(0.4, 1.2, variable.shape) if positive else _normal(random, variable.shape))
    return model


def _normal(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Scaled so that a layer keeps the size of what goes through it."""
    return random.normal(0, 1 / np.sqrt(max(np.prod(shape[:-1]), 1)) if len(shape) > 1 else 0.3, shape)


def inputs(model: Any, rows: int = 80, seed: int = 1) -> NDArray[Any]:
    """Rows that fit the input of a network."""
    random, shape = np.random.default_rng(seed), (rows, *model.input_shape[1:])
    if model.inputs[0].name == "tokens":
        return random.integers(0, TOKENS, shape).astype(model.inputs[0].dtype)
    return random.normal(0, 1, shape).astype(np.float32)

"""Networks in which every layer and operation that has an ONNX form comes up, in the ways in which it can be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras.src.applications.convnext import LayerScale
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

L = keras.layers


def sequential(shape: tuple[int, ...], *layers: Any) -> Any:
    return keras.Sequential([keras.Input(shape, name="image"), *layers, L.Dense(4, activation="softmax")])


def residual() -> Any:
    """A functional network with additions of both orders, and a layer that is used twice."""
    image = keras.Input((9, 7, 3), name="image")
    shared = L.Conv2D(6, 3, padding="same", activation="relu")
    first = shared(L.Conv2D(6, 1)(image))
    joined = L.Add()([L.BatchNormalization()(first), shared(first)])
    flat = L.Dense(8, activation="tanh")(L.Flatten()(joined))
    narrow = L.Dense(8)(L.GlobalAveragePooling2D()(joined))
    return keras.Model(image, L.Dense(4, activation="softmax")(L.Add()([flat, narrow])))


NETWORKS: dict[str, Callable[[], Any]] = {
    "dense": lambda: sequential((5, 4, 2), L.Flatten(), L.Dense(7, activation="relu")),
    "founding": lambda: sequential(
        (12, 12, 1), L.Rescaling(1 / 255), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(2), L.Dropout(0.5), L.Flatten(), L.Dense(9)
    ),
    "same, stride 2, even": lambda: sequential((10, 8, 3), L.Conv2D(5, 3, strides=2, padding="same"), L.Flatten()),
    "same, stride 2, odd": lambda: sequential((9, 7, 3), L.Conv2D(5, (2, 3), strides=2, padding="same"), L.Flatten()),
    "same, stride 3": lambda: sequential((11, 8, 2), L.Conv2D(5, 4, strides=3, padding="same"), L.Flatten()),
    "valid, stride 2": lambda: sequential((11, 8, 2), L.Conv2D(5, 3, strides=(2, 1)), L.Flatten()),
    "dilated": lambda: sequential((11, 9, 2), L.Conv2D(5, 3, dilation_rate=2, padding="same"), L.Flatten()),
    "groups": lambda: sequential((8, 8, 4), L.Conv2D(6, 3, groups=2), L.Flatten()),
    "depthwise": lambda: sequential((8, 8, 3), L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", use_bias=False), L.Flatten()),
    "pools": lambda: sequential(
        (13, 11, 3), L.MaxPooling2D(3, strides=2, padding="same"), L.AveragePooling2D(2, padding="same"), L.AveragePooling2D(2), L.Flatten()
    ),
    "batch normalization": lambda: sequential(
        (8, 8, 3),
        L.Conv2D(5, 3, use_bias=False),
        L.BatchNormalization(),
        L.ReLU(),
        L.Flatten(),
        L.BatchNormalization(scale=False),
        L.Dense(6),
    ),
    "global average": lambda: sequential((8, 8, 3), L.Conv2D(5, 3), L.GlobalAveragePooling2D()),
    "global average, kept": lambda: sequential((8, 8, 3), L.GlobalAveragePooling2D(keepdims=True), L.Conv2D(5, 1), L.Flatten()),
    "rescaling with offset": lambda: sequential((6, 6, 1), L.Rescaling(1 / 127.5, offset=-1), L.Conv2D(3, 3, padding="same"), L.Flatten()),
    "rescaling before a pool": lambda: sequential((6, 6, 1), L.Rescaling(-1 / 255), L.MaxPooling2D(2), L.Flatten()),
    "normalization": lambda: sequential((6, 6, 2), L.Normalization(mean=[100, 50], variance=[400, 90]), L.Conv2D(3, 3), L.Flatten()),
    "reshape": lambda: sequential((6, 6, 2), L.Conv2D(3, 3), L.Reshape((8, 6)), L.Dense(5), L.Flatten()),
    "flattened, then normalized": lambda: sequential((6, 6, 2), L.Conv2D(3, 3), L.Flatten(), L.BatchNormalization()),
    "flattened, then softmax": lambda: sequential((6, 6, 2), L.Conv2D(3, 3), L.Flatten(), L.Softmax()),
    "softmax over channels": lambda: sequential((6, 6, 2), L.Conv2D(3, 3, activation="softmax"), L.Flatten()),
    "leaky": lambda: sequential((6, 6, 2), L.LeakyReLU(0.3), L.Conv2D(3, 3), L.ReLU(max_value=1.5, negative_slope=0.1), L.Flatten()),
    "train only": lambda: sequential(
        (8, 8, 1), L.RandomTranslation(0.1, 0.1), L.GaussianNoise(1.0), L.Conv2D(3, 3), L.SpatialDropout2D(0.5), L.Flatten(), L.Dropout(0.5)
    ),
    "residual": residual,
    "conv 1D": lambda: sequential((11, 3), L.Conv1D(5, 3, strides=2, padding="same", activation="relu"), L.Conv1D(4, 2), L.Flatten()),
    "conv 1D, one channel": lambda: sequential((11, 1), L.Conv1D(5, 3, dilation_rate=2, padding="causal"), L.Flatten(), L.Dense(6)),
    "depthwise and separable 1D": lambda: sequential(
        (11, 4), L.DepthwiseConv1D(3, depth_multiplier=2), L.SeparableConv1D(5, 3, padding="same", depth_multiplier=2), L.Flatten()
    ),
    "separable": lambda: sequential((9, 8, 3), L.Rescaling(1 / 255), L.SeparableConv2D(5, 3, strides=2, activation="relu"), L.Flatten()),
    "pools 1D": lambda: sequential(
        (13, 3),
        L.MaxPooling1D(3, strides=2, padding="same"),
        L.AveragePooling1D(2, padding="same"),
        L.Conv1D(4, 2),
        L.GlobalAveragePooling1D(),
    ),
    "global max": lambda: sequential(
        (8, 7, 3), L.Conv2D(5, 3), L.GlobalMaxPooling2D(keepdims=True), L.Conv2D(6, 1), L.GlobalMaxPooling2D()
    ),
    "pads and crops": lambda: sequential(
        (8, 7, 3), L.ZeroPadding2D(((1, 2), (0, 3))), L.Conv2D(5, 3), L.Cropping2D(((0, 1), (2, 0))), L.ZeroPadding2D(1), L.Flatten()
    ),
    "pads and crops 1D": lambda: sequential((8, 3), L.ZeroPadding1D((1, 2)), L.Conv1D(5, 3), L.Cropping1D((1, 2)), L.LSTM(4)),
    "permute, repeat": lambda: sequential((6, 4, 2), L.Permute((3, 1, 2)), L.Flatten(), L.Dense(5), L.RepeatVector(7), L.GRU(6)),
    "each step by itself": lambda: sequential(
        (5, 6, 4, 1),
        L.TimeDistributed(L.Rescaling(1 / 255)),
        L.TimeDistributed(L.Conv2D(3, 3)),
        L.TimeDistributed(L.Flatten()),
        L.TimeDistributed(L.Dense(6, activation="tanh")),
        L.LSTM(5),
    ),
    "slopes": lambda: sequential((6, 6, 2), L.PReLU(), L.Conv2D(3, 3), L.PReLU(shared_axes=[1, 2]), L.Flatten(), L.ELU(0.7), L.Dense(5)),
    "groups of channels": lambda: sequential(
        (6, 6, 4), L.GroupNormalization(2), L.Conv2D(6, 3), L.GroupNormalization(1), L.GroupNormalization(-1, scale=False), L.Flatten()
    ),
    "group normalization of a sequence": lambda: sequential(
        (7, 4), L.GroupNormalization(-1), L.GRU(6, return_sequences=True), L.GroupNormalization(3), L.Flatten()
    ),
    "groups of features": lambda: sequential((12,), L.GroupNormalization(4), L.Dense(6), L.UnitNormalization(), L.Dense(5)),
    "layer normalization": lambda: sequential(
        (6, 5, 2),
        L.LayerNormalization(axis=[1, 2, 3]),
        L.Conv2D(3, 3),
        L.LayerNormalization(center=False),
        L.Flatten(),
        L.LayerNormalization(),
    ),
    "averages over time": lambda: sequential(
        (7, 4), L.LSTM(6, return_sequences=True), L.BatchNormalization(), L.GlobalAveragePooling1D(keepdims=True), L.GRU(3)
    ),
    "recurrent, other activations": lambda: sequential(
        (7, 4),
        L.LSTM(6, activation="softsign", recurrent_activation="hard_sigmoid", use_bias=False, return_sequences=True),
        L.GRU(5, activation="elu", recurrent_activation="sigmoid", return_sequences=True),
        L.SimpleRNN(4, activation="linear"),
    ),
    "backwards": lambda: sequential(
        (7, 4), L.GRU(6, go_backwards=True, return_sequences=True), L.SimpleRNN(5, "relu", go_backwards=True, unroll=True)
    ),
    "both ways, added": lambda: sequential(
        (7, 4), L.Bidirectional(L.GRU(6, return_sequences=True), "sum"), L.Bidirectional(L.LSTM(6), "mul"), L.Dense(5)
    ),
    "rows of pixels": lambda: sequential((6, 5, 1), L.Rescaling(1 / 255), L.Reshape((6, 5)), L.LSTM(6)),
    "merges": lambda: merged(),
    "attention of two": lambda: attended(),
    "einsum": lambda: sequential(
        (6, 4),
        L.EinsumDense("abc,cde->abde", (6, 2, 3), bias_axes="de"),
        L.EinsumDense("abcd,cde->abe", (6, 5), bias_axes="b", activation="tanh"),
        L.EinsumDense("...c,cd->...d", 6),
        L.Flatten(),
    ),
    "models in a model": lambda: nested(),
    "zeros around what is below 0, then the highest": lambda: sequential(
        (8, 8, 2), L.Conv2D(4, 3), L.ZeroPadding2D(2), L.MaxPooling2D(3, strides=2), L.ZeroPadding2D(1), L.MaxPooling2D(2), L.Flatten()
    ),
    "arithmetic between layers": lambda: calculated(),
    "the arithmetic of caffe": lambda: as_in_caffe(),
    "classes told by a convolution": lambda: keras.Sequential(
        [
            keras.Input((9, 9, 2), name="image"),
            L.Conv2D(6, 3, strides=2, activation="relu"),
            L.Conv2D(4, 3),
            L.GlobalAveragePooling2D(),
            L.Softmax(),
        ]
    ),
    "classes told place by place": lambda: keras.Sequential(
        [keras.Input((5, 2), name="image"), L.Dense(3, activation="relu"), L.Flatten(), L.Softmax()]
    ),
    "nothing but an answer": lambda: keras.Sequential([keras.Input((4,), name="image"), L.BatchNormalization(), L.Softmax()]),
    "one layer, other layers between": lambda: interleaved(),
}


def merged() -> Any:
    """Every layer that makes one of several, of tensors that lie differently."""
    image = keras.Input((6, 6, 2), name="image")
    one, two = L.Conv2D(3, 3, padding="same")(image), L.Dense(3)(image)
    gate = L.Conv2D(3, 1, activation="sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(one))
    parts = [L.Subtract()([one, two]), L.Multiply()([one, gate]), L.Average()([one, two]), L.Maximum()([one, two]), L.Minimum()([two, one])]
    joined = L.Concatenate()([one, L.Concatenate()(parts)])
    flat = L.Concatenate()([L.Flatten()(joined), L.Flatten()(one), L.Flatten()(image)])
    rows = L.Concatenate(axis=1)([L.Average()([one, two]), one])
    return keras.Model(image, L.Dense(4, activation="softmax")(L.Concatenate()([L.Dense(6)(flat), L.GlobalMaxPooling2D()(rows)])))


def attended() -> Any:
    """Attention with a query, a value and a key of its own, of other lengths and sizes."""
    sequence = keras.Input((7, 4), name="image")
    query, key = L.Dense(5)(sequence), L.LSTM(6, return_sequences=True)(sequence)
    found = L.MultiHeadAttention(2, 3, value_dim=5)(query=L.Cropping1D((1, 2))(query), value=sequence, key=key)
    again = L.MultiHeadAttention(1, 4, use_bias=False, output_shape=6)(found, found)
    return keras.Model(sequence, L.Dense(4, activation="softmax")(L.Flatten()(again)))


def nested() -> Any:
    """Models in a model, one of them used twice and with another inside; its layers have the names of others."""
    inner = keras.Sequential([keras.Input((6,)), L.Dense(6, activation="tanh", name="same")])
    first = keras.Input((6,))
    twice = keras.Model(first, L.Add()([first, inner(L.Dense(6, name="other")(first))]), name="twice")
    x = keras.Input((6,), name="image")
    last = keras.Sequential([keras.Input((6,)), L.Dense(5, name="same"), L.Dense(4, activation="softmax", name="other")])
    return keras.Model(x, last(twice(L.Dense(6, name="same")(twice(x)))))


def calculated() -> Any:
    """With numbers on either side, by channel and for all, with other tensors, on three axes and on one."""
    x = keras.Input((7, 6, 3), name="image")
    numbers = np.array([0.2, 0.3, 0.5], np.float32)
    y = ((x / 0.5 - 1.0) * 2.0 - numbers) / numbers[None, None]
    y = L.Conv2D(3, 3, padding="same")(y) * y + (1.5 - y) - keras.ops.divide(numbers, 2.0 + y * y)
    flat = L.Flatten()(y) * 0.25 - 0.5
    return keras.Model(x, L.Dense(4, activation="softmax")(flat / 3.0))


def as_in_caffe() -> Any:
    """Channels in the other order, less their means, then layers that only Keras' own networks have."""
    x = keras.Input((8, 8, 3), name="image")
    y = L.Conv2D(6, 3)(keras.applications.resnet50.preprocess_input(x) / 255)
    y = CustomScaleLayer(0.3)([y, LayerScale(0.5, 6)(L.Conv2D(6, 1)(y))])
    return keras.Model(x, L.Dense(4, activation="softmax")(L.GlobalAveragePooling2D()(y)))


def interleaved() -> Any:
    """A layer whose second use depends on a layer that comes after its first."""
    x = keras.Input((6,), name="image")
    shared = L.Dense(6, activation="tanh", name="shared")
    return keras.Model(x, L.Dense(4, activation="softmax")(L.Add()([x, shared(L.LayerNormalization()(shared(x)))])))


def inputs(model: Any, rows: int = 40, highest: float = 255.0) -> Any:
    return np.random.default_rng(1).uniform(0, highest, (rows, *model.input_shape[1:])).astype(np.float32)

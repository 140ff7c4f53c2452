"""Healthy trainings: of each kind of network, drawn from what a practitioner might sanely write.

Optimizer, learning rate, batch, width, activation, initialization, regularization, schedule and augmentation vary, so that a rule that
only knows the defaults calls healthy runs ill.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from training.recipe import Layer, Recipe, read_recipe

ARCHITECTURES = ("dense", "table", "cnn", "rnn", "transformer")
_UPDATES = {"dense": 360, "table": 360, "cnn": 300, "rnn": 400, "transformer": 360}
#: Optimizers with learning rates that are usual for them, and their arguments.
_OPTIMIZERS: tuple[tuple[str, tuple[float, ...], dict[str, Any]], ...] = (
    ("adam", (1e-3, 3e-3), {}),
    ("adam", (2e-3,), {"epsilon": 1e-5}),
    ("adamw", (2e-3,), {"weight_decay": 0.004}),
    ("nadam", (2e-3,), {}),
    ("rmsprop", (1e-3,), {}),
    ("sgd", (0.05, 0.1), {"momentum": 0.9}),
    ("sgd", (0.05,), {"momentum": 0.9, "nesterov": True}),
    ("adadelta", (1.0,), {}),
)


def healthy(architecture: str, seed: int) -> Recipe:
    """A draw. The same seed gives the same recipe."""
    rng = np.random.default_rng([seed, ARCHITECTURES.index(architecture)])
    name, rates, arguments = _OPTIMIZERS[rng.integers(len(_OPTIMIZERS))]
    if architecture in ("rnn", "transformer") and name in ("sgd", "adadelta"):
        name, rates, arguments = _OPTIMIZERS[rng.integers(5)]  # few would train these otherwise
    schedule, schedule_arguments, warmup = _schedule(rng)
    updates, batch = _UPDATES[architecture], int(rng.choice([16, 32, 64]))
    return dataclasses.replace(
        read_recipe().recipe,
        seed=seed,
        batch_size=batch,
        epochs=200,
        max_updates=updates * (2 if batch == 16 else 1),
        patience=int(rng.choice([5, 8, 12])),
        optimizer=name,
        learning_rate=float(rng.choice(rates)),
        optimizer_arguments=arguments,
        schedule=schedule,
        schedule_arguments=schedule_arguments,
        warmup=warmup,
        label_smoothing=float(rng.choice([0, 0, 0.1])) if architecture != "table" else 0.0,
        max_shift_pixels=int(rng.choice([0, 0, 0, 1])) if architecture == "cnn" else 0,
        layers=tuple(_LAYERS[architecture](rng)),
    )


def _schedule(rng: np.random.Generator) -> tuple[str, dict[str, Any], float]:
    kind = str(rng.choice(["constant", "constant", "constant", "cosine", "one-cycle", "step", "exponential"]))
    return kind, {"exponential": {"final": 0.1}}.get(kind, {}), float(rng.choice([0, 0, 0.1])) if kind != "one-cycle" else 0.0


def _activation(rng: np.random.Generator) -> dict[str, Any]:
    """What a hidden layer applies, with an initialization that suits it."""
    kind = str(rng.choice(["relu", "relu", "relu", "gelu", "elu", "tanh", "selu"]))
    initializers: list[Any] = ["glorot_uniform", "he_normal"] if kind != "selu" else ["lecun_normal"]
    if kind == "relu":
        initializers.append({"kind": "RandomNormal", "stddev": 0.05})
    return {"activation": kind, "kernel_initializer": initializers[rng.integers(len(initializers))]}


def _penalty(rng: np.random.Generator) -> dict[str, Any]:
    l2 = float(rng.choice([0, 0, 1e-4, 1e-3]))
    return {"kernel_regularizer": {"l2": l2}} if l2 else {}


def _dropout(rng: np.random.Generator) -> list[Layer]:
    rate = float(rng.choice([0, 0.2, 0.3, 0.5]))
    return [{"kind": "Dropout", "rate": rate}] if rate else []


def _normed(rng: np.random.Generator) -> list[Layer]:
    return [{"kind": str(rng.choice(["BatchNormalization", "LayerNormalization"]))}] if rng.random() < 0.3 else []


def _dense(rng: np.random.Generator) -> list[Layer]:
    layers: list[Layer] = [{"kind": "Flatten"}]
    style = _activation(rng) | _penalty(rng)
    for units in ([64], [64, 64], [128, 64], [96, 64, 32])[rng.integers(4)]:
        layers += [{"kind": "Dense", "units": units} | style, *_normed(rng), *_dropout(rng)]
    return layers


def _table(rng: np.random.Generator) -> list[Layer]:
    style = _activation(rng) | _penalty(rng)
    layers: list[Layer] = []
    for units in ([16], [32], [32, 16], [64, 32])[rng.integers(4)]:
        layers += [{"kind": "Dense", "units": units} | style]
    return [*layers, *_dropout(rng)]


def _cnn(rng: np.random.Generator) -> list[Layer]:
    style, filters = _activation(rng) | _penalty(rng), int(rng.choice([8, 12, 16]))
    layers: list[Layer] = [
        {"kind": "Conv2D", "filters": filters, "kernel_size": 3, "padding": "same"} | style,
        *_normed(rng)[:1],
        {"kind": "MaxPooling2D", "pool_size": 2},
        {"kind": "Conv2D", "filters": 2 * filters, "kernel_size": 3, "padding": "same"} | style,
    ]
    if rng.random() < 0.3:
        return [*layers, {"kind": "MaxPooling2D", "pool_size": 2}, {"kind": "Flatten"}, *_dropout(rng)]
    return [*layers, {"kind": "MaxPooling2D", "pool_size": 2}, {"kind": "Flatten"}, {"kind": "Dense", "units": 48} | style, *_dropout(rng)]


def _rnn(rng: np.random.Generator) -> list[Layer]:
    kind, units = str(rng.choice(["LSTM", "GRU"])), int(rng.choice([32, 48, 64]))
    layers: list[Layer] = [{"kind": "Rows"}, {"kind": kind, "units": units}, *_dropout(rng)]
    return [*layers, {"kind": "Dense", "units": 32} | _activation(rng)] if rng.random() < 0.5 else layers


def _transformer(rng: np.random.Generator) -> list[Layer]:
    block = {
        "kind": "TransformerEncoder",
        "heads": int(rng.choice([2, 4])),
        "key_dim": 16,
        "ff_units": int(rng.choice([64, 96])),
        "activation": str(rng.choice(["gelu", "relu"])),
        "dropout": float(rng.choice([0, 0.1])),
    }
    blocks = [block] * int(rng.choice([1, 1, 2]))
    last: list[Layer] = [{"kind": "LayerNormalization"}] if rng.random() < 0.5 else []
    pooled: list[Layer] = [{"kind": str(rng.choice(["GlobalAveragePooling1D", "Flatten"]))}]
    return [{"kind": "Rows"}, {"kind": "PositionalEmbedding", "units": 32}, *blocks, *last, *pooled]


_LAYERS: dict[str, Callable[[np.random.Generator], list[Layer]]] = {
    "dense": _dense,
    "table": _table,
    "cnn": _cnn,
    "rnn": _rnn,
    "transformer": _transformer,
}

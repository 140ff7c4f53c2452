"""Facts of a healthy training, made up: twelve epochs of a small dense network on ten classes. Tests change one thing at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from training.diagnosis.facts import (
    ACTIVATED,
    TRACED,
    Activations,
    Curves,
    Data,
    End,
    Facts,
    Inputs,
    LayerFacts,
    Reference,
    Settings,
    Start,
    Trace,
)

EPOCHS, ROWS = 12, 60


def layer(name: str, **values: Any) -> LayerFacts:
    usual = {
        "takes": (),
        "kind": "Dense",
        "activation": "relu",
        "units": 64,
        "inputs": 64,
        "parameters": 4160,
        "trainable": True,
        "pretrained": False,
        "deviation": 0.18,
        "ideal": 0.177,
        "twins": 0.0,
        "bias": 0.0,
        "recurrent_gain": None,
        "dropout": 0.0,
        "l1": 0.0,
        "l2": 0.0,
    }
    return LayerFacts(name, **(usual | values))


def healthy() -> Facts:
    """Nothing is wrong."""
    inputs = Inputs(0.0, 1.0, 0.2, 0.3, np.full(64, 0.3), 0.1, True, False)
    reference = Reference(0.1, 0.88, 0.85, 0.87, 0.1, 0.03)
    counts = np.full(10, 80)
    data = Data("classification", 800, 300, counts, np.full(10, 30), 0.0, 0.0, (0.0, 0.0, 0.0, 0.0), inputs, reference)
    settings = Settings(
        "categorical_crossentropy", False, "softmax", "adam", 1e-3, 0.9, 1e-7, False, "constant", 32, EPOCHS, 300, 8, False, (0.0, 0.0, 0.0)
    )
    last = layer("probabilities", takes=("dense_1",), activation="softmax", units=10)
    layers = (layer("dense"), layer("dense_1", takes=("dense",)), last)
    falling = 2.3 * np.exp(-np.arange(1, EPOCHS + 1) / 2.5) + 0.08
    rising = 1 - 0.9 * np.exp(-np.arange(1, EPOCHS + 1) / 2.5)
    curves = Curves(falling, rising, falling, rising, falling + 0.1, np.minimum(rising, 0.92), np.full(EPOCHS, 1e-3))
    end = End(0.1, 0.0, np.eye(10, dtype=np.int64) * 27 + np.eye(10, k=1, dtype=np.int64), 0.98, 0.91, 800, 300, None)
    return Facts(data, layers, settings, Start(2.35, 0.0, (0.0, 1.0)), trace(), activations(), curves, end)


def trace() -> Trace:
    values = np.zeros((ROWS, 6, len(TRACED)))
    for name, value in {"mean_gradient": 1e-3, "gradient": 0.1, "weight": 8.0, "update": 0.01, "finite": 1.0}.items():
        values[:, :, TRACED.index(name)] = value
    tensors = tuple(f"{name}/{part}" for name in ("dense", "dense_1", "probabilities") for part in ("kernel", "bias"))
    layers = tuple(name.partition("/")[0] for name in tensors)
    return Trace(
        np.arange(ROWS) * 5, np.linspace(2.3, 0.1, ROWS), np.full(ROWS, 1e-3), tensors, layers, (4096, 64, 4096, 64, 640, 10), values
    )


def activations() -> Activations:
    values = np.zeros((EPOCHS + 1, 2, len(ACTIVATED)))
    values[:, :, ACTIVATED.index("zeros")] = 0.5
    values[:, :, ACTIVATED.index("deviation")] = 1.0
    return Activations(("dense", "dense_1"), ("relu", "relu"), values, np.full(EPOCHS + 1, 12.0), 64)


def after(epochs: int) -> Facts:
    """The same after so many epochs, as a watch knows it then: there is no end yet."""
    facts = healthy()
    assert facts.activations is not None
    assert facts.curves is not None
    seen = facts.activations
    return dataclasses.replace(
        facts,
        curves=Curves(**{field.name: getattr(facts.curves, field.name)[:epochs] for field in dataclasses.fields(Curves)}),
        activations=dataclasses.replace(seen, values=seen.values[: epochs + 1], rank=seen.rank[: epochs + 1]),
        end=None,
    )


def but(facts: Facts, **changes: Any) -> Facts:
    """Facts with `part__field=value`: data__inputs__spread = 80."""
    for path, value in changes.items():
        facts = _set(facts, path.split("__"), value)
    return facts


def _set(whole: Any, path: list[str], value: Any) -> Any:
    if len(path) > 1:
        value = _set(getattr(whole, path[0]), path[1:], value)
    return dataclasses.replace(whole, **{path[0]: value})


def traced(facts: Facts, what: str, value: Any, tensor: int | None = None) -> Facts:
    """Facts with another value of one of TRACED, of one tensor or all."""
    assert facts.trace is not None
    values = facts.trace.values.copy()
    values[:, slice(None) if tensor is None else tensor, TRACED.index(what)] = value
    return but(facts, trace__values=values)


def activated(facts: Facts, what: str, value: float, kind: str = "relu") -> Facts:
    """Facts with another value of one of ACTIVATED in the first layer, which applies `kind`."""
    assert facts.activations is not None
    values = facts.activations.values.copy()
    values[:, 0, ACTIVATED.index(what)] = value
    return but(facts, activations__values=values, activations__activations=(kind, "relu"))

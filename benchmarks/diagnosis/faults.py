"""What is put wrong: each fault is a change of a healthy recipe or of its data, drawn with its severity from a seed.

`harms`: the fault counts only where it costs accuracy, as a mutant counts only if it is killed (Humbatova et al., "DeepCrime", ISSTA
2021); the others are wrong whatever the accuracy says, since they are there to be read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data.parts import Part, Problem, Split
from training.recipe import Layer, Recipe

IMAGES = ("dense", "cnn", "rnn", "transformer")
ALL = ("dense", "table", "cnn", "rnn", "transformer")


@dataclass(frozen=True)
class Training:
    """What is trained: a recipe on parted data."""

    recipe: Recipe
    problem: Problem
    split: Split

    def but(self, **values: Any) -> Training:
        """With other values of the recipe."""
        return dataclasses.replace(self, recipe=dataclasses.replace(self.recipe, **values))

    def with_parts(self, **parts: Part) -> Training:
        return dataclasses.replace(self, split=dataclasses.replace(self.split, **parts))


@dataclass(frozen=True)
class Fault:
    """A kind of fault, what it is put into, and how."""

    kind: str
    architectures: tuple[str, ...]
    put: Callable[[Training, np.random.Generator], Training]
    harms: bool = True
    regression: bool = False


def layers_with(layers: tuple[Layer, ...], kinds: tuple[str, ...], **arguments: Any) -> tuple[Layer, ...]:
    """The layers, those of the kinds named with other arguments."""
    return tuple(dict(layer) | arguments if layer["kind"] in kinds else layer for layer in layers)


_KERNELS = ("Dense", "Conv2D", "LSTM", "GRU")
_ADAPTIVE = ("adam", "adamw", "nadam", "rmsprop")


def _rate_too_high(t: Training, rng: np.random.Generator) -> Training:
    factor = float(rng.choice([100, 300, 1000])) if t.recipe.optimizer in _ADAPTIVE else float(rng.choice([100, 300]))
    return t.but(learning_rate=t.recipe.learning_rate * factor)


def _rate_too_low(t: Training, rng: np.random.Generator) -> Training:
    return t.but(learning_rate=t.recipe.learning_rate / float(rng.choice([200, 500, 1000])))


def _momentum(t: Training, rng: np.random.Generator) -> Training:
    return t.but(optimizer="sgd", learning_rate=0.05, optimizer_arguments={"momentum": float(rng.choice([0.998, 0.999]))})


def _epsilon(t: Training, rng: np.random.Generator) -> Training:
    kind, rate = (t.recipe.optimizer, t.recipe.learning_rate) if t.recipe.optimizer in _ADAPTIVE else ("adam", 1e-3)
    return t.but(optimizer=kind, learning_rate=rate, optimizer_arguments={"epsilon": float(rng.choice([1, 10]))})


def _schedule_died(t: Training, rng: np.random.Generator) -> Training:
    if rng.random() < 0.5:
        return t.but(schedule="step", warmup=0.0, schedule_arguments={"at": [0.04, 0.06, 0.08], "factor": 0.1})
    return t.but(schedule="exponential", warmup=0.0, schedule_arguments={"final": 1e-30})


def _few_epochs(t: Training, rng: np.random.Generator) -> Training:
    return t.but(epochs=int(rng.choice([1, 2])))


def _batch_of_one(t: Training, rng: np.random.Generator) -> Training:
    return t.but(batch_size=1)


def _huge_batch(t: Training, rng: np.random.Generator) -> Training:
    return t.but(batch_size=len(t.split.train), epochs=max(3, t.recipe.max_updates // (len(t.split.train) // t.recipe.batch_size)))


def _unscaled(t: Training, rng: np.random.Generator) -> Training:
    return t.but(normalization="none")


def _twice(t: Training, rng: np.random.Generator) -> Training:
    return _mapped(t, lambda x: x / 255)


def _constant_columns(t: Training, rng: np.random.Generator) -> Training:
    shape = t.split.train.x.shape[1:]
    dead = rng.random(shape) < 0.8
    if len(shape) > 1:  # a reader that filled only the first rows of the picture
        dead = np.zeros(shape, bool)
        dead[shape[0] // 4 :] = True
    return _mapped(t, lambda x: np.where(dead, 0, x).astype(np.float32))


def _mapped(t: Training, change: Callable[[Any], Any]) -> Training:
    """All three parts: what is wrong with the reading of the data is wrong for all of them."""
    return t.with_parts(**{name: Part(change(part.x), part.y) for name, part in _parts(t).items()})


def _parts(t: Training) -> dict[str, Part]:
    return {"train": t.split.train, "validation": t.split.validation, "test": t.split.test}


def _relabelled(t: Training, change: Callable[[Any], Any]) -> Training:
    """The labels that came with the data; the test rows keep the true ones, to show the harm."""
    return t.with_parts(**{name: Part(part.x, change(part.y)) for name, part in _parts(t).items() if name != "test"})


def _shuffled(t: Training, rng: np.random.Generator) -> Training:
    return _relabelled(t, rng.permutation)


def _noisy(t: Training, rng: np.random.Generator) -> Training:
    share, classes = float(rng.choice([0.3, 0.4])), len(t.problem.classes)

    def change(y: Any) -> Any:
        other = (y + rng.integers(1, classes, len(y))) % classes
        return np.where(rng.random(len(y)) < share, other, y)

    return _relabelled(t, change)


def _unbalanced(t: Training, rng: np.random.Generator) -> Training:
    classes = len(t.problem.classes)
    rare, factor = rng.choice(classes, max(1, classes // 2), replace=False), float(rng.choice([20, 40]))

    def thin(part: Part) -> Part:
        kept = ~np.isin(part.y, rare) | (rng.random(len(part)) < 1 / factor)
        for label in rare:
            kept[np.flatnonzero(part.y == label)[:1]] = True
        return part.take(np.flatnonzero(kept))

    return t.with_parts(train=thin(t.split.train), validation=thin(t.split.validation))


def _tiny_validation(t: Training, rng: np.random.Generator) -> Training:
    return t.with_parts(validation=t.split.validation.take(np.arange(int(rng.integers(10, 21)))))


def _leaked(t: Training, rng: np.random.Generator) -> Training:
    train, validation, share = t.split.train, t.split.validation, float(rng.choice([0.3, 0.6, 1.0]))
    count = round(len(validation) * share)
    copied = train.take(rng.choice(len(train), count, replace=count > len(train)))
    kept = validation.take(np.arange(count, len(validation)))
    return t.with_parts(validation=Part(np.concatenate([copied.x, kept.x]), np.concatenate([copied.y, kept.y])))


def _few_rows(t: Training, rng: np.random.Generator) -> Training:
    """Few rows, nothing that holds the network back, and no early stop."""
    rows = int(rng.choice([60, 100]))
    layers = tuple(layer for layer in layers_with(t.recipe.layers, _KERNELS, kernel_regularizer={"l2": 0.0}) if layer["kind"] != "Dropout")
    layers = layers_with(layers, ("TransformerEncoder",), dropout=0.0)
    return t.with_parts(train=t.split.train.take(np.arange(rows))).but(
        layers=layers, patience=200, epochs=200, label_smoothing=0.0, max_shift_pixels=0, max_updates=max(300, t.recipe.max_updates // 2)
    )


def _much_dropout(t: Training, rng: np.random.Generator) -> Training:
    rate = float(rng.choice([0.9, 0.95]))
    layers = layers_with(t.recipe.layers, ("Dropout",), rate=rate)
    layers = layers_with(layers, ("TransformerEncoder",), dropout=rate)
    if not any(layer["kind"] in ("Dropout", "TransformerEncoder") for layer in layers):
        layers = (*layers, {"kind": "Dropout", "rate": rate})
    return t.but(layers=layers)


def _much_penalty(t: Training, rng: np.random.Generator) -> Training:
    return t.but(layers=layers_with(t.recipe.layers, _KERNELS, kernel_regularizer={"l2": float(rng.choice([0.1, 0.3, 1.0]))}))


def _narrow(t: Training, rng: np.random.Generator) -> Training:
    units = int(rng.choice([1, 2]))
    layers = layers_with(t.recipe.layers, ("Dense", "LSTM", "GRU", "PositionalEmbedding"), units=units)
    layers = layers_with(layers, ("Conv2D",), filters=units)
    layers = layers_with(layers, ("TransformerEncoder",), heads=1, key_dim=1, ff_units=2)
    return t.but(layers=tuple(layer for layer in layers if layer["kind"] != "Dropout"))


def _initialized(kind: str, **arguments: Any) -> Callable[[Training], Training]:
    def put(t: Training) -> Training:
        return t.but(layers=layers_with(t.recipe.layers, _KERNELS, kernel_initializer={"kind": kind} | arguments))

    return put


def _symmetric(t: Training, rng: np.random.Generator) -> Training:
    value = float(rng.choice([0.0, 0.05, 0.5]))
    return _initialized("Constant", value=value)(t)


def _large_weights(t: Training, rng: np.random.Generator) -> Training:
    return _initialized("RandomNormal", stddev=float(rng.choice([1.0, 2.0, 4.0])))(t)


def _small_weights(t: Training, rng: np.random.Generator) -> Training:
    return _initialized("RandomNormal", stddev=float(rng.choice([1e-6, 1e-5])))(t)


def _large_recurrence(t: Training, rng: np.random.Generator) -> Training:
    return t.but(
        layers=layers_with(
            t.recipe.layers, ("LSTM", "GRU"), recurrent_initializer={"kind": "Orthogonal", "gain": float(rng.choice([8, 16, 32]))}
        )
    )


def _linear(t: Training, rng: np.random.Generator) -> Training:
    layers = tuple(layer for layer in t.recipe.layers if layer["kind"] not in ("BatchNormalization", "LayerNormalization"))
    layers = layers_with(layers, ("Dense", "Conv2D"), activation="linear")
    extra = {"kind": "Dense", "units": 32, "activation": "linear"}
    return t.but(layers=(*layers, extra))


def _deep_sigmoid(t: Training, rng: np.random.Generator) -> Training:
    activation, depth = "sigmoid", int(rng.choice([6, 8, 10]))
    kernel = {"activation": activation, "kernel_initializer": "glorot_uniform"}
    dense = [{"kind": "Dense", "units": 32} | kernel for _ in range(depth)]
    first = [layer for layer in t.recipe.layers if layer["kind"] in ("Flatten", "Rows", "Conv2D", "MaxPooling2D", "LSTM", "GRU")]
    return t.but(layers=(*layers_with(tuple(first), ("Conv2D",), activation=activation), *dense))


def _dead(t: Training, rng: np.random.Generator) -> Training:
    bias = {"kind": "Constant", "value": float(rng.choice([-4.0, -8.0]))}
    return t.but(layers=layers_with(t.recipe.layers, ("Dense", "Conv2D"), activation="relu", bias_initializer=bias))


def _frozen(t: Training, rng: np.random.Generator) -> Training:
    return t.but(layers=layers_with(t.recipe.layers, _KERNELS, trainable=False))


def _output(t: Training, rng: np.random.Generator) -> Training:
    return t.but(output_activation=str(rng.choice(["relu", "linear", "tanh"])))


def _loss(t: Training, rng: np.random.Generator) -> Training:
    return t.but(loss=str(rng.choice(["mean_squared_error", "mean_absolute_error"])), label_smoothing=0.0)


def _reach(t: Training, rng: np.random.Generator) -> Training:
    return t.but(output_activation=str(rng.choice(["relu", "sigmoid", "softmax"])))


def _wild_augmentation(t: Training, rng: np.random.Generator) -> Training:
    side = t.split.train.x.shape[1]
    return t.but(max_rotation_degrees=180.0, max_shift_pixels=side // 2, max_zoom=float(rng.choice([0.5, 0.8])))


_WITH_KERNELS = ("dense", "table", "cnn", "rnn")
FAULTS: tuple[Fault, ...] = (
    # the data
    Fault("unscaled-input", ALL, _unscaled, harms=False),
    Fault("scaled-twice", IMAGES, _twice, harms=False),
    Fault("constant-features", ALL, _constant_columns),
    Fault("shuffled-labels", ALL, _shuffled),
    Fault("noisy-labels", IMAGES, _noisy),
    Fault("unbalanced-classes", ALL, _unbalanced),
    Fault("validation-too-small", ALL, _tiny_validation, harms=False),
    Fault("leaked-validation", ALL, _leaked, harms=False),
    # the network
    Fault("symmetric-weights", _WITH_KERNELS, _symmetric),
    Fault("weights-too-large", _WITH_KERNELS, _large_weights),
    Fault("weights-too-small", ("dense", "cnn"), _small_weights),
    Fault("recurrent-weights-too-large", ("rnn",), _large_recurrence),
    Fault("missing-nonlinearity", ("dense", "table", "cnn"), _linear, harms=False),
    Fault("vanishing-gradient", _WITH_KERNELS, _deep_sigmoid),
    Fault("dead-units", ("dense", "table", "cnn"), _dead),
    Fault("frozen-layer", _WITH_KERNELS, _frozen, harms=False),
    Fault("network-too-small", IMAGES, _narrow),
    Fault("wrong-output-activation", ALL, _output),
    Fault("wrong-loss", ALL, _loss, harms=False),
    Fault("output-cannot-reach-targets", ("table",), _reach, regression=True),
    # the fit
    Fault("learning-rate-too-high", ALL, _rate_too_high),
    Fault("learning-rate-too-low", ALL, _rate_too_low),
    Fault("momentum-too-high", ALL, _momentum),
    Fault("epsilon-too-large", ALL, _epsilon),
    Fault("schedule-ended-early", ALL, _schedule_died),
    Fault("too-few-epochs", ALL, _few_epochs),
    Fault("batch-too-small", ALL, _batch_of_one, harms=False),
    Fault("batch-too-large", ALL, _huge_batch),
    Fault("overfitting", ALL, _few_rows),
    Fault("dropout-too-high", ALL, _much_dropout),
    Fault("penalty-too-strong", _WITH_KERNELS, _much_penalty),
    Fault("augmentation-too-strong", IMAGES, _wild_augmentation),
)

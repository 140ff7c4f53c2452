"""What a program does about each kind of finding: pure functions from a recipe to another, in the order in which they are tried.

The order is that of research on repair (AutoTrainer, ICSE 2021; UMLAUT, CHI 2021), the safest first. A remedy that changes nothing is
passed over. What is wrong with the data itself (labels that do not belong to their rows, features that were not read) no recipe mends.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data.parts import Part, Split
from training.data.split import stratified
from training.diagnosis import thresholds as at
from training.diagnosis.facts import Facts
from training.recipe import Layer, Recipe


@dataclass(frozen=True)
class Remedy:
    """`change` says in words what is done. One of a recipe gives a recipe; `resplit` parts the rows anew and is no claim to be better.
    After some trainings a remedy is in `vain`: it would give the same network again.
    """

    change: str
    recipe: Callable[[Recipe], Recipe] = lambda recipe: recipe
    resplit: Callable[[Split, int], Split] | None = None
    vain: Callable[[Facts], bool] = lambda facts: False


_WITH_KERNELS = ("Dense", "Conv1D", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "LSTM", "GRU", "EinsumDense")
_ADAPTIVE = {"adam": 1e-3, "adamw": 1e-3, "nadam": 1e-3, "adamax": 1e-3, "rmsprop": 1e-3, "adagrad": 1e-2, "adadelta": 1.0, "lion": 1e-4}
_USUAL_SGD = 0.05  # with momentum 0.9


def with_values(**values: Any) -> Callable[[Recipe], Recipe]:
    """The recipe with other values."""
    return lambda recipe: dataclasses.replace(recipe, **values)


def every_layer(change: Callable[[Layer], Layer | None]) -> Callable[[Recipe], Recipe]:
    """Each layer changed, those inside blocks too; None takes a layer out."""

    def changed(layers: Any) -> list[Layer]:
        kept = [new for layer in layers if (new := change(dict(layer))) is not None]
        return [layer | {"layers": changed(layer["layers"])} if "layers" in layer else layer for layer in kept]

    return lambda recipe: dataclasses.replace(recipe, layers=tuple(changed(recipe.layers)))


def _without(*keys: str) -> Callable[[Recipe], Recipe]:
    """No layer has these arguments any more, so that Keras' own defaults hold."""
    return every_layer(lambda layer: {key: value for key, value in layer.items() if key not in keys})


def _started_well(recipe: Recipe) -> Recipe:
    """He before a rectifier, Glorot otherwise."""

    def start(layer: Layer) -> Layer:
        if layer["kind"] not in _WITH_KERNELS:
            return layer
        rectifies = "elu" in str(layer.get("activation", "")) or layer.get("activation") in ("relu", "relu6", "silu", "swish")
        return layer | {"kernel_initializer": "he_normal" if rectifies else "glorot_uniform"}

    return every_layer(start)(recipe)


def _optimizer_argument(name: str, value: Any) -> Callable[[Recipe], Recipe]:
    def change(recipe: Recipe) -> Recipe:
        rest = {key: old for key, old in recipe.optimizer_arguments.items() if key != name}
        return dataclasses.replace(recipe, optimizer_arguments=rest if value is None else rest | {name: value})

    return change


def _rate_times(factor: float) -> Callable[[Recipe], Recipe]:
    return lambda recipe: dataclasses.replace(recipe, learning_rate=min(max(recipe.learning_rate * factor, 1e-9), 1e3))


def _usual_rate(recipe: Recipe) -> Recipe:
    """The learning rate that its optimizer was published with."""
    usual = _ADAPTIVE.get(recipe.optimizer.lower(), _USUAL_SGD)
    return dataclasses.replace(recipe, learning_rate=usual)


def _adam(recipe: Recipe) -> Recipe:
    return dataclasses.replace(
        recipe, optimizer="adam", learning_rate=1e-3, optimizer_arguments={}, schedule="constant", schedule_arguments={}
    )


def _momentum(recipe: Recipe) -> Recipe:
    name = "momentum" if "momentum" in recipe.optimizer_arguments else "beta_1"
    return _optimizer_argument(name, 0.9)(recipe)


def _activation(name: str, instead_of: tuple[str, ...]) -> Callable[[Recipe], Recipe]:
    """Layers that apply one of these, or nothing, apply another."""

    def change(layer: Layer) -> Layer:
        if layer["kind"] in ("Dense", "Conv1D", "Conv2D") and str(layer.get("activation", "linear")) in instead_of:
            return layer | {"activation": name}
        return layer

    return every_layer(change)


def _dropout(rate: float) -> Callable[[Recipe], Recipe]:
    """Every dropout at this rate; the attention's at most at 0.1, which is usual there."""

    def change(layer: Layer) -> Layer:
        if layer["kind"] in ("Dropout", "SpatialDropout1D", "SpatialDropout2D"):
            return layer | {"rate": rate}
        return {key: min(value, 0.1) if key in ("dropout", "recurrent_dropout") else value for key, value in layer.items()}

    return every_layer(change)


def _more_dropout(recipe: Recipe) -> Recipe:
    if any(layer["kind"] == "Dropout" for layer in recipe.layers):
        return every_layer(lambda layer: layer | {"rate": min(0.5, layer["rate"] + 0.2)} if layer["kind"] == "Dropout" else layer)(recipe)
    return dataclasses.replace(recipe, layers=(*recipe.layers, {"kind": "Dropout", "rate": 0.3}))


def _penalty(l2: float) -> Callable[[Recipe], Recipe]:
    return every_layer(lambda layer: layer | {"kernel_regularizer": {"l2": l2}} if layer["kind"] in _WITH_KERNELS else layer)


def _weaker_penalty(recipe: Recipe) -> Recipe:
    return every_layer(lambda layer: layer | {"kernel_regularizer": {"l2": 1e-4}} if "kernel_regularizer" in layer else layer)(recipe)


def _normalized(recipe: Recipe) -> Recipe:
    """BatchNormalization after every convolution and hidden Dense that has none. By Keras' momentum of 0.99 it takes hundreds of updates
    to know the rows, and a small budget ends before.
    """
    layers: list[Layer] = []
    for place, layer in enumerate(recipe.layers):
        layers.append(layer)
        following = recipe.layers[place + 1]["kind"] if place + 1 < len(recipe.layers) else ""
        if layer["kind"] in ("Dense", "Conv2D", "Conv1D") and "Normalization" not in following:
            layers.append({"kind": "BatchNormalization", "momentum": 0.9})
    return dataclasses.replace(recipe, layers=tuple(layers))


def _fewer_layers(recipe: Recipe) -> Recipe:
    """Half of the layers that repeat the one before them."""
    layers: list[Layer] = []
    for layer in recipe.layers:
        if len(layers) > 1 and layer == layers[-1] == layers[-2]:
            continue
        layers.append(layer)
    return dataclasses.replace(recipe, layers=tuple(layers))


def _wider(recipe: Recipe) -> Recipe:
    """Eight times the units, at least 32; of an attention's parts as well."""
    sizes = {"units": 32, "filters": 16, "ff_units": 64, "key_dim": 16, "heads": 2}

    def wide(layer: Layer) -> Layer:
        return layer | {key: max(least, min(8 * layer[key], 256)) for key, least in sizes.items() if key in layer and layer[key] < least}

    return every_layer(wide)(recipe)


def _longer(factor: int, least: int = 1) -> Callable[[Recipe], Recipe]:
    def change(recipe: Recipe) -> Recipe:
        return dataclasses.replace(
            recipe,
            epochs=min(10_000, max(recipe.epochs * factor, least)),
            max_updates=min(10**9, recipe.max_updates * (factor if recipe.epochs > 50 else 1)),
        )

    return change


def _ended_by_itself(facts: Facts) -> bool:
    """Before its bound, so that another bound changes nothing, unless the learning rate follows it."""
    return facts.curves is not None and len(facts.curves.loss) < facts.settings.epochs and facts.settings.schedule == "constant"


def _augmented(recipe: Recipe) -> Recipe:
    """Of images, a little: what a hand or a camera moves."""
    return dataclasses.replace(recipe, max_shift_pixels=max(recipe.max_shift_pixels, 1), max_rotation_degrees=10.0, max_zoom=0.1)


def _gently(recipe: Recipe) -> Recipe:
    """No more than that."""
    return dataclasses.replace(
        recipe,
        max_shift_pixels=min(recipe.max_shift_pixels, 1),
        max_rotation_degrees=min(recipe.max_rotation_degrees, 10.0),
        max_zoom=min(recipe.max_zoom, 0.1),
    )


def without_shared(split: Split, seed: int) -> Split:
    """Validation rows that are training rows too go out of the training rows' way: each stays in one part only, and a fifth of all
    rows is held back again.
    """
    known = {row.tobytes() for row in split.train.x}
    fresh = np.array([row.tobytes() not in known for row in split.validation.x], bool)
    return more_validation(dataclasses.replace(split, validation=split.validation.take(np.flatnonzero(fresh))), seed)


def more_validation(split: Split, seed: int) -> Split:
    """A fifth of the training and validation rows together for validation, or as many as the difference looked for needs."""
    rows = len(split.train) + len(split.validation)
    wanted = max(round(rows * 0.2), min(at.LEAST_VALIDATION, rows // 2))
    missing = wanted - len(split.validation)
    if missing <= 0:
        return split
    by_class = split.train.y if np.issubdtype(split.train.y.dtype, np.integer) else np.zeros(len(split.train), np.int64)
    rest, drawn = stratified(by_class, missing, seed)
    moved, held = split.train.take(drawn), split.validation
    validation = Part(np.concatenate([held.x, moved.x]), np.concatenate([held.y, moved.y]))
    return Split(split.train.take(rest), validation, split.test)


_SCALE = Remedy('normalization = "auto"', with_values(normalization="auto"))
_STANDARDIZE = Remedy('normalization = "standardize"', with_values(normalization="standardize"))
_START = Remedy("kernel_initializer: He before a rectifier, Glorot otherwise", _started_well)
_USUAL = Remedy("the learning rate usual for the optimizer", _usual_rate)
_TENTH = Remedy("a tenth of the learning rate", _rate_times(0.1))
_HUNDREDTH = Remedy("a hundredth of the learning rate", _rate_times(0.01))
_TENFOLD = Remedy("ten times the learning rate", _rate_times(10))
_HUNDREDFOLD = Remedy("a hundred times the learning rate", _rate_times(100))
_CLIP = Remedy("global_clipnorm = 1", _optimizer_argument("global_clipnorm", 1.0))
_ADAM = Remedy("Adam with a learning rate of 0.001", _adam)
_BATCH = Remedy("batch_size = 32", with_values(batch_size=32))
_NORMALIZE = Remedy("BatchNormalization after every hidden layer", _normalized)
_RELU = Remedy(
    "ReLU between the layers", lambda recipe: _started_well(_activation("relu", ("linear", "sigmoid", "tanh", "softsign"))(recipe))
)
_LEAKY = Remedy("leaky ReLU in place of ReLU", _activation("leaky_relu", ("relu",)))
_WIDER = Remedy("more units in the narrow layers", _wider)
_LONGER = Remedy("eight times the epochs", _longer(8), vain=_ended_by_itself)
_THRICE = Remedy("three times the epochs, at least ten", _longer(3, least=10), vain=_ended_by_itself)
_EARLY = Remedy("patience = 5", with_values(patience=5))
_DROPOUT = Remedy("more dropout", _more_dropout)
_PENALTY = Remedy("l2 = 0.001", _penalty(1e-3))
_AUGMENT = Remedy("shifts of a pixel, rotations of 10°, zooms of a tenth", _augmented)
_SMOOTH = Remedy("label_smoothing = 0.1", with_values(label_smoothing=0.1))
_COSINE = Remedy('schedule = "cosine"', with_values(schedule="cosine", schedule_arguments={}))
_CONSTANT = Remedy('schedule = "constant"', with_values(schedule="constant", schedule_arguments={}))
_BALANCED = Remedy('class_weights = "balanced"', with_values(class_weights="balanced"))
_LESS_DROPOUT = Remedy("dropout = 0.3", _dropout(0.3))
_WEAKER = Remedy("l2 = 0.0001", _weaker_penalty)
_BIAS = Remedy('bias_initializer = "zeros"', _without("bias_initializer"))

REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "input-not-finite": (),
    "unscaled-input": (_SCALE, _STANDARDIZE, _NORMALIZE),
    "scaled-twice": (_STANDARDIZE, _NORMALIZE),
    "constant-features": (),
    "shuffled-labels": (),
    "noisy-labels": (_SMOOTH, _EARLY, _DROPOUT),
    "unbalanced-classes": (_BALANCED,),
    "leaked-validation": (Remedy("the parts without rows in common", resplit=without_shared),),
    "validation-too-small": (Remedy("a fifth of the rows for validation", resplit=more_validation),),
    "output-cannot-reach-targets": (Remedy('output_activation = "auto"', with_values(output_activation="auto")),),
    "wrong-output-activation": (Remedy('output_activation = "auto"', with_values(output_activation="auto", loss_arguments={})),),
    "wrong-loss": (Remedy('loss = "auto"', with_values(loss="auto", loss_arguments={})),),
    "symmetric-weights": (_START,),
    "recurrent-weights-too-large": (Remedy("recurrent_initializer: orthogonal", _without("recurrent_initializer")), _CLIP),
    "weights-too-large": (_START, _NORMALIZE),
    "weights-too-small": (_START, _NORMALIZE),
    "frozen-layer": (Remedy("every layer learns", _without("trainable")),),
    "missing-nonlinearity": (_RELU,),
    "momentum-too-high": (Remedy("momentum = 0.9", _momentum), _ADAM),
    "batch-too-small": (_BATCH,),
    "dropout-too-high": (_LESS_DROPOUT, Remedy("no dropout", _dropout(0.0))),
    "penalty-too-strong": (_WEAKER, Remedy("no penalty on the weights", _without("kernel_regularizer"))),
    "augmentation-too-strong": (
        Remedy("shifts of at most a pixel, rotations of 10°, zooms of a tenth", _gently),
        Remedy("no augmentation", with_values(max_shift_pixels=0, max_rotation_degrees=0.0, max_zoom=0.0, flip="none")),
    ),
    "epsilon-too-large": (Remedy("Keras' own epsilon", _optimizer_argument("epsilon", None)), _ADAM),
    "schedule-ended-early": (_COSINE, _CONSTANT),
    "learning-rate-too-high": (_USUAL, _TENTH, _HUNDREDTH, _CLIP, _ADAM, _NORMALIZE),
    "learning-rate-too-low": (_USUAL, _HUNDREDFOLD, _TENFOLD, _ADAM),
    "exploding-gradient": (_CLIP, _TENTH, _START, _NORMALIZE),
    "dead-units": (_BIAS, _USUAL, _TENTH, _START, _LEAKY, _NORMALIZE),
    "vanishing-gradient": (_RELU, _NORMALIZE, Remedy("fewer layers", _fewer_layers), _ADAM),
    "saturated-units": (_START, _SCALE, _USUAL, _NORMALIZE),
    "network-too-small": (_WIDER,),
    "batch-too-large": (_BATCH, _LONGER),
    "too-few-epochs": (_LONGER,),
    "overfitting": (_EARLY, _DROPOUT, _AUGMENT, _PENALTY, _SMOOTH),
    "underfitting": (_USUAL, _LONGER, _WIDER, _ADAM, _NORMALIZE, _START, _LESS_DROPOUT),
}
#: What often helps a network in which nothing is found any more, the likeliest to be proved first.
OFTEN = (_THRICE, _NORMALIZE, _ADAM, _WIDER, _COSINE)
#: Every remedy of a recipe once: what the random arm draws from.
ALL_REMEDIES = tuple({one.change: one for remedies in (*REMEDIES.values(), OFTEN) for one in remedies if one.resplit is None}.values())

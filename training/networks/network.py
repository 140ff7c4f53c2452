"""The network of a recipe as a Keras model, with the scaling of the pixels inside, so that a server cannot scale differently."""

from __future__ import annotations

from typing import Any

import keras

from training.data.parts import Problem
from training.errors import RecipeError
from training.onnx.layers import EMITTERS
from training.recipe import Layer, Recipe


def build(recipe: Recipe, problem: Problem) -> Any:
    """An untrained keras.Sequential: inputs as the problem has them → probabilities (n, classes).

    Raises RecipeError that names the layer: unknown, not exportable, wrong arguments, or not fitting the one before.
    """
    taken = problem.input
    model = keras.Sequential([keras.Input(taken.shape[1:], name=taken.name), keras.layers.Rescaling(1 / taken.range[1])], name="network")
    for number, layer in enumerate(recipe.layers):
        try:
            model.add(_layer(number, layer))
        except (ValueError, TypeError) as error:
            raise RecipeError(f"layers.{number} ({layer['kind']}) cannot be built: {_first_sentence(error)}") from error
    if len(model.output_shape) != 2:
        raise RecipeError(
            f'the last of the layers gives shape {model.output_shape[1:]}; end them with kind = "Flatten" or a Dense after it'
        )
    model.add(keras.layers.Dense(len(problem.classes), activation="softmax", name="probabilities"))
    return model


def learner(model: Any, recipe: Recipe) -> Any:
    """What is fitted: the model, behind the augmentation that the recipe asks for, with the recipe's optimizer.

    The weights are the model's own. The augmentation stays outside it: Keras augments whenever such a layer is called plainly, and
    whoever loads model.json must get the answers that are served. Raises RecipeError for an unknown optimizer.
    """
    if recipe.max_shift_pixels:
        height, width = (recipe.max_shift_pixels / size for size in model.input_shape[1:3])
        shift = keras.layers.RandomTranslation(height, width, fill_mode="constant")
        model = keras.Sequential([keras.Input(model.input_shape[1:]), shift, model])
    try:
        optimizer = keras.optimizers.get({"class_name": recipe.optimizer, "config": {"learning_rate": recipe.learning_rate}})
    except (ValueError, TypeError) as error:
        raise RecipeError(f"Keras has no optimizer {recipe.optimizer!r}; it has adadelta, adam, adamw, sgd, rmsprop and others") from error
    model.compile(optimizer, loss="categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    return model


def _layer(number: int, layer: Layer) -> Any:
    if layer["kind"] not in EMITTERS:
        raise RecipeError(f"layers.{number} has the kind {layer['kind']!r}; those that can be served are {', '.join(EMITTERS)}")
    return getattr(keras.layers, layer["kind"])(**{key: value for key, value in layer.items() if key != "kind"})


def _first_sentence(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]

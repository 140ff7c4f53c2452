"""The network of a recipe as a Keras model, with the scaling of its inputs inside, so that a server cannot scale differently."""

from __future__ import annotations

from typing import Any

import keras

from training.data.parts import Part, Problem
from training.errors import RecipeError
from training.networks.arguments import first_sentence
from training.networks.base import features_of
from training.networks.binary import binarized
from training.networks.layers import apply
from training.networks.scaling import scaler, value_scale
from training.recipe import Recipe


def build(recipe: Recipe, problem: Problem, train: Part | None = None) -> Any:
    """An untrained functional model: inputs as the problem has them → probabilities (n, classes), or values (n, 1).

    `train` is needed where the inputs are standardized and for a regression. What scales and the head compute in float32 whatever
    the precision. Raises RecipeError that names the layer: unknown, wrong arguments, or not fitting the one before.
    """
    taken = problem.input
    inputs = keras.Input(taken.shape[1:], name=taken.name)
    x = features_of(recipe.base, inputs) if recipe.base else _scaled(recipe, problem, train, inputs)
    for number, layer in enumerate(recipe.layers):
        x = apply(f"layers.{number}", layer, x)
    if len(x.shape) != 2:
        raise RecipeError(f'the last of the layers gives shape {x.shape[1:]}; end them with kind = "Flatten" or a Dense after it')
    network = keras.Model(inputs, _head(recipe, problem, train, x), name="network")
    return network if recipe.kernels == "float" else _binarized(network)


def _binarized(network: Any) -> Any:
    try:
        return binarized(network)
    except ValueError as error:
        raise RecipeError(f'kernels is "binary", and {first_sentence(error)}; set it to "float"') from error


def _scaled(recipe: Recipe, problem: Problem, train: Part | None, inputs: Any) -> Any:
    layer = scaler(recipe, problem, train)
    return inputs if layer is None else layer(inputs)


def _head(recipe: Recipe, problem: Problem, train: Part | None, x: Any) -> Any:
    regression = problem.task == "regression"
    automatic = "linear" if regression else "softmax"
    activation = automatic if recipe.output_activation == "auto" else recipe.output_activation
    try:
        dense = keras.layers.Dense(
            1 if regression else len(problem.classes), activation, name="output" if regression else "probabilities", dtype="float32"
        )
    except (ValueError, TypeError) as error:
        raise RecipeError(f"output_activation is {activation!r}, which Keras does not have: {first_sentence(error)}") from error
    scale = value_scale(recipe, problem, train)
    return dense(x) if scale is None else scale(dense(x))

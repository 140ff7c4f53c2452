"""What is fitted: a network behind its augmentation, with the recipe's optimizer and loss."""

from __future__ import annotations

from typing import Any

import keras

from training.data.parts import Problem
from training.errors import RecipeError
from training.fitting.loss import loss_of, loss_weight
from training.fitting.optimizer import optimizer_of
from training.fitting.progress import METRICS
from training.recipe import Recipe


def learner(network: Any, recipe: Recipe, problem: Problem, updates: int, model_class: type[Any] = keras.Model) -> Any:
    """A compiled model of `model_class` around the network, for a fit of so many planned updates. The weights are the network's own.

    The augmentation stays outside the network: Keras augments whenever such a layer is called plainly, and whoever loads model.json
    must get the answers that are served. Raises RecipeError for an optimizer, a loss or an argument that Keras does not have.
    """
    loss = loss_of(recipe, problem)
    weight = loss_weight(loss, network)
    inputs = keras.Input(network.input_shape[1:])
    x = inputs
    for layer in augmentation(recipe, problem):
        x = layer(x)
    model = model_class(inputs, network(x))
    model.compile(
        optimizer_of(recipe, network, updates),
        loss=loss,
        loss_weights=None if weight == 1 else [weight],
        metrics=[METRICS[problem.task]],
        jit_compile=False,
    )
    return model


def augmentation(recipe: Recipe, problem: Problem) -> list[Any]:
    """The layers that change an image while training and let it through otherwise. Raises RecipeError for what is no image."""
    if not (recipe.max_shift_pixels or recipe.max_rotation_degrees or recipe.max_zoom or recipe.flip != "none"):
        return []
    if problem.input.kind != "image":
        raise RecipeError(
            f"max_shift_pixels, max_rotation_degrees, max_zoom and flip are for images, and this is a {problem.input.kind}; "
            'set them to 0, and flip to "none"'
        )
    made: list[Any] = []
    if recipe.flip != "none":
        made.append(keras.layers.RandomFlip(recipe.flip, dtype="float32"))
    if recipe.max_shift_pixels:
        height, width = (recipe.max_shift_pixels / (size or 1) for size in problem.input.shape[1:3])
        made.append(keras.layers.RandomTranslation(height, width, fill_mode="constant", dtype="float32"))
    if recipe.max_rotation_degrees:  # as a share of a full turn, to either side
        made.append(keras.layers.RandomRotation(recipe.max_rotation_degrees / 360, fill_mode="constant", dtype="float32"))
    if recipe.max_zoom:
        made.append(keras.layers.RandomZoom((-recipe.max_zoom, recipe.max_zoom), fill_mode="constant", dtype="float32"))
    return made

"""The loss of a recipe: cross-entropy for classes, squared error for values, or one of Keras' by its name."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from training.data.parts import Problem
from training.errors import RecipeError
from training.networks.arguments import argument_names, check_arguments, first_sentence
from training.recipe import Recipe

#: Losses that grow with the unit of the target, and with which power of it.
_POWERS = {"mean_squared_error": 2, "mean_absolute_error": 1}


def loss_of(recipe: Recipe, problem: Problem) -> Any:
    """The loss. Raises RecipeError for one that Keras does not have, for wrong arguments, or if it cannot take these targets."""
    automatic = "mean_squared_error" if problem.task == "regression" else "categorical_crossentropy"
    name = automatic if recipe.loss == "auto" else recipe.loss
    kinds = losses()
    if name not in kinds:
        raise RecipeError(f"Keras has no loss {name!r}; it has {', '.join(kinds)}")
    check_arguments(f"loss_arguments ({name})", kinds[name], recipe.loss_arguments)
    arguments = recipe.loss_arguments
    if recipe.label_smoothing:
        if "label_smoothing" not in argument_names(kinds[name]):
            raise RecipeError(f"the loss {name} has no label_smoothing; take categorical_crossentropy, or set label_smoothing to 0")
        arguments = arguments | {"label_smoothing": recipe.label_smoothing}
    try:
        loss = kinds[name](**arguments)
        width = max(len(problem.classes), 1)
        loss(np.eye(1, width, dtype=np.float32), np.full((1, width), 0.5, np.float32))
    except (ValueError, TypeError, IndexError) as error:
        raise RecipeError(f'the loss {name} cannot be used here: {first_sentence(error)}; leave it to loss = "auto"') from error
    return loss


def loss_weight(loss: Any, network: Any) -> float:
    """What the loss is multiplied with, so that the unit of the target does not decide how large the steps are.

    With the squared error it is 1 / σ² of the training targets: a loss of 1 is that of always saying the mean.
    """
    last = network.layers[-1]
    return float(last.scale) ** -_POWERS.get(loss.name, 0) if isinstance(last, keras.layers.Rescaling) else 1.0


def losses() -> dict[str, Any]:
    """Keras' losses by the names that recipes use."""
    kinds = [getattr(keras.losses, name) for name in dir(keras.losses)]
    made = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, keras.losses.Loss) and kind is not keras.losses.Loss]
    return {kind().name.removesuffix("_loss"): kind for kind in made}

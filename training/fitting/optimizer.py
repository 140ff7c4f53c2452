"""The optimizer of a recipe: one of Keras', with its own arguments, and the schedule of its learning rate."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import keras

from training.errors import RecipeError
from training.fitting.momentum import CycledSGD, momenta
from training.fitting.schedules import Planned, one_cycle, rates, warm_updates
from training.networks.arguments import check_arguments, first_sentence
from training.recipe import Recipe

_NO_OPTIMIZERS = ("Optimizer", "LossScaleOptimizer", "MultiOptimizer")  # a base class and two that wrap others


def optimizer_of(recipe: Recipe, network: Any, updates: int) -> Any:
    """A fresh optimizer for a fit of so many planned updates.

    weight_decay is decoupled from the gradient in all of Keras' optimizers (Loshchilov & Hutter, ICLR 2019, arXiv 1711.05101); biases and
    what normalizes have a single dimension and are left out of it, since a smaller bias makes no function simpler.
    Raises RecipeError for an optimizer or an argument that Keras does not have.
    """
    kinds = optimizers()
    kind = kinds.get(recipe.optimizer.lower())
    if kind is None:
        raise RecipeError(f"Keras has no optimizer {recipe.optimizer!r}; it has {', '.join(kinds)}")
    arguments = recipe.optimizer_arguments
    check_arguments(f"optimizer_arguments ({recipe.optimizer})", kind, arguments, hidden=("self", "name", "learning_rate"))
    table = rates(recipe, updates)
    if "low_momentum" in recipe.schedule_arguments:
        kind = _cycled(recipe, updates)
    try:
        optimizer = kind(learning_rate=recipe.learning_rate if (table == table[0]).all() else Planned(table), **arguments)
    except (ValueError, TypeError) as error:
        raise RecipeError(f"optimizer_arguments do not fit {recipe.optimizer}: {first_sentence(error)}") from error
    optimizer.exclude_from_weight_decay(var_list=[weights for weights in network.trainable_variables if len(weights.shape) < 2])
    return optimizer


def _cycled(recipe: Recipe, updates: int) -> Any:
    """SGD with a momentum that cycles. Raises RecipeError for other optimizers, or a lowest momentum that is not below the highest."""
    highest, lowest = recipe.optimizer_arguments.get("momentum", 0.0), recipe.schedule_arguments["low_momentum"]
    if recipe.optimizer.lower() != "sgd" or not isinstance(highest, (int, float)) or not lowest < highest:
        raise RecipeError(
            f"schedule_arguments.low_momentum is {lowest!r}, which is for sgd with a momentum above it; set "
            "optimizer_arguments.momentum=0.95 or leave it out"
        )
    rise = recipe.schedule_arguments.get("rise", inspect.signature(one_cycle).parameters["rise"].default)
    return partial(CycledSGD, momenta(highest, lowest, rise, warm_updates(recipe, updates), updates))


def optimizers() -> dict[str, Any]:
    """Keras' optimizers by the names that recipes use."""
    named = {name: getattr(keras.optimizers, name) for name in dir(keras.optimizers)}
    return {
        name.lower(): kind
        for name, kind in named.items()
        if isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer) and name not in _NO_OPTIMIZERS
    }

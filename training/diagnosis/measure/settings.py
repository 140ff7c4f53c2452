"""What the recipe asks for, in the terms that rules speak of."""

from __future__ import annotations

from typing import Any

from training.data.parts import Problem
from training.diagnosis.facts import Settings
from training.fitting.fit import Schedule
from training.recipe import Recipe


def settings_facts(recipe: Recipe, problem: Problem, rows: int, optimizer: Any) -> Settings:
    """Of a recipe for so many training rows. `optimizer` is the Keras one that it became, whose defaults count as asked for."""
    schedule = Schedule(recipe.epochs, recipe.max_updates, recipe.patience, recipe.batch_size)
    epochs, batches = schedule.epochs_for(rows), schedule.batches(rows)
    config = optimizer.get_config()
    return Settings(
        loss=_loss(recipe, problem),
        from_logits=bool(recipe.loss_arguments.get("from_logits", False)),
        output_activation=_output(recipe, problem),
        optimizer=recipe.optimizer.lower(),
        learning_rate=recipe.learning_rate,
        momentum=_number(config.get("momentum", config.get("beta_1"))),
        epsilon=_number(config.get("epsilon")),
        clips=any(config.get(name) for name in ("clipnorm", "clipvalue", "global_clipnorm")),
        schedule=recipe.schedule,
        batch_size=recipe.batch_size,
        epochs=epochs,
        updates=epochs * batches,
        patience=recipe.patience,
        class_weights=recipe.class_weights != "none",
        augmentation=(_shift(recipe, problem), float(recipe.max_rotation_degrees), float(recipe.max_zoom)),
    )


def _loss(recipe: Recipe, problem: Problem) -> str:
    if recipe.loss != "auto":
        return recipe.loss
    return "categorical_crossentropy" if problem.task == "classification" else "mean_squared_error"


def _output(recipe: Recipe, problem: Problem) -> str:
    if recipe.output_activation != "auto":
        return recipe.output_activation
    return "softmax" if problem.task == "classification" else "linear"


def _shift(recipe: Recipe, problem: Problem) -> float:
    sides = problem.input.shape[1:3]
    return recipe.max_shift_pixels / (sides[0] or 1) if problem.input.kind == "image" else 0.0


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None

"""One attempt at a problem: the network of a recipe, built and fitted. `veleta train`, folds, search and remedies all train here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from training.data.parts import Problem, Split
from training.devices import placed
from training.errors import RecipeError
from training.fitting.fit import History, Schedule, fit, targets_of
from training.fitting.learner import learner
from training.fitting.precision import computing_in
from training.fitting.progress import Progress
from training.fitting.stages import Stage, stages_of
from training.fitting.watch import Watch
from training.fitting.weights import balanced
from training.networks.binary import settled
from training.networks.network import build
from training.recipe import Recipe


@dataclass(frozen=True)
class Attempt:
    """A fitted network, in float32 and without augmentation, as it will be served, and how the fit went."""

    recipe: Recipe
    network: Any
    history: History


def attempt(
    recipe: Recipe,
    problem: Problem,
    split: Split,
    progress: Progress,
    what: str = "training",
    watch: Watch | None = None,
    devices: int = 0,
) -> Attempt:
    """Build and fit the network of a recipe. The same seed gives the same weights at the start and the same order of rows.

    `watch` looks on. `devices`: over how many of them each batch is spread; 0 for all GPUs that there are.
    Raises RecipeError for a network that cannot be built, TrainingError for a loss that is not a number.
    """
    keras.utils.set_random_seed(recipe.seed)
    with placed(devices) as mirrored, computing_in(recipe.precision):
        network = build(recipe, problem, split.train)
        history = _fit_all(network, recipe, problem, split, progress, what, watch)
    if mirrored or recipe.precision != "float32":
        network = _plain(network, recipe, problem, split)
    return Attempt(recipe, settled(network), history)


def refit(network: Any, recipe: Recipe, problem: Problem, split: Split, targets: Any, schedule: Schedule, progress: Progress) -> History:
    """Fit a network that has learnt before, to other targets or for another time, with all else as the recipe says."""
    model = learner(network, recipe, problem, schedule.updates(len(split.train)))
    weights = _row_weights(recipe, problem, split)
    return fit(model, split.train, targets, split.validation, schedule, recipe.seed, progress, "fine-tuning", row_weights=weights)


def _fit_all(network: Any, recipe: Recipe, problem: Problem, split: Split, progress: Progress, what: str, watch: Watch | None) -> History:
    """One fit after the other, each from the best weights of the one before; the network is left with the best of all."""
    history, lowest, best, place = None, float("inf"), None, 0
    for stage in stages_of(network, recipe):
        stage.free(network)
        fitted = _fit_one(network, stage, problem, split, progress, f"{what}{stage.note}", watch)
        seen = len(history.loss) if history else 0
        if (loss := fitted.validation_loss[fitted.best]) < lowest:
            lowest, best, place = loss, network.get_weights(), seen + fitted.best
        history = history.then(fitted, place) if history else fitted
    assert history is not None
    network.set_weights(best)
    return history


def _fit_one(network: Any, stage: Stage, problem: Problem, split: Split, progress: Progress, what: str, watch: Watch | None) -> History:
    recipe, schedule = stage.recipe, Schedule(stage.recipe.epochs, stage.recipe.max_updates, stage.recipe.patience, stage.recipe.batch_size)
    updates = schedule.updates(len(split.train))
    model = learner(network, recipe, problem, updates, watch.model_class if watch else keras.Model)
    callbacks = watch.callbacks(network, problem, split) if watch else []
    targets = targets_of(split.train.y, network.output_shape[-1])
    weights = _row_weights(recipe, problem, split)
    return fit(model, split.train, targets, split.validation, schedule, recipe.seed, progress, what, callbacks, weights)


def _row_weights(recipe: Recipe, problem: Problem, split: Split) -> Any:
    if recipe.class_weights == "none":
        return None
    if problem.task == "regression":
        raise RecipeError(f'class_weights is {recipe.class_weights!r}, but a regression has no classes; set it to "none"')
    return balanced(split.train.y)


def _plain(network: Any, recipe: Recipe, problem: Problem, split: Split) -> Any:
    """The same network on one device and in float32. Weights are kept in float32 whatever is computed in."""
    plain = build(recipe, problem, split.train)
    plain.set_weights(network.get_weights())
    return plain

"""One attempt at a problem: the network of a recipe, built and fitted. `veleta train`, folds, search and remedies all train here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from training.data.parts import Problem, Split
from training.fitting.fit import History, Schedule, fit, one_hot
from training.fitting.progress import Progress
from training.networks.network import build, learner
from training.recipe import Recipe


@dataclass(frozen=True)
class Attempt:
    """A fitted network, without augmentation and uncompiled as it will be served, and how the fit went."""

    recipe: Recipe
    network: Any
    history: History


def attempt(recipe: Recipe, problem: Problem, split: Split, progress: Progress, what: str = "training") -> Attempt:
    """Build and fit the network of a recipe. The same seed gives the same weights at the start and the same order of rows.

    Raises RecipeError for a network that cannot be built, TrainingError for a loss that is not a number.
    """
    keras.utils.set_random_seed(recipe.seed)
    network = build(recipe, problem)
    schedule = Schedule(recipe.epochs, recipe.max_updates, recipe.patience, recipe.batch_size)
    targets = one_hot(split.train.y, len(problem.classes))
    history = fit(learner(network, recipe), split.train, targets, split.validation, schedule, progress, what)
    return Attempt(recipe, network, history)

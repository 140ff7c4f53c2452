"""Scaling what comes in, and what goes out of a regression: both inside the network, so that a server cannot scale differently.

Means and variances are those of the training part alone; whoever takes them from all rows has looked at the test.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from monitoring.arrays import FloatArray
from training.data.parts import Part, Problem
from training.errors import RecipeError
from training.recipe import Recipe


def scaler(recipe: Recipe, problem: Problem, train: Part | None) -> Any:
    """The layer that scales the inputs, or None. Raises RecipeError if the input has no range and one is asked for."""
    match _way(recipe, problem):
        case "none":
            return None
        case "range":
            return _range(problem)
        case _:
            mean, variance = moments(_rows(train))
            return keras.layers.Normalization(mean=mean.tolist(), variance=variance.tolist(), dtype="float32")


def value_scale(recipe: Recipe, problem: Problem, train: Part | None) -> Any:
    """For a regression, the layer that gives the output the unit of the target: the Dense before it then works with numbers around 1."""
    if problem.task != "regression" or recipe.normalization == "none":
        return None
    y = np.asarray(_rows(train).y, dtype=np.float64)
    return keras.layers.Rescaling(float(y.std()) or 1.0, float(y.mean()), name="value", dtype="float32")


def moments(part: Part) -> tuple[FloatArray, FloatArray]:
    """Mean and variance (features,) over the rows, and over steps or pixels; a variance of 1 for a feature that never changes."""
    x = np.asarray(part.x, dtype=np.float64)
    axes = tuple(range(x.ndim - 1))
    variance = x.var(axis=axes)
    return x.mean(axis=axes), np.where(variance > 0, variance, 1.0)


def _way(recipe: Recipe, problem: Problem) -> str:
    """What "auto" means here. Numbers that only name a token are looked up and never scaled."""
    if recipe.normalization != "auto":
        return recipe.normalization
    if recipe.layers and recipe.layers[0]["kind"] == "Embedding":
        return "none"
    return "range" if problem.input.kind == "image" else "standardize"


def _range(problem: Problem) -> Any:
    lowest, highest = problem.input.range
    if not math.isfinite(highest - lowest) or highest <= lowest:
        raise RecipeError(f'normalization is "range", but the inputs have no range ({lowest} to {highest}); take "standardize"')
    return keras.layers.Rescaling(1 / (highest - lowest), -lowest / (highest - lowest) or 0.0, dtype="float32")


def _rows(train: Part | None) -> Part:
    if train is None:
        raise RecipeError('the network is standardized by its training rows, and none are given; set normalization to "none" or "range"')
    return train

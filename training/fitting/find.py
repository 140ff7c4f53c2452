"""Values of a recipe that are better measured than guessed: its batch size and its learning rate."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Any

import keras

from training.data.parts import Problem, Split
from training.fitting.batch_size import UPDATES, batch_size_of
from training.fitting.fit import targets_of
from training.fitting.learner import learner
from training.fitting.progress import Progress
from training.fitting.range_test import range_test
from training.networks.network import build
from training.recipe import Recipe, Source

_REPEATS = 3  # other weights and other batches: the geometric mean of the suggestions is less of a chance


def found(source: Source, wanted: Collection[str], recipe: Recipe, problem: Problem, split: Split, progress: Progress) -> Source:
    """The recipe with "batch_size" and "learning_rate" measured, as far as they are wanted, and with how they were found as the reason.

    `recipe` is that of the source, with its base where it lies. Both are measured on networks of their own. Raises TrainingError.
    """
    if "batch_size" in wanted:
        size, speeds = find_batch_size(recipe, problem, split)
        reason = _of_batch_size(size, speeds, len(split.train.x))
        source, recipe = source.found(reason, batch_size=size), dataclasses.replace(recipe, batch_size=size)
        progress.say(f"batch_size = {size}: {reason}")
    if "learning_rate" in wanted:
        rate = find_learning_rate(recipe, problem, split)
        reason = f"found by the range test, {_REPEATS} times: two thirds along where the loss falls"
        source = source.found(reason, learning_rate=rate)
        progress.say(f"learning_rate = {rate:.3g}: {reason}")
    return source


def _of_batch_size(size: int, speeds: Mapping[int, float], rows: int) -> str:
    """Why it is that size and not the next.

    >>> _of_batch_size(32, {16: 900.0, 32: 1700.0, 64: 1800.0}, 1000)
    'found by doubling: 1,700 rows a second, and 1,800 with 64; 32 updates an epoch'
    >>> _of_batch_size(32, {16: 900.0, 32: 1700.0}, 500)
    'found by doubling: 1,700 rows a second, and 64 would leave less than 10 updates an epoch; 16 updates an epoch'
    >>> _of_batch_size(32, {16: 900.0, 32: 1700.0}, 1000)
    'found by doubling: 1,700 rows a second, and 64 do not fit into memory; 32 updates an epoch'
    """
    more = 2 * size
    if more in speeds:
        larger = f"{speeds[more]:,.0f} with {more}"
    elif more > rows // UPDATES:
        larger = f"{more} would leave less than {UPDATES} updates an epoch"
    else:
        larger = f"{more} do not fit into memory"
    return f"found by doubling: {speeds.get(size, 0):,.0f} rows a second, and {larger}; {math.ceil(rows / size)} updates an epoch"


def find_batch_size(recipe: Recipe, problem: Problem, split: Split) -> tuple[int, dict[int, float]]:
    """The batch size for a recipe, and the rows per second at each size that was tried."""
    model, targets = _fresh(recipe, problem, split, recipe.seed)
    return batch_size_of(model, split.train.x, targets)


def find_learning_rate(recipe: Recipe, problem: Problem, split: Split) -> float:
    """The learning rate for a recipe, to three significant digits. With a schedule it is the highest one. Raises TrainingError."""
    suggestions = []
    for seed in range(recipe.seed, recipe.seed + _REPEATS):
        model, targets = _fresh(recipe, problem, split, seed)
        suggestions.append(range_test(model, split.train.x, targets, recipe.batch_size, seed).suggestion)
    return float(f"{math.prod(suggestions) ** (1 / _REPEATS):.3g}")


def _fresh(recipe: Recipe, problem: Problem, split: Split, seed: int) -> tuple[Any, Any]:
    """An untrained model with a plain learning rate, and the targets of the training rows."""
    keras.utils.set_random_seed(seed % 2**32)
    network = build(recipe, problem, split.train)
    plain = dataclasses.replace(recipe, schedule="constant", schedule_arguments={}, warmup=0.0)
    return learner(network, plain, problem, updates=1), targets_of(split.train.y, network.output_shape[-1])

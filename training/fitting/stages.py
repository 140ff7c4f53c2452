"""The stages of a fit: one, or with a base its head first and then its layers, from the top, at a smaller learning rate.

Howard & Ruder, "Universal language model fine-tuning" (ACL 2018, arXiv 1801.06146, section 3.3): gradual unfreezing. Layers that are not
yet free do not learn, and a BatchNormalization among them goes on with the moving mean and variance that it brought.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from training.networks.base import PREFIX, base_layers
from training.recipe import Recipe


@dataclass(frozen=True)
class Stage:
    """A fit with the recipe of this stage, in which the layers named in `frozen` do not learn. `note` follows what is said of it."""

    recipe: Recipe
    frozen: frozenset[str]
    note: str = ""

    def free(self, network: Any) -> None:
        """Let the layers of the base learn but for the frozen ones."""
        for layer in base_layers(network):
            layer.trainable = layer.name not in self.frozen


def stages_of(network: Any, recipe: Recipe) -> Iterator[Stage]:
    """The stages in order. The last one has no frozen layer and takes up to `epochs`."""
    base = [layer.name for layer in base_layers(network)]
    if not base:
        yield Stage(recipe, frozenset())
        return
    if recipe.frozen_epochs:
        yield Stage(dataclasses.replace(recipe, epochs=recipe.frozen_epochs), frozenset(base), " the head")
    slow = dataclasses.replace(recipe, learning_rate=recipe.learning_rate * recipe.unfreeze_learning_rate)
    parts = min(recipe.unfreeze_stages, len(base))
    for part in range(1, parts + 1):
        frozen = base[: len(base) - len(base) * part // parts]
        epochs = recipe.epochs if part == parts else recipe.unfreeze_epochs
        top = f" all from {base[len(frozen)].removeprefix(PREFIX)} on"
        yield Stage(dataclasses.replace(slow, epochs=epochs), frozenset(frozen), top)

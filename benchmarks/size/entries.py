"""What is trained, and what it is held against."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from training.recipe import FOUNDING, Recipe, read_recipe

#: What a training may take on two cores.
MINUTES = 10
_SHORT = ("epochs=1", "max_rows=600", "batch_size=32", "calibration_rows=64")


@dataclass(frozen=True)
class Entry:
    """A recipe of training/recipes, the most parameters that it may have and the test accuracy that is wanted of it.

    `published`: what others report for a network of about that size. The baselines are held against nothing. `settings` change the recipe
    `of`, where it is not that of the name.
    """

    name: str
    most_parameters: int | None = None
    goal: float | None = None
    published: str = ""
    of: str = ""
    settings: tuple[str, ...] = ()

    def recipe(self, seed: int, short: bool = False) -> Recipe:
        """With that seed; `short`: a few updates on a few rows, to see that it works."""
        source = read_recipe(FOUNDING.with_name(f"{self.of or self.name}.toml"), (*self.settings, *(_SHORT if short else ())))
        return dataclasses.replace(source.recipe, seed=seed)


#: Published: the lightweight network of arXiv 2501.15547, and the best of fewer than 100,000 parameters in the list of Fashion-MNIST
#: (github.com/zalandoresearch/fashion-mnist#benchmark), whose figures are those of their senders.
ENTRIES = (
    Entry("fashion_15k", 15_000, 0.92, "89 % with 14,900"),
    Entry("fashion_50k", 50_000, 0.93, "92.5 % with < 100,000"),
)
BASELINE = Entry("fashion-mnist")
BASELINES = (BASELINE, Entry("binary", of=BASELINE.name, settings=("kernels=binary",)))

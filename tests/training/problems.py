"""Small problems to build and fit networks for: an image, a table of each task, a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes, load_wine

from models.manifest import Input
from training.data.parts import Part, Problem, Split
from training.recipe import FOUNDING, Recipe, read_recipe

IMAGE = Problem(Input("image", "float32", (None, 28, 28, 1), "image", (0.0, 255.0)), "classification", tuple("0123456789"))
SEQUENCE = Problem(Input("steps", "float32", (None, 12, 3), "sequence", (-5.0, 5.0)), "classification", ("up", "down"))
WINE = Problem(Input("row", "float32", (None, 13), "tabular", (0.0, 2000.0)), "classification", ("a", "b", "c"))
DIABETES = Problem(Input("row", "float32", (None, 10), "tabular", (-1.0, 1.0)), "regression", ())


def wine() -> Split:
    """178 wines of three growers, 13 columns whose scales differ by three powers of ten."""
    x, y = load_wine(return_X_y=True)
    return _split(x.astype(np.float32), y.astype(np.int64))


def diabetes() -> Split:
    """442 patients; the value is the progress of the disease after a year, 25 to 346."""
    x, y = load_diabetes(return_X_y=True)
    return _split(x.astype(np.float32), y.astype(np.float32))


def sequences(rows: int = 64) -> Part:
    """Random walks, and whether the first number of each has gone up."""
    x = np.random.default_rng(0).normal(size=(rows, 12, 3)).cumsum(axis=1).astype(np.float32)
    return Part(x, (x[:, -1, 0] < x[:, 0, 0]).astype(np.int64))


def _split(x: Any, y: Any) -> Split:
    order = np.random.default_rng(0).permutation(len(y))
    train, validation, test = np.split(order, [int(0.6 * len(y)), int(0.8 * len(y))])
    return Split(Part(x[train], y[train]), Part(x[validation], y[validation]), Part(x[test], y[test]))


def ready(name: str, *settings: str) -> Recipe:
    """One of the recipes that come with Veleta."""
    return read_recipe(FOUNDING.with_name(f"{name}.toml"), settings).recipe


def with_layers(*layers: dict[str, Any], **values: Any) -> Recipe:
    """The founding recipe with other layers and values."""
    recipe = read_recipe().recipe
    return type(recipe)(**(recipe.to_dict() | values | {"layers": layers}))

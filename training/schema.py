"""What the values of a recipe may be. Strict, since a value that is silently taken otherwise costs a training.

The tables of arguments (`optimizer_arguments` and its like) are checked where they are used, against what Keras itself takes.
"""

from __future__ import annotations

from typing import Any

from training.errors import RecipeError

#: Lowest and highest value of the keys that are numbers.
RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**32 - 1),
    "max_rows": (0, 10**9),
    "batch_size": (1, 65_536),
    "epochs": (1, 10_000),
    "max_updates": (1, 10**9),
    "patience": (1, 10_000),
    "learning_rate": (1e-9, 1e3),
    "warmup": (0, 1),
    "label_smoothing": (0, 0.99),
    "max_shift_pixels": (0, 1000),
    "max_rotation_degrees": (0, 180),
    "max_zoom": (0, 0.99),
    "frozen_epochs": (0, 10_000),
    "unfreeze_stages": (1, 1000),
    "unfreeze_epochs": (1, 10_000),
    "unfreeze_learning_rate": (1e-6, 1.0),
    "prune_keep": (0.01, 1.0),
    "prune_epochs": (1, 10_000),
    "prune_max_updates": (1, 10**9),
    "calibration_rows": (1, 100_000),
}
#: The keys that name one of a few things.
CHOICES: dict[str, tuple[str, ...]] = {
    "schedule": ("constant", "step", "exponential", "cosine", "one-cycle"),
    "class_weights": ("none", "balanced"),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
    "kernels": ("float", "binary"),
    "normalization": ("auto", "none", "range", "standardize"),
    "flip": ("none", "horizontal"),
}
_EXPECTED = {int: "a whole number", float: "a number", str: "a text", dict: "a table, as in { momentum = 0.9 }"}


def checked(key: str, value: Any, kind: type) -> Any:
    """A value of the recipe as the type of its key. Raises RecipeError that names both."""
    whole = kind is float and type(value) is int
    if type(value) is not kind and not whole:
        raise RecipeError(f"{key} is {value!r}, expected {_EXPECTED[kind]}")
    if key in RANGES:
        lowest, highest = RANGES[key]
        if not lowest <= value <= highest:  # also refuses nan
            raise RecipeError(f"{key} is {value}, expected {lowest:,} to {highest:,}")
    if key in CHOICES and value not in CHOICES[key]:
        raise RecipeError(f"{key} is {value!r}, expected one of {', '.join(CHOICES[key])}")
    return kind(value)


def checked_layers(value: Any, where: str = "layers") -> tuple[dict[str, Any], ...]:
    """The layers, each a table with a kind. Raises RecipeError."""
    if not isinstance(value, list) or not all(isinstance(layer, dict) and isinstance(layer.get("kind"), str) for layer in value):
        raise RecipeError(f'{where} are not tables [[{where}]] that each have a kind, as in kind = "Dense"')
    return tuple(value)

"""A recipe: the network and every number that its training depends on, read from TOML.

A recipe file only says where it differs from `recipes/founding.toml`; `--set key=value` comes last. Reading is strict, since a
misspelt key that is silently ignored costs a training. The comment at the end of a line is the reason for its value and is kept.
A data set may have a recipe of its own here, by its name, which is taken if none is given.
"""

from __future__ import annotations

import copy
import dataclasses
import re
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import RecipeError

_RECIPES = Path(__file__).with_name("recipes")
FOUNDING = _RECIPES / "founding.toml"
_SPACE = "search"
Layer = dict[str, Any]

#: Lowest and highest value of the keys that are numbers.
_RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**32 - 1),
    "max_rows": (0, 10**9),
    "max_shift_pixels": (0, 1000),
    "batch_size": (1, 65_536),
    "learning_rate": (1e-9, 1e3),
    "epochs": (1, 10_000),
    "max_updates": (1, 10**9),
    "patience": (1, 10_000),
    "prune_keep": (0.01, 1.0),
    "prune_epochs": (1, 10_000),
    "prune_max_updates": (1, 10**9),
    "calibration_rows": (1, 100_000),
}
_EXPECTED = {int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True)
class Recipe:
    """What `recipes/founding.toml` explains. `layers` are the hidden ones: `kind` is a Keras class, the rest its arguments."""

    seed: int
    max_rows: int
    max_shift_pixels: int
    batch_size: int
    optimizer: str
    learning_rate: float
    epochs: int
    max_updates: int
    patience: int
    prune_keep: float
    prune_epochs: int
    prune_max_updates: int
    calibration_rows: int
    layers: tuple[Layer, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it, for the manifest."""
        return dataclasses.asdict(self) | {"layers": [dict(layer) for layer in self.layers]}


@dataclass(frozen=True)
class Source:
    """A recipe, the name of its file and the reasons for its values."""

    recipe: Recipe
    name: str
    reasons: dict[str, str]


def read_recipe(path: Path | None = None, settings: Iterable[str] = ()) -> Source:
    """The recipe of a file over the founding one, and `key=value` settings over both. Raises RecipeError."""
    text = _text(FOUNDING)
    values, reasons = tomllib.loads(text), _reasons(text)
    if path not in (None, FOUNDING):
        text = _text(path)
        values |= _table(text, path)
        reasons |= _reasons(text)
    for setting in settings:
        key, value = _setting(setting)
        _assign(values, key, value)
        reasons[key] = "set on the command line"
    return Source(_check(values), (path or FOUNDING).name, reasons)


def changed(source: Source, values: Mapping[str, Any], reason: str) -> Source:
    """The same recipe with other values by key, as --set names them ("learning_rate", "layers.0.units"). Raises RecipeError."""
    whole = copy.deepcopy(source.recipe.to_dict())
    for key, value in values.items():
        _assign(whole, key, value)
    return Source(_check(whole), source.name, source.reasons | dict.fromkeys(values, reason))


def read_space(path: Path) -> dict[str, Any]:
    """The table [search] of a recipe, which says where `veleta search` looks; empty if there is none. Raises RecipeError."""
    space: dict[str, Any] = _whole_table(_text(path), path).get(_SPACE, {})
    return space


def default_recipe(data: str) -> Path:
    """The recipe for a data set if none is given: the founding one, where the data needs nothing else."""
    return next((path for path in _RECIPES.glob("*.toml") if path.stem == data), FOUNDING)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"the recipe {path} cannot be read: {error.strerror}; give the path of a TOML file") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"the recipe {path} is not text; give the path of a TOML file") from error


def _table(text: str, path: Path) -> dict[str, Any]:
    """What a training depends on: all but the space of a search."""
    return {key: value for key, value in _whole_table(text, path).items() if key != _SPACE}


def _whole_table(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"the recipe {path} is not TOML: {error}") from error


def _reasons(text: str) -> dict[str, str]:
    """The comment behind each `key = value` above the first table.

    >>> _reasons('epochs = 3  # enough\\n[[layers]]\\nkind = "Dense"  # two')
    {'epochs': 'enough'}
    """
    head = re.split(r"^\[", text, maxsplit=1, flags=re.MULTILINE)[0]
    return dict(re.findall(r"^(\w+) *= *(?:\"[^\"]*\"|[^\"#\n]*?) *# *(.+?) *$", head, re.MULTILINE))


def _setting(text: str) -> tuple[str, Any]:
    """`key=value`; the value is TOML, and what is not TOML is a text, so that nobody has to quote twice.

    >>> _setting("epochs=3"), _setting("optimizer=adam")
    (('epochs', 3), ('optimizer', 'adam'))
    """
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise RecipeError(f"{text!r} is no setting; write --set key=value, as in --set epochs=10")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


def _assign(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a key of the recipe, or `layers.N.key` (N from 0) of one layer."""
    match key.split("."):
        case [name]:
            values[name] = value
        case ["layers", number, argument] if number.isdecimal() and int(number) < len(values["layers"]):
            values["layers"][int(number)][argument] = value
        case _:
            raise RecipeError(f"the recipe has no {key!r}; a layer is set with layers.N.argument, N from 0 to {len(values['layers']) - 1}")


def _check(values: dict[str, Any]) -> Recipe:
    kinds = typing.get_type_hints(Recipe)
    if unknown := sorted(values.keys() - kinds.keys()):
        raise RecipeError(f"a recipe has no key {unknown[0]!r}; it has {', '.join(kinds)}")
    checked = {key: _number_or_text(key, value, kinds[key]) for key, value in values.items() if key != "layers"}
    return Recipe(**checked, layers=_layers(values["layers"]))


def _number_or_text(key: str, value: Any, kind: type) -> Any:
    whole = kind is float and type(value) is int
    if type(value) is not kind and not whole:
        raise RecipeError(f"{key} is {value!r}, expected {_EXPECTED[kind]}")
    if key in _RANGES:
        lowest, highest = _RANGES[key]
        if not lowest <= value <= highest:  # also refuses nan
            raise RecipeError(f"{key} is {value}, expected {lowest:,} to {highest:,}")
    return kind(value)


def _layers(value: Any) -> tuple[Layer, ...]:
    if not isinstance(value, list) or not all(isinstance(layer, dict) and isinstance(layer.get("kind"), str) for layer in value):
        raise RecipeError('layers are not tables [[layers]] that each have a kind, as in kind = "Dense"')
    return tuple(value)

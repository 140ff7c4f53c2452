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
from training.schema import checked, checked_layers

_RECIPES = Path(__file__).with_name("recipes")
FOUNDING = _RECIPES / "founding.toml"
_DENSE = _RECIPES / "dense.toml"
_SPACE = "search"
_OF_KIND = {
    ("tabular", "classification"): _RECIPES / "table.toml",
    ("tabular", "regression"): _RECIPES / "regression.toml",
    ("tensor", "classification"): _RECIPES / "table.toml",
    ("tensor", "regression"): _RECIPES / "regression.toml",
    ("sequence", "classification"): _RECIPES / "lstm.toml",
    ("sequence", "regression"): _RECIPES / "lstm.toml",
}
Layer = dict[str, Any]
#: Keys that only a training has a use for: a network that was brought is shrunk, and fine-tuned when it is pruned.
OF_TRAINING = (
    *("name", "layers", "base", "epochs", "max_updates", "output_activation", "normalization", "precision", "kernels"),
    *("frozen_epochs", "unfreeze_stages", "unfreeze_epochs", "unfreeze_learning_rate"),
)
#: Keys that int8 depends on.
OF_INT8 = ("seed", "max_rows", "calibration_rows")


@dataclass(frozen=True)
class Recipe:
    """What `recipes/founding.toml` explains. `layers` are the hidden ones: `kind` is a Keras class, the rest its arguments."""

    seed: int
    max_rows: int
    batch_size: int
    epochs: int
    max_updates: int
    patience: int
    optimizer: str
    learning_rate: float
    optimizer_arguments: dict[str, Any]
    schedule: str
    warmup: float
    schedule_arguments: dict[str, Any]
    loss: str
    loss_arguments: dict[str, Any]
    label_smoothing: float
    output_activation: str
    class_weights: str
    precision: str
    kernels: str
    normalization: str
    max_shift_pixels: int
    max_rotation_degrees: float
    max_zoom: float
    flip: str
    base: str
    frozen_epochs: int
    unfreeze_stages: int
    unfreeze_epochs: int
    unfreeze_learning_rate: float
    prune_keep: float
    prune_epochs: int
    prune_max_updates: int
    calibration_rows: int
    layers: tuple[Layer, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it, for the manifest."""
        return dataclasses.asdict(self) | {"layers": [copy.deepcopy(layer) for layer in self.layers]}


@dataclass(frozen=True)
class Source:
    """A recipe, the name of its file and the reasons for its values."""

    recipe: Recipe
    name: str
    reasons: dict[str, str]

    def found(self, reason: str, **values: Any) -> Source:
        """The same recipe with values that were measured, and how."""
        return Source(dataclasses.replace(self.recipe, **values), self.name, self.reasons | dict.fromkeys(values, reason))


def read_recipe(path: Path | None = None, settings: Iterable[str] = ()) -> Source:
    """The recipe of a file over the founding one, and `key=value` settings over both. Raises RecipeError.

    A recipe that starts from a `base` and names no layers has none between that and its head: the founding ones are not meant.
    """
    text = _text(FOUNDING)
    values, reasons = tomllib.loads(text), _reasons(text)
    own: dict[str, Any] = {}
    if path not in (None, FOUNDING):
        text = _text(path)
        own = _table(text, path)
        reasons |= _reasons(text)
        try:
            _check(values | own)
        except RecipeError as error:
            raise RecipeError(f"{error} (in {path})") from error
    values |= own
    for setting in settings:
        key, value = _setting(setting)
        _assign(values, key, value)
        reasons[key] = "set on the command line"
    if values["base"] and "layers" not in own and not any(key.startswith("layers") for key in reasons):
        values["layers"] = []
    return Source(_check(values), (path or FOUNDING).name, reasons)


def recorded_recipe(values: Mapping[str, Any], reasons: Mapping[str, str]) -> Source:
    """The recipe that a manifest tells of, where its `name` is the file's. A key that came later has the value of the founding recipe,
    which is what was done before there was a choice. Raises RecipeError if there is a key, or a value, that is none today.
    """
    own = {key: copy.deepcopy(value) for key, value in values.items() if key != "name"}
    return Source(_check(tomllib.loads(_text(FOUNDING)) | own), str(values.get("name", "")), dict(reasons))


def default_recipe(data: str, kind: str = "image", task: str = "classification", axes: int = 1) -> Path:
    """The recipe if none is given: that of the data set, or of its kind of input and task; the founding one for images. A row of a tensor
    with one of its `axes` is like one of a table, and any other is taken flat.
    """
    usual = _DENSE if kind == "tensor" and axes > 1 else _OF_KIND.get((kind, task), FOUNDING)
    return next((path for path in _RECIPES.glob("*.toml") if path.stem == data), usual)


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
    return dict(re.findall(r"^(\w+) *= *(?:\"[^\"\n]*\"|[^\"#\n])*? *# *(.+?) *$", head, re.MULTILINE))


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
    """Set a key, an argument in a table of arguments, or `layers.N.argument` (N from 0), however deep.

    >>> recipe = {"layers": [{"kind": "Dense"}], "optimizer_arguments": {}}
    >>> _assign(recipe, "optimizer_arguments.momentum", 0.9)
    >>> _assign(recipe, "layers.0.kernel_regularizer.l2", 0.001)
    >>> recipe
    {'layers': [{'kind': 'Dense', 'kernel_regularizer': {'l2': 0.001}}], 'optimizer_arguments': {'momentum': 0.9}}
    """
    *path, last = key.split(".")
    place: Any = values
    for depth, name in enumerate(path):
        if isinstance(place, list) and name.isdecimal() and int(name) < len(place):
            place = place[int(name)]
        elif isinstance(place, dict) and (depth or name in place):
            place = place.setdefault(name, {})
        else:
            raise RecipeError(f"the recipe has no {key!r}; {_places(values)}")
    if not isinstance(place, dict):
        raise RecipeError(f"the recipe has no {key!r}; {_places(values)}")
    place[last] = value


def _places(values: dict[str, Any]) -> str:
    layers = values["layers"]
    numbers = f"N from 0 to {len(layers) - 1}" if isinstance(layers, list) else "N from 0"
    tables = ", ".join(key for key, value in values.items() if isinstance(value, dict))
    return f"a layer is set with layers.N.argument, {numbers}, and KEY.argument goes for {tables}"


def _check(values: dict[str, Any]) -> Recipe:
    kinds = typing.get_type_hints(Recipe)
    if unknown := sorted(values.keys() - kinds.keys()):
        raise RecipeError(f"a recipe has no key {unknown[0]!r}; it has {', '.join(kinds)}")
    plain = {key: checked(key, value, typing.get_origin(kinds[key]) or kinds[key]) for key, value in values.items() if key != "layers"}
    return Recipe(**plain, layers=checked_layers(values["layers"]))

"""The space of a search, from the table [search] of a recipe. Keys are those of --set.

    [search]
    learning_rate = {low = 0.001, high = 1.0, log = true}
    optimizer = {values = ["adam", "sgd"]}
    "layers.0.units" = {low = 8, high = 64, step = 8}

Two whole numbers make a range of whole numbers. A grid takes values and ranges with a step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.errors import RecipeError, SearchError
from training.recipe import Source, changed

Value = str | int | float | bool
_EXAMPLE = "{low = 0.001, high = 1.0, log = true} or {values = [32, 64]}"
#: They decide which rows are trained on and judged by: a search over them would choose the luckiest.
_FIXED = ("seed", "max_rows")
_MOST_STEPS = 1000


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    key: str
    values: tuple[Value, ...]

    def suggest(self, trial: Any) -> Value:
        value: Value = trial.suggest_categorical(self.key, self.values)
        return value

    def grid(self) -> list[Value]:
        return list(self.values)

    def ends(self) -> list[Value]:
        """Those that have to be allowed for the space to be."""
        return list(self.values)


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, both included; `step` None for any."""

    key: str
    low: float
    high: float
    step: float | None
    log: bool

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def suggest(self, trial: Any) -> Value:
        if self.whole:
            number: int = trial.suggest_int(self.key, self.low, self.high, step=self.step or 1, log=self.log)
            return number
        value: float = trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log)
        return value

    def grid(self) -> list[Value]:
        """Raises SearchError without a step."""
        if self.step is None:
            raise SearchError(f"the space of {self.key!r} has no step, which a grid needs; give it a step, or values")
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        if count > _MOST_STEPS:
            raise SearchError(f"the space of {self.key!r} has {count:,} steps; a grid takes at most {_MOST_STEPS:,}")
        return [self.low + number * self.step for number in range(count)]

    def ends(self) -> list[Value]:
        return [self.low, self.high]


Dimension = Choice | Range


def parse_space(table: Mapping[str, Any], source: Source) -> tuple[Dimension, ...]:
    """The dimensions of a [search] table, each end tried on the recipe. Raises SearchError that names the key."""
    if not isinstance(table, Mapping) or not table:
        raise SearchError(f"the recipe {source.name} has no space to search; give it a table [search], as in learning_rate = {_EXAMPLE}")
    space = tuple(_dimension(key, value) for key, value in _flat(table).items())
    for dimension in space:
        if dimension.key in _FIXED:
            raise SearchError(
                f"{dimension.key!r} cannot be searched, since it decides which rows a trial is judged by; remove it from [search]"
            )
        for value in dimension.ends():
            _try(source, dimension.key, value)
    return space


def has_at_most(points: int, space: Sequence[Dimension]) -> bool:
    """Whether the space is one of so few points that all of them may as well be tried, once each."""
    return all(isinstance(one, Choice) for one in space) and math.prod(len(one.grid()) for one in space) <= points


def words(values: Mapping[str, Any]) -> str:
    """
    >>> words({"learning_rate": 0.0123456, "optimizer": "adam"})
    'learning_rate 0.01235, optimizer adam'
    """
    return ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in values.items())


def _try(source: Source, key: str, value: Value) -> None:
    try:
        changed(source, {key: value}, "")
    except RecipeError as error:
        raise SearchError(f"the space of {key!r} holds {value!r}, which is no recipe: {error}") from error


def _flat(table: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Keys with dots may be quoted or not: TOML makes tables of those that are not."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        key = f"{path}{name}"
        nested = isinstance(value, Mapping) and value and all(isinstance(inner, Mapping) for inner in value.values())
        found |= _flat(value, f"{key}.") if nested else {key: value}
    return found


def _dimension(key: str, value: Any) -> Dimension:
    if isinstance(value, Mapping) and value.keys() == {"values"}:
        return Choice(key, _values(key, value["values"]))
    if isinstance(value, Mapping) and {"low", "high"} <= value.keys() <= {"low", "high", "log", "step"}:
        return _range(key, value["low"], value["high"], value.get("step"), value.get("log", False))
    raise SearchError(f"the space of {key!r} is {value!r}; write {_EXAMPLE}")


def _values(key: str, values: Any) -> tuple[Value, ...]:
    if not isinstance(values, list) or not values or not all(isinstance(value, str | int | float | bool) for value in values):
        raise SearchError(f"the values of {key!r} are {values!r}, expected a list of numbers, texts, true or false")
    if len({repr(value) for value in values}) < len(values):
        raise SearchError(f"the values of {key!r} are {values!r}; one of them is there twice")
    return tuple(values)


def _range(key: str, low: Any, high: Any, step: Any, log: Any) -> Range:
    for name, number in (("low", low), ("high", high), ("step", 1 if step is None else step)):
        if type(number) not in (int, float) or not math.isfinite(number):
            raise SearchError(f"{name} of {key!r} is {number!r}, expected a number")
    if type(log) is not bool:
        raise SearchError(f"log of {key!r} is {log!r}, expected true or false")
    if low >= high:
        raise SearchError(f"the space of {key!r} goes from {low} to {high}; low has to be below high")
    if log and (low <= 0 or step is not None):
        raise SearchError(
            f"the space of {key!r} is logarithmic, so low has to be above 0 and there is no step; it has low {low}, step {step}"
        )
    if step is not None and not 0 < step <= high - low:
        raise SearchError(f"step of {key!r} is {step}, expected more than 0 and at most {high - low}")
    if isinstance(low, int) and isinstance(high, int) and isinstance(step, float):
        low, high = float(low), float(high)
    if isinstance(low, int) != isinstance(high, int):
        low, high = float(low), float(high)
    return Range(key, low, high, step, log)

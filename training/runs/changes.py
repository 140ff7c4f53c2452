"""What changed from one run to another: in the recipe, in the data, in the environment."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from training.runs.difference import Difference, compare_answers
from training.runs.run import Run


@dataclass(frozen=True)
class Change:
    """A value that is not the same; None where there is none."""

    where: str
    key: str
    before: Any
    after: Any

    @property
    def words(self) -> str:
        return f"{self.key} {_short(self.before)} → {_short(self.after)}"


def changes(before: Run, after: Run) -> list[Change]:
    """Between two runs, in the order of the recipe."""
    pairs = (
        ("recipe", before.plan.recipe, after.plan.recipe),
        ("data", dataclasses.asdict(before.plan.dataset), dataclasses.asdict(after.plan.dataset)),
        ("environment", dataclasses.asdict(before.environment), dataclasses.asdict(after.environment)),
    )
    return [change for where, old, new in pairs for change in _between(where, flat(old), flat(new))]


def recipe_changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """Between two recipes."""
    return _between("recipe", flat(before), flat(after))


def difference(before: Run, after: Run, part: str) -> Difference | None:
    """Of the accuracy on a part of the data; None where one of them has no answers to it."""
    answers = before.result.answers.get(part), after.result.answers.get(part)
    return compare_answers(answers[0], answers[1]) if answers[0] and answers[1] else None


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """The leaves of nested data by their dotted keys, as --set names them.

    >>> flat({"seed": 0, "layers": [{"units": 8}]})
    {'seed': 0, 'layers.0.units': 8}
    """
    if not isinstance(value, dict | list | tuple) or not value or (path and _is_plain(value)):
        return {path: value} if path else {}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {key: leaf for name, inner in items for key, leaf in flat(inner, f"{path}.{name}" if path else str(name)).items()}


def _is_plain(value: Any) -> bool:
    """A list of numbers or texts is one value: nobody sets a part of kernel_size."""
    return isinstance(value, list | tuple) and not any(isinstance(inner, dict | list | tuple) for inner in value)


def _between(where: str, old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    keys = dict.fromkeys([*old, *new])
    return [Change(where, key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def _short(value: Any) -> str:
    text = "none" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 24 else f"{text[:23]}…"

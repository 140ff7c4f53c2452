"""A recipe as TOML, with the reasons as comments: what a search found or a remedy changed can be read, kept and trained."""

from __future__ import annotations

import json
import re
from typing import Any

from training.recipe import Source

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(source: Source) -> str:
    """The whole recipe, also what it has in common with the founding one. `read_recipe` reads the same recipe from it."""
    values = source.recipe.to_dict()
    layers = values.pop("layers")
    lines = [_line(key, value, source.reasons.get(key, "")) for key, value in values.items()]
    lines += [] if layers else ["layers = []"]
    for place, layer in enumerate(layers):
        lines += ["", "[[layers]]"]
        lines += [_line(key, value, source.reasons.get(f"layers.{place}.{key}", "")) for key, value in layer.items()]
    return "\n".join(lines) + "\n"


def to_value(value: Any) -> str:
    """A value as TOML has it, on one line.

    >>> to_value({"l2": 1e-05, "on": True, "of": [3, "a"]})
    '{l2 = 1e-05, on = true, of = [3, "a"]}'
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {to_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(to_value(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") if isinstance(value, str) else repr(value)


def _line(key: str, value: Any, reason: str) -> str:
    comment = " ".join(reason.split())
    return f"{_key(key)} = {to_value(value)}" + (f"  # {comment}" if comment else "")


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)

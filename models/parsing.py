"""Strict reading of JSON: data becomes frozen dataclasses, or one sentence says which field is not what it should be.

A field with a default came later than the first files: it may be missing.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, Literal


class MisfitError(ValueError):
    """A field is missing, unknown or of another type. The message names it, not the file."""


def parse(kind: Any, data: Any, where: str) -> Any:
    """Turn JSON data into the type `kind` says. `where` is the path of the field for the error. Raises MisfitError.

    >>> parse(tuple[int, ...], [1, 2], "sizes")
    (1, 2)
    """
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _fields(kind, data, where)
    if origin is Literal:
        if data not in args:
            raise MisfitError(f"{where} is {data!r}, expected one of {', '.join(map(repr, args))}")
        return data
    if origin in (typing.Union, types.UnionType):
        return None if data is None else parse(next(a for a in args if a is not types.NoneType), data, where)
    if origin is tuple:
        _expect(isinstance(data, list), "a list", data, where)
        parts = (args[0],) * len(data) if args[-1] is Ellipsis else args
        _expect(len(data) == len(parts), f"{len(parts)} values", data, where)
        return tuple(parse(part, value, f"{where}[{i}]") for i, (part, value) in enumerate(zip(parts, data, strict=True)))
    if origin is dict:
        _expect(isinstance(data, dict), "an object", data, where)
        return {key: parse(args[1], value, f"{where}.{key}") for key, value in data.items()}
    if kind is Any:
        return data
    number = kind is float and isinstance(data, int) and not isinstance(data, bool)
    _expect(type(data) is kind or number, f"a {kind.__name__}", data, where)
    return kind(data)


def _fields(kind: Any, data: Any, where: str) -> Any:
    _expect(isinstance(data, dict), "an object", data, where)
    hints = typing.get_type_hints(kind)
    if unknown := sorted(data.keys() - hints.keys()):
        raise MisfitError(f"{where} has the unknown field {unknown[0]!r}; known are {', '.join(hints)}")
    optional = {field.name for field in dataclasses.fields(kind) if field.default is not dataclasses.MISSING}
    if missing := [name for name in hints if name not in data and name not in optional]:
        raise MisfitError(f"{where} lacks the field {missing[0]!r}")
    return kind(**{name: parse(hint, data[name], f"{where}.{name}") for name, hint in hints.items() if name in data})


def _expect(holds: bool, expected: str, data: Any, where: str) -> None:
    if not holds:
        raise MisfitError(f"{where} is {str(data)[:40]!r}, expected {expected}")

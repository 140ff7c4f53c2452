"""An operation: what one route takes and gives, and short ways to write schemas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]
#: Answers that anything with a body may get, and those of what asks a model.
BODY_ERRORS = (400, 413, 415)
MODEL_ERRORS = (404, 503)
PREDICTION_ERRORS = (400, 404, 413, 415, 429, 503, 504)


@dataclass(frozen=True)
class Operation:
    """What a route takes and gives.

    `body` and `answer` are media type → schema; `errors` the statuses beside 200; `query` and `headers` name → schema; `curl` a command
    that shows it. A body that is `optional` may be left out.
    """

    tag: str
    summary: str
    answer: Mapping[str, Schema]
    errors: tuple[int, ...] = ()
    text: str = ""
    body: Mapping[str, Schema] = field(default_factory=dict)
    optional: bool = False
    query: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, Schema] = field(default_factory=dict)
    curl: str = ""
    admin: bool = False


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def thing(properties: Mapping[str, Schema], required: tuple[str, ...] | None = None, text: str = "") -> Schema:
    """An object; all its properties are required unless it is said which."""
    described = {"type": "object", "properties": dict(properties), "required": list(properties if required is None else required)}
    return described | ({"description": text} if text else {})


def many(items: Schema, at_least: int = 0) -> Schema:
    return {"type": "array", "items": items, **({"minItems": at_least} if at_least else {})}


def one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def in_json(schema: Schema) -> dict[str, Schema]:
    return {"application/json": schema}


TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
YES_NO: Schema = {"type": "boolean"}
ANYTHING: Schema = {}

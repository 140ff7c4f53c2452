"""The OpenAPI document: each rule that Flask routes, joined with the operation that describes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.routing import Rule

from app.description import open_inference, own, schemas, tensorflow
from app.description.operation import PREDICTION_ERRORS, Operation, ref
from app.door import group_of
from app.protocols.tensorflow_serving import VERBS

OPERATIONS = own.OPERATIONS | tensorflow.OPERATIONS | open_inference.OPERATIONS
_SCHEMAS = schemas.OWN | schemas.TENSORFLOW | open_inference.SCHEMAS
#: Other spellings of what is described, for clients that write it so, and the files of the pages.
_UNSAID = re.compile(r"/predict/|/v2/|.*/versions/(?:/.*)?|.*/versions/<version>/labels/<label>.*|/static/.*")
_ERRORS = {
    400: ("BadRequest", "The request is not what was expected; the sentence says what was."),
    401: ("Unauthorized", "This needs an API key that the server knows."),
    403: ("Forbidden", "For administrators, or for other API keys."),
    404: ("NotFound", "There is no such model, version or incident."),
    413: ("TooLarge", "Over a limit, which the sentence names."),
    415: ("Unsupported", "A kind of body or encoding that is not read here."),
    429: ("TooMuch", "Too much waits already, or one caller asks too often; Retry-After says when to come again."),
    503: ("NotReady", "No live model is loaded, or the server is stopping."),
    504: ("TooLate", "The deadline passed in the queue; nothing was computed."),
}
_PARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "name": ("The model's name.", {"type": "string"}),
    "version": ("The live version, or 0 for whichever is live.", {"type": "string", "pattern": "^[0-9]+$"}),
    "label": ("`live` and `stable` are the live version.", {"type": "string", "enum": ["live", "stable"]}),
    "incident": ("The incident's id, as /incidents and /monitor have it.", {"type": "string"}),
    "number": ("The number of the sample.", {"type": "integer", "minimum": 0}),
}


@dataclass(frozen=True)
class Server:
    """What a description says of one server: its version, its models, a list of instances for the default one, and who may ask."""

    version: str
    models: Sequence[str]
    example: Any = None
    keys: bool = False
    rates: bool = False


def document(rules: Iterable[Rule], server: Server) -> dict[str, Any]:
    """The description of all routes of a server."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, operation in sorted(described(rules), key=lambda found: found[1]):
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation, server)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Veleta", "version": server.version, "description": "A server that serves and watches models."},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in OPERATIONS.values())],
        "paths": paths,
        "components": {
            "schemas": dict(_SCHEMAS),
            "responses": {name: _response(status, text) for status, (name, text) in _ERRORS.items()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def described(rules: Iterable[Rule]) -> Iterator[tuple[str, str, Operation]]:
    """(method, path as OpenAPI writes it, operation) of the rules that are described. A test holds that all are."""
    for method, rule in said(rules):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)
        key = re.sub("/versions/{version}|/labels/{label}", "", path)
        if operation := OPERATIONS.get(f"{method} {key}"):
            yield method, path, operation


def said(rules: Iterable[Rule]) -> Iterator[tuple[str, str]]:
    """(method, rule) of everything that is to be described, with each verb by itself."""
    for rule in rules:
        verbs = VERBS if "<verb>" in rule.rule else ("",)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if not _UNSAID.fullmatch(rule.rule):
                yield from ((method, rule.rule.replace("<verb>", verb)) for verb in verbs)


def _operation(method: str, path: str, operation: Operation, server: Server) -> dict[str, Any]:
    guarded = group_of(path) is not None
    statuses = {*operation.errors, *((401, 403) if guarded and server.keys else ()), *((429,) if guarded and server.rates else ())}
    written: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [*_path_parameters(path, server.models), *_other_parameters(operation)],
        "responses": {"200": {"description": operation.summary, "content": _content(operation.answer)}}
        | {str(status): {"$ref": f"#/components/responses/{_ERRORS[status][0]}"} for status in sorted(statuses)},
    }
    if operation.text:
        written["description"] = operation.text
    if operation.body:
        written["requestBody"] = {"required": not operation.optional, "content": _body(operation, path, server.example)}
    if operation.curl:
        written["x-codeSamples"] = [{"lang": "Shell", "source": operation.curl}]
    if guarded and (server.keys or operation.admin):
        written["security"] = [{"bearer": []}, *([{"key": []}] if server.keys else [])]
    return written


def _path_parameters(path: str, models: Sequence[str]) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", path):
        text, schema = _PARTS[name]
        examples = {model: {"value": model} for model in models} if name == "name" else {}
        yield {"name": name, "in": "path", "required": True, "description": text, "schema": schema} | (
            {"examples": examples} if examples else {}
        )


def _other_parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name, schema in operation.query.items():
        yield {"name": name, "in": "query", "schema": schema}
    for name, schema in operation.headers.items():
        yield {"name": name, "in": "header", "schema": schema}
    if operation.errors == PREDICTION_ERRORS:
        text = "Seconds that the request may wait in the queue."
        yield {"name": "X-Request-Timeout", "in": "header", "description": text, "schema": {"type": "number", "minimum": 0.001}}


def _body(operation: Operation, path: str, example: Any) -> dict[str, Any]:
    content = _content(operation.body)
    # An example fits the default model, so it stands only where that one is asked.
    if example is not None and path in ("/predict", "/invocations"):
        content["application/json"]["example"] = {"instances": example}
    return content


def _content(schemas_by_type: Any) -> dict[str, Any]:
    return {kind: {"schema": schema} for kind, schema in schemas_by_type.items()}


def _response(status: int, text: str) -> dict[str, Any]:
    response: dict[str, Any] = {"description": text, "content": {"application/json": {"schema": ref("Error")}}}
    if status == 429:
        later = {"Retry-After": "Whole seconds, rounded up.", "Retry-After-Ms": "Milliseconds."}
        response["headers"] = {
            name: {"description": unit, "required": True, "schema": {"type": "integer", "minimum": 1}} for name, unit in later.items()
        }
    return response

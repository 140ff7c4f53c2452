"""`/openapi.json`, and `/docs`, which shows it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, current_app, render_template, request

from app.description.document import Server
from app.description.document import document as describe
from app.errors import RequestError
from app.routes import answer, service

routes = Blueprint("description", __name__)


@routes.get("/openapi.json")
def openapi() -> Response:
    return answer(_document())


@routes.get("/docs")
def docs() -> str:
    document = _document()
    names = _names() or ["NAME"]
    return render_template("docs.html", document=document, groups=_groups(document), url=request.host_url.rstrip("/"), name=names[0])


def _groups(document: dict[str, Any]) -> dict[str, list[tuple[str, str, Any]]]:
    """(method, path, operation) by tag."""
    groups: dict[str, list[tuple[str, str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups[operation["tags"][0]].append((method.upper(), path, operation))
    return groups


def _document() -> dict[str, Any]:
    settings = service().settings
    server = Server(version("veleta"), _names(), _example(), bool(settings.api_keys_file), bool(settings.rate_limit))
    return describe(current_app.url_map.iter_rules(), server)


def _names() -> list[str]:
    return [loaded.published.manifest.name for loaded in service().served.all()]


def _example() -> Any:
    """An instance that the default model takes, flat; None while no model is served."""
    try:
        loaded = service().served.get()
    except RequestError:
        return None
    return [loaded.samples.inputs[0].ravel().tolist()]

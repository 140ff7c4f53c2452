"""Open Inference Protocol v2 over HTTP: every route beside `infer`. With and without a version, as clients ask for both."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from importlib.metadata import version as installed_version
from typing import Any

from flask import Blueprint, Response, request

from app.errors import BadInput, Forbidden, NotReady, UnknownModel
from app.json_bodies import read_json
from app.protocols.open_inference import find_model
from app.protocols.open_inference_about import EXTENSIONS, configuration, index, metadata, statistics
from app.routes import answer, body, readyz, service
from app.served import Loaded
from models.store import Store
from monitoring.counts.costs import read_cost

routes = Blueprint("open_inference", __name__)

_TARGETS = ("/v2/models/<name>", "/v2/models/<name>/versions/<version>", "/v2/models/<name>/versions/")
#: Beyond the workers' time between two looks: to load a large model.
_LOADING_SECONDS = 60.0
View = Callable[..., Response]


def of_model(what: str) -> Callable[[View], View]:
    """A GET route of a model, with a version, without one, and with an empty one."""

    def register(view: View) -> View:
        for target in _TARGETS:
            routes.add_url_rule(target + what, view.__name__, view, strict_slashes=bool(what))
        return view

    return register


@routes.get("/v2", strict_slashes=False)
@routes.get("/v2/", strict_slashes=False)
def server() -> Response:
    return answer({"name": "veleta", "version": installed_version("veleta"), "extensions": EXTENSIONS})


@routes.get("/v2/health/live")
def live() -> Response:
    return answer({"live": True})


@routes.get("/v2/health/ready")
def ready() -> Response:
    readyz()
    return answer({"live": True, "ready": True})


@routes.get("/v2/models")
def models() -> Response:
    return answer({"models": [loaded.subject.manifest.name for loaded in service().served.all()]})


@of_model("/ready")
def model_ready(name: str, version: str = "") -> Response:
    find_model(service().served, name, version)
    return answer({"name": name, "ready": True})


@of_model("")
def model(name: str, version: str = "") -> Response:
    return answer(metadata(find_model(service().served, name, version)))


@of_model("/config")
def model_config(name: str, version: str = "") -> Response:
    return answer(configuration(find_model(service().served, name, version), service().limits.max_rows))


@routes.get("/v2/models/stats")
def all_statistics() -> Response:
    return _statistics(service().served.all())


@of_model("/stats")
def model_statistics(name: str, version: str = "") -> Response:
    return _statistics([find_model(service().served, name, version)])


@routes.post("/v2/repository/index")
def repository_index() -> Response:
    only_ready = _given().get("ready", False)
    if not isinstance(only_ready, bool):
        raise BadInput("ready is neither true nor false; leave it out to see all models")
    loaded = {one.subject.manifest.name: one.subject.manifest.version for one in service().served.all()}
    return answer(index(_store(), loaded, service().served.unloaded.names(), only_ready))


@routes.post("/v2/repository/models/<name>/load")
def load(name: str) -> Response:
    _check_may_change(name)
    service().served.unloaded.remove(name)
    _wait_for_workers()
    find_model(service().served, name)
    return answer({"name": name, "load": True})


@routes.post("/v2/repository/models/<name>/unload")
def unload(name: str) -> Response:
    _check_may_change(name)
    service().served.unloaded.add(name)
    _wait_for_workers()
    return answer({"name": name, "unload": True})


def _statistics(asked: list[Loaded]) -> Response:
    service().recorder.flush()
    folder = service().settings.state_folder / "costs"
    return answer({"model_stats": [statistics(loaded, read_cost(folder, loaded.subject.key)) for loaded in asked]})


def _store() -> Store:
    return Store(service().settings.store_folder)


def _given() -> dict[str, Any]:
    """The JSON object of a request; clients may send none."""
    text = body()
    data = read_json(text) if text else {}
    if not isinstance(data, dict):
        raise BadInput("the body is no JSON object, expected one or none")
    return data


def _check_may_change(name: str) -> None:
    """Raise Forbidden, BadInput or UnknownModel unless an administrator asks for something that can be done."""
    token = service().settings.admin_token
    if not token:
        raise Forbidden("loading and unloading models is off; start the server with VELETA_ADMIN_TOKEN set to allow it")
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise Forbidden("loading and unloading models needs the header Authorization: Bearer with the server's admin token")
    parameters = _given().get("parameters") or {}
    if not isinstance(parameters, dict) or any(key == "config" or key.startswith("file:") for key in parameters):
        raise BadInput("a model is loaded as it was published, without a config or files of the request; publish another version instead")
    if name not in _store().names():
        raise UnknownModel(f"there is no model {name[:64]!r} to load or unload; there is {', '.join(_store().names())}")


def _wait_for_workers() -> None:
    """Answer when every worker does what was asked, so that the next request finds it done whichever worker it meets."""
    since = time.time()
    until = since + service().settings.reload_seconds + _LOADING_SECONDS
    while not service().all_looked(since):
        if time.time() > until:
            raise NotReady("not every worker has followed yet; ask again, or see the server's log for what is wrong")
        time.sleep(0.02)

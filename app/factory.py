"""The factory: a Flask app that is complete by itself, under any WSGI server, in tests and under `flask --app app.factory run`."""

from __future__ import annotations

import atexit
import os

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app import incident_routes
from app.answers import Reply, explain, write
from app.description.routes import routes as description_routes
from app.errors import OverLimit
from app.protocols import model_status, open_inference_routes, ping
from app.routes import routes, send
from app.service import ROUTES, Service, build
from app.settings import Settings, resolve
from models.configuration import read_file

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(settings: Settings | None = None) -> Flask:
    """Wire everything. Opens the state folder and loads the live models, so call it in the process that answers."""
    settings = settings or resolve({}, os.environ, read_file())[0]
    app = Flask("app")
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.merge_slashes = False  # clients of /v2 send an empty version as `versions//infer`, and mean the one that is served
    service = build(settings)
    app.extensions["veleta"] = service
    app.register_blueprint(routes)
    app.register_blueprint(incident_routes.routes)
    app.register_blueprint(open_inference_routes.routes)
    app.register_blueprint(model_status.routes)
    app.register_blueprint(ping.routes)
    app.register_blueprint(description_routes)
    _count_requests(app, service)
    _explain_errors(app, service)
    atexit.register(service.close)
    return app


def _count_requests(app: Flask, service: Service) -> None:
    @app.before_request
    def began() -> None:
        g.visit = service.door.enter(request.method, request.path, _headers(), request.remote_addr)
        service.door.admit(g.visit)

    @app.after_request
    def ended(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if g.visit.request_id:
            response.headers["X-Request-Id"] = g.visit.request_id
        service.door.leave(g.visit, _route(), response.status_code)
        return response


def _headers() -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _route() -> str:
    first = "/" + request.url_rule.rule.split("/")[1] if request.url_rule else "other"
    return first if first in ROUTES else "other"


def _explain_errors(app: Flask, service: Service) -> None:
    """Every error is one sentence in JSON, whoever raised it."""

    def failed(error: Exception) -> Response:
        return send(explain(error, f"{request.method} {request.path}", service.recorder))

    def too_large(_: RequestEntityTooLarge) -> Response:
        return failed(OverLimit("the body is too large", "max_body_bytes", service.settings.max_body_bytes))

    def protocol(error: HTTPException) -> Response:
        response = send(Reply(write({"error": _sentence(error)}), error.code or 500))
        response.headers.extend([item for item in error.get_headers() if item[0] == "Allow"])
        return response

    app.register_error_handler(Exception, failed)
    app.register_error_handler(RequestEntityTooLarge, too_large)
    app.register_error_handler(HTTPException, protocol)


def _sentence(error: HTTPException) -> str:
    if error.code == 404:
        return f"there is nothing at {request.path[:80]}; the routes begin with {', '.join(ROUTES[:-1])}"
    if error.code == 405:
        taken = sorted(getattr(error, "valid_methods", None) or [])
        return f"{request.path[:80]} does not take {request.method[:20]}; it takes {', '.join(taken)}"
    return (error.description or error.name).split("\n")[0]

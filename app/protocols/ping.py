"""`/ping`, as SageMaker and MLflow ask whether requests may be sent. Any body will do."""

from __future__ import annotations

from flask import Blueprint, Response

from app.routes import readyz

routes = Blueprint("ping", __name__)


@routes.get("/ping")
def ping() -> Response:
    return readyz()

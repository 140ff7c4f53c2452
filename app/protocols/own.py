"""Veleta's own protocol: a body in any form, answered with ids that labels can be sent for."""

from __future__ import annotations

import time

from app.answers import Reply, to_json
from app.protocols.exchange import Asked, Prediction, Request
from app.service import Service


def read(service: Service, request: Request, name: str | None = None) -> Asked:
    loaded, rows = service.read(request.body, request.headers.get("content-type", ""), name)
    return Asked(loaded, rows, lambda answer: Reply(to_json(loaded, answer, service.seal, time.time())))


PREDICTIONS = tuple(Prediction(rule, "/predict", read) for rule in ("/predict", "/predict/", "/predict/<name>"))

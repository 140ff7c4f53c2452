"""The routes of incidents: what has changed, as JSON or as a page, and that somebody has seen it."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

from flask import Blueprint, Response, request

from app.errors import NotReady, UnknownModel
from app.routes import answer, service
from monitoring.incidents.incident import Incident, IncidentError
from monitoring.incidents.page import policy, render

routes = Blueprint("incidents", __name__)

_USUAL, _MOST = 50, 1000
_log = logging.getLogger("veleta.incidents")


@routes.get("/incidents")
def incidents() -> Response:
    count = max(0, min(request.args.get("count", _USUAL, type=int), _MOST))
    model = request.args.get("model")
    found: list[dict[str, Any]] = []
    for name in service().incidents.names():
        if len(found) == count:
            break
        try:
            one = service().incidents.read(name)
        except IncidentError as error:
            _log.error("%s", error)
        else:
            if model in (None, one.model):
                found.append(_line(one))
    return answer({"incidents": found})


@routes.get("/incidents/<incident>")
def incident(incident: str) -> Response:
    found = _read(incident)
    wants_page = request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
    if wants_page:
        response = Response(render(found), mimetype="text/html", headers={"Content-Security-Policy": policy()})
    else:
        response = answer({**dataclasses.asdict(found), "seen": service().incidents.is_seen(incident)})
    response.vary.add("Accept")
    return response


@routes.post("/incidents/<incident>/seen")
def seen(incident: str) -> Response:
    if incident not in service().incidents.names():
        raise _unknown(incident)
    service().incidents.see(incident)
    return answer({"incident": incident, "seen": True})


def _read(name: str) -> Incident:
    if name not in service().incidents.names():
        raise _unknown(name)
    try:
        return service().incidents.read(name)
    except IncidentError as error:
        _log.error("%s", error)
        raise NotReady(f"the file of the incident {name} is damaged; the server's log says where") from error


def _unknown(name: str) -> UnknownModel:
    return UnknownModel(f"there is no incident {name[:64]!r}; GET /incidents lists them")


def _line(one: Incident) -> dict[str, Any]:
    """What stands of an incident in the list."""
    parts = {name: getattr(one, name) for name in ("id", "model", "version", "variant", "raised_at", "since")}
    verdict = {"cause": one.verdict.cause, "confidence": one.verdict.confidence}
    return {**parts, **verdict, "signals": [signal.name for signal in one.raised], "seen": service().incidents.is_seen(one.id)}

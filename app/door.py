"""The door: both lanes ask it before they answer a request, and tell it after.

Everything here but the counting is optional: a request's id, API keys, a limit per caller, the access log, traces.
"""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from app import tracing
from app.errors import Forbidden, RateLimited, Unauthorized
from app.keys import Keys
from app.rates import Rates, network
from app.settings import Settings
from app.visit import RequestIds, Visit, current
from monitoring.counts.recorder import Recorder

#: Whoever looks after the server has no key, and is not to be told that it is unwell because of a limit.
_OPEN = frozenset({"/healthz", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready"})
_GROUPS = {"/feedback": "feedback", "/monitor": "watch", "/metrics": "watch"}
#: No body, no query, no key: neither data nor secrets are logged.
_LINE = "%(method)s %(path)s %(status)s %(seconds).6f s, model %(model)s, key %(key)s"
_OK = 200
_log = logging.getLogger("veleta.access")


def group_of(path: str) -> str | None:
    """The group of keys that opens a path; None: it is open to all. What is not named elsewhere belongs to `predict`."""
    if path in _OPEN:
        return None
    if path.startswith("/v2/repository/models/"):
        return "admin"
    if path == "/incidents" or path.startswith("/incidents/"):
        # To have seen an incident tells the server what is normal now, as a label tells it what was right. Whoever only watches, as
        # Prometheus, cannot silence an alarm.
        return "feedback" if path.endswith("/seen") else "watch"
    return _GROUPS.get(path, "predict")


class Door:
    """The door of one worker. Made after the fork."""

    def __init__(self, settings: Settings, recorder: Recorder) -> None:
        self._recorder = recorder
        self._ids = RequestIds() if settings.request_ids else None
        self._keys = Keys(Path(settings.api_keys_file), settings.admin_token) if settings.api_keys_file else None
        self._rates = Rates(settings.state_folder / "rates", settings.rate_limit, settings.rate_burst) if settings.rate_limit else None
        self._tracer = tracing.start(settings.otlp_endpoint) if settings.otlp_endpoint else None
        self._guarded, self._logged = bool(self._keys or self._rates), settings.access_log

    def enter(self, method: str, path: str, headers: Mapping[str, str], address: str | None) -> Visit:
        """A request has come. `headers` finds names in lower case."""
        request_id = self._ids.choose(headers.get("x-request-id")) if self._ids else ""
        visit = Visit(method, path, headers, address or "", request_id, time.perf_counter())
        current.set(visit)
        self._recorder.began()
        return visit

    def admit(self, visit: Visit) -> None:
        """Raise Unauthorized, Forbidden or RateLimited unless the request may be answered."""
        if not self._guarded or (group := group_of(visit.path)) is None:
            return
        key = self._keys.find(_given(visit.headers)) if self._keys else None
        visit.key = key.name if key else ""
        if self._rates and (seconds := self._rates.take(f"key {key.name}" if key else network(visit.address), time.monotonic())):
            raise RateLimited(seconds)
        if self._keys and key is None:
            raise Unauthorized(in_browser="text/html" in visit.headers.get("accept", ""))
        if key and key.expired:
            raise Unauthorized(f"the API key of {key.name} was valid until {key.until}; ask for a new one")
        if key and group not in key.groups:
            raise Forbidden(f"the API key of {key.name} opens {', '.join(sorted(key.groups))}, and {visit.path[:80]} belongs to {group}")

    def leave(self, visit: Visit, route: str, status: int) -> None:
        """The request is answered. `route` is what it is counted by."""
        ended = time.perf_counter()
        if visit.subject and status == _OK:
            waiting = visit.answered_at - visit.read_at - visit.calling_seconds
            took = ended - visit.began, visit.rows, visit.reading_seconds, waiting, visit.calling_seconds, visit.writing_seconds
            self._recorder.answered(visit.subject, route, took)
        else:
            self._recorder.requested(route, status, ended - visit.began)
        if self._logged:
            _log.info(_LINE, _fields(visit, status, ended - visit.began))
        if self._tracer and visit.path not in _OPEN:
            self._tracer.record(visit, route, status, ended)
        current.set(None)

    def close(self) -> None:
        """Send what is left of the traces."""
        if self._tracer:
            self._tracer.close()


def _given(headers: Mapping[str, str]) -> str:
    """The key of a request: X-API-Key, or Authorization as Bearer or, as browsers ask for it, as the password of Basic."""
    if key := headers.get("x-api-key"):
        return key
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic" and _same_origin(headers):
        try:
            return base64.b64decode(given, validate=True).partition(b":")[2].decode("latin-1")
        except binascii.Error:
            return ""
    return given.strip() if scheme.lower() == "bearer" else ""


def _same_origin(headers: Mapping[str, str]) -> bool:
    """A browser sends the password along whichever page asks it to, and says which page that was."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _fields(visit: Visit, status: int, seconds: float) -> dict[str, object]:
    return {
        "method": visit.method[:20],
        "path": visit.path[:200],
        "status": status,
        "seconds": round(seconds, 6),
        "model": visit.subject.key if visit.subject else None,
        "key": visit.key or None,
    }

"""What is sent back, as bytes: predictions in the contract's form, and errors as one sentence. Written once for every lane and route."""

from __future__ import annotations

import logging
import math
from typing import Any, NamedTuple

import orjson

from app.errors import Overloaded, RateLimited, RequestError, Unauthorized
from app.predictor import Answer
from app.served import Loaded
from monitoring.counts.receipt import Seal
from monitoring.counts.recorder import Recorder

_JSON = (("content-type", "application/json"),)


class Reply(NamedTuple):
    """What is sent back."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = _JSON


#: Status of a request that was well-formed and turned away all the same, and what that is counted as.
_REJECTIONS = {413: "limit", 429: "queue_full", 503: "not_ready", 504: "deadline"}
_log = logging.getLogger("veleta")


def write(data: Any) -> bytes:
    """JSON; arrays are written without becoming lists first."""
    return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)


def to_json(loaded: Loaded, answer: Answer, seal: Seal, now: float) -> bytes:
    """The answer of /predict. `now` goes into the ids."""
    subject, manifest = loaded.subject, loaded.subject.manifest
    predictions = loaded.form.predictions(answer, seal, now)
    return write({"model": manifest.name, "version": str(manifest.version), "variant": subject.variant, "predictions": predictions})


def explain(error: Exception, what: str, recorder: Recorder) -> Reply:
    """The reply to an error. What the client did is told to the client; what we did, to the log."""
    if isinstance(error, RequestError):
        if error.status in _REJECTIONS:
            recorder.rejected("rate_limit" if isinstance(error, RateLimited) else _REJECTIONS[error.status])
        return Reply(write({"error": str(error)}), error.status, (*_JSON, *_headers(error)))
    _log.error("%s failed", what, exc_info=error)
    return Reply(write({"error": "something went wrong in the server; its log says what"}), 500)


def _headers(error: RequestError) -> tuple[tuple[str, str], ...]:
    if isinstance(error, Unauthorized):
        return (("www-authenticate", f'{error.scheme} realm="veleta"'),)
    return _retry_after(error.seconds) if isinstance(error, Overloaded | RateLimited) else ()


def _retry_after(seconds: float) -> tuple[tuple[str, str], ...]:
    """The standard header knows whole seconds only; the second one says it exactly."""
    return ("retry-after", str(max(1, math.ceil(seconds)))), ("retry-after-ms", str(max(1, math.ceil(seconds * 1000))))

"""What is sent back, as bytes: predictions in the contract's form, and errors as one sentence. Written once for every lane and route."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import orjson

from app.errors import RequestError
from app.predictor import Answer
from app.served import Loaded
from monitoring.receipt import Seal
from monitoring.recorder import Recorder


@dataclass(frozen=True)
class Reply:
    """What is sent back."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)


_log = logging.getLogger("veleta")


def write(data: Any) -> bytes:
    """JSON; arrays are written without becoming lists first."""
    return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)


def to_json(loaded: Loaded, answer: Answer, seal: Seal, now: float) -> bytes:
    """The answer of /predict. `now` goes into the ids."""
    subject = loaded.subject
    classes, mark = subject.manifest.classes, subject.fingerprint
    chosen = answer.probabilities.argmax(axis=1).tolist()
    predictions = [
        {
            "id": seal.close(mark, now, number, float(row[number])),
            "label": classes[number],
            "class": number,
            "confidence": row[number],
            "probabilities": row,
        }
        for number, row in zip(chosen, answer.probabilities, strict=True)
    ]
    manifest = subject.manifest
    return write({"model": manifest.name, "version": str(manifest.version), "variant": subject.variant, "predictions": predictions})


def explain(error: Exception, what: str, recorder: Recorder) -> Reply:
    """The reply to an error. What the client did is told to the client; what we did, to the log."""
    if isinstance(error, RequestError):
        if error.status in (413, 503):
            recorder.rejected("limit" if error.status == 413 else "not_ready")
        return Reply(write({"error": str(error)}), error.status)
    _log.error("%s failed", what, exc_info=error)
    return Reply(write({"error": "something went wrong in the server; its log says what"}), 500)

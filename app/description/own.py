"""Veleta's own routes."""

from __future__ import annotations

from app.description.operation import (
    BODY_ERRORS,
    MODEL_ERRORS,
    NUMBER,
    PREDICTION_ERRORS,
    TEXT,
    WHOLE,
    YES_NO,
    Operation,
    in_json,
    many,
    one_of,
    ref,
    thing,
)

_FILE = {"type": "string", "format": "binary"}
BODIES = in_json(ref("Instances")) | {
    "image/png": _FILE,
    "image/jpeg": _FILE,
    "multipart/form-data": ref("Files"),
    "application/x-npy": _FILE,
    "application/octet-stream": _FILE | {"description": "Raw little-endian values in the model's dtype or uint8, row-major."},
}
_TEXT = (
    "Told apart by content, not by trust in the header. Image values are 0 to 255; images are converted and resized to the model's input. "
    "The body may be packed: `Content-Encoding: gzip` or `deflate`."
)
_PREDICT = Operation(
    "Predict",
    "Predict with the default model",
    in_json(ref("Predictions")),
    PREDICTION_ERRORS,
    _TEXT,
    BODIES,
    curl="curl -s --data-binary @image.png {url}/predict",
)
_NAMED = Operation(
    "Predict", "Predict with a model by its name", in_json(ref("Predictions")), PREDICTION_ERRORS, _TEXT, BODIES,
    curl="curl -s -F file=@image.png {url}/predict/{name}",
)  # fmt: skip
_TASK = one_of("classification", "regression")
_STATUS = thing({"status": one_of("alive"), "ready": YES_NO, "models": many({"type": "object"})})

OPERATIONS: dict[str, Operation] = {
    "POST /predict": _PREDICT,
    "POST /predict/{name}": _NAMED,
    "POST /feedback": Operation(
        "Predict", "Tell the true labels of earlier predictions", in_json(ref("Results")), (*BODY_ERRORS, 503),
        "A label that is answered with 200 is on disk, and counts once however often it is sent. Of a model of regression it is a number.",
        in_json(ref("Labels")), curl='curl -s -d \'{"id": "…", "label": "7"}\' {url}/feedback',
    ),
    "GET /": Operation(
        "Watch", "The index page, or with Accept: application/json what is served", in_json(_STATUS) | {"text/html": TEXT},
        curl="curl -s -H 'Accept: application/json' {url}/",
    ),
    "GET /monitor": Operation(
        "Watch", "Accuracy or errors, coverage, drift and alarms now",
        in_json(
            thing(
                {
                    "model": TEXT, "version": TEXT, "variant": TEXT, "task": _TASK, "kind": TEXT, "classes": many(TEXT), "time": NUMBER,
                    "reference_rows": WHOLE,
                    "windows": {"type": "object", "additionalProperties": ref("Window")},
                    "alarms": many({"type": "object"}), "totals": {"type": "object"}, "confusion": {"type": ["object", "null"]},
                }
            )
        ),
        MODEL_ERRORS, query={"model": TEXT}, curl="curl -s {url}/monitor",
    ),
    "GET /incidents": Operation(
        "Watch", "The alarms that were raised, the newest first", in_json(thing({"incidents": many(ref("IncidentLine"))})),
        query={"model": TEXT, "count": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 50}}, curl="curl -s {url}/incidents",
    ),
    "GET /incidents/{incident}": Operation(
        "Watch", "An incident: what has changed, since when, what it costs, the likely cause; with Accept: text/html as a page",
        in_json(ref("Incident")) | {"text/html": TEXT}, MODEL_ERRORS, curl="curl -s {url}/incidents/ID",
    ),
    "POST /incidents/{incident}/seen": Operation(
        "Watch", "Mark an incident as seen", in_json(thing({"incident": TEXT, "seen": YES_NO})), (404,),
        "What is normal now is what the traffic is compared with from the next tick on; the same change raises no second alarm.",
        curl="curl -s -X POST {url}/incidents/ID/seen",
    ),
    "GET /metrics": Operation("Watch", "Everything counted, for Prometheus", {"text/plain": TEXT}, curl="curl -s {url}/metrics"),
    "GET /samples/{name}": Operation(
        "Predict", "Held-back rows with their labels, to try a model with", in_json(thing({"model": TEXT, "samples": many(ref("Sample"))})),
        MODEL_ERRORS, query={"count": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 24}},
        curl="curl -s {url}/samples/{name}",
    ),
    "GET /samples/{name}/{number}.png": Operation(
        "Predict", "A held-back image", {"image/png": _FILE}, (*MODEL_ERRORS, 415), curl="curl -s -o image.png {url}/samples/{name}/0.png",
    ),
    "GET /healthz": Operation("Health", "Alive", in_json(thing({"live": YES_NO})), curl="curl -s {url}/healthz"),
    "GET /readyz": Operation(
        "Health", "Ready: a live model is loaded and warmed up, and the server is not stopping", in_json(thing({"ready": YES_NO})), (503,),
        curl="curl -s {url}/readyz",
    ),
    "GET /openapi.json": Operation("Health", "This description", in_json(thing({"openapi": TEXT})), curl="curl -s {url}/openapi.json"),
    "GET /docs": Operation("Health", "This description as a page", {"text/html": TEXT}),
}  # fmt: skip

"""The Open Inference Protocol v2 with Triton's extensions."""

from __future__ import annotations

from app.description.operation import (
    ANYTHING,
    BODY_ERRORS,
    MODEL_ERRORS,
    PREDICTION_ERRORS,
    TEXT,
    WHOLE,
    YES_NO,
    Operation,
    Schema,
    in_json,
    many,
    one_of,
    ref,
    thing,
)
from app.protocols.open_inference_tensors import NUMBERS

_TAG = "Open Inference v2"
_BYTES = {"type": "string", "format": "binary"}
_PARAMETERS = {"type": "object"}
#: Of classes and of values; a model's metadata says which it has.
_OUTPUTS = ("probabilities", "label", "value", "lower", "upper", "embedding", "id")
_ADMIN = "Answers when every worker has followed. Off unless the server has an admin token, which is sent as a bearer token."

SCHEMAS: dict[str, Schema] = {
    "InferInput": thing(
        {"name": TEXT, "datatype": one_of(*NUMBERS), "shape": many(WHOLE), "data": ref("Value"), "parameters": _PARAMETERS},
        ("name", "datatype", "shape"),
        "Either `data`, or `parameters.binary_data_size` and the bytes behind the JSON.",
    ),
    "InferRequest": thing(
        {
            "id": TEXT,
            "inputs": many(ref("InferInput"), 1),
            "outputs": many(thing({"name": one_of(*_OUTPUTS), "parameters": _PARAMETERS}, ("name",))),
            "parameters": _PARAMETERS,
        },
        ("inputs",),
    ),
    "InferOutput": thing(
        {"name": TEXT, "datatype": TEXT, "shape": many(WHOLE), "data": many(ANYTHING), "parameters": _PARAMETERS},
        ("name", "datatype", "shape"),
    ),
    "InferResponse": thing(
        {"model_name": TEXT, "model_version": TEXT, "id": TEXT, "outputs": many(ref("InferOutput"), 1)},
        ("model_name", "model_version", "outputs"),
    ),
    "TensorMetadata": thing({"name": TEXT, "datatype": TEXT, "shape": many(WHOLE)}),
    "ModelMetadata": thing(
        {
            "name": TEXT, "versions": many(TEXT), "platform": TEXT,
            "inputs": many(ref("TensorMetadata"), 1), "outputs": many(ref("TensorMetadata"), 1),
        }
    ),
    "Statistics": thing({"model_stats": many(thing({"name": TEXT, "version": TEXT, "inference_count": WHOLE, "execution_count": WHOLE}))}),
}  # fmt: skip

OPERATIONS: dict[str, Operation] = {
    "GET /v2": Operation(
        _TAG, "The server and what it can", in_json(thing({"name": TEXT, "version": TEXT, "extensions": many(TEXT)})),
        curl="curl -s {url}/v2",
    ),
    "GET /v2/health/live": Operation(_TAG, "Alive", in_json(thing({"live": YES_NO}))),
    "GET /v2/health/ready": Operation(_TAG, "Ready", in_json(thing({"live": YES_NO, "ready": YES_NO})), (503,)),
    "GET /v2/models": Operation(_TAG, "The models that are served", in_json(thing({"models": many(TEXT)})), curl="curl -s {url}/v2/models"),
    "GET /v2/models/stats": Operation(_TAG, "What the requests of all models took", in_json(ref("Statistics"))),
    "GET /v2/models/{name}": Operation(
        _TAG, "Names, types and shapes of a model's inputs and outputs", in_json(ref("ModelMetadata")), MODEL_ERRORS,
        curl="curl -s {url}/v2/models/{name}",
    ),
    "GET /v2/models/{name}/ready": Operation(_TAG, "A model is ready", in_json(thing({"name": TEXT, "ready": YES_NO})), MODEL_ERRORS),
    "GET /v2/models/{name}/config": Operation(
        _TAG, "A model as Triton would configure it", in_json(thing({"name": TEXT, "platform": TEXT, "max_batch_size": WHOLE})),
        MODEL_ERRORS,
    ),
    "GET /v2/models/{name}/stats": Operation(_TAG, "What a model's requests took", in_json(ref("Statistics")), MODEL_ERRORS),
    "POST /v2/models/{name}/infer": Operation(
        _TAG, "Predict", in_json(ref("InferResponse")) | {"application/octet-stream": _BYTES}, PREDICTION_ERRORS,
        "Tensors in JSON, or as bytes behind it: then `Inference-Header-Content-Length` says how long the JSON is.",
        in_json(ref("InferRequest")) | {"application/octet-stream": _BYTES},
        headers={"Inference-Header-Content-Length": {"type": "integer", "minimum": 0}},
    ),
    "POST /v2/repository/index": Operation(
        _TAG, "Every version on the shelf, and whether it answers",
        in_json(many(thing({"name": TEXT, "version": TEXT, "state": one_of("READY", "UNAVAILABLE"), "reason": TEXT}))),
        BODY_ERRORS, body=in_json(thing({"ready": YES_NO}, ())), optional=True, curl="curl -s -X POST {url}/v2/repository/index",
    ),
    "POST /v2/repository/models/{name}/load": Operation(
        _TAG, "Put a model back into service", in_json(thing({"name": TEXT, "load": YES_NO})), (400, 403, 404, 413, 415, 503), _ADMIN,
        in_json({"type": "object"}), optional=True, admin=True,
    ),
    "POST /v2/repository/models/{name}/unload": Operation(
        _TAG, "Take a model out of service", in_json(thing({"name": TEXT, "unload": YES_NO})), (400, 403, 404, 413, 415, 503), _ADMIN,
        in_json({"type": "object"}), optional=True, admin=True,
    ),
}  # fmt: skip

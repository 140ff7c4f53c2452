"""TensorFlow Serving's REST API, KServe V1, MLflow and SageMaker."""

from __future__ import annotations

from app.description.operation import MODEL_ERRORS, PREDICTION_ERRORS, TEXT, YES_NO, Operation, in_json, many, ref, thing
from app.description.own import BODIES

_TAG = "TensorFlow Serving and KServe V1"
_QUESTION_ERRORS = (400, *MODEL_ERRORS)

OPERATIONS: dict[str, Operation] = {
    "GET /v1/models": Operation(
        _TAG, "The models that are served", in_json(thing({"models": many(TEXT)})), curl="curl -s {url}/v1/models"
    ),
    "GET /v1/models/{name}": Operation(
        _TAG, "Whether a model is served, and in which version", in_json(ref("ModelStatus")), _QUESTION_ERRORS,
        curl="curl -s {url}/v1/models/{name}",
    ),
    "GET /v1/models/{name}/metadata": Operation(
        _TAG, "Names, types and shapes of a model's inputs and outputs", in_json(ref("Metadata")), _QUESTION_ERRORS,
        curl="curl -s {url}/v1/models/{name}/metadata",
    ),
    "POST /v1/models/{name}:predict": Operation(
        _TAG, "Predict, in rows or in columns", in_json({"anyOf": [ref("RowAnswers"), ref("ColumnAnswers")]}), PREDICTION_ERRORS,
        "The one output, probabilities or the value, is given bare; `signature_name` asks for more. What is not finite is written as "
        "NaN and Infinity, as TensorFlow Serving does.",
        in_json({"anyOf": [ref("Rows"), ref("Columns")]}),
        curl="curl -s -d '{\"instances\": [{\"b64\": \"'$(base64 -w0 image.png)'\"}]}' {url}/v1/models/{name}:predict",
    ),
    "POST /v1/models/{name}:classify": Operation(
        _TAG, "Each label with its score", in_json(ref("Scores")), PREDICTION_ERRORS, body=in_json(ref("Examples"))
    ),
    "POST /v1/models/{name}:regress": Operation(
        _TAG, "The values of a model of regression", in_json(ref("Regressions")), PREDICTION_ERRORS, body=in_json(ref("Examples"))
    ),
    "GET /ping": Operation("MLflow and SageMaker", "Whether requests may be sent", in_json(thing({"ready": YES_NO})), (503,),
        curl="curl -s {url}/ping",
    ),
    "POST /invocations": Operation(
        "MLflow and SageMaker", "Predict with the default model", in_json(ref("RowAnswers")), PREDICTION_ERRORS,
        "As TensorFlow Serving and as /predict take it; a table also as a data frame.",
        BODIES | in_json({"anyOf": [ref("Rows"), ref("Columns"), ref("Frame"), ref("Instances")]}),
        curl="curl -s -H 'Content-Type: image/png' --data-binary @image.png {url}/invocations",
    ),
}  # fmt: skip

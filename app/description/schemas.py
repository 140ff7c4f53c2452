"""The schemas that several operations share. A tensor's shape is the model's: its metadata says which, so the schemas do not."""

from __future__ import annotations

from app.description.operation import ANYTHING, NUMBER, TEXT, WHOLE, YES_NO, Schema, many, one_of, ref, thing
from monitoring.counts.layout import FEEDBACK_RESULTS

_ROWS = many(ref("Value"), 1)
_INSTANCES = {"anyOf": [_ROWS, many(ref("Row"), 1)]}
_OUTLIER = {
    **NUMBER,
    "minimum": 0,
    "maximum": 1,
    "description": "How unusual the input is: the share of the reference rows that are less far from the mean of their class, or of all, "
    "in what the model's last layer sees. Of inputs like those, one in a hundred has 0.99 or more. Missing if the model does not tell.",
}
_ID = {"type": "string", "maxLength": 96, "pattern": "^[A-Za-z0-9_-]+$", "description": "What /feedback takes."}
_DIMENSION = thing({"size": {"type": "string", "pattern": "^-?[0-9]+$"}, "name": TEXT})
_SHAPE = thing({"dim": many(_DIMENSION)})
_ERRORS = "mae, rmse and coverage (the share of true values in their interval), each with value, lower, upper (95 %)."
_COLUMN = thing(
    {"name": TEXT, "missing": NUMBER, "unseen": {"type": ["number", "null"]}},
    text="Of a column of a table, the shares of rows without a value, and with a category that training did not know.",
)
_LABEL_AND_SHARE = {
    "type": "array",
    "items": {"type": ["string", "number"]},  # `prefixItems` would say which is which, but not every reader of 3.1 knows it
    "minItems": 2,
    "maxItems": 2,
    "description": "A class and its probability.",
}
_SHARES = many({"type": ["number", "null"]})


def _known(text: str) -> Schema:
    """Something, or null where there is not enough data."""
    return {"type": ["object", "null"], "description": text}


OWN: dict[str, Schema] = {
    "Error": thing({"error": {"type": "string", "description": "One sentence: what was expected, what came."}}),
    "Value": {
        "description": "A number, or nested lists of numbers in the model's shape; a flat list of a whole instance will do.",
        "anyOf": [NUMBER, many(ref("Value"))],
    },
    "Row": {
        "type": "object",
        "additionalProperties": {"type": ["number", "string", "boolean", "null"]},
        "description": "A row of the model's table by the names of its columns; null, or a column that is left out, is a missing value.",
    },
    "Instances": {
        "description": "Instances in the model's input shape, or flat, or rows of its table; also a bare list of them, or one.",
        "anyOf": [thing({"instances": _INSTANCES}), _INSTANCES],
    },
    "Files": thing(
        {
            "file": {
                "description": "An image or a .npy file; one or many.",
                "anyOf": [{"type": "string", "format": "binary"}, many({"type": "string", "format": "binary"}, 1)],
            }
        }
    ),
    "Classified": thing(
        {
            "id": _ID,
            "label": TEXT,
            "class": {"type": "integer", "minimum": 0},
            "confidence": NUMBER,
            "probabilities": many(NUMBER),
            "outlier": _OUTLIER,
        },
        ("id", "label", "class", "confidence", "probabilities"),
        "What a model of classification answers.",
    ),
    "Valued": thing(
        {"id": _ID, "value": NUMBER, "lower": NUMBER, "upper": NUMBER, "outlier": _OUTLIER},
        ("id", "value"),
        "What a model of regression answers; `lower` to `upper` holds the true value of 95 in 100 inputs like the validation rows. "
        "They are missing if there were too few of these.",
    ),
    "Prediction": {"anyOf": [ref("Classified"), ref("Valued")]},
    "Predictions": thing({"model": TEXT, "version": TEXT, "variant": TEXT, "predictions": many(ref("Prediction"), 1)}),
    "Label": thing(
        {"id": TEXT, "label": {"description": "The true label: one of the model's classes, or a value.", "type": ["string", "number"]}}
    ),
    "Labels": {"anyOf": [thing({"feedback": many(ref("Label"), 1)}), ref("Label")]},
    "Results": thing({**dict.fromkeys(FEEDBACK_RESULTS, WHOLE), "results": many(one_of(*FEEDBACK_RESULTS))}),
    "Window": thing(
        {
            "seconds": NUMBER,
            "predictions": WHOLE,
            "watched": {"type": "integer", "description": "How many of them drift, data quality and the estimates of accuracy speak of."},
            "labels": WHOLE,
            "coverage": {"type": ["number", "null"], "description": "Share of the predictions made that have a label by now."},
            "label_delay": _known("Of the labels that arrived: mean_seconds, median_seconds, p90_seconds."),
            "columns": many(_COLUMN),
            "accuracy": _known("Of the labels that arrived: value, lower, upper (95 %)."),
            "accuracy_by_prediction_time": _known("Of the predictions made, as far as they have labels by now: value, lower, upper."),
            "calibration_error": _known("Of the confidences answered: value, and what a calibrated model would show (expected)."),
            "class_scores": thing(
                {**dict.fromkeys(("hits", "predicted", "actual"), many(WHOLE)), **dict.fromkeys(("precision", "recall", "f1"), _SHARES)},
                text="Of the labels that arrived, one value for each class; null is a share of nothing.",
            ),
            "estimated": _known("Accuracy without labels: methods (each with value and error), and value, lower, upper over all of them."),
            "errors": _known(f"Of the labels that arrived: {_ERRORS}"),
            "errors_by_prediction_time": _known(f"Of the predictions made, as far as they have labels by now: {_ERRORS}"),
        },
        ("seconds", "predictions", "watched", "labels", "coverage", "label_delay", "columns"),
        "What is known of the last so many seconds, of classes from `accuracy` to `estimated`, of values the `errors`. null is not enough "
        "data.",
    ),
    "IncidentLine": thing(
        {
            **dict.fromkeys(("id", "model", "variant", "cause", "confidence"), TEXT),
            "version": WHOLE,
            "raised_at": NUMBER,
            "since": NUMBER,
            "signals": many(TEXT),
            "seen": YES_NO,
        }
    ),
    "Incident": thing(
        {
            **dict.fromkeys(("id", "model", "variant"), TEXT),
            "version": WHOLE,
            **dict.fromkeys(("raised_at", "since", "updated_at"), NUMBER),
            **dict.fromkeys(("predictions", "noticed_after"), WHOLE),
            "verdict": thing(dict.fromkeys(("cause", "confidence", "evidence", "remedy"), TEXT)),
            "accuracy": {"type": "object"},
            **dict.fromkeys(("signals", "exhibits"), many({"type": "object"})),
            "seen": YES_NO,
        },
        text="Times are seconds since 1970.",
    ),
    "Sample": thing(
        {"index": WHOLE, "label": {"type": ["string", "number"]}, "image": TEXT, "instance": {"anyOf": [ref("Value"), ref("Row")]}},
        ("index", "label"),
    ),
}

TENSORFLOW: dict[str, Schema] = {
    "Bytes": thing({"b64": {"type": "string", "description": "An image, a .npy file or raw values of one instance, in base64."}}),
    "Tensor": {
        "description": "Instances: numbers, bytes, or either under the name of the model's input; or rows of its table.",
        "anyOf": [_ROWS, many(ref("Bytes"), 1), many({"type": "object", "minProperties": 1}, 1)],
    },
    "Rows": thing({"signature_name": ref("Signature"), "instances": ref("Tensor")}, ("instances",)),
    "Columns": thing(
        {"signature_name": ref("Signature"), "inputs": {"anyOf": [ref("Tensor"), {"type": "object", "minProperties": 1}]}}, ("inputs",)
    ),
    "Signature": one_of("serving_default", "with_embedding", "with_id"),
    "Examples": thing(
        {"signature_name": ref("Signature"), "context": {"type": "object"}, "examples": many({"type": "object"}, 1)},
        ("examples",),
        "Features by name; `context` holds those that all examples share.",
    ),
    "RowAnswers": thing({"predictions": many(ANYTHING, 1)}, text="Bare values of a single output, objects of several."),
    "ColumnAnswers": thing({"outputs": {"type": ["array", "object"]}}, text="A bare batch of a single output, an object of several."),
    "Scores": thing({"results": many(many(_LABEL_AND_SHARE), 1)}),
    "Regressions": thing({"results": many(NUMBER, 1)}),
    "Frame": thing(
        {
            "dataframe_split": thing(
                {"columns": many(TEXT), "data": many(many({"type": ["number", "string", "boolean", "null"]}), 1)}, ("data",)
            )
        }
    ),
    "VersionStatus": thing({"version": TEXT, "state": one_of("AVAILABLE"), "status": thing({"error_code": TEXT, "error_message": TEXT})}),
    "ModelStatus": thing({"model_version_status": many(ref("VersionStatus"), 1), "name": TEXT, "ready": YES_NO}),
    "TensorInfo": thing({"dtype": TEXT, "name": TEXT, "tensor_shape": _SHAPE, "tensorShape": _SHAPE}),
    "SignatureInfo": thing(
        {name: {"type": "object", "additionalProperties": ref("TensorInfo")} for name in ("inputs", "outputs")} | {"method_name": TEXT}
    ),
    "Metadata": thing(
        {
            "model_spec": thing({"name": TEXT, "version": TEXT, "signature_name": TEXT}),
            "modelSpec": thing({"name": TEXT, "version": TEXT, "signatureName": TEXT}),
            "metadata": thing(
                {
                    "signature_def": thing(
                        {
                            spelling: {"type": "object", "additionalProperties": ref("SignatureInfo")}
                            for spelling in ("signature_def", "signatureDef")
                        }
                    )
                }
            ),
        }
    ),
}

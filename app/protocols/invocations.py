"""`/invocations`, as MLflow and SageMaker ask a model: the default one, in any form that TensorFlow Serving or `/predict` reads.

Tables may come as a data frame, {"dataframe_split": {"columns": […], "data": [[…], …]}}. The answer is MLflow's {"predictions": […]},
the probabilities or the value of each row. Sources: mlflow.org (scoring server), docs.aws.amazon.com (your own inference code).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from numpy.typing import NDArray
from werkzeug.http import parse_options_header

from app.answers import Reply
from app.decoding import Limits, from_values
from app.errors import BadInput, Unsupported
from app.protocols import tensor_json
from app.protocols.exchange import Asked, Prediction, Request
from app.served import Loaded
from app.service import Service
from app.takes import Takes

_OBJECTS = ("", "application/json", "application/x-www-form-urlencoded")  # the last is what curl says of anything


def read(service: Service, request: Request) -> Asked:
    loaded, rows = _read(service, request)
    return Asked(loaded, rows, lambda answer: Reply(tensor_json.write_answer({loaded.form.main: answer.outputs}, in_columns=False)))


def _read(service: Service, request: Request) -> tuple[Loaded, NDArray[Any]]:
    content_type = request.headers.get("content-type", "")
    mimetype = parse_options_header(content_type)[0]
    if mimetype == "text/csv":  # raw values of the same length would be taken for it
        raise Unsupported('text/csv is not read here; send {"dataframe_split": {"columns": [...], "data": [[...], ...]}}')
    if mimetype not in _OBJECTS or request.body.lstrip()[:1] != b"{":
        return service.read(request.body, content_type)
    loaded = service.served.get()
    data = tensor_json.read_object(request.body)
    return loaded, service.rows(loaded, partial(_table if "dataframe_split" in data else tensor_json.read_rows, data))


def _table(data: dict[str, Any], taken: Takes, limits: Limits) -> NDArray[Any]:
    """The rows of a data frame: by the names of its columns if they are those of the model's table, else in the order of its input."""
    if taken.kind != "tabular":
        raise Unsupported('this model takes no table; send {"instances": [...]}')
    frame = data["dataframe_split"]
    if not isinstance(frame, dict) or not isinstance(frame.get("data"), list):
        raise BadInput('\'dataframe_split\' has no rows, expected {"columns": [...], "data": [[...], ...]}')
    names, rows = frame.get("columns"), frame["data"]
    if taken.columns and isinstance(names, list) and set(map(str, names)) <= set(taken.columns.names):
        if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
            raise BadInput(f"a row of the data frame has not {len(names)} values, expected one for each of its columns", "shape")
        rows = [dict(zip(map(str, names), row, strict=True)) for row in rows]
    return from_values(rows, taken, limits)


PREDICTIONS = (Prediction("/invocations", "/invocations", read),)

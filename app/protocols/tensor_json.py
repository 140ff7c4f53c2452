"""Tensors in JSON as TensorFlow Serving writes them, which KServe V1, MLflow and SageMaker took over.

Rows are `{"instances": [row, …]}`, columns `{"inputs": batch}` or `{"inputs": {"name": batch}}`; bytes are `{"b64": "…"}` anywhere.
Source: tensorflow.org/tfx/serving/api_rest.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.answers import write
from app.decoding import Limits, decode, from_values, hold
from app.errors import BadInput, OverLimit
from app.json_bodies import kind_of, read_instances
from app.predictor import Answer
from app.served import Loaded
from app.takes import Takes
from models.manifest import Input
from monitoring.counts.receipt import Seal

_EXPECTED = 'expected {"instances": [...]} or {"inputs": [...]}'


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. NaN and Infinity are read, as TensorFlow does. Raises BadInput."""
    if not body:
        raise BadInput(f"the body is empty, {_EXPECTED}")
    try:
        data = read_instances(body)
    except BadInput:
        data = _lenient(body)
        if data is None:
            raise
    if not isinstance(data, dict):
        raise BadInput(f"the JSON is not an object, {_EXPECTED}")
    return data


def column_form(data: Mapping[str, Any]) -> bool:
    """Whether the request is in columns, not in rows. Raises BadInput unless it is in one of them."""
    if ("instances" in data) == ("inputs" in data):
        came = "both" if "inputs" in data else f"neither but {[str(key)[:40] for key in data][:3]}"
        raise BadInput(f"the request has {came} of 'instances' and 'inputs', {_EXPECTED}")
    return "inputs" in data


def signature(data: Mapping[str, Any], loaded: Loaded) -> tuple[str, ...]:
    """The outputs that the request asks for. Raises BadInput."""
    name, known = data.get("signature_name") or "serving_default", loaded.form.signatures
    if not isinstance(name, str) or name not in known:
        raise BadInput(f"there is no signature {str(name)[:40]!r}; there is {', '.join(known)}")
    return known[name]


def read_rows(data: Mapping[str, Any], taken: Takes, limits: Limits) -> NDArray[Any]:
    """Rows (n, …) of a request in rows or in columns. Raises BadInput, OverLimit or Unsupported."""
    if not column_form(data):
        return read_values(data["instances"], taken, limits)
    batch = data["inputs"]
    if isinstance(batch, dict) and not _is_binary(batch):
        batch = _rows_of(batch) if taken.is_row(batch) else _named(batch, taken)
    return read_values([batch] if isinstance(batch, dict) else batch, taken, limits)


def read_values(values: Any, taken: Takes, limits: Limits) -> NDArray[Any]:
    """Rows (n, …) of a list: arrays, binary values, or either under the input's name. Raises BadInput, OverLimit or Unsupported."""
    if not isinstance(values, list) or not values or not isinstance(values[0], dict):
        return from_values(values, taken, limits)
    if len(values) > limits.max_rows:
        raise OverLimit(f"the request has {len(values)} instances", "max_rows", limits.max_rows)
    if taken.holds_objects(values):
        return from_values(values, taken, limits)
    values = [value if _is_binary(value) else _named(value, taken) for value in values]
    if not _is_binary(values[0]):
        return from_values(values, taken, limits)
    return hold(np.concatenate([_binary(value, taken, limits) for value in values]), taken, limits)


def outputs_of(loaded: Loaded, answer: Answer, names: tuple[str, ...], seal: Seal) -> dict[str, Any]:
    """The outputs of these names: arrays or lists with a value for each row."""
    now = time.time()
    return {name: loaded.form.values(name, answer, seal, now) for name in names}


def write_answer(outputs: Mapping[str, Any], in_columns: bool) -> bytes:
    """`predictions` in rows, or `outputs` in columns. One output is given bare, several by their names."""
    given: Any = outputs
    if len(outputs) == 1:
        (given,) = outputs.values()
    elif not in_columns:
        given = [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]
    arrays = (values for values in outputs.values() if isinstance(values, np.ndarray))
    return write_numbers({"outputs" if in_columns else "predictions": given}, arrays)


def write_numbers(data: Any, arrays: Iterable[NDArray[Any]]) -> bytes:
    """JSON; what is not finite is written as NaN and Infinity, as TensorFlow does, and never becomes null."""
    if all(np.isfinite(array).all() for array in arrays):
        return write(data)
    return json.dumps(data, default=lambda array: array.tolist()).encode()


def _lenient(body: bytes) -> Any:
    if b"NaN" not in body and b"Infinity" not in body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _is_binary(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"}


def _named(value: Any, taken: Input) -> Any:
    if not isinstance(value, dict) or value.keys() != {taken.name}:
        came = [str(key)[:40] for key in value][:3] if isinstance(value, dict) else kind_of(value)
        raise BadInput(f"the model has one input, {taken.name!r}; the request names {came}")
    return value[taken.name]


def _rows_of(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table that came as a list for each column."""
    if not columns or not all(isinstance(values, list) for values in columns.values()) or len(set(map(len, columns.values()))) != 1:
        raise BadInput("the columns in 'inputs' are not lists of one length, expected a value for each row in each", "shape")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _binary(value: Any, taken: Takes, limits: Limits) -> NDArray[Any]:
    """One row out of the bytes of an image, of a .npy file or of raw values."""
    text = value["b64"] if _is_binary(value) else None
    if not isinstance(text, str):
        raise BadInput('some instances are binary and some are not; send all as {"b64": "…"} or none')
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_" if "-" in text or "_" in text else None, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput("the text of a 'b64' is not base64; encode the file's bytes with it") from error
    row = decode(content, "application/octet-stream", taken, limits)
    if len(row) != 1:
        raise BadInput(f"one 'b64' holds {len(row)} instances, expected one each", "shape")
    return row

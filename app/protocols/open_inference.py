"""Open Inference Protocol v2 over HTTP: what KServe, Triton, MLServer and OpenVINO Model Server speak. Here: asking a model.

A model has one input, by its name in the manifest, and the outputs of `open_inference_outputs`.
"""

from __future__ import annotations

import math
import time
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.answers import Reply
from app.decoding import Limits, fit, hold
from app.errors import BadInput, UnknownModel
from app.json_bodies import read_tensors
from app.predictor import Answer
from app.protocols.exchange import Asked, Prediction, Request
from app.protocols.open_inference_outputs import Said, compress, wanted, write_reply
from app.protocols.open_inference_tensors import datatype, parameters, read_tensor, shown, split
from app.served import Loaded, Served
from app.service import Service
from models.manifest import Input


def find_model(served: Served, name: str, version: str = "") -> Loaded:
    """The model of that name, if this is the version that is served. Raises UnknownModel or NotReady.

    Version 0 means "the latest" to some clients; a version here is at least 1.
    """
    loaded = served.get(name)
    live = str(loaded.published.manifest.version)
    if version not in ("", "0", live):
        raise UnknownModel(f"{name} has no version {version[:64]!r} that is served; it serves version {live}")
    return loaded


def read(service: Service, request: Request, name: str, version: str = "") -> Asked:
    """What an infer request asks. Raises RequestError."""
    loaded = find_model(service.served, name, version)
    head, binary = _head(request, loaded.published.manifest.input)
    said = _said(head, loaded)
    rows = service.rows(loaded, partial(_rows, head, binary))
    accepted = request.headers.get("accept-encoding", "")

    def reply(answer: Answer) -> Reply:
        return compress(write_reply(loaded, answer, said, service.seal, time.time()), accepted)

    return Asked(loaded, rows, reply, said.timeout_seconds)


def _head(request: Request, taken: Input) -> tuple[dict[str, Any] | None, bytes | None]:
    """The JSON of a request and the bytes behind it. No JSON at all means: nothing but the values of the one input."""
    text, binary = split(request.body, request.headers.get("inference-header-content-length"))
    if binary is not None and not text:
        return None, binary
    if not text:
        raise BadInput(f"the body is empty, expected a JSON object with inputs: one, {_expected(taken)}")
    head = read_tensors(text)
    if not isinstance(head, dict):
        raise BadInput("the JSON is no object, expected one with inputs and, if wanted, outputs")
    return head, binary


def _rows(head: dict[str, Any] | None, binary: bytes | None, taken: Input, limits: Limits) -> NDArray[Any]:
    values = _raw(binary or b"", taken) if head is None else read_tensor(_only_input(head, taken), binary)
    return hold(fit(values, taken, batch_only=True), taken, limits)


def _said(data: dict[str, Any] | None, loaded: Loaded) -> Said:
    if data is None:
        return Said(wanted([], True, loaded))
    given = parameters(data, "the request")
    identity = data.get("id")
    if not isinstance(identity, str | None):
        raise BadInput(f"the id is {shown(identity)}, expected a text")
    outputs = wanted(data.get("outputs"), given.get("binary_data_output") is True, loaded)
    return Said(outputs, identity or "", _timeout_seconds(given.get("timeout")))


def _timeout_seconds(microseconds: Any) -> float | None:
    """0 means: as long as the server likes."""
    if microseconds in (None, 0):
        return None
    if type(microseconds) is not int or microseconds < 0:
        raise BadInput(f"the parameter timeout is {shown(microseconds)}, expected whole microseconds, as in 500000")
    return microseconds / 1e6


def _only_input(data: dict[str, Any], taken: Input) -> dict[str, Any]:
    inputs = data.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        came = f"{len(inputs)}" if isinstance(inputs, list) else "no list of them"
        raise BadInput(f"the request has {came} for inputs, expected exactly one, {_expected(taken)}", "shape")
    if inputs[0].get("name") != taken.name:
        raise BadInput(f"the request has the input {shown(inputs[0].get('name'))}, expected {_expected(taken)}")
    only: dict[str, Any] = inputs[0]
    return only


def _raw(binary: bytes, taken: Input) -> NDArray[Any]:
    """A body without JSON: the values of the one input, whose batch size is what their number makes it."""
    dtype = np.dtype(taken.dtype).newbyteorder("<")
    size = math.prod(taken.row_shape) * dtype.itemsize
    if len(binary) % size:
        raise BadInput(f"the body has {len(binary)} bytes, expected a multiple of {size} for {_expected(taken)}", "shape")
    return np.frombuffer(binary, dtype).reshape(-1, *taken.row_shape)


def _expected(taken: Input) -> str:
    shape = ", ".join("-1" if size is None else str(size) for size in taken.shape)
    return f"{taken.name!r} of datatype {datatype(taken.dtype)} and shape [{shape}]"


_RULES = ("/v2/models/<name>/infer", "/v2/models/<name>/versions/<version>/infer", "/v2/models/<name>/versions//infer")
PREDICTIONS = tuple(Prediction(rule, "/v2", read) for rule in _RULES)

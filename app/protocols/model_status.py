"""What TensorFlow Serving and KServe V1 say of a model: its status and its metadata. One object holds what both of them want."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response
from werkzeug.routing import BaseConverter

from app.protocols.tensorflow_serving import TARGETS, find
from app.routes import answer, service
from app.served import Loaded

routes = Blueprint("model_status", __name__)

_TYPES = {"float16": "DT_HALF", "float32": "DT_FLOAT", "float64": "DT_DOUBLE"}


class _Plain(BaseConverter):
    """A part without a verb: what has one is asked with POST."""

    regex = "[^/:]+"


routes.record(lambda setup: setup.app.url_map.converters.update(plain=_Plain))


@routes.get("/v1/models")
def listed() -> Response:
    return answer({"models": [loaded.published.manifest.name for loaded in service().served.all()]})


def status(**target: str) -> Response:
    manifest = _find(target).published.manifest
    state = {"version": str(manifest.version), "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    return answer({"model_version_status": [state], "name": manifest.name, "ready": True})


def metadata(**target: str) -> Response:
    loaded = _find(target)
    manifest = loaded.published.manifest
    signatures = {name: _signature(loaded, outputs) for name, outputs in loaded.form.signatures.items()}
    spec = {"name": manifest.name, "version": str(manifest.version)}
    return answer(
        {
            "model_spec": spec | {"signature_name": ""},
            "modelSpec": spec | {"signatureName": ""},
            "metadata": {"signature_def": {"signature_def": signatures, "signatureDef": signatures}},
        }
    )


for _target in (*TARGETS, "<name>/versions/<version>/labels/<label>"):
    _plain = re.sub(r"<(\w+)>$", r"<plain:\1>", _target)
    routes.add_url_rule(f"/v1/models/{_plain}", f"status of {_target}", status)
    routes.add_url_rule(f"/v1/models/{_target}/metadata", f"metadata of {_target}", metadata)


def _find(target: dict[str, str]) -> Loaded:
    return find(service().served, **target)


def _signature(loaded: Loaded, outputs: tuple[str, ...]) -> dict[str, Any]:
    manifest = loaded.published.manifest
    taken = manifest.input
    described = {name: _output(name, *described) for name, described in loaded.form.outputs.items()}
    return {
        "inputs": {taken.name: _tensor(taken.name, taken.dtype, taken.shape)},
        "outputs": {name: described[name] for name in outputs},
        "method_name": "tensorflow/serving/predict",
        "methodName": "tensorflow/serving/predict",
    }


def _output(name: str, dtype: str, size: int | None) -> dict[str, Any]:
    """Texts are a list, one a row; numbers have an axis of their own."""
    return _tensor(name, "string", (None,)) if dtype == "object" else _tensor(name, dtype, (None, size))


def _tensor(name: str, dtype: str, shape: tuple[int | None, ...]) -> dict[str, Any]:
    """Keys in both spellings: TensorFlow Serving's own, and the one of clients that read it as protobuf writes JSON."""
    dimensions = [{"size": str(-1 if size is None else size), "name": ""} for size in shape]
    described = {
        "tensor_shape": {"dim": dimensions, "unknown_rank": False},
        "tensorShape": {"dim": dimensions, "unknownRank": False},
    }
    return {"dtype": _TYPES.get(dtype, f"DT_{dtype.upper()}"), "name": f"{name}:0", **described}

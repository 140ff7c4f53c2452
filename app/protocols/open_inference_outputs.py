"""What a model can be asked for in the Open Inference Protocol, and how it is written.

    of classes      probabilities (n, classes), embedding (n, features), label (n, 1) the most probable class
    of values       value, lower, upper (n, 1), embedding (n, features)
    of both         id (n, 1) what /feedback takes

Source: https://github.com/triton-inference-server/server, docs/protocol/extension_classification.md and extension_binary_data.md
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from app.answers import Reply, write
from app.errors import BadInput
from app.forms.classes import ClassForm
from app.predictor import Answer
from app.protocols.open_inference_tensors import datatype, parameters, shown, write_bytes, write_json
from app.served import Loaded
from monitoring.counts.receipt import Seal

#: Below it an answer fits into one packet, and packing it costs more than it gives.
_WORTH_PACKING_BYTES = 512
_WBITS = {"gzip": 31, "deflate": 15}


@dataclass(frozen=True)
class Wanted:
    """An output that is asked for. `top` is how many classes, the most probable first, instead of the values; 0 means the values."""

    name: str
    binary: bool
    top: int = 0


@dataclass(frozen=True)
class Said:
    """What a request says beside its rows."""

    outputs: tuple[Wanted, ...]
    identity: str = ""
    timeout_seconds: float | None = None


def wanted(outputs: Any, binary: bool, loaded: Loaded) -> tuple[Wanted, ...]:
    """The outputs that are asked for; all of them if none is named. `binary` is the default of the request. Raises BadInput."""
    known = loaded.form.outputs
    if not outputs:
        return tuple(Wanted(name, binary) for name in known)
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise BadInput('the outputs are no list of objects, expected them as in [{"name": "probabilities"}]')
    if len(outputs) > len(known):
        raise BadInput(f"the request asks for {len(outputs)} outputs, the model has {len(known)}")
    return tuple(_wanted(output, binary, loaded) for output in outputs)


def write_reply(loaded: Loaded, answer: Answer, said: Said, seal: Seal, now: float) -> Reply:
    """The answer in JSON, with the tensors that were asked for in binary behind it. Raises BadInput for NaN in JSON."""
    described, tails = [], []
    for output in said.outputs:
        values = _values(loaded, answer, output, seal, now)
        one: dict[str, Any] = {"name": output.name, "datatype": datatype(values.dtype), "shape": values.shape}
        if output.binary:
            tails.append(write_bytes(values))
            one["parameters"] = {"binary_data_size": len(tails[-1])}
        else:
            one["data"] = write_json(values, f"the output {output.name}")
        described.append(one)
    manifest = loaded.subject.manifest
    head: dict[str, Any] = {"model_name": manifest.name, "model_version": str(manifest.version)}
    text = write(head | ({"id": said.identity} if said.identity else {}) | {"outputs": described})
    if not tails:
        return Reply(text)
    headers = ("content-type", "application/octet-stream"), ("inference-header-content-length", str(len(text)))
    return Reply(b"".join((text, *tails)), 200, headers)


def compress(reply: Reply, accepted: str) -> Reply:
    """The reply, packed as the client's Accept-Encoding allows, if that is worth it."""
    coding = _coding(accepted) if accepted and len(reply.body) > _WORTH_PACKING_BYTES else ""
    if not coding:
        return reply
    packer = zlib.compressobj(1, wbits=_WBITS[coding])
    packed = packer.compress(reply.body) + packer.flush()
    return Reply(packed, reply.status, (*reply.headers, ("content-encoding", coding), ("vary", "Accept-Encoding")))


@lru_cache(maxsize=64)
def _coding(accepted: str) -> str:
    """The coding that a client likes best; empty for none. Clients send the same header again and again."""
    liked = parse_accept_header(accepted, Accept)
    best = max(_WBITS, key=lambda coding: liked[coding])
    return best if liked[best] > 0 else ""


def _wanted(output: dict[str, Any], binary: bool, loaded: Loaded) -> Wanted:
    name = output.get("name")
    if not isinstance(name, str) or name not in loaded.form.outputs:
        raise BadInput(f"unexpected output {shown(name)}, this model has {', '.join(loaded.form.outputs)}")
    given = parameters(output, f"the output {name}")
    return Wanted(name, given.get("binary_data", binary) is True, _top(name, given.get("classification"), loaded))


def _top(name: str, classification: Any, loaded: Loaded) -> int:
    if classification is None:
        return 0
    if type(classification) is not int or classification < 1 or name != "probabilities":
        raise BadInput(f"classification is {shown(classification)} for {name}, expected a whole number from 1, and for probabilities only")
    return min(classification, len(loaded.subject.manifest.classes))


def _values(loaded: Loaded, answer: Answer, output: Wanted, seal: Seal, now: float) -> NDArray[Any]:
    form = loaded.form
    if output.top and isinstance(form, ClassForm):
        return form.top(answer, output.top)
    values = form.values(output.name, answer, seal, now)
    return np.array(values, dtype=object).reshape(-1, 1) if isinstance(values, list) else values

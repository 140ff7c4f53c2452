"""An ASGI app that does nothing but call ONNX Runtime once for each request: what a server can reach that checks and watches nothing."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import orjson

from benchmarks.peers.onnx_model import Task

_JSON = (b"content-type", b"application/json")
_predict = cache(lambda: Task.read().load())


async def app(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    rows = orjson.loads(body)["instances"] if _JSON in scope["headers"] else np.frombuffer(body, np.uint8)
    answer = orjson.dumps({"probabilities": _predict()(rows)}, option=orjson.OPT_SERIALIZE_NUMPY)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

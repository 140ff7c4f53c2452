"""The fast lane: the prediction routes answered as plain ASGI, with batching; everything else goes on to Flask.

The same decoders, predictor and encoders as in `routes`, so the same bytes; only what Flask does around them is left out.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from a2wsgi import WSGIMiddleware
from flask import Flask

from app.answers import explain, to_json
from app.batching import Batcher
from app.decoding import decompress
from app.errors import OverLimit
from app.factory import HEADERS
from app.service import Service

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_PREDICT = re.compile(r"/predict(?:/([^/]*))?")
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


class _Gone(Exception):
    """The client hung up before its request was whole."""


class FastLane:
    """An ASGI app in front of the Flask app. Made in the process that answers."""

    def __init__(self, flask_app: Flask, threads: int) -> None:
        self._service: Service = flask_app.extensions["veleta"]
        as_wsgi: Any = flask_app
        self._flask: Any = WSGIMiddleware(as_wsgi, workers=threads)
        self._batcher = Batcher(self._service.recorder)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http" and scope["method"] == "POST" and (match := _PREDICT.fullmatch(scope["path"])):
            await self._predict(scope, receive, send, match[1] or None)
        else:
            await self._flask(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                self._batcher.close()
                self._service.close()
                return

    async def _predict(self, scope: Message, receive: Receive, send: Send, name: str | None) -> None:
        began = time.perf_counter()
        self._service.recorder.began()
        status = 499  # the client is gone
        try:
            status, body = await self._answer(scope, receive, name)
            await _send_json(send, status, body)
        except _Gone:
            pass
        finally:
            self._service.recorder.requested("/predict", status, time.perf_counter() - began)

    async def _answer(self, scope: Message, receive: Receive, name: str | None) -> tuple[int, bytes]:
        headers = dict(scope["headers"])
        try:
            limit = self._service.limits.max_body_bytes
            body = decompress(
                await _read(headers, receive, limit), headers.get(b"content-encoding", b"").decode("latin-1"), self._service.limits
            )
            loaded, rows = self._service.read(body, headers.get(b"content-type", b"").decode("latin-1"), name)
            return 200, to_json(loaded, await self._batcher.predict(loaded, rows), self._service.seal, time.time())
        except Exception as error:
            if isinstance(error, _Gone):
                raise
            return explain(error, "POST /predict", self._service.recorder)


async def _read(headers: dict[bytes, bytes], receive: Receive, limit: int) -> bytes:
    """The whole body. Raises OverLimit before more than the limit is kept."""
    said = headers.get(b"content-length", b"0")
    parts: list[bytes] = []
    size = int(said) if said.isdigit() else 0
    while size <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)
        size = max(size, sum(map(len, parts)))
    raise OverLimit("the body has more bytes", "max_body_bytes", limit)


async def _send_json(send: Send, status: int, body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json"), length, *_HEADERS]})
    await send({"type": "http.response.body", "body": body})

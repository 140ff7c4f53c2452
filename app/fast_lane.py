"""The fast lane: the prediction routes answered as plain ASGI, with batching; everything else goes on to Flask.

The same decoders, predictor and encoders as in `routes`, so the same bytes; only what Flask does around them is left out.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import lru_cache, partial
from typing import Any
from urllib.parse import parse_qsl

from a2wsgi import WSGIMiddleware
from flask import Flask

from app.accepting import Shares
from app.answers import Reply, explain
from app.batching import Batcher
from app.decoding import decompress
from app.errors import OverLimit
from app.factory import HEADERS
from app.predictor import Answer
from app.protocols.exchange import Asked, Prediction, Request
from app.protocols.table import find
from app.service import Service
from app.visit import Visit, current
from app.whole_request import Whole

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
#: Takes an answer, and what is the request's own of its headers.
Finish = Callable[[Reply, bytes], None]

_CLIENT_GONE = 499
_log = logging.getLogger("veleta")
_HEADERS = [(name.lower(), value) for name, value in HEADERS.items()]


class _GoneError(Exception):
    """The client hung up before its request was whole."""


class FastLane:
    """An ASGI app in front of the Flask app. Made in the process that answers."""

    def __init__(self, flask_app: Flask, threads: int) -> None:
        self._service: Service = flask_app.extensions["veleta"]
        self._flask: Any = WSGIMiddleware(_ending(flask_app), workers=threads)
        self._batcher = Batcher(self._service.recorder, self._service.settings.max_queue_rows, self.shares.is_single)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http" and scope["method"] == "POST" and (found := find(scope["path"])):
            await self._predict(scope, receive, send, *found)
        else:
            await self._flask(scope, receive, send)

    def drain(self) -> None:
        """Be ready no longer; what comes all the same is answered."""
        self._service.draining.set()

    @property
    def shares(self) -> Shares:
        return self._service.shares

    @property
    def draining(self) -> bool:
        return self._service.draining.is_set()

    def end_if_hanging(self) -> None:
        """End this process if a call of a model does not come back: nothing else frees its thread. What was answered is counted."""
        if call := self._service.calls.hanging():
            _log.critical("%s has not answered for %.0f seconds; this worker ends and another takes its place", call.key, call.seconds)
            self._service.recorder.flush()
            os._exit(1)

    def close(self) -> None:
        """Count what is left, in order, and stop."""
        self._batcher.close()
        self._service.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                self.close()
                return

    def answer(self, whole: Whole, address: str, finish: Finish) -> bool:
        """Answer a request that has come whole, if it is one for this lane. The answer is handed to `finish`, at once or later."""
        if (found := find(whole.path)) is None:
            return False
        prediction, parts = found
        visit = self._service.door.enter("POST", whole.path, whole.headers, address)

        def end(reply: Reply) -> None:
            current.set(visit)
            try:
                finish(reply, b"x-request-id: %b\r\n" % visit.request_id.encode() if visit.request_id else b"")
            finally:
                self._service.door.leave(visit, prediction.route, reply.status)

        try:
            self._service.door.admit(visit)
            _hold(len(whole.body), self._service.limits.max_body_bytes)
            asked = self._ask(visit, b"", whole.body, prediction, parts)
            settle = partial(self._settle, visit, asked, end)
            self._batcher.submit(asked.loaded, asked.rows, asked.timeout_seconds or 0, settle)
            current.set(None)  # until it is answered this thread is busy with others
        except Exception as error:  # both lanes answer whatever happens
            end(self._explain(error, visit))
        self._batcher.start()
        return True

    def _settle(self, visit: Visit, asked: Asked, end: Callable[[Reply], None], found: Answer | Exception) -> Callable[[], None]:
        current.set(visit)
        try:
            if isinstance(found, Exception):
                raise found
            reply = asked.reply(found)
        except Exception as error:
            reply = self._explain(error, visit)
        return partial(end, reply)

    async def _predict(self, scope: Message, receive: Receive, send: Send, prediction: Prediction, parts: Mapping[str, str]) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        address, _ = scope.get("client") or ("", 0)
        visit = self._service.door.enter("POST", scope["path"], headers, address)
        status = _CLIENT_GONE
        try:
            reply = await self._reply(visit, scope["query_string"], receive, prediction, parts)
            status = reply.status
            await send({"type": "http.response.start", "status": status, "headers": _headers(reply, visit)})
            await send({"type": "http.response.body", "body": reply.body})
        except _GoneError:
            pass
        finally:
            self._service.door.leave(visit, prediction.route, status)

    async def _reply(self, visit: Visit, query: bytes, receive: Receive, prediction: Prediction, parts: Mapping[str, str]) -> Reply:
        try:
            self._service.door.admit(visit)
            asked = self._ask(visit, query, await _read(visit.headers, receive, self._service.limits.max_body_bytes), prediction, parts)
            return await self._batcher.predict(asked.loaded, asked.rows, asked.timeout_seconds or 0, partial(_write, visit, asked))
        except _GoneError:
            raise
        except Exception as error:  # both lanes answer whatever happens
            return self._explain(error, visit)

    def _ask(self, visit: Visit, query: bytes, body: bytes, prediction: Prediction, parts: Mapping[str, str]) -> Asked:
        """What an admitted request asks. Raises RequestError."""
        if encoding := visit.headers.get("content-encoding"):
            body = decompress(body, encoding, self._service.limits)
        self._service.calls.check()
        self._batcher.admit()
        return prediction.ask(self._service, Request(visit.path, visit.headers, body, _items(query)), parts)

    def _explain(self, error: Exception, visit: Visit) -> Reply:
        return explain(error, f"POST {visit.path}", self._service.recorder)


def _ending(flask_app: Flask) -> Any:
    """The app, told that a body ends by itself: of one in chunks nobody says how long it is, and Flask would read nothing of it."""

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        return flask_app(environ | {"wsgi.input_terminated": True}, start_response)

    return call


def _write(visit: Visit, asked: Asked, found: Answer) -> Reply:
    """In between others of the same batch."""
    current.set(visit)
    return asked.reply(found)


def _items(query: bytes) -> dict[str, str]:
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {}


async def _read(headers: Mapping[str, str], receive: Receive, limit: int) -> bytes:
    """The whole body. Raises OverLimit before more than the limit is kept."""
    said = headers.get("content-length", "0")
    parts: list[bytes] = []
    _hold(int(said) if said.isdecimal() else 0, limit)
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _GoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        _hold(size, limit)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _hold(size: int, limit: int) -> None:
    if size > limit:
        raise OverLimit("the body is too large", "max_body_bytes", limit)


def _headers(reply: Reply, visit: Visit) -> list[tuple[bytes, bytes]]:
    headers = [*encoded(reply.headers), (b"content-length", b"%d" % len(reply.body))]
    if visit.request_id:
        headers.append((b"x-request-id", visit.request_id.encode()))
    return headers


@lru_cache(256)
def encoded(headers: tuple[tuple[str, str], ...]) -> list[tuple[bytes, bytes]]:
    """These headers of an answer, and those of every answer."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (*headers, *_HEADERS)]

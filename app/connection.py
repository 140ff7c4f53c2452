"""A connection: gunicorn's own HTTP, with a short way for predictions, refusals in our form, and an end in good order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol

from app.answers import write
from app.fast_lane import Headers
from app.whole_request import read as read_whole

#: How long a client has to answer the end of a TLS connection; uvloop would wait 30 s for it, and the end of a worker with it.
_GOODBYE_SECONDS = 1.0
#: What gunicorn asks of a request when it writes the head of the answer.
_HTTP_1_1 = SimpleNamespace(version=(1, 1))


class Connection(ASGIProtocol):  # type: ignore[misc]
    """Of a worker whose `asgi` is the fast lane."""

    def __init__(self, worker: Any) -> None:
        super().__init__(worker)
        self._answering: asyncio.Task[None] | None = None
        self._after, self._address = bytearray(), ""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._address = (transport.get_extra_info("peername") or ("",))[0]

    def data_received(self, data: bytes) -> None:
        """A prediction that comes whole is answered at once. All else, and what is sent before it is answered, goes gunicorn's way."""
        if self._answering:
            self._after += data
            if len(self._after) > self._max_buffer_size:
                self._pause_reading()
        elif self._is_idle() and (whole := read_whole(data)) and (answer := self.app.answer(whole, self._address, self._finish)):
            self._cancel_keepalive_timer()
            self._answering = self.worker.loop.create_task(answer)
        else:
            super().data_received(data)

    def _is_idle(self) -> bool:
        """Whether what comes now is the beginning of a request, and the one before it is over and sent."""
        waits = self._awaiting_request and not self._finishing_calls and not self._flow_control.write_paused and not self._closed
        return waits and self._callback_parser.method is None and not self._callback_parser._buffer

    def _finish(self, status: int, headers: Headers, body: bytes) -> None:
        """Send the answer and go on with what came in the meantime, or hang up, as gunicorn does."""
        self._answering = None
        if self._closed:
            return
        keeps = self.worker.alive and self._keepalive
        self._send_response_start(status, headers, _HTTP_1_1, close=not keeps)
        self._send_body(body)
        if not keeps:
            self._keepalive_timeout()
            return
        self._arm_keepalive_timer()
        if self._after:
            after, self._after = bytes(self._after), bytearray()
            self._resume_reading()
            self.data_received(after)

    @property
    def _keepalive(self) -> int:
        """Seconds to keep a connection. While the server drains none is kept: each answer says so, and no request meets a closed door."""
        return 0 if self.worker.asgi.draining else self._keepalive_seconds

    @_keepalive.setter
    def _keepalive(self, seconds: int) -> None:
        self._keepalive_seconds = seconds

    def _arm_keepalive_timer(self) -> None:
        """Also for a connection that an answer promised to keep just before the drain: nothing else ends it, and the end waits for it."""
        self._cancel_keepalive_timer()
        self._keepalive_handle = self.worker.loop.call_later(self._keepalive_seconds, self._keepalive_timeout)

    def _send_error_response(self, status: int, message: str, extra_headers: Iterable[tuple[str, str]] = ()) -> None:
        body = write({"error": f"this is not a request that can be read: {self._get_reason_phrase(status).lower()}"})
        extra = "".join(f"{name}: {value}\r\n" for name, value in extra_headers)
        head = (
            f"HTTP/1.1 {status} {self._get_reason_phrase(status)}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{extra}Connection: close\r\n\r\n"
        )
        self._safe_write(head.encode("latin-1") + body)

    def _close_transport(self) -> None:
        super()._close_transport()
        if self.transport and self.transport.get_extra_info("ssl_object"):
            self.worker.loop.call_later(_GOODBYE_SECONDS, self._abort)

    def _abort(self) -> None:
        """As soon as all is sent: what a slow client still has to be sent is not cut off."""
        if self.transport.get_write_buffer_size():
            self.worker.loop.call_later(_GOODBYE_SECONDS, self._abort)
        else:
            self.transport.abort()

"""A connection: gunicorn's own HTTP, with a short way for predictions, refusals in our form, and an end in good order."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from gunicorn.asgi.protocol import _CACHED_SERVER_HEADER, ASGIProtocol, _get_cached_date_header, _get_cached_status_line

from app.answers import Reply, write
from app.fast_lane import encoded
from app.whole_request import Whole, begin

#: How long a client has to answer the end of a TLS connection; uvloop would wait 30 s for it, and the end of a worker with it.
_GOODBYE_SECONDS = 1.0
#: How long, and up to how many bytes, the rest of a request is waited for. Who takes longer or sends more is read as it comes.
_REST_SECONDS, _REST_BYTES = 0.05, 1 << 20


class Connection(ASGIProtocol):  # type: ignore[misc]
    """Of a worker whose `asgi` is the fast lane."""

    def __init__(self, worker: Any) -> None:
        super().__init__(worker)
        self._answering = False
        self._after, self._address = bytearray(), ""
        self._begun, self._wanted = bytearray(), 0
        self._rest_handle: asyncio.TimerHandle | None = None
        self._kept_until = math.inf
        self._keepalive_handle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._address = (transport.get_extra_info("peername") or ("",))[0]

    def data_received(self, data: bytes) -> None:
        """A prediction that is whole, or soon is, is answered at once. All else, and what is sent before, goes gunicorn's way."""
        if self._answering:
            self._after += data
            if len(self._after) > self._max_buffer_size:
                self._pause_reading()
        elif self._rest_handle:
            self._begun += data
            if len(self._begun) >= self._wanted and not self._takes(data := self._taken()):
                super().data_received(data)
        elif not self._takes(data):
            super().data_received(data)

    def _takes(self, data: bytes) -> bool:
        """Whether this is a request for the fast lane, which has it then, or the beginning of one, whose rest is waited for."""
        if not self._is_idle() or (begun := begin(data)) is None:
            return False
        if begun.total_bytes == len(data):
            return self._answers(begun.whole(data))
        if not len(data) < begun.total_bytes <= _REST_BYTES:
            return False
        self._cancel_keepalive_timer()
        self._begun, self._wanted = bytearray(data), begun.total_bytes
        self._rest_handle = self.worker.loop.call_later(_REST_SECONDS, self._give_up)
        return True

    def _answers(self, whole: Whole) -> bool:
        self._cancel_keepalive_timer()
        self.worker.loop.awake.came()
        self._answering = True  # before it is asked, since it may answer at once
        if not self.app.answer(whole, self._address, self._finish):
            self._answering = False
            return False
        return True

    def _give_up(self) -> None:
        """The rest does not come in time: what there is goes gunicorn's way, and so does what follows."""
        super().data_received(self._taken())

    def _taken(self) -> bytes:
        """What was waited with."""
        if self._rest_handle:
            self._rest_handle.cancel()
            self._rest_handle = None
        data, self._begun = bytes(self._begun), bytearray()
        return data

    def _is_idle(self) -> bool:
        """Whether what comes now is the beginning of a request, and the one before it is over and sent."""
        parser = self._callback_parser
        waits = self._awaiting_request or not self.req_count  # the first request may be here before gunicorn waits for one
        free = waits and not self._finishing_calls and not self._flow_control.write_paused and not self._closed
        return free and parser is not None and parser.method is None and not parser._buffer

    def _finish(self, reply: Reply, own: bytes) -> None:
        """Send the answer and go on with what came in the meantime, or hang up, as gunicorn does."""
        self._answering = False
        if self._closed:
            return
        keeps = self.worker.alive and self._keepalive and (self._after or not self.worker.asgi.shares.gives_away())
        length, end = b"content-length: %d\r\n" % len(reply.body), b"\r\n" if keeps else b"Connection: close\r\n\r\n"
        head = _head(reply.status, reply.headers), own, length, _CACHED_SERVER_HEADER, _get_cached_date_header(), end
        self._response_buffer = b"".join(head)
        self._send_body(reply.body)
        if not keeps:
            self._keepalive_timeout()
            return
        self._arm_keepalive_timer()
        if self.worker.asgi.shares.is_single():
            self.worker.loop.awake.answered()
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

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.worker.asgi.shares.add(-1)
        for handle in (self._rest_handle, self._keepalive_handle):
            if handle:
                handle.cancel()

    def _arm_keepalive_timer(self) -> None:
        """Also for a connection that an answer promised to keep just before the drain: nothing else ends it, and the end waits for it.

        The timer is not set anew for each request, which takes as long as to read it: once it is over, it looks how long there is left.
        """
        self._kept_until = self.worker.loop.time() + self._keepalive_seconds
        if self._keepalive_handle is None:
            self._keepalive_handle = self.worker.loop.call_later(self._keepalive_seconds, self._look_at_the_time)

    def _cancel_keepalive_timer(self) -> None:
        self._kept_until = math.inf

    def _look_at_the_time(self) -> None:
        self._keepalive_handle = None
        left = self._kept_until - self.worker.loop.time()
        if left <= 0:
            self._keepalive_timeout()
        elif left < math.inf:
            self._keepalive_handle = self.worker.loop.call_later(left, self._look_at_the_time)

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


@lru_cache(256)
def _head(status: int, headers: tuple[tuple[str, str], ...]) -> bytes:
    """The head of an answer, but what is different in each: the rest is the same for most."""
    fields = b"".join(b"%b: %b\r\n" % field for field in encoded(headers))
    return bytes(_get_cached_status_line((1, 1), status)) + fields

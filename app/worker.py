"""The gunicorn worker: its own ASGI worker, which says what is wrong in our form and stops in good order."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterable

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

from app.answers import write

#: How long a client has to answer the end of a TLS connection; uvloop would wait 30 s for it, and the end of a worker with it.
_GOODBYE_SECONDS = 1.0


_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Protocol(ASGIProtocol):  # type: ignore[misc]
    """HTTP that cannot even be parsed is refused in the contract's form as well."""

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


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]
    """Not ready first, then no new connections, then the end."""

    def init_process(self) -> None:
        gasgi.ASGIProtocol = Protocol  # the worker names the class and takes no other
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        super().init_process()

    def run(self) -> None:
        super().run()
        logging.shutdown()
        sys.stderr.flush()
        os._exit(0)  # all of ours is closed; ONNX Runtime's own clean-up at the end of a process aborts (seen with 1.31.1)

    async def _serve(self) -> None:
        # The loop hears signals from here on; what came while the models were loaded was held back until now, or it would be lost.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        await super()._serve()

    def notify(self) -> None:
        """Called every second by the event loop. Once it is not, the master replaces this worker; a call beside the loop is found here."""
        super().notify()
        self.asgi.end_if_hanging()

    def handle_exit_signal(self) -> None:
        self.asgi.drain()
        drain_seconds = self.app.settings.drain_seconds
        self.loop.call_later(drain_seconds, super().handle_exit_signal)

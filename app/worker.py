"""The gunicorn worker: its own ASGI worker, which says what is wrong in our form and stops in good order."""

from __future__ import annotations

from collections.abc import Iterable

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

from app.answers import write


class Protocol(ASGIProtocol):  # type: ignore[misc]
    """HTTP that cannot even be parsed is refused in the contract's form as well."""

    def _send_error_response(self, status: int, message: str, extra_headers: Iterable[tuple[str, str]] = ()) -> None:
        body = write({"error": f"this is not a request that can be read: {self._get_reason_phrase(status).lower()}"})
        extra = "".join(f"{name}: {value}\r\n" for name, value in extra_headers)
        head = (
            f"HTTP/1.1 {status} {self._get_reason_phrase(status)}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{extra}Connection: close\r\n\r\n"
        )
        self._safe_write(head.encode("latin-1") + body)


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]
    """Not ready first, then no new connections, then the end."""

    def init_process(self) -> None:
        gasgi.ASGIProtocol = Protocol  # the worker names the class and takes no other
        super().init_process()

    def handle_exit_signal(self) -> None:
        self.asgi.drain()
        drain_seconds = self.app.settings.drain_seconds
        self.loop.call_later(drain_seconds, super().handle_exit_signal)

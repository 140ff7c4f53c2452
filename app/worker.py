"""The gunicorn worker: its own ASGI worker, with our connections, which stops in good order."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from gunicorn.workers import gasgi

from app import endings
from app.accepting import Loop
from app.connection import Connection
from app.memory import keep_freed


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]
    """Not ready first, then no new connections, then the end."""

    def init_process(self) -> None:
        gasgi.ASGIProtocol = Connection  # the worker names the class and takes no other
        keep_freed()
        super().init_process()

    def _setup_event_loop(self) -> None:
        self.loop = Loop()
        asyncio.set_event_loop(self.loop)

    def run(self) -> None:
        super().run()
        logging.shutdown()
        sys.stderr.flush()
        os._exit(0)  # all of ours is closed; ONNX Runtime's own clean-up at the end of a process aborts (seen with 1.31.1)

    async def _serve(self) -> None:
        endings.hear()
        self.loop.shares = self.asgi.shares
        await super()._serve()

    def notify(self) -> None:
        """Called every second by the event loop. Once it is not, the master replaces this worker; a call beside the loop is found here."""
        super().notify()
        self.asgi.end_if_hanging()

    def handle_exit_signal(self) -> None:
        self.asgi.drain()
        drain_seconds = self.app.settings.drain_seconds
        self.loop.call_later(drain_seconds, super().handle_exit_signal)

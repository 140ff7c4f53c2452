"""The gunicorn worker: its own ASGI worker, with our connections, which stops in good order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from gunicorn.workers import gasgi

from app.accepting import Loop
from app.connection import Connection
from app.memory import keep_freed

_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]
    """Not ready first, then no new connections, then the end."""

    def init_process(self) -> None:
        gasgi.ASGIProtocol = Connection  # the worker names the class and takes no other
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
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
        # The loop hears signals from here on; what came while the models were loaded was held back until now, or it would be lost.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
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

"""Connections, shared out evenly, so that no worker is idle while another has them all.

The event loop would take whatever waits at once. A client that opens its eight connections together then has one worker for all of
them now and then, for as long as they live, and half of the throughput on two processors. What came while a worker was not there yet,
or had not heard yet that its last connections are closed, is shared out later: who has too many ends some with an answer.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from numpy.typing import NDArray

from app.awake import Awake
from monitoring.counts.layout import Layout
from monitoring.counts.shared_counts import SharedCounts, Slot, alive

#: How long a connection is left for a worker that has fewer. It may be busy, or hang: after that it is taken all the same.
_LEFT_SECONDS = 0.005
_SLACK = 8
#: How long nothing is taken after there was no room for a connection, as when too many files are open.
_PAUSE_SECONDS = 0.5
#: How often a worker looks whether it has too many.
_COMPARE_SECONDS = 0.2
#: Of each worker: its process while it takes connections, else 0, and how many it has.
_LAYOUT = Layout({"pid": (1,), "connections": (1,)})
_log = logging.getLogger("veleta.accepting")


class Shares:
    """How many connections each worker has. Made after the fork."""

    def __init__(self, folder: Path, slot: Slot) -> None:
        counts = SharedCounts(folder / f"connections.{_LAYOUT.fingerprint}.counts", _LAYOUT)
        (self._pids, self._connections), self._mine = counts.rows.T, slot.number
        self._too_many = self._above_before = 0
        self.close()  # whoever had this slot before may have been killed

    def open(self) -> None:
        """This worker takes connections from now on."""
        self._connections[self._mine], self._pids[self._mine] = 0, os.getpid()

    def add(self, connections: int) -> None:
        """This worker has so many more, or fewer."""
        self._connections[self._mine] += connections

    def is_single(self) -> bool:
        """Whether this worker has one connection."""
        return bool(self._connections[self._mine] == 1)

    def another_has_fewer(self) -> bool:
        """Whether a worker that takes connections has fewer than this one. Of many, an eighth more or less is no matter: hundreds that
        come together would otherwise be taken one by one, with a call of the model between any two.
        """
        mine = self._connections[self._mine]
        fewer = (self._connections < mine - mine // _SLACK) & (self._pids > 0)
        return bool(fewer.any() and alive({"pid": self._pids[fewer]}).any())

    def compare(self) -> None:
        """Look how many more than its share this worker has, one or an eighth aside. What it had the last time as well, it gives away."""
        above = self._above_share()
        self._too_many, self._above_before = min(above, self._above_before), above

    def gives_away(self) -> bool:
        """Whether one connection is to be ended now, so that its client comes again and another worker takes it."""
        if not self._too_many:
            return False
        self._too_many = min(self._too_many, self._above_share())
        if gives := self._too_many > 0:
            self._too_many -= 1
        return gives

    def _above_share(self) -> int:
        mine, taking = self._connections[self._mine], self._pids > 0
        if not taking.any() or mine - self._share(taking) <= max(1, mine // _SLACK):
            return 0
        taking[taking] = alive({"pid": self._pids[taking]})  # those that were killed are no place to go to
        return max(0, int(mine) - self._share(taking))

    def _share(self, workers: NDArray[np.bool_]) -> int:
        return math.ceil(float(self._connections[workers].mean()))

    def close(self) -> None:
        """This worker takes no more."""
        self._pids[self._mine] = 0


class Loop(uvloop.Loop):
    """The event loop of a worker, which listens in that way."""

    shares: Shares | None = None  # made later, when the models are loaded

    def __init__(self) -> None:
        super().__init__()
        self.awake = Awake(self)

    async def create_server(self, protocol_factory: Any, *, sock: socket.socket, ssl: ssl.SSLContext | None, **_: Any) -> Listener:  # type: ignore[override]
        """Listen on a socket that is bound already."""
        assert self.shares
        return Listener(self, sock, protocol_factory, ssl, self.shares)


class Listener:
    """Takes connections from a listening socket until it is closed. What it has not taken is left for the other workers."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        factory: Callable[[], asyncio.BaseProtocol],
        context: ssl.SSLContext | None,
        shares: Shares,
    ) -> None:
        self._loop, self._sock, self._factory, self._context = loop, sock, factory, context
        self._shares = shares
        self._opening = set[asyncio.Task[None]]()
        self._pause: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        shares.open()
        self._listen()
        self._compare()

    def close(self) -> None:
        """Take no more."""
        self._shares.close()
        self._comparing.cancel()
        if self._pause:
            self._pause.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()

    async def wait_closed(self) -> None:
        """Until those that were taken are open."""
        if self._opening:
            await asyncio.wait(self._opening)

    def _compare(self) -> None:
        self._shares.compare()
        self._comparing = self._loop.call_later(_COMPARE_SECONDS, self._compare)

    def _listen(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock, self._offered)

    def _offered(self) -> None:
        while not self._shares.another_has_fewer():
            if not self._take():
                return
        self._look_away(_LEFT_SECONDS, self._take_what_is_left)

    def _take_what_is_left(self) -> None:
        self._listen()
        if self._take():
            self._offered()

    def _look_away(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._sock)
        self._pause = self._loop.call_later(seconds, then)

    def _take(self) -> bool:
        """Whether there was a connection to take."""
        try:
            connection, _ = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False  # another worker has it, or the client is gone
        except OSError as error:
            _log.error("a connection cannot be taken: %s; again in %s s", error.strerror, _PAUSE_SECONDS)
            self._look_away(_PAUSE_SECONDS, self._listen)
            return False
        self._shares.add(1)
        opening = self._loop.create_task(self._open(connection))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        return True

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, connection, ssl=self._context)
        except (OSError, ssl.SSLError) as error:  # of the client's making: it hung up, or speaks no TLS
            _log.debug("a connection did not come about: %s", error)
            connection.close()
            self._shares.add(-1)

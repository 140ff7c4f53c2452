"""The open-loop load: requests leave at their time whether or not earlier ones are answered, as those of real clients do.

Bounded in time and in connections. A latency counts from when the request was due, so that a generator that is late cannot hide it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from dataclasses import dataclass
from typing import cast

import uvloop

from benchmarks.serving.load import Post, is_whole, wire

_MOST_CONNECTIONS = 512
_LAST_WAIT_SECONDS = 10
_RETRY_MS = re.compile(rb"\r\nretry-after-ms: *(\d+)", re.IGNORECASE)
_RETRY = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
_CLOSES = b"\r\nconnection: close\r\n"


@dataclass(frozen=True)
class Answered:
    """`due` in seconds since the beginning. Status 0: the connection was lost. `retry` as milliseconds say it, `retry_whole` in seconds."""

    due: float
    seconds: float
    status: int
    retry: float | None = None
    retry_whole: float | None = None


@dataclass
class Outcome:
    """`unsent` are requests for which no connection was free: with any of them it was no open loop."""

    answered: list[Answered]
    unsent: int = 0


def run(port: int, post: Post, per_second: float, seconds: float) -> Outcome:
    """Send at a fixed rate."""
    return uvloop.run(_Generator(port, post).run(per_second, seconds))


class _Generator:
    def __init__(self, port: int, post: Post) -> None:
        self.port, self.outcome, self.began = port, Outcome([]), 0.0
        self.idle: deque[_Connection] = deque()
        self.open = 0
        self.wire = wire(post)

    async def run(self, per_second: float, seconds: float) -> Outcome:
        self.began = time.perf_counter()
        count = int(per_second * seconds)
        tasks: set[asyncio.Task[None]] = set()
        for number in range(count):
            due = number / per_second
            if (early := due - (time.perf_counter() - self.began)) > 0:
                await asyncio.sleep(early)
            elif number % 32 == 0:
                await asyncio.sleep(0)  # late: answers must be read all the same
            self._send(number, due, tasks)
        until = time.perf_counter() + _LAST_WAIT_SECONDS
        while len(self.idle) < self.open and time.perf_counter() < until:
            await asyncio.sleep(0.01)
        for connection in self.idle:
            connection.transport.close()
        return self.outcome

    def _send(self, number: int, due: float, tasks: set[asyncio.Task[None]]) -> None:
        request = self.wire[number % len(self.wire)]
        if self.idle:
            self.idle.pop().ask(request, due)
        elif self.open < _MOST_CONNECTIONS:
            self.open += 1
            task = asyncio.get_running_loop().create_task(self._connect(request, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        else:
            self.outcome.unsent += 1

    async def _connect(self, request: bytes, due: float) -> None:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(lambda: _Connection(self), "127.0.0.1", self.port)
        except OSError:
            self.open -= 1
            self.done(due, 0)
        else:
            connection.ask(request, due)

    def done(self, due: float, status: int, retry: float | None = None, whole: float | None = None) -> None:
        self.outcome.answered.append(Answered(due, time.perf_counter() - self.began - due, status, retry, whole))


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, generator: _Generator) -> None:
        self.generator = generator
        self.due: float | None = None
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by their class

    def ask(self, request: bytes, due: float) -> None:
        self.due, self.buffer = due, b""
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.due is None or not is_whole(self.buffer):
            return
        head = self.buffer[: self.buffer.find(b"\r\n\r\n") + 2]
        due, self.due = self.due, None
        self.generator.done(due, int(head[9:12]), _seconds(_RETRY_MS, head, 1000), _seconds(_RETRY, head, 1))
        if _CLOSES in head.lower():
            self.transport.close()  # as every client does: the next request would find a closed door
        else:
            self.generator.idle.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.generator.open -= 1
        if self.due is not None:
            self.generator.done(self.due, 0)
        elif self in self.generator.idle:
            self.generator.idle.remove(self)


def _seconds(pattern: re.Pattern[bytes], head: bytes, unit: int) -> float | None:
    found = pattern.search(head)
    return int(found[1]) / unit if found else None

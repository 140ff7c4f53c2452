"""A client by itself: it sends the next request when it has the answer to the last one, and every latency is one that it saw.

wrk adds latencies that nobody saw: for each pause those of the requests that would have come meanwhile at a steady rate (`stats_correct`
in wrk 4.1.0, after G. Tene's "coordinated omission"). That is right where many clients come by themselves. A single one waits.
"""

from __future__ import annotations

import socket
import time

import numpy as np

from benchmarks.serving.load import Load, Post, is_whole, wire

_AT_ONCE = 1 << 16


def ask(port: int, post: Post, seconds: float) -> Load:
    """Ask for so long. What is not answered with 200 has failed."""
    requests, failed = wire(post), 0
    waits: list[float] = []
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        while (sent := time.perf_counter()) - began < seconds:
            connection.sendall(requests[len(waits) % len(requests)])
            failed += not _answer(connection).startswith(b"HTTP/1.1 200 ")
            waits.append(time.perf_counter() - sent)
        lasted = time.perf_counter() - began
    p50, p99 = 1e3 * np.quantile(waits, (0.5, 0.99))
    per_second = (len(waits) - failed) / lasted
    return Load(len(waits), per_second, per_second * post.rows, float(p50), float(p99), failed)


def _answer(connection: socket.socket) -> bytes:
    """The whole of the next answer. Raises ConnectionError if there is none."""
    data = b""
    while True:
        if not (piece := connection.recv(_AT_ONCE)):
            raise ConnectionError("the server hung up before its answer was whole")
        data += piece
        if is_whole(data):
            return data

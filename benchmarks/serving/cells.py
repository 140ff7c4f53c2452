"""The four cells that every server is measured in: one image or 32 in a request, as JSON or as raw values."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.serving.load import Load, Post, wrk
from benchmarks.serving.plan import Plan
from benchmarks.serving.processes import Server

CELLS = ("json_1", "binary_1", "json_32", "binary_32")


@dataclass(frozen=True)
class Served:
    """A server's figures. `alone` is a single connection, with one image a request. Memory is that of all its processes after the load."""

    cells: Mapping[str, Load]
    alone: Mapping[str, Load]
    memory_mib: float
    start_seconds: float


def rows_of(cell: str) -> int:
    return int(cell.rpartition("_")[2])


def connections_of(cell: str) -> int:
    return 32 if rows_of(cell) == 1 else 8


def measure(server: Server, posts: Mapping[str, Post], plan: Plan) -> Served:
    """Each cell, warm."""
    found = {}
    for cell in CELLS:
        wrk(server.port, posts[cell], connections_of(cell), plan.warm_up)
        found[cell] = weighed(server, posts[cell], connections_of(cell), plan.cell)
    memory_mib = server.memory_mib()
    alone = {cell: wrk(server.port, posts[cell], 1, plan.cell) for cell in CELLS if rows_of(cell) == 1}
    return Served(found, alone, memory_mib, server.start_seconds)


def weighed(server: Server, post: Post, connections: int, seconds: float, after: float = 0) -> Load:
    """A load, and what it took of the processors until so long after: that hardly changes when other programs want them, too."""
    before = server.core_seconds()
    load = wrk(server.port, post, connections, seconds)
    time.sleep(after)
    return replace(load, core_us=1e6 * (server.core_seconds() - before) / max(load.requests, 1))

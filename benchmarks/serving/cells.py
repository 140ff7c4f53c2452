"""The four cells that every server is measured in: one image or 32 in a request, as JSON or as raw values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.serving.load import Load, Post, mean, wrk
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


class Turns:
    """A running server, and what came of each of its turns. All servers run, and take turns, so that the machine's drift falls on all."""

    def __init__(self, server: Server, posts: Mapping[str, Post]) -> None:
        self._server, self._posts, self._turns = server, posts, 0
        self._cells: dict[str, list[Load]] = {cell: [] for cell in CELLS}
        self._alone: dict[str, list[Load]] = {cell: [] for cell in CELLS if rows_of(cell) == 1}

    def warm_up(self, seconds: float) -> None:
        for cell in CELLS:
            wrk(self._server.port, self._posts[cell], connections_of(cell), seconds)

    def take(self, seconds: float) -> None:
        """One turn: every cell for so long, in the other order every other time, after a moment that does not count: a server that has
        waited for the others has to come to itself, and the anchors begin anew each time as well.
        """
        in_order = CELLS[:: -1 if self._turns % 2 else 1]
        self._turns += 1
        wrk(self._server.port, self._posts[in_order[0]], connections_of(in_order[0]), seconds / 2)
        for cell in in_order:
            self._cells[cell].append(weighed(self._server, self._posts[cell], connections_of(cell), seconds))
        for cell, loads in self._alone.items():
            loads.append(wrk(self._server.port, self._posts[cell], 1, seconds))

    def served(self) -> Served:
        """All turns together."""
        found, alone = ({cell: mean(loads) for cell, loads in part.items()} for part in (self._cells, self._alone))
        return Served(found, alone, self._server.memory_mib(), self._server.start_seconds)


def weighed(server: Server, post: Post, connections: int, seconds: float) -> Load:
    """A load, and what it took of the processors: that hardly changes when other programs want them, too."""
    before = server.core_seconds()
    load = wrk(server.port, post, connections, seconds)
    return replace(load, core_us=1e6 * (server.core_seconds() - before) / max(load.requests, 1))

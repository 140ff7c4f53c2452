"""How new connections are shared out to the workers of a real server."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import signal
import socket
import statistics
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.accepting import Shares
from models.store import Store
from monitoring.counts.shared_counts import claim_slot
from tests.live_server import LiveServer, running, wait_for

WORKERS = 2
_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def two(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose workers are all there."""
    state = tmp_path_factory.mktemp("state")
    with running(shelf, "--workers", str(WORKERS), "--state", str(state)) as server:
        wait_for(lambda: held(state).keys() == set(server.worker_pids()))
        server.session.close()
        yield server


@contextlib.contextmanager
def opened(server: LiveServer, count: int) -> Iterator[list[socket.socket]]:
    """So many connections, opened together."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", _port(server)), timeout=10)) for _ in range(count)]


def answered(connection: socket.socket) -> bool:
    connection.sendall(_REQUEST)
    return connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def _port(server: LiveServer) -> int:
    return int(server.url.rpartition(":")[2])


def _sockets(pid: int) -> set[str]:
    """The inodes of the sockets that a process has open."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return {name[8:-1] for name in found if name.startswith("socket:[")}


def _established(server: LiveServer) -> set[str]:
    """The inodes of this server's sockets that are connected."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return {line[9] for line in lines if line[3] == "01" and int(line[1].rpartition(":")[2], 16) == _port(server)}


def held(state: Path) -> dict[int, int]:
    """How many connections each worker that takes some believes to have, by its process."""
    (file,) = state.glob("connections.*.counts")
    return {int(pid): int(connections) for pid, connections in np.fromfile(file).reshape(-1, 2) if pid}


def connections(server: LiveServer) -> list[int]:
    return sorted(len(_established(server) & _sockets(pid)) for pid in server.worker_pids())


def test_connections_that_come_together_are_shared_out_evenly(two: LiveServer) -> None:
    """Nearly always: a worker may be away for longer than the others leave it a connection, when much else runs here."""
    apart = []
    for _ in range(15):
        wait_for(lambda: sum(connections(two)) == 0)
        with opened(two, 32) as clients:
            assert all(map(answered, clients))
            least, most = connections(two)
            assert least + most == 32
            apart.append(most - least)
    assert statistics.median(apart) <= 2


def test_what_a_worker_that_stands_still_does_not_take_the_other_one_takes(two: LiveServer) -> None:
    wait_for(lambda: sum(connections(two)) == 0)
    stopped, _ = two.worker_pids()
    os.kill(stopped, signal.SIGSTOP)
    try:
        with opened(two, 6) as clients:
            began = time.monotonic()
            assert all(map(answered, clients))
            assert connections(two) == [0, 6]
            assert time.monotonic() - began < 5
    finally:
        os.kill(stopped, signal.SIGCONT)


def test_a_worker_that_has_too_many_gives_some_away(two: LiveServer) -> None:
    """As after a start or the end of a worker, when there was nobody else to take them."""
    wait_for(lambda: sum(connections(two)) == 0)
    stopped, _ = two.worker_pids()
    os.kill(stopped, signal.SIGSTOP)
    clients = [http.client.HTTPConnection("127.0.0.1", _port(two), timeout=10) for _ in range(8)]
    try:
        try:
            for client in clients:
                client.connect()
            wait_for(lambda: connections(two) == [0, 8])
        finally:
            os.kill(stopped, signal.SIGCONT)
        until = time.monotonic() + 20
        shared_out = [3, 5], [4, 4]  # one above the share is not worth it
        while connections(two) not in shared_out and time.monotonic() < until:
            assert all(map(_predicts, clients))  # whoever's last answer said that its connection ends connects again
        assert connections(two) in shared_out
        before = [client.sock for client in clients]
        time.sleep(1)  # workers compare five times
        assert all(map(_predicts, clients))
        assert [client.sock for client in clients] == before
    finally:
        for client in clients:
            client.close()


def _predicts(client: http.client.HTTPConnection) -> bool:
    client.request("POST", "/predict", json.dumps({"instances": [[0] * 64]}))
    response = client.getresponse()
    return (response.status, bool(response.read())) == (200, True)


def test_what_is_given_away_is_what_stays_above_the_share(tmp_path: Path) -> None:
    slots = [claim_slot(tmp_path / "slots") for _ in range(2)]
    mine, other = (Shares(tmp_path, slot) for slot in slots)

    def given(shares: Shares, times: int = 6) -> int:
        return sum(shares.gives_away() for _ in range(times))

    mine.open()
    mine.add(8)
    mine.compare()
    mine.compare()
    assert given(mine) == 0  # there is nobody else
    other.open()
    mine.compare()
    assert given(mine) == 0  # it may be closed already and not known yet
    mine.compare()
    assert given(mine) == 4
    mine.compare()
    mine.add(-8)
    assert given(mine) == 0
    mine.add(3)  # one of three is not worth it
    for shares in (mine, other, mine, other):
        shares.compare()
    assert given(mine) == 0
    mine.add(5)
    other.add(7)
    for shares in (mine, other, mine, other):
        shares.compare()
    assert given(mine) == given(other) == 0
    for slot in slots:
        slot.lock.close()


def test_connections_that_break_are_no_longer_counted(shelf: Path, tmp_path: Path) -> None:
    with running(shelf, "--workers", "1", "--state", str(tmp_path)) as server:
        server.session.close()
        for sent in (b"", b"POST /predict HTTP/1.1\r\nContent-Le", _REQUEST):
            with opened(server, 9) as clients:
                for client in clients:
                    client.sendall(sent)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed with a reset
        wait_for(lambda: list(held(tmp_path).values()) == [0])
        with opened(server, 4) as clients:
            assert all(map(answered, clients))
            assert list(held(tmp_path).values()) == [4]


def test_a_worker_that_has_ended_or_takes_no_more_is_not_waited_for(tmp_path: Path) -> None:
    slots = [claim_slot(tmp_path / "slots") for _ in range(2)]
    mine, other = (Shares(tmp_path, slot) for slot in slots)
    mine.open()
    other.open()
    assert not mine.another_has_fewer()
    mine.add(1)
    assert mine.another_has_fewer()
    assert not other.another_has_fewer()
    other.add(1)
    assert not mine.another_has_fewer()
    mine.add(1)
    other.close()
    assert not mine.another_has_fewer()
    dead = os.fork()
    if dead == 0:
        Shares(tmp_path, slots[1]).open()
        os._exit(0)
    os.waitpid(dead, 0)
    assert not mine.another_has_fewer()
    for slot in slots:
        slot.lock.close()


def test_too_many_open_files_end_no_worker(store: Store) -> None:
    with running(store.root, "--workers", "1") as server:
        (pid,) = server.worker_pids()
        open_files = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_files + 3, open_files + 200))
        with opened(server, 12) as clients:
            answers = [client for client in clients[:2] if answered(client)]
            assert len(answers) == 2
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_files + 200, open_files + 200))
            assert all(map(answered, clients))
        assert server.worker_pids() == [pid]

"""A request that comes whole takes a short way, any other gunicorn's own. Nobody is to see which."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from http.client import parse_headers
from typing import BinaryIO

import numpy as np
import pytest
from gunicorn.asgi.parser import CallbackRequest, ParseError, PythonProtocol

from app import whole_request
from app.whole_request import Whole
from tests.live_server import LiveServer

BODY = b'{"instances": [[' + b"7, " * 63 + b"7]]}"
CHUNKED = b"10\r\n" + BODY[:16] + b"\r\n" + f"{len(BODY) - 16:x}".encode() + b"\r\n" + BODY[16:] + b"\r\n0\r\n\r\n"
ID = re.compile(rb'"id":"[A-Za-z0-9_-]{58}"')
#: Status, headers and body, without what differs from request to request.
Said = tuple[int, dict[str, str], bytes]


def post(*fields: bytes, start: bytes = b"POST /predict/digits8 HTTP/1.1", body: bytes = BODY, length: bytes | None = None) -> bytes:
    said = b"Content-Length: %d" % len(body) if length is None else length
    head = [start, b"Host: here", b"X-Request-Id: one-for-both", b"Content-Type: application/json", *fields, *([said] if said else [])]
    return b"\r\n".join([*head, b"", body])


REQUESTS = {
    "good": post(),
    "good, other fields": post(b"User-Agent: a/1 (b; c)", b"Accept: */*", b"Connection: Keep-Alive", b"Cookie: \xe4=\xff", b"X-Empty:"),
    "spaces around values": post(b"Accept: \t a \t "),
    "names in any case": post(b"aCCept-ENCODING: identity", length=b"CONTENT-LENGTH:%d" % len(BODY)),
    "no such model": post(start=b"POST /predict/nothing HTTP/1.1"),
    "not JSON": post(body=b'{"instances": [7,'),
    "empty": post(body=b""),
    "without a length": post(body=b"", length=b""),
    "another protocol": post(start=b"POST /v1/models/digits8:predict HTTP/1.1"),
    "not a prediction": post(start=b"POST /feedback HTTP/1.1", body=b"[]"),
    "a query": post(start=b"POST /predict/digits8?a=1 HTTP/1.1"),
    "an escaped path": post(start=b"POST /predict/digits%38 HTTP/1.1"),
    "a fragment": post(start=b"POST /predict/digits8#a HTTP/1.1"),
    "another method": post(start=b"PUT /predict/digits8 HTTP/1.1"),
    "a method in small letters": post(start=b"post /predict/digits8 HTTP/1.1"),
    "HTTP/1.0": post(start=b"POST /predict/digits8 HTTP/1.0"),
    "HTTP/1.7": post(start=b"POST /predict/digits8 HTTP/1.7"),
    "close": post(b"Connection: close"),
    "chunks": post(b"Transfer-Encoding: chunked", body=CHUNKED, length=b""),
    "chunks and a length": post(b"Transfer-Encoding: chunked", body=CHUNKED),
    "compressed in transfer": post(b"Transfer-Encoding: gzip"),
    "expecting to go on": post(b"Expect: 100-continue"),
    "an upgrade": post(b"Connection: upgrade", b"Upgrade: websocket"),
    "a name with an underscore": post(b"X_A: 1"),
    "a field twice": post(b"X-A: 1", b"X-A: 2"),
    "two hosts": post(b"Host: there"),
    "two types": post(b"Content-Type: text/plain"),
    "two lengths": post(b"Content-Length: 1"),
    "a length with a sign": post(length=b"Content-Length: +%d" % len(BODY)),
    "a length with a zero": post(length=b"Content-Length: 0%d" % len(BODY)),
    "a length with a comma": post(length=b"Content-Length: %d, %d" % (len(BODY), len(BODY))),
    "a space before the colon": post(b"X-A : 1"),
    "a folded field": post(b"X-A: 1\r\n 2"),
    "a field without a colon": post(b"X-A"),
    "a bare line feed": post(b"X-A: 1\nX-B: 2"),
    "a bare carriage return": post(b"X-A: 1\rX-B: 2"),
    "a null": post(b"X-A: \0"),
    "a delete": post(b"X-A: \x7f"),
    "a name in brackets": post(b"[X]: 1"),
    "contradicting schemes": post(b"X-Forwarded-Proto: https", b"X-Forwarded-Ssl: off"),
    "a long field": post(b"X-A: " + b"a" * 9000),
    "many fields": post(*(b"X-%d: a" % number for number in range(150))),
    "a long path": post(start=b"POST /" + b"a" * 9000 + b" HTTP/1.1"),
}
#: Those after which a connection is kept.
KEEPING = ["good", "no such model", "not JSON", "chunks", "another protocol", "not a prediction", "a query", "a field twice"]


def send(connection: socket.socket, *pieces: bytes, pause: float) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for number, piece in enumerate(pieces):
        if number:
            time.sleep(pause)
        connection.sendall(piece)


def receive(connection: socket.socket, answers: int = 1) -> list[Said]:
    """So many answers, and then nothing."""
    with connection.makefile("rb") as file:
        said = [answer(file) for _ in range(answers)]
        connection.settimeout(0.1)
        with contextlib.suppress(TimeoutError):
            assert file.read(1) == b""
    return said


def answer(file: BinaryIO) -> Said:
    status = int(file.readline().split()[1])
    headers = {name.lower(): value for name, value in parse_headers(file).items() if name.lower() != "date"}
    if status == 100:
        return answer(file)
    return status, headers, ID.sub(b"id", file.read(int(headers["content-length"])))


def ask(server: LiveServer, *pieces: bytes, answers: int = 1, pause: float = 0.03) -> list[Said]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        send(connection, *pieces, pause=pause)
        return receive(connection, answers)


@pytest.mark.parametrize("kind", REQUESTS)
def test_whole_or_in_two_pieces_the_answer_is_the_same(server: LiveServer, kind: str) -> None:
    request = REQUESTS[kind]

    assert ask(server, request) == ask(server, request[:5], request[5:])


@pytest.mark.parametrize("pause", [0.002, 0.1])
@pytest.mark.parametrize("kind", KEEPING)
def test_a_body_that_comes_after_its_head_soon_or_late_gets_the_same_answer(server: LiveServer, kind: str, pause: float) -> None:
    request = REQUESTS[kind]
    end = request.index(b"\r\n\r\n") + 4
    middle = (end + len(request)) // 2

    assert ask(server, request) == ask(server, request[:end], request[end:middle], request[middle:], pause=pause)


@pytest.mark.parametrize("spaces", [70_000, 1_200_000])
def test_a_body_too_long_for_one_piece_is_answered(server: LiveServer, spaces: int) -> None:
    long = post(body=BODY + b" " * spaces)

    assert ask(server, long, long, answers=2) == ask(server, REQUESTS["good"]) * 2


def test_one_after_the_other_on_one_connection(server: LiveServer) -> None:
    alone = {kind: ask(server, REQUESTS[kind])[0] for kind in KEEPING}
    kinds = [str(kind) for kind in np.random.default_rng(0).choice(KEEPING, 60)]

    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection, connection.makefile("rb") as file:
        for kind in kinds:
            connection.sendall(REQUESTS[kind])
            assert answer(file) == alone[kind]


@pytest.mark.parametrize("seed", range(20))
def test_sent_without_waiting_and_cut_anywhere_each_is_answered_in_its_turn(server: LiveServer, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds = [str(kind) for kind in rng.choice(KEEPING, 8)]
    together = b"".join(REQUESTS[kind] for kind in kinds)
    ends = np.cumsum([len(REQUESTS[kind]) for kind in kinds])[:-1]
    cuts = sorted({*rng.integers(1, len(together), 3).tolist(), *rng.choice(ends, 2).tolist()})

    answers = ask(server, *(together[a:b] for a, b in zip([0, *cuts], [*cuts, len(together)], strict=True)), answers=len(kinds))

    assert answers == [ask(server, REQUESTS[kind])[0] for kind in kinds]


def test_much_that_is_sent_without_waiting_is_answered(server: LiveServer) -> None:
    request = post(body=BODY + b" " * 5000)

    answers = ask(server, request, *[request * 50] * 4, answers=201)

    assert answers == ask(server, request) * 201


def test_a_connection_is_kept_while_it_is_used_and_for_five_seconds_after(server: LiveServer) -> None:
    here = ("127.0.0.1", server.port)
    with socket.create_connection(here, timeout=10) as used, used.makefile("rb") as answers:
        with socket.create_connection(here, timeout=10) as idle, idle.makefile("rb") as one:
            idle.sendall(REQUESTS["good"])
            assert answer(one)[0] == 200
            for _ in range(4):
                used.sendall(REQUESTS["good"])
                assert answer(answers)[0] == 200
                time.sleep(2)
            assert one.read() == b"", "it was idle for eight seconds"
        used.sendall(REQUESTS["good"])
        assert answer(answers)[0] == 200, "it was used"
        last = time.monotonic()
        assert answers.read() == b""
        assert 4 < time.monotonic() - last < 9


def test_who_hangs_up_before_the_answer_leaves_no_trace(server: LiveServer) -> None:
    for number in range(50):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(REQUESTS["good"][: -(number % 3) or None])

    assert ask(server, REQUESTS["good"])[0][0] == 200
    assert "Traceback" not in server.log.read_text()


def by_gunicorn(data: bytes) -> Whole | None:
    """What gunicorn's parser reads, if it is one whole request after which the connection is kept."""
    bodies: list[bytes] = []
    parser = PythonProtocol(on_body=bodies.append)
    try:
        parser.feed(data)
        request = CallbackRequest.from_parser(parser) if parser.is_complete else None
    except ParseError:
        return None
    if request is None or parser.remaining() or request.should_close():
        return None
    assert request.method == "POST"
    headers = {name.decode(): value.decode("latin-1") for name, value in request.headers_bytes}
    return Whole(request.path, headers, b"".join(bodies))


def test_what_is_read_at_once_is_what_gunicorn_reads() -> None:
    rng = np.random.default_rng(0)
    bytes_put = [
        b"\r\n",
        b"\n",
        b"\r",
        b":",
        b" ",
        b"\t",
        b"\0",
        b"\x7f",
        b"\x80",
        b"_",
        b"%",
        b"?",
        b"#",
        b"0",
        b"1",
        b"a",
        b"",
        b"\r\n\r\n",
    ]
    read = 0
    for number in range(20_000):
        data = REQUESTS[list(REQUESTS)[number % len(REQUESTS)]]
        for place in rng.integers(0, len(data) - len(BODY) // 2, rng.integers(0, 3)).tolist():
            data = data[:place] + bytes_put[rng.integers(len(bytes_put))] + data[place + rng.integers(0, 3) :]
        begun = whole_request.begin(data)
        if begun is not None and begun.total_bytes == len(data):
            read += 1
            assert begun.whole(data) == by_gunicorn(data)
    assert read > 1000

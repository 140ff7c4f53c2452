"""The closed-loop load: wrk, from Debian's package of that name, which costs the machine far less than any client in Python."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SCRIPT = """
local turn, requests = 0, {}
function init()
  for number = 1, %(count)d do
    local file = io.open("%(folder)s/" .. number, "rb")
    requests[number] = wrk.format("POST", "%(path)s", {%(headers)s}, file:read("*a"))
    file:close()
  end
end
function request()
  turn = turn %% %(count)d + 1
  return requests[turn]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests": %%d, "seconds": %%f, "failed": %%d, "p50_ms": %%f, "p99_ms": %%f}\\n', summary.requests, summary.duration / 1e6,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""
_LONGEST_WAIT_SECONDS = 30
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class NoWrk(Exception):
    """wrk is not installed and cannot be."""


@dataclass(frozen=True)
class Post:
    """Requests of one kind: several bodies in turn, so that no server answers from a cache."""

    path: str
    bodies: tuple[bytes, ...]
    rows: int
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def all_headers(self) -> dict[str, str]:
        return {"Content-Type": self.content_type} | dict(self.headers)


def wire(post: Post) -> list[bytes]:
    """The requests as they are sent."""
    head = "".join(f"{name}: {value}\r\n" for name, value in post.all_headers.items())
    return [
        f"POST {post.path} HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in post.bodies
    ]


def is_whole(answer: bytes) -> bool:
    """Whether all of an answer has come that says how long it is."""
    end = answer.find(b"\r\n\r\n")
    length = _LENGTH.search(answer, 0, end + 2)
    return end >= 0 and len(answer) >= end + 4 + (int(length[1]) if length else 0)


@dataclass(frozen=True)
class Load:
    """What came of a load. `failed` counts every request without a good answer; `core_us` is the server's own processor time for one."""

    requests: int
    per_second: float
    rows_per_second: float
    p50_ms: float
    p99_ms: float
    failed: int
    core_us: float = 0.0


def wrk(port: int, post: Post, connections: int, seconds: float) -> Load:
    """Keep so many connections busy for so long."""
    with tempfile.TemporaryDirectory(prefix="veleta-wrk-") as folder:
        for number, body in enumerate(post.bodies, start=1):
            Path(folder, str(number)).write_bytes(body)
        headers = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in post.all_headers.items())
        script = Path(folder, "post.lua")
        script.write_text(_SCRIPT % {"count": len(post.bodies), "folder": folder, "path": post.path, "headers": headers}, encoding="utf-8")
        options = ["--threads", "1", "--connections", str(connections), "--duration", f"{max(1, round(seconds))}s"]
        waits = ["--timeout", f"{_LONGEST_WAIT_SECONDS}s"]
        command = [find_wrk(), *options, *waits, "--script", str(script), f"http://127.0.0.1:{port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 2 * _LONGEST_WAIT_SECONDS, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    per_second = (told["requests"] - told["failed"]) / told["seconds"]
    return Load(told["requests"], per_second, per_second * post.rows, told["p50_ms"], told["p99_ms"], told["failed"])


def find_wrk() -> str:
    """Its path; installed if this is root on Debian. Raises NoWrk."""
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "wrk"], check=False, capture_output=True)
    found = shutil.which("wrk")
    if found is None:
        raise NoWrk("the load comes from wrk, which is not installed; install Debian's package wrk")
    return found


def answers(port: int, post: Post, expected: NDArray[np.float32]) -> bool:
    """Whether the first body is answered, and rightly: the model's probabilities stand somewhere in the answer, in whatever protocol."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", post.path, post.bodies[0], post.all_headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return response.status == 200 and _holds(_numbers(body), expected[: post.rows])


def _numbers(body: bytes) -> NDArray[np.float64]:
    """The numbers of lists, in order; those of named values are something else."""
    lists = re.findall(rb"\[([-+0-9.eE, \n]+)\]", body)
    return np.array([float(number) for found in lists for number in found.split(b",")])


def _holds(numbers: NDArray[np.float64], expected: NDArray[np.float32]) -> bool:
    wanted = expected.ravel()
    if len(numbers) < len(wanted):
        return False
    windows = np.lib.stride_tricks.sliding_window_view(numbers, len(wanted))
    return bool(np.isclose(windows, wanted, atol=0.02).all(axis=1).any())


def mean(loads: Sequence[Load]) -> Load:
    """The same cell, measured several times."""

    def middle(name: str) -> float:
        return float(np.mean([getattr(load, name) for load in loads]))

    per_second, rows = middle("per_second"), middle("rows_per_second")
    requests, failed = sum(load.requests for load in loads), sum(load.failed for load in loads)
    return Load(requests, per_second, rows, middle("p50_ms"), middle("p99_ms"), failed, middle("core_us"))

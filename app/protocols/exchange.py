"""What both lanes and all protocols pass each other: a request, what it asks, and the reply."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from numpy.typing import NDArray

from app.answers import Reply
from app.errors import BadInput
from app.predictor import Answer
from app.served import Loaded
from app.service import Service
from app.visit import current


class Request(NamedTuple):
    """A request as a protocol sees it: its body whole and unpacked, header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str]


class Asked(NamedTuple):
    """Rows (n, …) for a model, how its answer is written, and how long that may wait in a queue."""

    loaded: Loaded
    rows: NDArray[Any]
    write: Callable[[Answer], Reply]
    timeout_seconds: float | None = None

    def reply(self, answer: Answer) -> Reply:
        """The answer, written."""
        visit = current.get()
        if visit is None:
            return self.write(answer)
        visit.answered(answer.call.seconds)
        reply = self.write(answer)
        visit.written()
        return reply


@dataclass(frozen=True)
class Prediction:
    """A POST route that asks a model. `rule` is written as in Flask; its parts are handed to `read` by name.

    `read` raises RequestError. `route` is what the request is counted by.
    """

    rule: str
    route: str
    read: Callable[..., Asked]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", self.rule))

    def ask(self, service: Service, request: Request, parts: Mapping[str, str]) -> Asked:
        """What the request asks, with the least of the timeouts that its header, its protocol and the settings give."""
        began = time.perf_counter()
        asked = self.read(service, request, **parts)
        least = service.settings.timeout_seconds
        if (header := request.headers.get("x-request-timeout")) is not None:
            least = min(least, _timeout(header))
        if asked.timeout_seconds is not None:
            least = min(least, asked.timeout_seconds)
        if visit := current.get():
            visit.asked(asked.loaded.subject, len(asked.rows), began)
        return Asked(asked.loaded, asked.rows, asked.write, least)


def _timeout(header: str) -> float:
    try:
        seconds = float(header)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise BadInput(f"X-Request-Timeout is {header[:40]!r}, expected seconds, as in 0.5")
    return seconds

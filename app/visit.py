"""One request, from its coming to its answer: what the door, the log lines and the trace know of it."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from monitoring.subject import Subject

_WELL_FORMED = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")


@dataclass(slots=True)
class Visit:
    """`headers` finds names in lower case. Times are those of `time.perf_counter`; 0: it did not come to that."""

    method: str
    path: str
    headers: Mapping[str, str]
    address: str
    request_id: str
    began: float
    key: str = ""
    subject: Subject | None = None
    rows: int = 0
    reading_seconds: float = 0.0
    read_at: float = 0.0
    calling_seconds: float = 0.0
    answered_at: float = 0.0
    writing_seconds: float = 0.0

    def asked(self, subject: Subject, rows: int, since: float) -> None:
        """The request is read: so many rows for this model."""
        now = time.perf_counter()
        self.subject, self.rows, self.reading_seconds, self.read_at = subject, rows, now - since, now

    def answered(self, calling_seconds: float) -> None:
        """The model has answered, in a call of so long."""
        self.calling_seconds, self.answered_at = calling_seconds, time.perf_counter()

    def written(self) -> None:
        """The answer is written, and may have to wait until it is sent."""
        self.writing_seconds = time.perf_counter() - self.answered_at


#: The request that this task or thread answers, so that whoever writes a log line need not be told of it.
current: ContextVar[Visit | None] = ContextVar("visit", default=None)


class RequestIds:
    """Ids of requests: the client's own if it is well-formed, else one that no other worker gives."""

    def __init__(self) -> None:
        self._prefix, self._count = secrets.token_hex(8), itertools.count(1)

    def choose(self, given: str | None) -> str:
        return given if given and _WELL_FORMED.fullmatch(given) else f"{self._prefix}-{next(self._count):x}"

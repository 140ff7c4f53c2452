"""What both lanes and all protocols pass each other: a request, what it asks, and the reply."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from app.answers import Reply
from app.predictor import Answer
from app.served import Loaded
from app.service import Service


@dataclass(frozen=True)
class Request:
    """A request as a protocol sees it: its body whole and unpacked, header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str]


@dataclass(frozen=True)
class Asked:
    """Rows (n, …) for a model, and how its answer is written."""

    loaded: Loaded
    rows: NDArray[Any]
    reply: Callable[[Answer], Reply]


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
        return self.read(service, request, **parts)

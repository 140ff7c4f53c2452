"""Requests whose head comes in one piece of data, as most do, read with one expression.

Reading them the ordinary way, byte by byte in Python and handed on through ASGI, takes longer than everything else that a request for
one row needs but the model. Only what leaves nothing to decide is read here: HTTP/1.1, no field twice, a plain length. All else is None,
and the same data goes the ordinary way, where it is refused if it is to be refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

_NAME, _VALUE = rb"[!#$%&'*+.^`|~0-9A-Za-z-]+", rb"[^\x00-\x08\x0a-\x1f\x7f]*"  # no `_`: whether such a name is kept is a setting
_HEAD = re.compile(rb"POST (/[!-$&->@-~]*) HTTP/1\.1\r\n((?:" + _NAME + rb":" + _VALUE + rb"\r\n)++)\r\n")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,9}")
#: As little as the ordinary way allows of a single line.
_MOST_HEAD_BYTES = 8190
_MOST_FIELDS = 100
#: Fields that change how the request or the connection is to be treated.
_TELLING = frozenset({"transfer-encoding", "expect", "upgrade", "x-forwarded-protocol", "x-forwarded-ssl"})


class Whole(NamedTuple):
    """`path` is as it was sent; names of headers are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Begun(NamedTuple):
    """The head of a request, how many bytes it has, and how many the whole request has."""

    path: str
    headers: Mapping[str, str]
    head_bytes: int
    total_bytes: int

    def whole(self, data: bytes) -> Whole:
        """The request, of all its bytes."""
        return Whole(self.path, self.headers, data[self.head_bytes :])


def begin(data: bytes) -> Begun | None:
    """What begins here, if the head of a POST request is whole and leaves nothing to decide.

    >>> begun = begin(b"POST /predict HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 2\\r\\n\\r\\n[")
    >>> begun.path, dict(begun.headers), begun.head_bytes, begun.total_bytes
    ('/predict', {'host': 'a', 'content-length': '2'}, 54, 56)
    """
    end = data.find(b"\r\n\r\n", 0, _MOST_HEAD_BYTES) + 4
    return _read_head(data[:end]) if end >= 4 else None


@lru_cache(1024)
def _read_head(data: bytes) -> Begun | None:
    """A client sends the same one again and again."""
    head = _HEAD.fullmatch(data)
    if head is None:
        return None
    fields = head[2].decode("latin-1").split("\r\n")[:-1]
    headers = {name.lower(): value.strip(" \t") for name, _, value in [field.partition(":") for field in fields]}
    if len(headers) < len(fields) or len(fields) > _MOST_FIELDS or not _TELLING.isdisjoint(headers):
        return None
    if headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    if not _LENGTH.fullmatch(length := headers.get("content-length", "")):
        return None
    return Begun(head[1].decode("ascii"), MappingProxyType(headers), len(data), len(data) + int(length))

"""Requests that come whole in one piece of data, as most do, read with one expression.

Reading them the ordinary way, byte by byte in Python and handed on through ASGI, takes longer than everything else that a request for
one row needs but the model. Only what leaves nothing to decide is read here: HTTP/1.1, no field twice, a length that is the data's. All
else is None, and the same data goes the ordinary way, where it is refused if it is to be refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

_NAME, _VALUE = rb"[!#$%&'*+.^`|~0-9A-Za-z-]+", rb"[^\x00-\x08\x0a-\x1f\x7f]*"  # no `_`: whether such a name is kept is a setting
_HEAD = re.compile(rb"POST (/[!-$&->@-~]*) HTTP/1\.1\r\n((?:" + _NAME + rb":" + _VALUE + rb"\r\n)++)\r\n")
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


class _Head(NamedTuple):
    path: str
    headers: Mapping[str, str]
    length: str | None


def read(data: bytes) -> Whole | None:
    """A POST request, if this is one, and nothing before or after it.

    >>> read(b"POST /predict HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 2\\r\\n\\r\\n[]")
    Whole(path='/predict', headers=mappingproxy({'host': 'a', 'content-length': '2'}), body=b'[]')
    >>> read(b"POST /predict HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 3\\r\\n\\r\\n[]") is None
    True
    """
    end = data.find(b"\r\n\r\n", 0, _MOST_HEAD_BYTES) + 4
    if end < 4 or (head := _read_head(data[:end])) is None:
        return None
    body = data[end:]
    return Whole(head.path, head.headers, body) if head.length == str(len(body)) else None


@lru_cache(256)
def _read_head(data: bytes) -> _Head | None:
    """The head of a request. A client sends the same one again and again."""
    head = _HEAD.fullmatch(data)
    if head is None:
        return None
    fields = head[2].decode("latin-1").split("\r\n")[:-1]
    headers = {name.lower(): value.strip(" \t") for name, _, value in [field.partition(":") for field in fields]}
    if len(headers) < len(fields) or len(fields) > _MOST_FIELDS or not _TELLING.isdisjoint(headers):
        return None
    if headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    return _Head(head[1].decode("ascii"), MappingProxyType(headers), headers.get("content-length"))

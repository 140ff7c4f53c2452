"""The least that an ASGI server can do: read a body, write a hundred bytes. What it reaches is the floor under every HTTP request."""

from __future__ import annotations

from typing import Any

_BODY = b'{"probabilities": [[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.996, 0.0, 0.0, 0.0]], "label": "6", "class": 6}'
_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())],
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body", False):
        pass
    await send(_START)
    await send({"type": "http.response.body", "body": _BODY})

"""Bodies for the reader that is written in C, most of them damaged, and what the standard library has for them.

Run with a file: the reader is taken from it, so that it may be one that a sanitizer watches.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.compiler import loaded

Read = Callable[[bytes, int], tuple[bytearray, tuple[int, ...], int] | None]
_BYTES = b'[[[]]],,,0123456789.. \t\r\n-e"{}:\x00\xff'


def nested(rng: random.Random, shape: tuple[int, ...], largest: int) -> Any:
    if not shape:
        value = rng.randint(0, largest)
        return float(value) if rng.random() < 0.05 else value
    return [nested(rng, shape[1:], largest) for _ in range(shape[0])]


def spaced(rng: random.Random, text: str) -> str:
    """The same with space in between, as JSON allows it."""
    return "".join(rng.choice(("", "", " ", "\n", "\t \r")) + byte if byte in "[]," else byte for byte in text)


def array(rng: random.Random) -> bytes:
    shape = tuple(rng.randrange(1, 4) for _ in range(rng.randrange(1, 10)))
    text = json.dumps(nested(rng, shape, rng.choice((9, 255))), separators=rng.choice(((",", ":"), None)))
    return (spaced(rng, text) if rng.random() < 0.3 else text).encode()


def damaged(rng: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.randrange(3)):
        place = rng.randrange(len(changed) + 1)
        changed[place : place + rng.randrange(3)] = bytes(rng.choices(_BYTES, k=rng.randrange(3)))
    return bytes(changed[: rng.randrange(len(changed) + 1)] if rng.random() < 0.1 else changed)


def bodies(seed: int, count: int) -> list[bytes]:
    rng = random.Random(seed)
    return [damaged(rng, rng.choice((b"", b" ", b"xy")) + array(rng) + rng.choice((b"", b" ", b"}", b"\n]"))) for _ in range(count)]


def expected(body: bytes, start: int) -> tuple[np.ndarray[Any, Any], int] | None:
    """By the standard library: the octets, and where what follows them begins; None if there are none."""
    text = body[start:].decode("latin-1") if start >= 0 else ""
    try:
        values, end = json.JSONDecoder().raw_decode(text)
        read = np.array(values)
    except ValueError:
        return None
    if not isinstance(values, list) or not read.size or read.dtype.kind not in "if" or not (np.isin(read, range(256))).all():
        return None
    return read, start + end + len(text[end:]) - len(text[end:].lstrip(" \t\r\n"))


def is_right(read: Read, body: bytes, start: int) -> bool:
    found, wanted = read(body, start), expected(body, start)
    if found is None:  # only what another has to read
        return wanted is None or wanted[0].ndim > 8 or b"e" in body or b"-0" in body
    octets, shape, end = found
    return wanted is not None and shape == wanted[0].shape and list(octets) == wanted[0].ravel().tolist() and end == wanted[1]


def wrong(read: Read, seed: int, count: int) -> list[tuple[bytes, int]]:
    """Where the reader has something else. It is asked at brackets, at some place, and where there is nothing."""
    asked = ((body, start) for body in bodies(seed, count) for start in {body.find(b"["), body.rfind(b"["), len(body) // 2, len(body), -1})
    return [(body, start) for body, start in asked if not is_right(read, body, start)]


if __name__ == "__main__":
    print(wrong(loaded(sys.argv[1]).read, int(sys.argv[2]), int(sys.argv[3])))

"""Lists of pixels take a quick way to an array, all others NumPy's own. Nobody is to see which."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from app import decoding, json_bodies
from app.errors import BadInput, OverLimit
from app.takes import Takes

LIMITS = decoding.Limits(2**20, 100, 2**20)
TAKEN = Takes("x", "float32", (None, 2, 2), "tensor", (-1e9, 1e9))
LEAVES = [0, 1, 7, 255, 256, -1, True, False, None, "1", b"", 1.5, 2**70, [], {}, {"a": 1}, *[7] * 30]


def nested(rng: random.Random, depth: int) -> Any:
    if depth == 0:
        return rng.choice(LEAVES)
    length = 2 if rng.random() < 0.9 else rng.randrange(4)
    return [nested(rng, depth - 1 if rng.random() < 0.97 else 0) for _ in range(length)]


def said(values: Any) -> Any:
    try:
        return decoding.from_values(values, TAKEN, LIMITS).tolist()
    except (BadInput, OverLimit) as error:
        return str(error)


def test_what_is_read_is_what_numpy_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    cases = [nested(rng, rng.randrange(1, 4)) for _ in range(20_000)]
    quick = [said(case) for case in cases]

    monkeypatch.setattr(json_bodies, "_octets", lambda _: None)

    assert quick == [said(case) for case in cases]
    assert sum(isinstance(answer, list) for answer in quick) > 300


def test_octets_are_read_in_every_shape() -> None:
    for shape in [(3,), (3, 4), (2, 3, 4), (2, 3, 4, 1)]:
        values = np.random.default_rng(0).integers(0, 256, shape)
        read = json_bodies._octets(values.tolist())
        assert read is not None
        assert read.dtype == np.uint8
        assert (read == values).all()


def test_lists_in_lists_without_end_are_refused() -> None:
    deep: Any = 7
    for _ in range(900):
        deep = [deep]

    assert "not all of one shape" in said(deep)
